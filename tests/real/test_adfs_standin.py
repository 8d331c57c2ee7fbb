"""Proves that the stand-in of AD FS refuses an AuthnRequest or a token request that breaks one rule. WS-Trust: test_adfs_ws_trust.py."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest
from lxml import etree

from standins.adfs import Adfs, RelyingParty
from standins.adfs_oauth import OAuthClient, token
from standins.adfs_saml import Wrong, check
from standins.loopback import Request

ACS = "https://sts.googleapis.com/v1/token"
AUTHN_REQUEST = """<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="{version}" IssueInstant="{issued}" \
Destination="{destination}" AssertionConsumerServiceURL="{acs}" ProtocolBinding="{binding}" IsPassive="true">\
<a:Issuer xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">{issuer}</a:Issuer></p:AuthnRequest>"""
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


@pytest.fixture
def front():
    """The stand-in without a server in front of it."""
    found = Adfs(public="https://adfs.example.test")
    found.resources, found.relying_parties = {"urn:rp"}, {"urn:rp": RelyingParty("urn:rp")}
    found.clients["app"] = OAuthClient({"alice@EXAMPLE.TEST"}, {"urn:rp"}, "secret")
    yield found
    found.close()


def authn_request(minutes: int = 0, **changes):
    """Makes a request that AD FS accepts, apart from the changes."""
    issued = (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = {"version": "2.0", "issued": issued, "destination": "https://adfs.example.test/adfs/ls/", "acs": ACS, "binding": POST,
             "issuer": "urn:rp"}  # fmt: skip
    return etree.fromstring(AUTHN_REQUEST.format(**parts | changes))


def test_accepts_a_valid_request(front):
    """This control shows that the stand-in accepts a valid request."""
    assert check(front, authn_request()) == (front.relying_parties["urn:rp"], ACS)


@pytest.mark.parametrize("changes, code", [
    ({"version": "1.1"}, "MSIS7015"), ({"minutes": -10}, "MSIS0037"), ({"minutes": 10}, "MSIS0037"), ({"issuer": "urn:RP"}, "MSIS3020"),
    ({"destination": "https://other.example.test/adfs/ls/"}, "MSIS1014"), ({"acs": ACS + "/x"}, "MSIS3200"),
    ({"binding": POST.replace("POST", "Artifact")}, "MSIS7061"),
], ids=str)  # fmt: skip
def test_refuses_a_request_that_breaks_a_rule(front, changes, code):
    """Each case breaks one rule."""
    with pytest.raises(Wrong, match=code):
        check(front, authn_request(**changes))


def ask(front, user: str | None = "alice@EXAMPLE.TEST", agent: str = "MSIPC", **changes: str):
    """Sends a token request after Negotiate, with these changes. Returns its status and OAuth error."""
    fields = {"grant_type": "client_credentials", "client_id": "app", "resource": "urn:rp",
              "use_windows_client_authentication": "true"} | changes  # fmt: skip
    headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": agent} | ({"x-remote-user": user} if user else {})
    answer = token(front, Request("POST", "/adfs/oauth2/token", {}, headers, urlencode(fields).encode()))
    return answer.status, answer.headers.get("WWW-Authenticate") or (answer.body and answer.body.get("error"))


def test_accepts_a_valid_token_request(front):
    """This control covers Windows authentication and a client secret."""
    assert ask(front) == (200, None)
    assert ask(front, None, use_windows_client_authentication="false", client_secret="secret") == (200, None)


@pytest.mark.parametrize("how, status, said", [
    ({"user": None}, 401, "Negotiate"), ({"user": None, "agent": "curl/8"}, 401, ""),
    ({"user": "mallory@EXAMPLE.TEST"}, 401, "invalid_client"),
    ({"use_windows_client_authentication": "True"}, 400, "invalid_client"),
    ({"use_windows_client_authentication": ""}, 400, "invalid_client"),
    ({"client_id": "other"}, 400, "invalid_client"),
    ({"resource": "urn:RP"}, 400, "invalid_resource"), ({"resource": ""}, 400, "invalid_resource"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"user": None, "use_windows_client_authentication": "", "client_secret": "wrong"}, 400, "invalid_client"),
], ids=str)  # fmt: skip
def test_refuses_a_token_request_that_breaks_a_rule(front, how, status, said):
    """Each case breaks one rule."""
    assert ask(front, **how) == (status, said)
