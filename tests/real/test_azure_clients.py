"""Google's own clients fetch from Azure through the program: from each of its environments, and with each client.

Google's token service stand-in fetches the tenant's keys and accepts the application ID URI as an allowed audience, like the pool
provider on the page of the source.
"""

from __future__ import annotations

import pytest

from standins.azure_tenant import EXCHANGE, RESOURCE, SUBJECT, new_identity
from standins.verify_jwt import OidcPoolProvider
from support.azure import certified, with_keys
from support.clients import CLIENTS
from support.program import JWT

EMAIL = "deployer@example-project.iam.gserviceaccount.com"
SOURCE = ("azure", f"--resource={RESOURCE}")
BUILD = new_identity("build")


@pytest.fixture
def pool(sts, azure, audience):
    """A pool provider that trusts the tenant's tokens for the application."""
    sts.add(OidcPoolProvider(audience, azure.tenant.issuer.url, allowed_audiences=(RESOURCE,)))


@pytest.mark.parametrize("client", list(CLIENTS))
def test_each_client_exchanges_the_identity_of_a_virtual_machine(clients, sts, azure, pool, audience, tmp_path, client):
    """The client uses an output file and an impersonation. Its second run sends no request."""
    configuration = clients.configuration(audience, *SOURCE, output_file=tmp_path / "out.json", email=EMAIL)
    outcomes = [clients.run(client, configuration, env=azure.environment("imds")) for _ in range(2)]
    assert [sts.impersonated[outcome.access_token] for outcome in outcomes] == [EMAIL] * 2
    assert {exchange.claims["oid"] for exchange in sts.exchanges} == {azure.machine.system.object_id}
    assert {exchange.subject_token_type for exchange in sts.exchanges} == {JWT}
    assert len(azure.tenant.issued) == 1, "the second run uses the output file"


@pytest.mark.parametrize("environment", ["secret", "certificate", "federated", "app-service", "arc", "imds"])
def test_each_environment_reaches_google(clients, sts, azure, pool, audience, tmp_path, ledger, environment):
    """Python's client exchanges the token of this environment."""
    path, certificate = certified(tmp_path, ledger)
    application = azure.tenant.add("build", secret="build-secret-value-4711", certificates=[certificate],
                                   federated=[(azure.tenant.cluster.url, SUBJECT, EXCHANGE)])  # fmt: skip
    (tmp_path / "projected").write_text(azure.tenant.projected())
    variables = {
        "secret": {"AZURE_CLIENT_SECRET": application.secret},
        "certificate": {"AZURE_CLIENT_CERTIFICATE_PATH": str(path)},
        "federated": {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "projected")},
    }.get(environment)
    env = azure.environment(environment, client=BUILD.client_id if variables else None, **(variables or {}))
    if environment == "arc":
        clients.program = clients.program.behind(*with_keys(azure.keys))
    configuration = clients.configuration(audience, *SOURCE, f"--ca-file={azure.ca}")
    assert clients.run("python", configuration, env=env).access_token in sts.issued
    ((exchange,), (issued,)) = sts.exchanges, azure.tenant.issued
    assert exchange.subject_token == issued.token
    assert issued.proof == (environment if variables else "managed identity")


def test_a_resource_that_the_pool_provider_does_not_allow(clients, sts, azure, audience):
    """This control shows that the stand-in verifies: it refuses the token."""
    sts.add(OidcPoolProvider(audience, azure.tenant.issuer.url))
    outcome = clients.run("python", clients.configuration(audience, *SOURCE), env=azure.environment("imds"))
    assert outcome.status != 0 and sts.exchanges == []
    assert "does not match the expected audience" in sts.refusals[0].description


@pytest.mark.parametrize("client", list(CLIENTS))
def test_shows_that_there_is_no_identity(clients, sts, azure, audience, client):
    """The client shows the places that were searched, if it shows messages."""
    outcome = clients.run(client, clients.configuration(audience, *SOURCE), env=azure.environment())
    assert outcome.status != 0 and sts.requests == []
    assert "AZURE_FEDERATED_TOKEN_FILE" in outcome.complaint
