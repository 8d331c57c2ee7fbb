"""Assertions of another identity provider, SimpleSAMLphp, through AD FS's form and its WS-Trust envelope.

What pysaml2 signs and what SimpleSAMLphp signs differ in namespaces, prefixes and layout: both arrive unchanged, and
Google's stand-in accepts both.
"""

from __future__ import annotations

import base64

import pytest

from servers.simplesamlphp import simplesamlphp
from standins.refused import Refused
from standins.verify_saml import verify_saml
from support.adfs import ALICE, bare, issues_saml


@pytest.mark.parametrize("protocol, sign_response", [("saml-post", False), ("saml-post", True), ("ws-trust", False)])
def test_the_assertion_is_passed_on_unchanged(adfs, audience, tmp_path, protocol, sign_response):
    """PHP signs the assertion, and signxml verifies it. A changed one is refused."""
    folder = tmp_path / "simplesamlphp"
    folder.mkdir()
    with simplesamlphp(folder, "https:" + audience, ALICE, sign_response) as idp:
        issues_saml(adfs, None, protocol)
        adfs.front.response = lambda user, identifier: idp.response()
        adfs.front.assertion = lambda user, identifier: bare(idp.response())
        run = adfs.run(ccache=adfs.kdc.ticket("alice"))
        assert base64.b64decode(run.token).decode() == adfs.front.issued[-1]
        assert verify_saml(run.token, idp.pool_provider(audience))["sub"] == ALICE
        tampered = base64.b64encode(base64.b64decode(run.token).replace(ALICE.encode(), b"root@EXAMPLE.TEST")).decode()
        with pytest.raises(Refused, match="signature"):
            verify_saml(tampered, idp.pool_provider(audience))
