"""Keys in PKCS#11 tokens: SoftHSM directly and by p11-kit, and an emulated TPM. pkcs11-tool is the independent reader.

`pkcs11/module.c` is SoftHSM as a module that misbehaves: it prints, blocks, loses its token, or has fewer mechanisms.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import jwt
import pytest
import requests
from cryptography import x509

from servers.authority import Authority
from servers.nginx import answers, nginx, server
from standins.azure_tenant import RESOURCE, TENANT
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.adfs import ALICE, issues_saml
from support.crowd import have_open
from support.oidc_provider import client, oidc_provider
from support.places import PYTHON
from support.processes import free_port, listens, until
from support.softhsm import KEYS, MODULE, PIN, misbehaving

ISSUER = "https://host.example.test"
CLAIMS = [f"--issuer={ISSUER}", "--subject=host-1"]


@pytest.fixture
def hsm(program, tokens, ledger):
    """The program with variables by which it finds the tokens."""
    ledger.secret("the PIN", PIN)
    return replace(program, variables=program.variables | tokens.environment)


@pytest.fixture(scope="module")
def module(tmp_path_factory) -> Path:
    """The module that misbehaves."""
    return misbehaving(tmp_path_factory.mktemp("module"))


@pytest.fixture
def signs(hsm, tokens, module, audience, tmp_path):
    """Runs `key` with a key in the misbehaving module; also returns the calls of the module."""

    def run(how: str, key: str = "rsa", *options: str, pin: Path | None = None, logs: bool = True):
        calls = tmp_path / f"calls-{time.monotonic_ns()}"
        calls.touch()
        env = {"MISBEHAVE": how, "CALLS": str(calls)}
        words = [f"--key={tokens.uri(key, module, pin)}", *CLAIMS, f"--audience={audience}", *options]
        return hsm.run("key", *words, env=env, logs=logs), calls.read_text().splitlines()

    return run


def jwks_of(program, *options: str) -> dict:
    """Runs `key --jwks`, and returns its output."""
    run = program.run("key", "--jwks", *options)
    assert (run.status, run.stderr) == (0, ""), run.described()
    return json.loads(run.stdout)


@pytest.mark.parametrize("module", [MODULE, None], ids=["direct", "p11-kit"])
@pytest.mark.parametrize("key, algorithm", [("rsa", "RS256"), ("ec", "ES256")])
def test_the_pool_provider_accepts_the_tokens(hsm, tokens, audience, key, algorithm, module):
    """The pool provider has the key set of `--jwks`, whose public key is the one that pkcs11-tool reads."""
    option = f"--key={tokens.uri(key, module)}"
    jwks = jwks_of(hsm, option)
    token = hsm.run("key", option, *CLAIMS, f"--audience={audience}").token
    assert verify_jwt(token, OidcPoolProvider(audience, ISSUER, jwks=jwks))["sub"] == "host-1"
    known = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(tokens.public_key(KEYS[key][1])))
    (found,) = jwks["keys"]
    assert {name: value for name, value in known.items() if name != "key_ops"}.items() <= found.items()
    assert not {"d", "p", "q"} & set(found)


def test_each_way_to_give_the_pin(hsm, tokens, audience):
    """The PIN is in a file that the URI or --pin names, or in a variable. It must be given only once, and not for a key file.
    """
    uri = f"pkcs11:token=rig%20other;id=%02?module-path={MODULE}"
    for options, env in ([f"--pin=file:{tokens.folder}/pin"], {}), (["--pin=env:TOKEN_PIN"], {"TOKEN_PIN": PIN}):
        assert hsm.run("key", f"--key={uri}", *options, *CLAIMS, f"--audience={audience}", env=env).token
    hsm.run("key", f"--key={uri}", *CLAIMS, f"--audience={audience}").failed("CONFIGURATION", "requires a PIN", "--pin")
    twice = hsm.run("key", f"--key={tokens.uri('ec')}", "--pin=env:TOKEN_PIN", *CLAIMS, f"--audience={audience}", env={"TOKEN_PIN": PIN})
    twice.failed("USAGE", "--pin and pin-source")
    hsm.run("key", "--key=/key.pem", "--pin=env:A", *CLAIMS, f"--audience={audience}").failed("USAGE", "--pin requires a pkcs11: URI")
    named = hsm.run("key", f"--key=pkcs11:token=rig%20other;object=pin-source?module-path={MODULE}", "--pin=env:TOKEN_PIN", *CLAIMS,
                    f"--audience={audience}", env={"TOKEN_PIN": "hunter2-wrong"})  # fmt: skip
    named.failed("DENIED", "correct --pin")
    inline = hsm.run("key", f"--key={uri}&pin-value={PIN}", *CLAIMS, f"--audience={audience}", logs=False)
    assert PIN not in inline.failed("USAGE", "must not contain a PIN")


def test_a_generated_key_never_leaves_the_token(hsm, tokens, audience):
    """The key is sensitive from the start and never extractable; a second run uses the same key."""
    option = f"--key={tokens.uri('made')}"
    hsm.run("key", option, *CLAIMS, f"--audience={audience}").failed("ABSENT", "object=ec;id=%02")
    tokens_made = [hsm.run("key", option, "--generate", *CLAIMS, f"--audience={audience}").token for _ in range(2)]
    provider = OidcPoolProvider(audience, ISSUER, jwks=jwks_of(hsm, option))
    assert [verify_jwt(token, provider)["sub"] for token in tokens_made] == ["host-1"] * 2
    objects = tokens.tool("--list-objects", "--type", "privkey").decode().split("Private Key Object")
    (made,) = [text for text in objects if "label:      made" in text]
    assert "EC" in made and "Access:     sensitive, always sensitive, never extractable, local" in made


def test_a_generated_key_has_an_id_of_its_own(hsm, tokens, audience):
    """A key with the ID of another one could not be used, and the other one could no longer be found by its ID."""
    before = tokens.tool("--list-objects")
    for uri in [tokens.uri("another;id=%01"), tokens.uri("another;id=%01").replace("type=private", "")]:
        run = hsm.run("key", "--generate", f"--key={uri}", *CLAIMS, f"--audience={audience}")
        run.failed("CONFIGURATION", 'has another key with the id of --key: object=rsa;id=%01; set another id in --key')
    assert tokens.tool("--list-objects") == before


def test_concurrent_runs_create_one_key(hsm, tokens, module, audience, tmp_path):
    """The first run blocks while it creates the key. The others wait, and then use that key."""
    calls, go = tmp_path / "calls", tmp_path / "calls.go"
    calls.touch()
    uri = tokens.uri("shared", module)
    words = ["key", f"--key={uri}", "--generate", *CLAIMS, f"--audience={audience}"]
    children = [hsm.start(*words, env={"MISBEHAVE": "hold-generate", "CALLS": str(calls)}) for _ in range(4)]
    try:
        lock = hsm.home / ".cache" / "wif-token" / "pkcs11.lock"
        until(lambda: "C_GenerateKeyPair" in calls.read_text() and have_open(lock, children) == 4, "the runs are at the lock")
        go.touch()
        runs = [hsm.finish(child) for child in children]
    finally:
        for child in children:
            child.kill()
    provider = OidcPoolProvider(audience, ISSUER, jwks=jwks_of(hsm, f"--key={uri}"))
    assert [verify_jwt(run.token, provider)["sub"] for run in runs] == ["host-1"] * 4
    assert calls.read_text().split().count("C_GenerateKeyPair") == 1
    assert tokens.tool("--list-objects", "--type", "privkey").decode().count("label:      shared") == 1


def test_concurrent_runs_sign_with_one_key(hsm, tokens, audience):
    """SoftHSM rewrites the file of the token at each login, and a process that reads it meanwhile finds no token."""
    words = ["key", f"--key={tokens.uri('ec')}", *CLAIMS, f"--audience={audience}"]
    started = [hsm.start(*words) for _ in range(40)]
    runs = [hsm.finish(child) for child in started]
    assert [run.stderr for run in runs] == [""] * len(runs)


def test_a_key_file_has_the_same_key_set(hsm, audience, tmp_path):
    """The output of `--jwks` is the key set in the file next to the key."""
    key = tmp_path / "key.pem"
    hsm.run("key", f"--key={key}", "--generate", *CLAIMS, f"--audience={audience}")
    assert jwks_of(hsm, f"--key={key}") == json.loads((tmp_path / "key.jwks.json").read_text())


@pytest.mark.parametrize("uri, code, words", [
    ("pkcs11:token=ri;object=rsa?{query}", "ABSENT", ['no token matches --key', '"rig other"', '"rig"']),
    ("pkcs11:object=rsa?{query}", "CONFIGURATION", ["2 tokens match --key", "token=rig%20other;serial="]),
    ("pkcs11:token=rig;object=rsa?{query}", "ABSENT", ["no private keys"]),
    ("pkcs11:token=rig%20other;object=none?{query}", "ABSENT", ["object=ec;id=%02"]),
    ("pkcs11:token=rig%20other?{query}", "CONFIGURATION", ["several keys", "object=ec;id=%02"]),
    ("pkcs11:token=rig%20other;object=p384?{query}", "CONFIGURATION", ["P-384"]),
    ("pkcs11:token=rig%20other;object=rsa?module-path=/no/such.so", "CONFIGURATION", ["/no/such.so does not exist"]),
    ("pkcs11:token=rig%20other;object=rsa?module-path=/etc/passwd", "CONFIGURATION", ["/etc/passwd", "invalid ELF header"]),
    ("pkcs11:token=rig%20other;object=rsa?module-path=/lib/x86_64-linux-gnu/libm.so.6", "CONFIGURATION", ["C_GetFunctionList"]),
])  # fmt: skip
def test_what_is_not_found_is_named(hsm, tokens, audience, uri, code, words):
    """The message lists the existing tokens and keys."""
    uri = uri.format(query=f"module-path={MODULE}&pin-source={tokens.folder}/pin")
    hsm.run("key", f"--key={uri}", *CLAIMS, f"--audience={audience}").failed(code, *words)


def test_only_the_keys_that_match_are_listed(hsm, tokens, audience):
    """If several keys match, the message lists them."""
    for number in ("0a", "0b"):
        tokens.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "twins", "--id", number)
    run = hsm.run("key", f"--key={tokens.uri('twins')}", *CLAIMS, f"--audience={audience}")
    message = run.failed("CONFIGURATION", "several keys", "object=twins;id=%0A", "object=twins;id=%0B")
    assert "object=ec" not in message


def test_a_module_for_another_architecture(hsm, audience, tmp_path):
    """The module is a 32-bit ELF file."""
    content = bytearray(MODULE.read_bytes())
    content[4] = 1
    (tmp_path / "module.so").write_bytes(content)
    run = hsm.run("key", f"--key=pkcs11:object=rsa?module-path={tmp_path}/module.so", *CLAIMS, f"--audience={audience}")
    run.failed("CONFIGURATION", "cannot be loaded", "wrong ELF class", "x86_64")


@pytest.mark.parametrize("how, code, words, logins", [
    ("final-try", "DENIED", "was not sent", 0),
    ("flag-locked", "DENIED", "is locked", 0),
    ("must-change", "DENIED", "has expired", 0),
    ("locked", "DENIED", "is locked", 1),
    ("expired", "DENIED", "has expired", 1),
    ("fails", "UNREACHABLE", "C_Login returned 0x5", 1),
    ("removed-once", "ABSENT", "was removed", 1),
])  # fmt: skip
def test_the_pin_is_sent_at_most_once(signs, how, code, words, logins):
    """The PIN is not sent if the next wrong PIN would lock the token."""
    run, calls = signs(how)
    run.failed(code, words)
    assert calls.count("C_Login") == logins


def test_a_file_with_more_than_the_pin_is_not_sent(signs, tmp_path):
    """A line break at the end is not a part of the PIN."""
    pin = tmp_path / "pin"
    for content, logins in (f"{PIN}\r\n", 1), (f"{PIN}\nhunter2-second\n", 0), (f"\n{PIN}", 0), (f"{PIN}\0", 0):
        pin.write_text(content)
        run, calls = signs("", pin=pin)
        assert calls.count("C_Login") == logins
        if not logins:
            run.failed("CONFIGURATION", "line break", "pin-source in --key")


def test_a_wrong_pin_is_not_tried_again(signs, tmp_path):
    """One run sends the PIN once. The next runs do not send it, until the file with the PIN changes."""
    pin = tmp_path / "wrong"
    for options in [], [f"--output-file={tmp_path}/token.json"]:
        pin.write_text(f"hunter2-wrong-{len(options)}")
        for logins in 1, 0, 0:
            run, calls = signs("", "rsa", *options, pin=pin)
            run.failed("DENIED", "is wrong", "a few more wrong PINs", "pin-source")
            assert calls.count("C_Login") == logins
        pin.write_text(PIN)
        run, calls = signs("", "rsa", *options, pin=pin)
        assert run.token and calls.count("C_Login") == 1


@pytest.mark.parametrize("how, logins", [
    ("noise", ["C_Login"]), ("crash-exit", ["C_Login"]), ("block-exit", ["C_Login"]), ("only-hashes", ["C_Login"]),
    ("always-authenticate", ["C_Login", "C_Login for a signature"]),
])  # fmt: skip
def test_a_token_is_signed_despite_a_misbehaving_module(signs, how, logins):
    """The output of the module is not in that of the program, and the program does not wait for the end of the module.
    """
    run, calls = signs(how)
    assert run.token and [call for call in calls if call.startswith("C_Login")] == logins


def test_the_output_of_the_module_is_not_in_a_failure(signs):
    """The failure is one document and one line."""
    run, _ = signs("noise,locked")
    run.failed("DENIED", "is locked")


@pytest.mark.parametrize("how", ["block-initialize", "block-sign", "block-sign,block-exit"])
def test_the_deadline_holds(signs, how):
    """The test blocks in each function in which a module can block."""
    run, _ = signs(how, "rsa", "--timeout=2")
    run.failed("UNREACHABLE", "does not respond")
    assert run.seconds < 4


def test_another_key_is_another_request(hsm, tokens, audience, tmp_path):
    """A token in the output file is used only for the same URI."""
    words = [*CLAIMS, f"--audience={audience}", f"--output-file={tmp_path}/token.json"]
    made = [hsm.run("key", f"--key={tokens.uri(key)}", *words).token for key in ("ec", "ec", "rsa")]
    assert made[0] == made[1] != made[2]


@pytest.fixture
def mtls(hsm, tokens, audience, tmp_path):
    """nginx as an issuer that requires a client certificate. Runs the source with one, and returns the TLS parameters.
    """
    authority = Authority(tmp_path / "authority")

    def run(key: str, tls: str, module=MODULE, how: str = "", certified: str | None = None):
        port = free_port()
        issuer = f"https://127.0.0.1:{port}"
        token = jwt.encode({"iss": issuer, "sub": "a", "aud": audience, "exp": int(time.time()) + 600}, "0" * 32)
        metadata = json.dumps({"issuer": issuer, "token_endpoint": f"{issuer}/token"})
        required = f"ssl_verify_client on; ssl_client_certificate {authority.ca};"
        body = required + answers("/.well-known/openid-configuration", metadata) + \
            answers("/token", json.dumps({"access_token": token, "token_type": "Bearer"}))
        certificate = authority.certify(key, "workload-7", tokens.public_key(KEYS[certified or key][1]))
        folder = tmp_path / f"nginx-{port}"
        folder.mkdir()
        with nginx(folder, [server(port, body, authority.server("issuer", "127.0.0.1"), tls=tls)], [port]) as running:
            words = [f"--issuer={issuer}", "--client-id=a", "--auth=mtls", f"--client-cert={certificate}",
                     f"--client-key={tokens.uri(key, module)}", f"--ca-file={authority.ca}", f"--audience={audience}"]  # fmt: skip
            done = hsm.run("oidc", *words, env={"MISBEHAVE": how})
            if done.status == 0:
                running.wait_for(port, " /token ")
            return done, running.requests(port)

    return run


@pytest.mark.parametrize("tls", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("key", list(KEYS))
def test_nginx_accepts_the_client_certificate(mtls, key, tls):
    """The keys are RSA with PSS, P-256 and P-384."""
    run, requests = mtls(key, tls)
    assert run.token and all(f"cert=SUCCESS tls={tls}" in line for line in requests) and len(requests) == 2


def test_a_token_without_pss_signs_for_tls_1_2_alone(mtls, module):
    """TLS 1.3 has no PKCS#1 signatures."""
    run, requests = mtls("rsa", "TLSv1.2", module, "no-pss")
    assert run.token and "cert=SUCCESS tls=TLSv1.2" in requests[-1]
    run, _ = mtls("rsa", "TLSv1.3", module, "no-pss")
    assert run.status != 0 and run.document["code"] in ("DENIED", "CONFIGURATION", "PROTOCOL"), run.described()


