"""The `adfs` source by SAML: an AuthnRequest in the query, Negotiate, and the Response of the form that comes back.

Responses are made by pysaml2 and signed by xmlsec1; Kerberos and Apache are real, the front of AD FS is a stand-in. Four
verifiers check the output of the program: the stand-in of Google's token service (signxml), pysaml2, python3-saml and xmlsec1.
"""

from __future__ import annotations

import base64
import subprocess
import time
import zlib
from urllib.parse import parse_qs

import pytest
from lxml import etree
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from saml2.sigver import SignatureError

from standins.adfs_saml import NAMES, Wrong, check
from standins.loopback import Answer
from support.adfs import ALICE, issues_saml
from support.places import need
from support.pysaml2_idp import CONSUMER, ENTITY_ID, IdentityProvider, encoded
from support.saml import SamlSigner
from support.signer import certificate, certificate_pem, new_key, pem


@pytest.fixture(params=[True, False], ids=["response signed", "assertion signed"])
def saml(request, adfs, idp):
    """AD FS that issues SAML."""
    return issues_saml(adfs, idp, "saml-post", request.param)


@pytest.fixture
def once(adfs, idp):
    """AD FS that issues SAML, for tests that do not depend on what is signed."""
    return issues_saml(adfs, idp, "saml-post")


def python3_saml(idp: IdentityProvider, token: str) -> OneLogin_Saml2_Response:
    """Asks a relying party of OneLogin's toolkit, which checks audience, times and destination."""
    settings = OneLogin_Saml2_Settings({
        "strict": True, "debug": False,
        "sp": {"entityId": idp.audience, "assertionConsumerService": {"url": CONSUMER}},
        "idp": {"entityId": ENTITY_ID, "singleSignOnService": {"url": "https://idp.example.test/sso"}, "x509cert": idp.certificate},
    })  # fmt: skip
    return OneLogin_Saml2_Response(settings, token)


GOOGLE = {"https": "on", "http_host": "sts.googleapis.com", "script_name": "/v1/token", "get_data": {}, "post_data": {}}


def test_a_ticket_becomes_an_assertion(saml, idp):
    """The assertion has exactly the bytes that AD FS issued, and two relying parties accept it."""
    run = saml.run(ccache=saml.kdc.ticket("alice"))
    assert base64.b64decode(run.token).decode() == saml.front.issued[-1]
    assert idp.accepted_by_relying_party(run.token) == ALICE
    judged = python3_saml(idp, run.token)
    assert judged.is_valid(GOOGLE), judged.get_error()
    assert judged.get_nameid() == ALICE


def test_a_tampered_token_is_refused(saml, idp):
    """This control shows that the relying parties verify the signature."""
    run = saml.run(ccache=saml.kdc.ticket("alice"))
    tampered = encoded(base64.b64decode(run.token).decode().replace(ALICE, "root@EXAMPLE.TEST"))
    with pytest.raises(SignatureError):
        idp.accepted_by_relying_party(tampered)
    assert not python3_saml(idp, tampered).is_valid(GOOGLE)


