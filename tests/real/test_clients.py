"""Google's own clients fetch through the program and exchange the result, each in its own process.

https://google.aip.dev/auth/4117 is the contract; Python google-auth, Node google-auth-library, Rust google-cloud-auth and
gcloud are its readers here. The token service stand-in verifies the subject token by Google's rules, so that an access
token means that program, client and token fit together. What each client shows of a failure was observed.
"""

from __future__ import annotations

import json
import stat
import time

import pytest

from standins.loopback import Answer, Loopback
from standins.verify_jwt import OidcPoolProvider
from support.clients import CLIENTS
from support.program import JWT, PREFIX

ISSUER = "https://issuer.example.test"
SUBJECT = "build-server-7"
EMAIL = "deployer@example-project.iam.gserviceaccount.com"
each_client = pytest.mark.parametrize("client", list(CLIENTS))


@pytest.fixture
def own_key(program, ledger, sts, audience, tmp_path) -> tuple:
    """The arguments of the `key` source; the generated JWKS is uploaded to the pool provider."""
    key = tmp_path / "demo.pem"
    arguments = ("key", f"--key={key}", f"--issuer={ISSUER}", f"--subject={SUBJECT}")
    assert program.run(*arguments, f"--audience={audience}", "--generate").token
    ledger.private_key("the generated key", key.read_text())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    jwks = json.loads((tmp_path / "demo.jwks.json").read_text())
    assert [set(found) for found in jwks["keys"]] == [{"kty", "crv", "x", "y", "use", "alg", "kid"}], "public members only"
    sts.add(OidcPoolProvider(audience, ISSUER, jwks=jwks))
    return arguments


@pytest.fixture
def token_server(issuer, audience):
    """Returns a new token of the trusted issuer for each request, which its `requests` count."""
    found = Loopback(lambda _: Answer(200, {"token": issuer.token("https:" + audience)}))
    yield found
    found.close()


@each_client
def test_exchanges_a_token_signed_with_its_own_key(clients, sts, own_key, audience, client):
    """The set-up is the shortest one, without an output file and impersonation."""
    outcome = clients.run(client, clients.configuration(audience, *own_key))
    assert outcome.access_token in sts.issued
    (exchange,) = sts.exchanges
    assert (exchange.audience, exchange.subject_token_type) == (audience, JWT)
    assert (exchange.claims["iss"], exchange.claims["sub"]) == (ISSUER, SUBJECT)
    if client in ("python", "node"):
        assert "source/executable" in exchange.metrics


@pytest.mark.parametrize("client", ["python", "node", "gcloud"])
def test_the_variables_of_the_client_are_enough(clients, sts, own_key, audience, tmp_path, client):
    """The audience, the token type and the output file are in GOOGLE_EXTERNAL_ACCOUNT_*, which only the Rust client does
    not set.
    """
    output = tmp_path / "output.json"
    path = clients.configuration(audience, *own_key, output_file=output)
    configuration = json.loads(path.read_text())
    executable = configuration["credential_source"]["executable"]
    named = ("--audience", "--token-type", "--output-file")
    executable["command"] = " ".join(word for word in executable["command"].split() if not word.startswith(named))
    path.write_text(json.dumps(configuration))
    assert clients.run(client, path).access_token in sts.issued
    assert json.loads(output.read_text())["id_token"] == sts.exchanges[-1].subject_token


@each_client
def test_impersonates_a_service_account(clients, sts, own_key, audience, client):
    """The federated token is exchanged again, and the client returns the token of the account."""
    outcome = clients.run(client, clients.configuration(audience, *own_key, email=EMAIL))
    assert sts.impersonated[outcome.access_token] == EMAIL
    assert sts.exchanges[-1].claims["sub"] == SUBJECT


@each_client
def test_shares_the_output_file(clients, sts, token_server, audience, tmp_path, client):
    """The second client uses the subject token in the file, and no request is sent."""
    output = tmp_path / "output.json"
    source = ("url", f"--url={token_server.url}/token", "--field=token")
    configuration = clients.configuration(audience, *source, output_file=output)
    assert clients.run(client, configuration).access_token != clients.run(client, configuration).access_token
    first, second = sts.exchanges
    assert first.subject_token == second.subject_token == json.loads(output.read_text())["id_token"]
    assert len(token_server.requests) == 1
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@each_client
def test_renews_an_expired_output_file(clients, sts, token_server, audience, tmp_path, client):
    """The program replaces an expired token. No client applies a margin."""
    output = tmp_path / "output.json"
    source = ("url", f"--url={token_server.url}/token", "--field=token")
    configuration = clients.configuration(audience, *source, output_file=output)
    clients.run(client, configuration)
    old = json.loads(output.read_text())
    output.write_text(json.dumps(old | {"expiration_time": int(time.time()) - 1}))
    assert clients.run(client, configuration).access_token in sts.issued
    assert json.loads(output.read_text())["id_token"] == sts.exchanges[-1].subject_token != old["id_token"]


