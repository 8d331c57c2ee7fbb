"""Proves that the token service stand-in refuses a SAML subject token that breaks any one of Google's documented rules.

The rules: https://cloud.google.com/iam/docs/workforce-saml-assertions, see standins/verify_saml.py. Each case is the
accepted Response with one thing changed, and signed after the change, unless the change is in the signature.
"""

from __future__ import annotations

import base64
import copy
from functools import partial

import pytest
from lxml import etree

from standins.verify_saml import BEARER, NAMES, SamlPoolProvider, verify_saml
from support.refusals import refused_by
from support.saml import IDP, SamlSigner, at, confirmation, restriction, statement

SIGNER = SamlSigner()
refused = partial(refused_by, verify_saml)


@pytest.fixture
def pool_provider(audience) -> SamlPoolProvider:
    """A pool provider that trusts the signer of this file."""
    return SamlPoolProvider(audience, IDP, SIGNER.certificate)


@pytest.mark.parametrize("sign", ["_response", "_assertion"])
@pytest.mark.parametrize("prefix", ["", "https:"])
def test_accepts_a_response(pool_provider, audience, sign, prefix):
    """The whole Response or its Assertion is signed; both forms of the audience are tried."""
    claims = verify_saml(SIGNER.response(prefix + audience, sign), pool_provider)
    assert claims == {"sub": "user@example.test", "aud": [prefix + audience]}


def test_accepts_a_bare_assertion(pool_provider, audience):
    """There is no Response, and the Issuer has the Format entity."""
    entity = ' Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"'
    assert verify_saml(SIGNER.assertion(audience, issuer_format=entity), pool_provider)


@pytest.mark.parametrize("parts, text", [
    ({"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"}, "status is not Success"),
    ({"response_issuer": "https://other.example.test"}, "Issuer of the Response"),
    ({"issuer": "https://other.example.test"}, "Issuer of the Assertion"),
    ({"issuer_format": ' Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"'}, "Format of the Issuer"),
    ({"issue_instant": at(minutes=-61)}, "IssueInstant"),
    ({"issue_instant": at(hours=12)}, "IssueInstant"),
    ({"issue_instant": "yesterday"}, "IssueInstant"),
    ({"name_id": ""}, "no NameID"),
    ({"confirmations": ""}, "exactly one SubjectConfirmation"),
    ({"confirmations": confirmation(data=f'NotOnOrAfter="{at(hours=12)}"') * 2}, "exactly one SubjectConfirmation"),
    ({"confirmations": confirmation(BEARER.replace("bearer", "sender-vouches"), f'NotOnOrAfter="{at(hours=12)}"')}, "not of method bearer"),
    ({"confirmations": confirmation(data=f'NotOnOrAfter="{at(seconds=-1)}"')}, "SubjectConfirmationData is over"),
    ({"confirmations": confirmation(data="")}, "SubjectConfirmationData is over or without an end"),
    ({"confirmations": confirmation(data=f'NotBefore="{at(minutes=-5)}" NotOnOrAfter="{at(hours=12)}"')},
     "must not have NotBefore"),
    ({"not_before": f' NotBefore="{at(hours=12)}"'}, "NotBefore of the Conditions"),
    ({"not_before": ""}, "NotBefore of the Conditions"),
    ({"not_on_or_after": at(seconds=-1)}, "NotOnOrAfter of the Conditions"),
    ({"restrictions": ""}, "no AudienceRestriction"),
    ({"restrictions": restriction("https://sp.example.test")}, "does not name the provider"),
    ({"statements": ""}, "no AuthnStatement"),
    ({"statements": statement(at(seconds=-1))}, "session of an AuthnStatement is over"),
])  # fmt: skip
def test_refuses_a_signed_response_that_breaks_a_rule(pool_provider, audience, parts, text):
    """Each case breaks one rule."""
    refused(SIGNER.response(audience, **parts), pool_provider, text)


def test_refuses_when_one_of_two_restrictions_names_another(pool_provider, audience):
    """Each AudienceRestriction must name the pool provider."""
    parts = restriction(audience) + restriction("https://sp.example.test")
    refused(SIGNER.response(audience, restrictions=parts), pool_provider, "does not name the provider")


@pytest.mark.parametrize("sign", ["_response", "_assertion"])
def test_refuses_no_or_two_assertions(pool_provider, audience, sign):
    """A Response must contain exactly one Assertion."""
    def double(xml: str) -> str:
        head, assertion, tail = xml.partition("<saml:Assertion ")
        body, end, rest = tail.partition("</saml:Assertion>")
        second = (assertion + body + end).replace('ID="_assertion"', 'ID="_second"')
        return head + assertion + body + end + second + rest

    refused(SIGNER.response(audience, sign, edit=double), pool_provider, "exactly one Assertion")


def test_refuses_what_is_not_signed(pool_provider, audience):
    """Neither the Response nor the Assertion is signed."""
    refused(SIGNER.response(audience, sign=""), pool_provider, "signature does not verify")


def test_refuses_the_signature_of_another_key(pool_provider, audience):
    """A certificate inside the document proves nothing."""
    refused(SamlSigner().response(audience), pool_provider, "signature does not verify")


@pytest.mark.parametrize("sign", ["_response", "_assertion"])
def test_refuses_a_tampered_document(pool_provider, audience, sign):
    """The subject was changed after the signature."""
    xml = base64.b64decode(SIGNER.response(audience, sign)).replace(b"user@", b"root@")
    refused(base64.b64encode(xml).decode(), pool_provider, "signature does not verify")


def test_refuses_a_wrapped_assertion(pool_provider, audience):
    """The signed Assertion is inside an unsigned one with other content."""
    root = etree.fromstring(base64.b64decode(SIGNER.response(audience, "_assertion")))
    genuine = root.find("a:Assertion", NAMES)
    forged = copy.deepcopy(genuine)
    forged.set("ID", "_forged")
    forged.remove(forged.find("{http://www.w3.org/2000/09/xmldsig#}Signature"))
    forged.find("a:Subject/a:NameID", NAMES).text = "root@example.test"
    root.replace(genuine, forged)
    forged.append(genuine)
    refused(base64.b64encode(etree.tostring(root)).decode(), pool_provider, "exactly one Assertion")


def test_refuses_a_signature_over_something_else(pool_provider, audience):
    """The IdP signed only the Status of the Response."""
    def mark(xml: str) -> str:
        return xml.replace("<samlp:Status>", '<samlp:Status ID="_status">')

    refused(SIGNER.response(audience, "_status", edit=mark), pool_provider, "covers no Assertion")


def test_refuses_a_signed_document_of_another_kind(pool_provider, audience):
    """The IdP signed a LogoutResponse."""
    def rename(xml: str) -> str:
        return xml.replace("samlp:Response ", "samlp:LogoutResponse ").replace("samlp:Response>", "samlp:LogoutResponse>")

    refused(SIGNER.response(audience, edit=rename), pool_provider, "neither a Response nor an Assertion")


@pytest.mark.parametrize("token", ["", "not base64!", base64.b64encode(b"<a/>").decode(), base64.b64encode(b"<a").decode(),
                                   "<saml:Assertion/>"])  # fmt: skip
def test_refuses_what_is_not_an_assertion(pool_provider, token):
    """Raw XML is refused too, because the subject token is base64."""
    refused(token, pool_provider, "not valid")
