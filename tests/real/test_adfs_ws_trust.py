"""The `adfs` source by WS-Trust 1.3: the account's ticket, its password or its certificate becomes a bare signed assertion.

The first half sends hand-made requests, to prove that the stand-in refuses what AD FS refuses. The second half tests the program.
pysaml2 makes the assertions, and Google's stand-in accepts the output.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta, timezone

import pytest
import requests

from standins.adfs_ws_trust import PASSWORD_TEXT, SAML2, TRUST
from standins.loopback import Answer
from standins.verify_saml import verify_saml
from support.adfs import ALICE, PASSWORDS, issues_saml
from support.program import SAML2 as SAML2_TYPE
from support.signer import certificate, certificate_pem, new_key, pem

WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
REQUEST = """<s:Envelope xmlns:s="{soap}" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>\
<a:Action s:mustUnderstand="1">{action}</a:Action><a:MessageID>urn:uuid:1</a:MessageID><a:To s:mustUnderstand="1">{to}</a:To>\
<o:Security s:mustUnderstand="1" xmlns:o="%s-wssecurity-secext-1.0.xsd" xmlns:u="%s-wssecurity-utility-1.0.xsd">{stamp}\
<o:UsernameToken><o:Username>{user}</o:Username><o:Password Type="{type}">{password}</o:Password></o:UsernameToken></o:Security>\
</s:Header><s:Body><t:RequestSecurityToken xmlns:t="{trust}"><p:AppliesTo xmlns:p="{policy}"><a:EndpointReference><a:Address>{applies}\
</a:Address></a:EndpointReference></p:AppliesTo><t:KeyType>{key}</t:KeyType><t:RequestType>{request}</t:RequestType>\
<t:TokenType>{kind}</t:TokenType></t:RequestSecurityToken></s:Body></s:Envelope>""" % (WSS, WSS)


@pytest.fixture
def trust(adfs, idp):
    """AD FS that issues assertions by WS-Trust."""
    return issues_saml(adfs, idp, "ws-trust")


def stamp(minutes: float) -> str:
    """Makes a Timestamp that was created this long ago."""
    begins = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    created, expires = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (begins, begins + timedelta(minutes=5)))
    return f"<u:Timestamp><u:Created>{created}</u:Created><u:Expires>{expires}</u:Expires></u:Timestamp>"


def by_hand(farm, endpoint="usernamemixed", minutes: float = 0, **changes) -> tuple[int, str]:
    """Sends a request that AD FS accepts, apart from the changes. Returns the status and the code of the fault or the ID
    of the assertion. `minutes` is how far its Timestamp is off.
    """
    url = f"{farm.front.public}/adfs/services/trust/13/{endpoint}"
    parts = {
        "soap": "http://www.w3.org/2003/05/soap-envelope", "action": TRUST + "/RST/Issue", "to": url, "stamp": stamp(minutes),
        "user": ALICE,
        "type": PASSWORD_TEXT, "password": PASSWORDS["alice"].replace("&", "&amp;"), "trust": TRUST, "applies": farm.relying_party,
        "policy": "http://schemas.xmlsoap.org/ws/2004/09/policy", "key": TRUST + "/Bearer", "request": TRUST + "/Issue", "kind": SAML2[0],
    } | changes  # fmt: skip
    answer = requests.post(url, REQUEST.format(**parts), headers={"Content-Type": "application/soap+xml; charset=utf-8"},
                           verify=str(farm.authority.ca), timeout=10)  # fmt: skip
    found = re.search(r"c:(\w+)</s:Value></s:Subcode>", answer.text) or re.search(r"<(?:\w+:)?Assertion", answer.text)
    return answer.status_code, found[found.lastindex or 0] if found else ""


def test_the_stand_in_accepts_what_ad_fs_accepts(trust):
    """This control shows that the stand-in accepts a valid request."""
    status, found = by_hand(trust)
    assert status == 200 and found.endswith("Assertion")


@pytest.mark.parametrize("changes, code", [
    ({"action": "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue"}, "ActionNotSupported"),
    ({"soap": "http://schemas.xmlsoap.org/soap/envelope/"}, "VersionMismatch"),
    ({"trust": "http://schemas.xmlsoap.org/ws/2005/02/trust"}, "InvalidRequest"),
    ({"to": "https://adfs.example.test/"}, "DestinationUnreachable"),
    ({"key": TRUST + "/SymmetricKey"}, "InvalidRequest"),
    ({"key": "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey"}, "InvalidRequest"),
    ({"kind": "urn:oasis:names:tc:SAML:1.0:assertion"}, "InvalidRequest"),
    ({"request": TRUST + "/Renew"}, "InvalidRequest"),
    ({"policy": "http://www.w3.org/ns/ws-policy"}, "InvalidScope"),
    ({"applies": "https://no-such.example.test"}, "InvalidScope"),
    ({"stamp": ""}, "InvalidSecurity"),
    ({"minutes": -20}, "InvalidSecurity"),
    ({"minutes": 20}, "InvalidSecurity"),
    ({"password": "wrong"}, "FailedAuthentication"),
    ({"type": PASSWORD_TEXT.replace("Text", "Digest")}, "FailedAuthentication"),
    ({"user": "nobody@EXAMPLE.TEST"}, "FailedAuthentication"),
], ids=str)  # fmt: skip
def test_the_stand_in_refuses_what_ad_fs_refuses(trust, changes, code):
    """Each case breaks one rule."""
    assert by_hand(trust, **changes) == (500, code)


def test_the_stand_in_requires_the_credential_of_the_endpoint(trust):
    """The endpoints for tickets and certificates refuse a password."""
    assert by_hand(trust, "windowstransport")[0] == 401
    assert by_hand(trust, "certificatemixed") == (500, "InvalidSecurity")
    assert by_hand(trust, "windowsmixed")[0] == 404


# The program

def accepted(trust, run, sts):
    """Asserts that the assertion has the bytes that AD FS signed, and that Google's token service accepts it."""
    assert run.document["token_type"] == SAML2_TYPE
    assert base64.b64decode(run.token).decode() == trust.front.issued[-1]
    return verify_saml(run.token, sts.pool_providers[trust.audience])["sub"] == ALICE