def test_a_certificate_of_another_key_is_found_before_a_request(mtls):
    """The program finds such a certificate before a request, as with key files."""
    run, requests = mtls("ec", "TLSv1.3", certified="rsa")
    run.failed("CONFIGURATION", "does not match the client key")
    assert not requests


def test_a_token_that_is_removed_during_the_handshake(mtls, module):
    """The message names the token, and not the server."""
    run, _ = mtls("rsa", "TLSv1.3", module, "removed-for-good")
    run.failed("CONFIGURATION", "was removed", "--client-key")


@pytest.mark.parametrize("key, algorithm", [("rsa", "RS256"), ("ec", "ES256")])
def test_private_key_jwt(hsm, tokens, audience, tmp_path, key, algorithm):
    """npm oidc-provider accepts the assertion, with the key set of `--jwks`."""
    jwks = jwks_of(hsm, f"--key={tokens.uri(key)}")
    for found in jwks["keys"]:
        del found["kid"]
    registered = client("robot", "private_key_jwt", jwks=jwks, token_endpoint_auth_signing_alg=algorithm)
    with oidc_provider(tmp_path, [registered]) as issuer:
        run = hsm.run("oidc", f"--issuer={issuer.issuer}", "--client-id=robot", f"--client-key={tokens.uri(key)}",
                      f"--resource=https:{audience}", f"--audience={audience}")  # fmt: skip
        assert run.token


