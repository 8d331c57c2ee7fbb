"""Google's own clients get Google tokens from AD FS: a JWT by OIDC, assertions by SAML and WS-Trust, with nothing but a ticket
or a keytab. The token service stand-in verifies each by its issuer's key.
"""

from __future__ import annotations

import pytest

from support.adfs import ALICE, issues_saml
from support.clients import CLIENTS
from support.pysaml2_idp import IdentityProvider

EMAIL = "deployer@example-project.iam.gserviceaccount.com"
each_client = pytest.mark.parametrize("client", list(CLIENTS))


@pytest.fixture
def saml(adfs, tmp_path, sts, audience):
    """Makes AD FS issue SAML."""
    def turn(protocol: str):
        idp = IdentityProvider(tmp_path, "https:" + audience)
        sts.add(idp.pool_provider(audience))
        return issues_saml(adfs, idp, protocol)

    return turn


def exchanged(adfs, sts) -> list[tuple[str, str]]:
    """The subjects of the exchanges, and the types of their tokens."""
    adfs.register_tickets()
    return [(exchange.claims["sub"], exchange.subject_token_type) for exchange in sts.exchanges]


@each_client
def test_a_jwt_with_a_ticket(adfs, clients, sts, client):
    """Each client passes the variables of Kerberos to the program."""
    sts.add(adfs.pool_provider())
    configuration = clients.configuration(adfs.audience, "adfs", *adfs.options())
    outcome = clients.run(client, configuration, env=adfs.kdc.env(adfs.kdc.ticket("alice")))
    assert outcome.access_token in sts.issued
    assert exchanged(adfs, sts) == [(ALICE, adfs.token_type)]


@each_client
@pytest.mark.parametrize("protocol", ["saml-post", "ws-trust"])
def test_an_assertion_becomes_a_service_account(adfs, saml, clients, sts, tmp_path, client, protocol):
    """The program uses a keytab, an output file and impersonation. The second run uses the cached assertion."""
    saml(protocol)
    options = adfs.options(keytab=str(adfs.kdc.folder / "alice.keytab"))
    configuration = clients.configuration(adfs.audience, "adfs", *options, token_type=adfs.token_type, email=EMAIL,
                                          output_file=tmp_path / "out.json")  # fmt: skip
    outcomes = [clients.run(client, configuration, env=adfs.kdc.env()) for _ in range(2)]
    assert [sts.impersonated[outcome.access_token] for outcome in outcomes] == [EMAIL] * 2
    assert set(exchanged(adfs, sts)) == {(ALICE, adfs.token_type)}  # gcloud keeps Google's token for its second run
    assert len(adfs.front.issued) == 1


@each_client
def test_shows_that_there_is_no_ticket(adfs, clients, sts, client):
    """The client shows the message, if it shows messages at all."""
    outcome = clients.run(client, clients.configuration(adfs.audience, "adfs", *adfs.options()), env=adfs.kdc.env())
    assert outcome.status != 0 and sts.requests == []
    assert "kinit" in outcome.complaint
