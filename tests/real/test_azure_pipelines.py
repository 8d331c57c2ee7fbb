"""The `azure-pipelines` source: Microsoft's SDK must accept the stand-in of Azure DevOps and send the same request as the program;
Google's clients then exchange the token of the program, with the fixed audience of these tokens."""

from __future__ import annotations

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AzurePipelinesCredential

from standins.azure_pipelines import AUDIENCE, AzureDevOps
from standins.verify_jwt import OidcPoolProvider
from support.clients import CLIENTS
from support.signer import claims_of

ACCESS_TOKEN = "system-access-token-4711"
CONNECTION = "11111111-aaaa-4bbb-8ccc-222222222222"
OTHER = "33333333-aaaa-4bbb-8ccc-444444444444"
HEADERS = {"Authorization": f"Bearer {ACCESS_TOKEN}", "X-TFS-FedAuthRedirect": "Suppress", "Content-Length": "0"}


@pytest.fixture
def devops(issuer, sts, audience, ledger):
    """Azure DevOps for one job; the pool provider allows the audience of the tokens."""
    sts.add(OidcPoolProvider(audience, issuer.url, allowed_audiences=(AUDIENCE,)))
    found = AzureDevOps(issuer, ledger.secret("the access token", ACCESS_TOKEN))
    yield found
    found.close()


def sdk(devops, monkeypatch, connection: str = CONNECTION, access_token: str = ACCESS_TOKEN) -> str:
    """The ID token that AzurePipelinesCredential gets before it sends it to Entra ID."""
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", devops.address)
    credential = AzurePipelinesCredential(
        tenant_id="tenant", client_id="client", service_connection_id=connection, system_access_token=access_token
    )
    return credential._get_oidc_token()


def test_the_sdk_gets_a_token(devops, monkeypatch):
    """The token is for the connection, and its audience is that of Entra ID."""
    claims = claims_of(sdk(devops, monkeypatch))
    assert (claims["aud"], claims["sub"]) == (AUDIENCE, "sc://example/project/deploy")


@pytest.mark.parametrize("given, status", [
    ({"access_token": "other"}, 401),
    ({"connection": OTHER}, 404),
])  # fmt: skip
def test_the_sdk_is_refused(devops, monkeypatch, given, status):
    """The access token is another one, or the connection is unknown."""
    with pytest.raises(ClientAuthenticationError) as refusal:
        sdk(devops, monkeypatch, **given)
    assert refusal.value.status_code == status


@pytest.mark.parametrize("method, query, without, status", [
    ("POST", "?api-version=7.1", None, 200),
    ("POST", "", None, 400),
    ("POST", "?serviceConnectionId=" + CONNECTION, None, 400),
    ("GET", "?api-version=7.1", None, 405),
    ("POST", "?api-version=7.1", "Authorization", 401),
    ("POST", "?api-version=7.1&serviceConnectionId=x", None, 404),
])  # fmt: skip
def test_the_stand_in_refuses(devops, method, query, without, status):
    """Each case breaks one rule."""
    headers = {name: value for name, value in HEADERS.items() if name != without}
    assert requests.request(method, devops.address + query, headers=headers, timeout=10).status_code == status


def test_the_stand_in_redirects_unless_the_client_suppresses_it(devops):
    """The real server also redirects to a page for users."""
    answer = requests.post(devops.address + "?api-version=7.1", allow_redirects=False, timeout=10)
    assert answer.status_code == 302 and answer.headers["location"].endswith("/_signin")


@pytest.mark.parametrize("source", ["azure-pipelines", "ci"])
def test_sends_the_same_request_as_the_sdk(devops, monkeypatch, asked, source):
    """The important parts of the request are the same."""
    sdk(devops, monkeypatch)
    run = asked.run(source, f"--service-connection={CONNECTION}", env=devops.environment())
    assert run.token == devops.issued[-1]
    theirs, ours = devops.requests
    assert (ours.method, ours.path, ours.query, ours.body) == (theirs.method, theirs.path, theirs.query, theirs.body)
    for name in ("authorization", "content-type", "content-length", "x-tfs-fedauthredirect"):
        assert ours.headers[name] == theirs.headers[name], name


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("options, subject", [
    ((), "p://example/project/pipeline"),
    ((f"--service-connection={CONNECTION}",), "sc://example/project/deploy"),
], ids=["pipeline", "connection"])  # fmt: skip
def test_each_google_client_exchanges_the_token(clients, sts, devops, audience, client, options, subject):
    """The tokens of the pipeline and of a connection work, although neither has the pool provider as its audience."""
    outcome = clients.run(client, clients.configuration(audience, "azure-pipelines", *options), env=devops.environment())
    assert outcome.access_token in sts.issued
    (exchange,) = sts.exchanges
    assert (exchange.claims["sub"], exchange.claims["aud"]) == (subject, AUDIENCE)


def test_a_pool_provider_that_does_not_allow_the_audience(clients, sts, devops, issuer, audience):
    """The page of the source describes this refusal."""
    sts.add(OidcPoolProvider(audience, issuer.url))
    outcome = clients.run("python", clients.configuration(audience, "azure-pipelines"), env=devops.environment())
    assert outcome.status != 0 and sts.exchanges == [] and "does not match the expected audience" in sts.refusals[0].description


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_step_that_does_not_map_its_token_gets_a_message(clients, devops, audience, client):
    """The client shows the message, if it shows messages."""
    env = devops.environment() | {"SYSTEM_ACCESSTOKEN": ""}
    outcome = clients.run(client, clients.configuration(audience, "azure-pipelines"), env=env)
    assert outcome.status != 0 and "$(System.AccessToken)" in outcome.complaint and devops.requests == []
