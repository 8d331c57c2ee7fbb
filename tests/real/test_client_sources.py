"""Each source of the program through Google's Python client to the token service, and the options they share.

The table of sources promises: text or a JSON field, secrets from env: or file:, no shell, and no stderr of a child.
The tokens are a trusted issuer's; the stand-in verifies them. The `oidc` source has files of its own.
"""

from __future__ import annotations

import json
import sys

import pytest

from standins.loopback import Answer, Loopback
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.program import JWT
from support.signer import new_key, pem


@pytest.fixture
def token(issuer, audience) -> str:
    """A token of the trusted issuer."""
    return issuer.token("https:" + audience)


def exchanged(clients, sts, audience, *arguments, env=None, client="python") -> str:
    """Runs the client, and returns the subject token that the token service verified."""
    outcome = clients.run(client, clients.configuration(audience, *arguments), env=env)
    assert outcome.access_token in sts.issued
    exchange = sts.exchanges[-1]
    assert (exchange.audience, exchange.subject_token_type) == (audience, JWT)
    return exchange.subject_token


@pytest.mark.parametrize("content, options", [
    ("{token}", []),
    ("\n {token}\r\n", []),
    ('{{"id_token": "{token}", "other": 1}}', ["--field=id_token"]),
])  # fmt: skip
def test_file(clients, sts, audience, tmp_path, token, content, options):
    """The token is text with spaces around it, or a member of JSON."""
    path = tmp_path / "token"
    path.write_text(content.format(token=token))
    assert exchanged(clients, sts, audience, "file", f"--path={path}", *options) == token


def test_file_is_read_every_time(clients, sts, issuer, audience, tmp_path, token):
    """A projected token is rotated."""
    path = tmp_path / "token"
    path.write_text(token)
    assert exchanged(clients, sts, audience, "file", f"--path={path}") == token
    path.write_text(second := issuer.token(audience))
    assert exchanged(clients, sts, audience, "file", f"--path={path}") == second != token


def test_env(clients, sts, audience, token):
    """GitLab and other systems provide the token in this way. The client passes its environment to the program."""
    assert exchanged(clients, sts, audience, "env", "--name=ID_TOKEN", env={"ID_TOKEN": token}) == token
    document = json.dumps({"token": token})
    assert exchanged(clients, sts, audience, "env", "--name=DOCUMENT", "--field=token", env={"DOCUMENT": document}) == token


@pytest.mark.parametrize("header, sent", [
    ("Authorization:env:REQUEST_TOKEN", "request-token-4711"),
    ("X-Request-Token:file:{file}", "request-token-4711"),
    ("Metadata:true", "true"),
])  # fmt: skip
def test_url(clients, sts, ledger, audience, tmp_path, token, header, sent):
    """One header has a secret value from a variable or a file, and another one is plain. The server gets both, and the
    secret does not leak.
    """
    secret = ledger.secret("the request token", "request-token-4711")
    (tmp_path / "secret").write_text(secret + "\n")
    server = Loopback(lambda request: Answer(200, {"value": token}))
    try:
        header_option = f"--header={header.format(file=tmp_path / 'secret')}"
        source = ("url", f"--url={server.url}/token?audience=x", "--field=value", header_option)
        assert exchanged(clients, sts, audience, *source, env={"REQUEST_TOKEN": secret}) == token
    finally:
        server.close()
    (request,) = server.requests
    assert (request.method, request.path, request.query) == ("GET", "/token", {"audience": ["x"]})
    assert request.headers[header.partition(":")[0].lower()] == sent


def test_url_with_a_bearer(program, ledger, issuer, audience, token):
    """`WORDS env:NAME` contains a space, which requires an arguments file if the command line has no quoting. Therefore
    no client runs it here.
    """
    secret = ledger.secret("the request token", "request-token-4711")
    server = Loopback(lambda request: Answer(200, token) if "authorization" in request.headers else Answer(401, "no"))
    try:
        source = ["url", f"--url={server.url}", f"--audience={audience}"]
        run = program.run(*source, "--header=Authorization: Bearer env:REQUEST_TOKEN", env={"REQUEST_TOKEN": secret})
        assert run.token == token and server.requests[-1].headers["authorization"] == f"Bearer {secret}"
        program.run(*source).failed("DENIED", "401")
    finally:
        server.close()