def test_entra_accepts_the_assertion(hsm, tokens, azure, audience, tmp_path):
    """The assertion is signed with PSS, and its header names the certificate."""
    certificate = Authority(tmp_path / "authority").certify("build", "build", tokens.public_key("01"))
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    build = azure.tenant.add("build", certificates=[found])
    words = [f"--resource={RESOURCE}", "--environment=service-principal", f"--tenant-id={TENANT}",
             f"--client-id={build.identity.client_id}", f"--client-cert={certificate}", f"--authority-host={azure.entra.url}",
             f"--ca-file={azure.ca}", f"--audience={audience}"]  # fmt: skip
    assert hsm.run("azure", *words, f"--client-key={tokens.uri('rsa')}").token
    hsm.run("azure", *words, f"--client-key={tokens.uri('ec')}").failed("CONFIGURATION", "P-256")


def test_ad_fs_accepts_the_signed_timestamp(adfs, idp, tokens, tmp_path):
    """The timestamp is that of WS-Trust. A P-256 key is refused."""
    trust = issues_saml(adfs, idp, "ws-trust")
    certificate = Authority(tmp_path / "own").certify("alice", "alice", tokens.public_key("01"))
    trust.front.certificates[certificate.read_text()] = ALICE

    def run(key: str):
        return trust.run(auth="certificate", client_key=tokens.uri(key), client_cert=str(certificate), env=tokens.environment)

    assert run("rsa").token
    run("ec").failed("CONFIGURATION", "P-256")