def test_the_authn_request(once):
    """The request has IsPassive, HTTP-POST, Google's consumer service and the exact identifier, in one line of the
    query.
    """
    odd = "urn:Example:<&\"'>:%2F/../x"
    once.front.relying_parties[odd] = once.front.relying_parties[once.relying_party]
    run = once.run(relying_party=odd, ccache=once.kdc.ticket("alice"))
    assert run.token
    asked = once.front.requests[-1]
    assert (asked.get("IsPassive"), asked.get("AssertionConsumerServiceURL")) == ("true", CONSUMER)
    assert asked.get("ProtocolBinding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    assert asked.findtext("a:Issuer", namespaces=NAMES) == odd
    assert asked.get("Destination") == once.front.public + "/adfs/ls/"
    first, second = (decoded(received) for received in (run_again(once), run_again(once)))
    assert first.get("ID") != second.get("ID")


def run_again(once):
    """Runs the program once more, and returns the last request that the front received."""
    assert once.run(ccache=once.kdc.ticket("alice")).token
    return once.front.received[-1]


def decoded(received):
    """The AuthnRequest of a query, decoded without the code of the stand-in."""
    (value,) = parse_qs(received.raw_query)["SAMLRequest"]
    return etree.fromstring(zlib.decompress(base64.b64decode(value), -15))


@pytest.mark.parametrize("spelled", [lambda value: value, lambda value: "".join(f"&#{ord(letter)};" for letter in value),
                                     lambda value: value.replace("/", "&#x2f;").replace("=", "&equals;")])  # fmt: skip
def test_html_entities_in_the_form_are_decoded(once, spelled):
    """Entities are resolved in every form that HTML allows."""
    once.front.spelled = spelled
    run = once.run(ccache=once.kdc.ticket("alice"))
    assert base64.b64decode(run.token).decode() == once.front.issued[-1]


@pytest.mark.parametrize("redirects", [True, False], ids=["by /adfs/ls/wia", "at once"])
def test_where_ad_fs_challenges(once, redirects):
    """AD FS redirects listed user agents to /adfs/ls/wia on the same host, and only that path gets the Negotiate token.
    """
    once.front.redirects_to_wia = redirects
    assert once.run(ccache=once.kdc.ticket("alice")).token
    last = once.front.received[-1]
    assert (last.path, "authorization" in last.headers) == ("/adfs/ls/wia" if redirects else "/adfs/ls/", True)


def test_a_redirect_to_another_host_is_not_followed(once):
    """The other host does not get the ticket."""
    once.front.faults = [Answer(302, "", {"Location": "https://login.example.test/adfs/ls/wia?SAMLRequest=x"})]
    run = once.run(ccache=once.kdc.ticket("alice"))
    assert run.document["code"] in ("CONFIGURATION", "DENIED", "PROTOCOL"), run.described()
    assert not any("authorization" in headers for headers in once.legs())


# Signed requests

@pytest.fixture
def signed(once, tmp_path):
    """AD FS that requires signed requests, and a key in a file."""
    key = new_key("RSA")
    trust = once.front.relying_parties[once.relying_party]
    trust.certificate, trust.signature_required = certificate_pem(certificate(key, "rp.example.test")), True
    (tmp_path / "signing.pem").write_text(once.program.ledger.private_key("the signing key", pem(key)))
    once.given["signing-key"] = str(tmp_path / "signing.pem")
    return once


def test_a_signed_request(signed, tmp_path):
    """signxml in the stand-in and xmlsec1 accept the signature, and refuse a changed request."""
    assert signed.run(ccache=signed.kdc.ticket("alice")).token
    genuine = etree.tostring(decoded(signed.front.received[-1]))
    (tmp_path / "rp.crt").write_text(signed.front.relying_parties[signed.relying_party].certificate)
    for xml, good in ((genuine, True), (genuine.replace(b'IsPassive="true"', b'IsPassive="false"'), False)):
        (tmp_path / "request.xml").write_bytes(xml)
        done = subprocess.run([need("xmlsec1"), "--verify", "--enabled-key-data", "x509", "--pubkey-cert-pem", tmp_path / "rp.crt",
                               "--id-attr:ID", f"{NAMES['p']}:AuthnRequest", tmp_path / "request.xml"],
                              capture_output=True, check=False)  # fmt: skip
        assert (done.returncode == 0) is good, done.stderr.decode()
    with pytest.raises(Wrong, match="MSIS0038"):
        check(signed.front, etree.fromstring(xml))


def test_a_request_without_the_required_signature(signed):
    """AD FS refuses the request, and the message names the option."""
    signed.run(signing_key=None, ccache=signed.kdc.ticket("alice")).failed("DENIED", "MSIS0038", "--signing-key")


def test_a_key_that_is_not_rsa(signed, tmp_path):
    """The run fails before it sends anything."""
    (tmp_path / "ec.pem").write_text(pem(new_key("EC")))
    signed.run(signing_key=str(tmp_path / "ec.pem"), ccache=signed.kdc.ticket("alice")).failed("CONFIGURATION", "RSA")
    assert signed.legs() == []


# What AD FS refuses

@pytest.mark.parametrize("changes, words", [
    ({"relying_party": "https://no-such.example.test"}, ("MSIS3020", "--relying-party")),
    ({"acs_url": "https://elsewhere.example.test/acs"}, ("MSIS3200", "--acs-url")),
])  # fmt: skip
def test_an_unknown_name(once, changes, words):
    """The message contains the text of the page without entities, and the option to change."""
    message = once.run(**changes, ccache=once.kdc.ticket("alice")).failed("DENIED", *words)
    assert "<div" not in message and "&#" not in message


def test_the_sign_in_form(once):
    """The message names the three usual causes."""
    run = once.run(user_agent="Mozilla/5.0", ccache=once.kdc.ticket("alice"))
    run.failed("DENIED", "Windows Authentication", "Web Application Proxy", "WiaSupportedUserAgents", "--user-agent")


def test_a_status_without_an_assertion(once):
    """AD FS could not honor IsPassive. A Response without success contains no token, and the message contains its
    status.
    """
    once.front.windows_authentication = False
    run = once.run(ccache=once.kdc.ticket("alice"))
    assert run.status != 0, run.described()
    run.failed(run.document["code"], "NoPassive")


def test_occasional_failures_are_retried(once):
    """AD FS sometimes responds with 400 or 429 without a reason."""
    once.front.faults = [Answer(400, ""), Answer(429, "")]
    assert once.run(ccache=once.kdc.ticket("alice")).token
    assert once.front.faults == []


def test_an_encrypted_assertion(once, audience):
    """The expiry of the assertion is unknown, so the assertion is passed on unchanged, with a short lifetime."""
    signer = SamlSigner()
    encrypted = '<saml:EncryptedAssertion><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#">' \
                "<xenc:CipherData><xenc:CipherValue>b3BhcXVl</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>" \
                "</saml:EncryptedAssertion>"  # fmt: skip

    def hide(xml: str) -> str:
        return xml[: xml.index("<saml:Assertion ")] + encrypted + xml[xml.index("</saml:Assertion>") + len("</saml:Assertion>") :]

    response = base64.b64decode(signer.response(audience, edit=hide)).decode()
    once.front.response = lambda user, identifier: response
    run = once.run(ccache=once.kdc.ticket("alice"))
    assert base64.b64decode(run.token).decode() == response
    assert 0 < run.document["expiration_time"] - time.time() <= 600