def test_command(clients, sts, audience, tmp_path, token):
    """The token is the stdout of another program. One byte of its stderr would break Python's client."""
    script = tmp_path / "helper.py"
    script.write_text("import json, sys\nprint('noise', file=sys.stderr)\nprint(json.dumps({'t': open(sys.argv[1]).read()}))\n")
    (tmp_path / "token").write_text(token)
    source = ("command", "--field=t", "--", sys.executable, script, tmp_path / "token")
    assert exchanged(clients, sts, audience, *source) == token


@pytest.mark.parametrize("kind, claims", [
    ("EC", ["--claim=team=platform", "--lifetime=600"]),
    ("RSA", []),
])  # fmt: skip
def test_key(clients, sts, ledger, audience, tmp_path, kind, claims):
    """The key exists already: the program writes its key set for the upload, and does not change the key."""
    key, path = new_key(kind), tmp_path / "key.pem"
    path.write_text(ledger.private_key("the key", pem(key)))
    path.chmod(0o600)
    uploaded = uploaded_jwks(clients.program, path, audience)
    sts.add(OidcPoolProvider(audience, "https://issuer.example.test", jwks=uploaded))
    source = ("key", f"--key={path}", "--issuer=https://issuer.example.test", "--subject=s", *claims)
    exchanged(clients, sts, audience, *source)
    received = sts.exchanges[-1].claims
    assert received.get("team") == ("platform" if claims else None)
    if claims:
        assert received["exp"] - received["iat"] == 600


def uploaded_jwks(program, path, audience) -> dict:
    """Runs the program with an existing key, and returns the key set that it writes next to the key."""
    source = ["key", f"--key={path}", "--issuer=https://issuer.example.test", "--subject=s", f"--audience={audience}"]
    before = path.read_text()
    assert program.run(*source, "--generate").token
    assert path.read_text() == before, "an existing key must not change"
    return json.loads(path.with_suffix("").with_suffix(".jwks.json").read_text())


def test_a_recreated_key_gets_its_own_key_set(program, audience, tmp_path):
    """The key was lost. The key set next to the new key must contain its public key, because users upload it."""
    path = tmp_path / "demo.pem"
    source = ["key", f"--key={path}", "--issuer=https://issuer.example.test", "--subject=s", f"--audience={audience}"]
    assert program.run(*source, "--generate").token
    path.unlink()
    token = program.run(*source, "--generate").token
    uploaded = json.loads((tmp_path / "demo.jwks.json").read_text())
    assert verify_jwt(token, OidcPoolProvider(audience, "https://issuer.example.test", jwks=uploaded))


def test_args_file(clients, sts, audience, tmp_path, token):
    """Each line is one argument, and lines with `#` are comments. A path with a space cannot be in a command line
    without quoting.
    """
    folder = tmp_path / "with blank"
    folder.mkdir()
    (folder / "token").write_text(token)
    arguments = tmp_path / "arguments"
    arguments.write_text(f"# where the token is\n--path={folder / 'token'}\n\n--timeout=10\n")
    assert exchanged(clients, sts, audience, "file", f"--args-file={arguments}") == token


def test_text_format_serves_a_file_sourced_configuration(program, clients, sts, audience, tmp_path, token):
    """With --format=text and an output file, the file contains only the token without a line break, because clients send
    it unchanged.
    """
    output = tmp_path / "bare"
    options = ("env", "--name=T", "--format=text", f"--audience={audience}")
    run = program.run(*options, f"--output-file={output}", env={"T": token})
    assert (run.status, run.stdout, run.stderr) == (0, "", "") and output.read_text() == token
    bare = program.run(*options, env={"T": token})
    assert (bare.status, bare.stdout, bare.stderr) == (0, token, "")

    path = clients.configuration(audience, "env", "--name=T")
    file_sourced = json.loads(path.read_text()) | {"credential_source": {"file": str(output)}}
    path.write_text(json.dumps(file_sourced))
    assert clients.run("python", path, "file-sourced").access_token in sts.issued
    assert sts.exchanges[-1].subject_token == token