def test_exec_leaves_the_streams_to_the_command(hsm, tokens, module, audience, commands, sts, tmp_path):
    """The command can print, although the module, which --check-first loads, prints too."""
    uri = tokens.uri("ec", module)
    sts.add(OidcPoolProvider(audience, ISSUER, jwks=jwks_of(hsm, f"--key={uri}")))
    command = f"{hsm.path} key --key={uri} --issuer={ISSUER} --subject=host-1"
    path = commands.configure(audience, {"executable": {"command": command, "timeout_millis": 20000}})
    env = tokens.environment | {"MISBEHAVE": "noise", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1",
                                "GOOGLE_APPLICATION_CREDENTIALS": str(path)}  # fmt: skip
    script = "import sys; print('out'); print('err', file=sys.stderr)"
    run = commands.program.run("exec", "--check-first", "--", PYTHON, "-c", script, env=env)
    assert (run.status, run.stdout, run.stderr) == (0, "out\n", "err\n"), run.described()
    assert len(sts.exchanges) == 1


@pytest.fixture
def served(hsm, tokens, module, audience, commands, tmp_path):
    """Requests subject tokens from `serve`, signed in the misbehaving module. Returns the responses and the calls of the module."""
    pin, calls = tmp_path / "pin", tmp_path / "calls"
    pin.write_text(PIN)
    command = f"{hsm.path} key --key={tokens.uri('ec', module, pin)} --issuer={ISSUER} --subject=host-1 --lifetime=10"
    path = commands.configure(audience, {"executable": {"command": command, "timeout_millis": 20000}})

    def run(how: str, times: int, before=lambda number: None):
        port, secret = free_port(), "hunter2-serve-4711-0815"
        env = tokens.environment | {"MISBEHAVE": how, "CALLS": str(calls), "SECRET": secret, "GOOGLE_APPLICATION_CREDENTIALS": str(path),
                                    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}  # fmt: skip
        server = commands.program.start("serve", f"--listen=127.0.0.1:{port}", "--token=env:SECRET", env=env)
        try:
            until(lambda: listens(port), "the server listens")
            ask = []
            for number in range(times):
                before(number)
                headers = {"Authorization": f"Bearer {secret}"}
                ask.append(requests.get(f"http://127.0.0.1:{port}/subject-token", headers=headers, timeout=30))
        finally:
            server.terminate()
            run = commands.program.finish(server)
        assert (run.status, run.stdout) == (0, ""), run.described()
        return ask, calls.read_text().split(), run

    return run