@pytest.mark.parametrize("how", ["ticket", "keytab", "password"])
def test_windowstransport(trust, sts, how):
    """HTTP Negotiate authenticates the account, and the message contains no credential."""
    given = {"ticket": {"ccache": trust.kdc.ticket("alice")}, "keytab": {"keytab": str(trust.kdc.folder / "alice.keytab")},
             "password": {"auth": "password", "user": ALICE, "password": "env:S", "env": {"S": PASSWORDS["alice"]},
                          "ws_trust_endpoint": "windowstransport"}}  # fmt: skip
    assert accepted(trust, trust.run(**given[how]), sts)
    assert b"UsernameToken" not in trust.front.received[-1].body


def test_usernamemixed(trust, sts):
    """The password is in the message, over TLS. Kerberos is not needed."""
    run = trust.run(auth="password", user=ALICE, password="env:S", env={"S": PASSWORDS["alice"], "KRB5_CONFIG": "/nonexistent"})
    assert accepted(trust, run, sts)
    assert not any("authorization" in headers for headers in trust.legs())


def test_certificatemixed(trust, sts, tmp_path):
    """A signature covers the Timestamp. An unknown certificate and another key are refused."""
    for name in ("alice", "stranger"):
        key = new_key("RSA")
        (tmp_path / f"{name}.key").write_text(trust.program.ledger.private_key(f"the key of {name}", pem(key)))
        (tmp_path / f"{name}.crt").write_text(certificate_pem(certificate(key, name)))
    trust.front.certificates[(tmp_path / "alice.crt").read_text()] = ALICE

    def run(key: str, shown: str):
        return trust.run(auth="certificate", client_key=str(tmp_path / f"{key}.key"), client_cert=str(tmp_path / f"{shown}.crt"))

    assert accepted(trust, run("alice", "alice"), sts)
    run("stranger", "stranger").failed("DENIED", "FailedAuthentication")
    issued = len(trust.front.issued)
    wrong = run("stranger", "alice")
    assert wrong.status != 0 and "--client-" in wrong.document["message"], wrong.described()
    assert len(trust.front.issued) == issued


def test_a_wrong_password(trust):
    """The program does not try the password again, because that could lock the account."""
    wrong = trust.program.ledger.secret("the wrong password", "wr0ng-password")
    run = trust.run(auth="password", user=ALICE, password="env:S", env={"S": wrong})
    run.failed("DENIED", "FailedAuthentication", "ID3242", "--password")
    assert len(trust.legs()) == 1


def test_an_unknown_relying_party(trust):
    """AD FS responds with InvalidScope; the identifier is sent exactly as given."""
    odd = "https://Other.Example.test:443/a/../b?<&>"
    trust.run(relying_party=odd, ccache=trust.kdc.ticket("alice")).failed("CONFIGURATION", "InvalidScope", "--relying-party")
    trust.front.relying_parties[odd] = trust.front.relying_parties[trust.relying_party]
    assert trust.run(relying_party=odd, ccache=trust.kdc.ticket("alice")).token


@pytest.mark.parametrize("status", [404, 503])
def test_an_endpoint_that_is_disabled(trust, status):
    """The message contains the command that enables it."""
    trust.front.disabled["/adfs/services/trust/13/windowstransport"] = status
    run = trust.run(ccache=trust.kdc.ticket("alice"))
    run.failed("CONFIGURATION", "Enable-AdfsEndpoint", "/adfs/services/trust/13/windowstransport")


def test_occasional_failures_are_retried(trust):
    """AD FS sometimes responds with 400 or 429 without a fault."""
    trust.front.faults = [Answer(400, ""), Answer(429, "")]
    assert trust.run(ccache=trust.kdc.ticket("alice")).token
    assert trust.front.faults == []


def test_an_assertion_with_many_features_of_xml(trust):
    """A signature can cover spaces, comments, line breaks and entities that a parser would normalize."""
    genuine = trust.front.assertion
    trust.front.assertion = lambda user, identifier: genuine(user, identifier).replace(
        "</", "<!-- \u00e9 --></", 1).replace(">", "\r\n  >", 1)  # fmt: skip
    run = trust.run(ccache=trust.kdc.ticket("alice"))
    assert base64.b64decode(run.token).decode() == trust.front.issued[-1]