POISONS = {
    "empty": "",
    "truncated": '{"version":1,"success":true,"token_type":"urn:ietf:par',
    "no-members": "{}",
    "failure": json.dumps({"version": 1, "success": False, "token_type": JWT, "code": "DENIED", "message": "no"}),
    "version-2": json.dumps({"version": 2, "success": True, "token_type": JWT, "id_token": "a.b.c", "expiration_time": 9**12}),
    "over": json.dumps({"version": 1, "success": True, "token_type": JWT, "id_token": "a.b.c", "expiration_time": 1}),
    "garbage": "\0" * 4096,
}


@pytest.mark.parametrize("client, poison", [
    *((client, poison) for client in ("python", "gcloud") for poison in POISONS if poison != "no-members"),
    *(("node", poison) for poison in ("empty", "failure", "over")),
    *(("rust", poison) for poison in POISONS if poison != "version-2"),
])  # fmt: skip
def test_replaces_a_poisoned_output_file(clients, sts, own_key, audience, tmp_path, client, poison):
    """Each client that still runs the program gets a token. The other clients fail at the file, such as Node at a
    truncated one."""
    output = tmp_path / "output.json"
    output.write_text(POISONS[poison])
    outcome = clients.run(client, clients.configuration(audience, *own_key, output_file=output))
    assert outcome.access_token in sts.issued
    assert json.loads(output.read_text())["id_token"] == sts.exchanges[-1].subject_token


@each_client
def test_shows_a_failure(clients, sts, audience, client):
    """The client shows the exit status, and the message of stdout or stderr."""
    outcome = clients.run(client, clients.configuration(audience, "env", "--name=NO_SUCH_TOKEN"))
    assert outcome.status != 0 and sts.requests == []
    assert "NO_SUCH_TOKEN" in outcome.complaint
    shown = {"python": "return code 4.", "gcloud": "return code 4.", "node": "exit code: 4 ", "rust": "code=4"}
    assert shown[client] in outcome.complaint
    assert ("ABSENT" in outcome.complaint) == (client != "rust")


@each_client
def test_shows_code_and_message_of_a_failure_that_exits_zero(clients, sts, audience, client):
    """With --exit-zero, every client shows the code and the message, and standard error is empty."""
    outcome = clients.run(client, clients.configuration(audience, "env", "--name=NO_SUCH_TOKEN", "--exit-zero"))
    assert outcome.status != 0 and sts.requests == []
    shown = {"python": "code: ABSENT, message: ", "gcloud": "code: ABSENT, message: ",
             "node": "exit code: ABSENT and error message: ", "rust": "code=<ABSENT>, message=<"}  # fmt: skip
    assert shown[client] in outcome.complaint and "NO_SUCH_TOKEN" in outcome.complaint


@each_client
def test_is_refused_for_a_token_with_another_audience(clients, sts, own_key, audience, client):
    """This control shows that the stand-in verifies: with another audience, the client gets no access token and shows
    the reason.
    """
    configuration = clients.configuration(audience, *own_key)
    configuration.write_text(configuration.read_text().replace(f"--audience={audience}", "--audience=https://other.example"))
    outcome = clients.run(client, configuration)
    assert outcome.status != 0 and sts.exchanges == []
    assert "does not match the expected audience" in sts.refusals[0].description
    assert sts.refusals[0].description.partition(" [")[0] in outcome.complaint


def test_never_runs_without_the_opt_in(clients, sts, own_key, audience):
    """The client checks the opt-in. This control shows that the other tests need it."""
    off = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "0"}
    outcome = clients.run("python", clients.configuration(audience, *own_key), env=off)
    assert outcome.status != 0 and PREFIX + "ALLOW_EXECUTABLES" in outcome.complaint and sts.requests == []