def test_serve_logs_in_once(served, hsm, tokens, module, audience, sts):
    """`serve` logs in again only after the token was removed. Until then, it serves the cached subject token while that
    is valid."""
    jwks = jwks_of(hsm, f"--key={tokens.uri('ec', module)}")
    sts.add(OidcPoolProvider(audience, ISSUER, jwks=jwks))
    answers, calls, run = served("noise,removed-third", 4)
    assert run.stderr == "", run.described()
    provider = OidcPoolProvider(audience, ISSUER, jwks=jwks)
    assert all(verify_jwt(answer.text, provider) for answer in answers), [answer.text for answer in answers]
    assert (calls.count("C_Sign"), calls.count("C_Login")) == (4, 2)


def test_serve_uses_a_corrected_pin_without_delay(served, tmp_path):
    """A wrong PIN is remembered, and not its file."""
    pin = tmp_path / "pin"
    answers, calls, _ = served("", 3, lambda number: pin.write_text(PIN if number else "hunter2-wrong"))
    assert [answer.ok for answer in answers] == [False, True, True], [answer.text for answer in answers]
    assert calls.count("C_Login") == 2


@pytest.mark.parametrize("how", ["length", "fails"])
def test_serve_does_not_send_a_pin_for_every_request(served, how):
    """A token may count a login that fails for another reason as a failed attempt."""
    answers, calls, _ = served(how, 3)
    assert not any(answer.ok for answer in answers), [answer.text for answer in answers]
    assert calls.count("C_Login") == 1
