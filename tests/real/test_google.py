"""The `google` source: google-auth sends the same request to the metadata server as the program, and Google's clients exchange the token
of the program, from the host or from another credential file.

The stand-in of the metadata server refuses what Google's refuses. The token service trusts Google's issuer with an uploaded key.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from standins.loopback import Answer, Loopback, Request
from standins.metadata import MetadataServer
from standins.sts import DEPLOYER
from standins.verify_jwt import OidcPoolProvider
from support.clients import ALLOW, CLIENTS
from support.places import HERE, PYTHON, need
from support.program import JWT
from support.signer import claims_of

GOOGLE = "https://accounts.google.com"
IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity"
# This pool belongs to an organization other than that of `audience`.
OTHER_POOL = "//iam.googleapis.com/projects/210987654321/locations/global/workloadIdentityPools/partner/providers/google"


@pytest.fixture
def host(sts):
    """A host of Google Cloud. The other pool trusts its tokens."""
    sts.add(OidcPoolProvider(OTHER_POOL, GOOGLE, jwks=sts.iam.keys.signer("google").jwks()))
    found = MetadataServer(sts.iam.keys)
    yield found
    found.close()


def environment(host: MetadataServer) -> dict[str, str]:
    """The variables that lead to this host."""
    return {"GCE_METADATA_HOST": host.host, "GCE_METADATA_IP": host.host}


def identity_requests(host: MetadataServer) -> list[Request]:
    """The requests for an ID token that the metadata server received."""
    return [request for request in host.requests if request.path == IDENTITY]


@pytest.mark.parametrize("audience", ["api://AzureADTokenExchange", f"https:{OTHER_POOL}", "a b&c=d/é"])
def test_sends_the_same_request_as_google_auth(program, host, audience):
    """Method, path, parameters and header are those of `compute_engine.IDTokenCredentials`. Neither request has a body."""
    words = [PYTHON, HERE / "clients" / "metadata_client.py", "compute_engine", audience]
    done = subprocess.run([str(word) for word in words], env=program.environment(environment(host)), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    run = program.run("google", f"--audience={audience}", env=environment(host))
    theirs, ours = identity_requests(host)
    for name in ("method", "path", "query", "body"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.headers["metadata-flavor"] == theirs.headers["metadata-flavor"] == "Google"
    for token in (run.token, json.loads(done.stdout)["id_token"]):
        program.ledger.token("ID token of the host", token)
        assert claims_of(token)["aud"] == audience
    assert 300 <= claims_of(run.token)["exp"] - run.document["expiration_time"] <= 600


def test_another_host_does_not_use_the_cached_token(program, host, audience, tmp_path):
    """Every host has its metadata server at the same address. The output file may be in a directory that hosts share."""
    words = ("google", f"--audience={audience}", f"--output-file={tmp_path}/subject-token.json")
    elsewhere = program.behind(need("unshare"), "--uts", "sh", "-ec", 'hostname another-host.example && exec "$@"', "sh")
    for asks, where in enumerate((program, elsewhere), 1):
        for _ in range(2):
            run = where.run(*words, env=environment(host))
            assert run.status == 0, run.described()
            program.ledger.token("ID token of the host", run.token)
        assert len(identity_requests(host)) == asks


@pytest.mark.parametrize("client", list(CLIENTS))
def test_each_google_client_exchanges_the_token(clients, sts, host, tmp_path, client):
    """Two runs of the client send one request to the metadata server: the second run uses the output file."""
    configuration = clients.configuration(OTHER_POOL, "google", f"--audience=https:{OTHER_POOL}", output_file=tmp_path / "out.json")
    for _ in range(2):
        assert clients.run(client, configuration, env=environment(host)).access_token in sts.issued
    assert len(identity_requests(host)) == 1
    assert sts.exchanges[0].claims["email"] == host.account and sts.exchanges[0].claims["iss"] == GOOGLE


def of_deployer(clients, sts, issuer, audience):
    """Writes the credential file of a workload outside Google Cloud, with a service account, and a configuration that
    uses its ID tokens."""
    clients.folder.mkdir(exist_ok=True)
    (clients.folder / "token").write_text(issuer.token("https:" + audience))
    path = clients.folder / "workload.json"
    path.write_text(json.dumps({
        "type": "external_account", "audience": audience, "subject_token_type": JWT, "token_url": sts.token_url,
        "service_account_impersonation_url": sts.impersonation_url(DEPLOYER),
        "credential_source": {"file": str(clients.folder / "token")},
    }))  # fmt: skip
    return clients.configuration(OTHER_POOL, "google", f"--credentials={path}", f"--audience=https:{OTHER_POOL}")


@pytest.mark.parametrize("client", list(CLIENTS))
def test_each_google_client_exchanges_the_token_of_a_credential_file(clients, sts, issuer, host, audience, client):
    """There are two exchanges, the second one with the ID token at the other pool. The metadata server is not used."""
    configuration = of_deployer(clients, sts, issuer, audience)
    assert clients.run(client, configuration, env=environment(host)).access_token in sts.issued
    first, second = sts.exchanges
    assert (first.claims["iss"], second.claims["iss"]) == (issuer.url, GOOGLE)
    assert second.claims["email"] == DEPLOYER and host.requests == []


def test_the_configuration_of_the_client_is_not_used(clients, host):
    """Only the metadata server is used, although the client passes on `GOOGLE_APPLICATION_CREDENTIALS`."""
    configuration = clients.configuration(OTHER_POOL, "google", f"--audience=https:{OTHER_POOL}")
    outcome = clients.run("python", configuration, env={"GOOGLE_APPLICATION_CREDENTIALS": str(configuration), "GCE_METADATA_HOST": ""})
    assert outcome.status != 0 and "there is no metadata server" in outcome.complaint
    assert host.requests == []


@pytest.mark.parametrize("client", ["python", "node"])
def test_a_configuration_that_uses_itself_is_refused(clients, sts, client):
    """The run fails at once, and the client shows the reason."""
    own = clients.folder / "credentials.json"
    configuration = clients.configuration(OTHER_POOL, "google", f"--credentials={own}", f"--audience=https:{OTHER_POOL}",
                                          email=DEPLOYER, timeout_millis=5000)  # fmt: skip
    outcome = clients.run(client, configuration)
    assert outcome.status != 0 and "uses itself" in outcome.complaint
    assert sts.requests == []


# No secret is shown


@pytest.mark.parametrize("status", [200, 400, 403, 404, 503])
@pytest.mark.parametrize("step", ["/v1/token", "generateIdToken"])
def test_secrets_that_a_server_repeats_are_hidden(program, ledger, issuer, audience, tmp_path, step, status):
    """A server returns everything that it received, as an error and in place of the token. No secret is shown."""
    bearer = ledger.secret("the federated token", "ya29.hunter2-federated-4711")

    def answer(request: Request) -> Answer:
        received = " ".join([*request.headers.values(), request.body.decode()])
        if request.path.endswith(step):
            return Answer(status, {"error": {"message": received, "status": "PERMISSION_DENIED"}, "error_description": received,
                                   "token": received, "access_token": received})  # fmt: skip
        return Answer(200, {"access_token": bearer, "expires_in": 3599, "token_type": "Bearer"})

    token = tmp_path / "token"
    token.write_text(ledger.secret("the subject token", issuer.token("https:" + audience)))
    with Loopback(answer) as far:
        account = f"{far.url}/v1/projects/-/serviceAccounts/{DEPLOYER}:generateAccessToken"
        path = tmp_path / "workload.json"
        path.write_text(json.dumps({
            "type": "external_account", "audience": audience, "subject_token_type": JWT, "token_url": far.url + "/v1/token",
            "service_account_impersonation_url": account, "credential_source": {"file": str(token)},
        }))  # fmt: skip
        run = program.run("google", f"--credentials={path}", f"--audience=https:{OTHER_POOL}", "--timeout=4", env={ALLOW: "1"})
        sent = "".join(json.dumps([request.headers, request.body.decode()]) for request in far.requests if request.path.endswith(step))
    run.failed(run.document["code"])
    assert (bearer if step == "generateIdToken" else token.read_text()) in sent, "the secret was sent, and echoed"


def test_the_metadata_server_gets_no_secret(program, ledger, host):
    """The request to the metadata server contains no variable of the environment and no token."""
    secret = ledger.secret("a variable", "hunter2-variable-4711")
    run = program.run("google", f"--audience=https:{OTHER_POOL}", env=environment(host) | {"TOKEN": secret})
    ledger.token("ID token of the host", run.token)
    (request,) = host.requests
    assert request.body == b"" and not {"authorization", "cookie", "x-forwarded-for"} & set(request.headers)
