"""The SAML endpoint of AD FS: an AuthnRequest by the HTTP-Redirect binding, a Response by HTTP-POST.

https://docs.oasis-open.org/security/saml/v2.0/saml-bindings-2.0-os.pdf sections 3.4 and 3.5, saml-core-2.0-os.pdf section 3.4.1.
With `redirects_to_wia` it sends listed User-Agents on to `/adfs/ls/wia` (a redirect on the same host, its port spelled out) and
challenges them there, as AD FS has done since Windows Server 2012 R2; everybody else gets the sign-in form.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lxml import etree
from signxml import SignatureMethod, XMLVerifier
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration

from standins.adfs_page import error_page, login_form, posting_form
from standins.loopback import Answer, Request

if TYPE_CHECKING:
    from standins.adfs import Adfs

NAMES = {"p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion",
         "ds": "http://www.w3.org/2000/09/xmldsig#"}  # fmt: skip
UNEXPECTED = "MSIS7015: This request does not contain the expected protocol message or incorrect protocol parameters were found."
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
STATUS = """<samlp:Response xmlns:samlp="{p}" ID="_status" Version="2.0" IssueInstant="{now}" Destination="{acs}">\
<Issuer xmlns="{a}">{issuer}</Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{code}">\
{inner}</samlp:StatusCode></samlp:Status></samlp:Response>"""


class Wrong(Exception):
    """Raised if AD FS refuses this request; the text is that of its error page."""


def sign_in(adfs: Adfs, request: Request) -> Answer:
    """Handles one sign-in, from the AuthnRequest to the form that posts the Response."""
    if "SAMLRequest" not in request.query:
        return error_page(400, "MSIS7001: The passive protocol context was not found or not valid.")
    try:
        authn_request = decoded(request.query["SAMLRequest"][0])
        trust, acs = check(adfs, authn_request)
    except Wrong as wrong:
        return error_page(400, str(wrong))
    if not adfs.negotiates_with(request):
        if authn_request.get("IsPassive") == "true" and not adfs.windows_authentication:
            return respond(adfs, acs, status(adfs, acs, "Responder", "NoPassive"))
        return login_form(f"{adfs.public}/adfs/ls/?{request.raw_query}")
    if request.path != "/adfs/ls/wia" and adfs.redirects_to_wia:
        return Answer(302, "", {"Location": f"{adfs.public}/adfs/ls/wia?{request.raw_query}&client-request-id=5be570eb-c7e2-49f8"})
    if adfs.user(request) is None:
        return Answer(401, "", {"WWW-Authenticate": "Negotiate"})
    adfs.requests.append(authn_request)
    response = adfs.response(adfs.user(request), trust.identifier)
    adfs.issued.append(response)
    return respond(adfs, acs, response)


def decoded(value: str):
    """Decodes an AuthnRequest from base64 and raw deflate (section 3.4.4.1)."""
    try:
        return etree.fromstring(zlib.decompress(base64.b64decode(value, validate=True), -15), etree.XMLParser(resolve_entities=False))
    except (binascii.Error, ValueError, zlib.error, etree.XMLSyntaxError) as error:
        raise Wrong(UNEXPECTED) from error


def check(adfs: Adfs, message):
    """Checks the relying party trust and the assertion consumer service. Raises Wrong if AD FS refuses them."""
    identified = (message.get("ID") or "0")[0].isidentifier()
    if message.tag != f"{{{NAMES['p']}}}AuthnRequest" or message.get("Version") != "2.0" or not identified:
        raise Wrong(UNEXPECTED)
    issued = datetime.fromisoformat(message.get("IssueInstant", "").replace("Z", "+00:00"))
    if abs(datetime.now(timezone.utc) - issued) > timedelta(minutes=5):
        raise Wrong("MSIS0037: The SAML message was not issued within the allowed time.")
    destination = message.get("Destination")
    if destination and urlsplit(destination)._replace(path="") != urlsplit(adfs.public):
        raise Wrong("MSIS1014: SAML Request sent to the wrong Destination.")
    identifier = message.findtext("a:Issuer", namespaces=NAMES)
    trust = adfs.relying_parties.get(identifier)
    if trust is None:
        raise Wrong(f"MSIS3020: The relying party trust with identifier '{identifier}' could not be located.")
    if message.get("ProtocolBinding") not in (None, POST_BINDING):
        raise Wrong("MSIS7061: The requested binding is not supported by the relying party trust.")
    acs = message.get("AssertionConsumerServiceURL") or trust.acs[0]
    if acs not in trust.acs:
        raise Wrong(f"MSIS3200: No AssertionConsumerService is configured on the relying party trust '{identifier}' that is a "
                    f"prefix match of the AssertionConsumerService URL '{acs}' specified by the request.")  # fmt: skip
    if trust.signature_required or message.find("ds:Signature", NAMES) is not None:
        check_signature(trust, message)
    return trust, acs


def check_signature(trust, message):
    """Verifies one enveloped RSA-SHA256 signature over the whole request, after its Issuer (saml-core section 5.4)."""
    signature = message.find("ds:Signature", NAMES)
    if signature is None:
        raise Wrong(f"MSIS0038: SAML Message has wrong signature. Issuer: '{trust.identifier}'.")
    methods = SignatureConfiguration(signature_methods=frozenset({SignatureMethod.RSA_SHA256}))
    try:
        covered = XMLVerifier().verify(message, x509_cert=trust.certificate, id_attribute="ID", expect_config=methods).signed_xml
    except (SignXMLException, ValueError, TypeError) as error:
        raise Wrong(f"MSIS0038: SAML Message has wrong signature. Issuer: '{trust.identifier}'.") from error
    algorithm = signature.find("ds:SignedInfo/ds:CanonicalizationMethod", NAMES).get("Algorithm")
    after_issuer = signature.getprevious() is not None and signature.getprevious().tag == f"{{{NAMES['a']}}}Issuer"
    if covered.get("ID") != message.get("ID") or algorithm != EXCLUSIVE or not after_issuer:
        raise Wrong(f"MSIS0038: SAML Message has wrong signature. Issuer: '{trust.identifier}'.")


def status(adfs: Adfs, acs: str, code: str, second: str) -> str:
    """Makes a Response that contains only a status."""
    inner = f'<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{second}"/>'
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return STATUS.format(**NAMES, now=now, acs=acs, issuer=adfs.issuer + "/services/trust", code=code, inner=inner)


def respond(adfs: Adfs, acs: str, response: str) -> Answer:
    """The form with the Response; its value is base64 with entities that HTML allows."""
    return posting_form(acs, adfs.spelled(base64.b64encode(response.encode()).decode()))
