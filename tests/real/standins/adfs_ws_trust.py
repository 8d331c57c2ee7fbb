"""The WS-Trust 1.3 endpoints of AD FS: a RequestSecurityToken in SOAP 1.2, and the response with a signed assertion in an envelope.

https://docs.oasis-open.org/ws-sx/ws-trust/v1.3/ws-trust.html; UsernameToken profile 1.0; X.509 token profile 1.1.
`windowstransport` authenticates by HTTP Negotiate (no User-Agent list here), `usernamemixed` and `certificatemixed` by the
Security header over TLS: WCF's "mixed" means transport security with a credential in the message, so that a certificate is
proved by a signature over the Timestamp and not by the TLS handshake.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from html import escape
from typing import TYPE_CHECKING

from lxml import etree

from standins import soap_fault
from standins.adfs_page import no_such_path
from standins.loopback import Answer, Request
from standins.soap_fault import ADDRESSING, SECURITY, SOAP, SOAP_XML, TRUST, Fault
from standins.timestamp_signature import NotSigned, signer_of

if TYPE_CHECKING:
    from standins.adfs import Adfs

UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
NAMES = {"s": SOAP, "a": ADDRESSING, "t": TRUST, "o": SECURITY, "u": UTILITY, "p": "http://schemas.xmlsoap.org/ws/2004/09/policy"}
ISSUE = TRUST + "/RST/Issue"
PASSWORD_TEXT = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
SAML2 = ("urn:oasis:names:tc:SAML:2.0:assertion", "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0")
RSTRC = """<s:Envelope xmlns:s="{s}" xmlns:a="{a}" xmlns:u="{u}"><s:Header><a:Action s:mustUnderstand="1">{t}/RSTRC/IssueFinal</a:Action>\
<a:RelatesTo>{message}</a:RelatesTo></s:Header><s:Body><trust:RequestSecurityTokenResponseCollection xmlns:trust="{t}">\
<trust:RequestSecurityTokenResponse><trust:Lifetime><u:Created>{created}</u:Created><u:Expires>{expires}</u:Expires></trust:Lifetime>\
<wsp:AppliesTo xmlns:wsp="{p}"><a:EndpointReference><a:Address>{address}</a:Address></a:EndpointReference></wsp:AppliesTo>\
<trust:RequestedSecurityToken>{assertion}</trust:RequestedSecurityToken><trust:TokenType>{kind}</trust:TokenType>\
<trust:RequestType>{t}/Issue</trust:RequestType><trust:KeyType>{t}/Bearer</trust:KeyType></trust:RequestSecurityTokenResponse>\
</trust:RequestSecurityTokenResponseCollection></s:Body></s:Envelope>"""


def issue(adfs: Adfs, request: Request, endpoint: str) -> Answer:
    """Responds to one request to one endpoint."""
    if endpoint not in ("windowstransport", "usernamemixed", "certificatemixed"):
        return no_such_path(request.path)
    if endpoint == "windowstransport" and adfs.user(request) is None:
        return Answer(401, "", {"WWW-Authenticate": "Negotiate"})
    if request.method != "POST" or request.headers.get("content-type", "").partition(";")[0].strip() != "application/soap+xml":
        return Answer(415, "Cannot process the message because the content type was not the expected type "
                           "'application/soap+xml; charset=utf-8'.")  # fmt: skip
    try:
        envelope = parsed(request.body)
        adfs.requests.append(envelope)
        check_addressing(envelope, adfs.public + request.path)
        user = adfs.user(request) if endpoint == "windowstransport" else by_message(adfs, envelope, endpoint)
        kind, address = check_request(envelope, adfs)
    except Fault as fault:
        return fault.answer()
    assertion = adfs.assertion(user, address)
    adfs.issued.append(assertion)
    message = envelope.findtext("s:Header/a:MessageID", namespaces=NAMES)
    life = {"created": at(0), "expires": at(60)}
    answer = RSTRC.format(**NAMES, **life, message=message, address=escape(address), kind=kind, assertion=assertion)
    return Answer(200, answer, SOAP_XML)


def at(minutes: int) -> str:
    """Formats a time as WCF writes it, this many minutes from now."""
    return (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def parsed(body: bytes):
    """The envelope. Everything else is refused because it is not SOAP 1.2."""
    try:
        envelope = etree.fromstring(body, etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError as error:
        raise Fault(SOAP, "Sender", "The message is not XML.") from error
    if envelope.tag != f"{{{SOAP}}}Envelope" or envelope.find("s:Body", NAMES) is None:
        raise Fault(SOAP, "VersionMismatch", "The message version is not SOAP 1.2.")
    return envelope


def check_addressing(envelope, address: str):
    """Checks Action, MessageID and To."""
    action = envelope.findtext("s:Header/a:Action", "", NAMES)
    if action != ISSUE:
        raise soap_fault.action_not_supported(action)
    if not envelope.findtext("s:Header/a:MessageID", "", NAMES):
        raise Fault(ADDRESSING, "MessageAddressingHeaderRequired", "A required message addressing header is missing: MessageID.")
    if (to := envelope.findtext("s:Header/a:To", "", NAMES)) != address:
        raise soap_fault.destination_unreachable(to)


def by_message(adfs: Adfs, envelope, endpoint: str) -> str:
    """The sender by the Security header: a current Timestamp, then the credential."""
    header = envelope.find("s:Header/o:Security", NAMES)
    stamp = header.find("u:Timestamp", NAMES) if header is not None else None
    if stamp is None:
        raise soap_fault.invalid_security()
    try:
        stamps = (stamp.findtext(f"u:{name}", "", NAMES) for name in ("Created", "Expires"))
        created, expires = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in stamps)
        fresh = created - timedelta(minutes=5) <= datetime.now(timezone.utc) <= expires + timedelta(minutes=5)
    except (ValueError, TypeError):
        fresh = False
    if not fresh:
        raise soap_fault.invalid_security()
    return by_certificate(adfs, header, stamp) if endpoint == "certificatemixed" else by_password(adfs, header)


def by_password(adfs: Adfs, header) -> str:
    """Authenticates by a UsernameToken in clear text."""
    password = header.find("o:UsernameToken/o:Password", NAMES)
    if password is None:
        raise soap_fault.invalid_security()
    user = header.findtext("o:UsernameToken/o:Username", "", NAMES)
    if password.get("Type", PASSWORD_TEXT) != PASSWORD_TEXT or adfs.passwords.get(user) != (password.text or ""):
        raise soap_fault.failed_authentication()
    return user


def by_certificate(adfs: Adfs, header, stamp) -> str:
    """Authenticates by a BinarySecurityToken whose key has signed the Timestamp."""
    try:
        certificate = signer_of(header, stamp)
    except NotSigned as error:
        raise soap_fault.invalid_security() from error
    if certificate not in adfs.certificates:
        raise soap_fault.failed_authentication()
    return adfs.certificates[certificate]


def check_request(envelope, adfs: Adfs) -> tuple[str, str]:
    """Checks that AD FS can issue the token type of a RequestSecurityToken for its relying party."""
    wanted = envelope.find("s:Body/t:RequestSecurityToken", NAMES)
    if wanted is None or wanted.findtext("t:RequestType", "", NAMES) != TRUST + "/Issue":
        raise soap_fault.invalid_request()
    if wanted.findtext("t:KeyType", "", NAMES) != TRUST + "/Bearer" or wanted.findtext("t:TokenType", "", NAMES) not in SAML2:
        raise soap_fault.invalid_request()
    address = wanted.findtext("p:AppliesTo/a:EndpointReference/a:Address", "", NAMES)
    if address not in adfs.relying_parties:
        raise soap_fault.invalid_scope()
    return wanted.findtext("t:TokenType", "", NAMES), address
