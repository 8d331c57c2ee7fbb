"""The `github` source: GitHub's own toolkit must accept the stand-in of the token service and send the same request as the program;
Google's clients then exchange the token of the program."""

from __future__ import annotations

import json
import subprocess

import pytest
import requests

from standins.actions_token import DEFAULT_AUDIENCE, FIVE_MINUTES, ActionsTokenService
from support.clients import CLIENTS
from support.places import HERE, NODE_MODULES, need
from support.program import has_default_margin
from support.signer import claims_of

BEARER = "actions-request-token-4711"


@pytest.fixture
def service(issuer, ledger):
    """The token service of one job."""
    found = ActionsTokenService(issuer, ledger.secret("the request token", BEARER))
    yield found
    found.close()


def toolkit(program, audience: str, env: dict[str, str]) -> dict:
    """Runs `core.getIDToken` of the toolkit, and returns its result."""
    need("actions-core")
    words = [need("node"), HERE / "clients" / "actions_core.mjs", NODE_MODULES, audience]
    done = subprocess.run(
        [str(word) for word in words], env=program.environment(env), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def test_the_toolkit_gets_a_token(service, program, audience):
    """The token has the requested audience, or by default that of the owner."""
    for asked, given in {"https:" + audience: "https:" + audience, "": DEFAULT_AUDIENCE}.items():
        claims = claims_of(toolkit(program, asked, service.environment())["token"])
        assert claims["aud"] == given


def test_the_toolkit_is_refused(service, program):
    """The bearer token is another one, or the job has ended."""
    assert "401" in toolkit(program, "a", service.environment() | {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "other"})["error"]
    service.job_runs = False
    assert "'Completed' state" in toolkit(program, "a", service.environment())["error"]


@pytest.mark.parametrize("change, status", [
    ({}, 200),
    ({"headers": {}}, 401),
    ({"headers": {"Authorization": BEARER}}, 401),
    ({"headers": {"Authorization": "Bearer x"}}, 401),
    ({"method": "POST"}, 405),
    ({"query": "?audience=a"}, 404),
    ({"query": "?api-version=2.0?audience=a"}, 404),
    ({"query": "?api-version=2.0&audience=a&audience=b"}, 400),
])  # fmt: skip
def test_the_stand_in_refuses(service, change, status):
    """Each case breaks one rule; the URL must keep its query."""
    asked = {"method": "GET", "query": "?api-version=2.0&audience=a", "headers": {"Authorization": f"bearer {BEARER}"}} | change
    url = service.address.partition("?")[0] + asked["query"]
    assert requests.request(asked["method"], url, headers=asked["headers"], timeout=10).status_code == status


@pytest.mark.parametrize("source", ["github", "ci"])
def test_sends_the_same_request_as_the_toolkit(service, asked, audience, source):
    """The important parts of the requests are the same, and each returns a new token."""
    first = toolkit(asked, "https:" + audience, service.environment())["token"]
    run = asked.run(source, env=service.environment())
    assert run.token == service.issued[-1] != first
    theirs, ours = service.requests
    assert (ours.method, ours.path, ours.raw_query) == (theirs.method, theirs.path, theirs.raw_query)
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    claims = claims_of(run.token)
    assert has_default_margin(run.document["expiration_time"], claims["exp"], FIVE_MINUTES)


@pytest.mark.parametrize("client", list(CLIENTS))
def test_each_google_client_exchanges_the_token(clients, sts, service, audience, tmp_path, client):
    """Two runs of the client cause one request to GitHub, because the second run uses the output file."""
    configuration = clients.configuration(audience, "github", f"--audience=https:{audience}", output_file=tmp_path / "out.json")
    for _ in range(2):
        assert clients.run(client, configuration, env=service.environment()).access_token in sts.issued
    assert {exchange.subject_token for exchange in sts.exchanges} == set(service.issued) and len(service.issued) == 1
    assert sts.exchanges[0].claims["sub"] == "repo:example/app:ref:refs/heads/main"


def test_a_client_gets_tokens_for_longer_than_one_lifetime(clients, sts, service, audience, tmp_path):
    """The cached token has expired, and a new one is fetched. A token file that a single step wrote does not allow this."""
    output = tmp_path / "out.json"
    configuration = clients.configuration(audience, "github", f"--audience=https:{audience}", output_file=output)
    assert clients.run("python", configuration, env=service.environment()).access_token in sts.issued
    kept = json.loads(output.read_text())
    output.write_text(json.dumps(kept | {"expiration_time": kept["expiration_time"] - FIVE_MINUTES}))
    assert clients.run("python", configuration, env=service.environment()).access_token in sts.issued
    assert [exchange.subject_token for exchange in sts.exchanges] == service.issued and len(set(service.issued)) == 2


def test_the_token_service_of_google_refuses_the_default_audience(clients, sts, service, audience):
    """This control shows that the stand-in verifies: a token without the audience is refused."""
    configuration = clients.configuration(audience, "github", f"--audience={DEFAULT_AUDIENCE}")
    assert clients.run("python", configuration, env=service.environment()).status != 0
    assert sts.exchanges == [] and sts.refusals[0].error == "invalid_grant"


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_job_without_permission_gets_a_message(clients, audience, client):
    """The client shows the message, if it shows messages."""
    outcome = clients.run(client, clients.configuration(audience, "github"), env={"GITHUB_ACTIONS": "true"})
    assert outcome.status != 0 and "id-token: write" in outcome.complaint and "enable-openid-connect" in outcome.complaint
