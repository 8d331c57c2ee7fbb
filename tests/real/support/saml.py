"""SAML assertions that the tests sign themselves with signxml, each able to break exactly one rule.

Element order and names follow https://docs.oasis-open.org/security/saml/v2.0/saml-core-2.0-os.pdf; the assertions of a real
identity provider come from pysaml2, see test_saml.py.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

from lxml import etree
from signxml import CanonicalizationMethod, XMLSigner, methods

from standins.verify_saml import BEARER, NAMES, SUCCESS
from support.signer import certificate, certificate_pem, new_key

DSIG = "http://www.w3.org/2000/09/xmldsig#"
IDP = "https://idp.example.test/metadata"
TEMPLATE = """\
<samlp:Response xmlns:samlp="{p}" xmlns:saml="{a}" ID="_response" Version="2.0" IssueInstant="{now}">\
<saml:Issuer>{response_issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>\
<saml:Assertion ID="_assertion" Version="2.0" IssueInstant="{issue_instant}"><saml:Issuer{issuer_format}>{issuer}</saml:Issuer>\
<saml:Subject>{name_id}{confirmations}</saml:Subject>\
<saml:Conditions{not_before} NotOnOrAfter="{not_on_or_after}">{restrictions}</saml:Conditions>{statements}\
</saml:Assertion></samlp:Response>"""


def at(**offset) -> str:
    """Formats an xs:dateTime relative to now, such as at(minutes=-5)."""
    return (datetime.now(timezone.utc) + timedelta(**offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def confirmation(method: str = BEARER, data: str | None = None) -> str:
    """Formats a SubjectConfirmation; `data` has the attributes of its data element."""
    data = f'NotOnOrAfter="{at(minutes=5)}"' if data is None else data
    return f'<saml:SubjectConfirmation Method="{method}"><saml:SubjectConfirmationData {data}/></saml:SubjectConfirmation>'


def restriction(*audiences: str) -> str:
    """Formats an AudienceRestriction."""
    inner = "".join(f"<saml:Audience>{audience}</saml:Audience>" for audience in audiences)
    return f"<saml:AudienceRestriction>{inner}</saml:AudienceRestriction>"


def statement(end: str | None = None) -> str:
    """Formats an AuthnStatement whose session expires at this time."""
    context = "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>"
    session = f' SessionNotOnOrAfter="{end or at(hours=8)}"'
    return (
        f'<saml:AuthnStatement AuthnInstant="{at(minutes=-1)}"{session}>'
        f"<saml:AuthnContext>{context}</saml:AuthnContext></saml:AuthnStatement>"
    )


class SamlSigner:
    """A key with its certificate, as an identity provider has."""

    def __init__(self):
        self.key = new_key("RSA")
        self.found = certificate(self.key, "idp.example.test")
        self.certificate = certificate_pem(self.found)

    def response(self, audience: str, sign: str = "_response", edit=lambda xml: xml, **parts) -> str:
        """The base64 of a Response that passes every rule except for `parts`. `sign` is the ID of the signed element, ""
        for none. `edit` changes the XML text before it is signed.
        """
        values = {
            **NAMES, "now": at(seconds=-5), "response_issuer": IDP, "status": SUCCESS, "issue_instant": at(seconds=-5),
            "issuer_format": "", "issuer": IDP, "name_id": "<saml:NameID>user@example.test</saml:NameID>",
            "confirmations": confirmation(), "not_before": f' NotBefore="{at(minutes=-5)}"',
            "not_on_or_after": at(minutes=30), "restrictions": restriction(audience), "statements": statement(),
        } | parts  # fmt: skip
        root = etree.fromstring(edit(TEMPLATE.format(**values)))
        return base64.b64encode(etree.tostring(self.signed(root, sign) if sign else root)).decode()

    def assertion(self, audience: str, **parts) -> str:
        """The base64 of a signed Assertion without a Response."""
        response = etree.fromstring(base64.b64decode(self.response(audience, sign="_assertion", **parts)))
        return base64.b64encode(etree.tostring(response.find("a:Assertion", NAMES), with_tail=False)).decode()

    def signed(self, root, identifier: str):
        """The tree with an enveloped RSA-SHA256 signature over the element with that ID, after its Issuer."""
        element = next(found for found in root.iter() if found.get("ID") == identifier)
        placeholder = etree.Element(f"{{{DSIG}}}Signature", Id="placeholder", nsmap={"ds": DSIG})
        element.insert(1, placeholder)
        signer = XMLSigner(method=methods.enveloped, c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        done = signer.sign(element, key=self.key, cert=[self.found], reference_uri=identifier, id_attribute="ID")
        if element is root:
            return done
        root.replace(element, done)
        return root
