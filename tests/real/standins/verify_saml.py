"""Verifies a SAML 2.0 subject token by the rules Google documents.

https://cloud.google.com/iam/docs/workforce-saml-assertions and the guide "Obtain short-lived tokens for Workload Identity
Federation", "SAML response requirements": base64 of a Response or an Assertion, one signature by the identity provider's
key, then issuer, subject confirmation, conditions and authentication statements. Element names and times:
https://docs.oasis-open.org/security/saml/v2.0/saml-core-2.0-os.pdf

Only what the signature covers is read afterwards, so signature wrapping has no effect.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from lxml import etree
from signxml import XMLVerifier
from signxml.exceptions import InvalidInput, SignXMLException

from standins.refused import Refused

NAMES = {"p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion"}
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


@dataclass(frozen=True)
class SamlPoolProvider:
    """A workload identity pool provider of the type SAML, with what its uploaded IdP metadata says."""

    name: str
    idp_entity_id: str
    certificate: str  # PEM


def require(condition, rule: str):
    """Raises Refused with the text of the rule unless it holds."""
    if not condition:
        raise Refused("invalid_grant", f"The SAML assertion is not valid: {rule}")


def verify_saml(token: str, provider: SamlPoolProvider) -> dict:
    """Verifies an assertion by every rule, and returns its subject and audiences. Raises Refused otherwise."""
    root = parse(token)
    response = root if root.tag == f"{{{NAMES['p']}}}Response" else None
    require(response is not None or root.tag == f"{{{NAMES['a']}}}Assertion", "neither a Response nor an Assertion.")
    if response is not None:
        status = response.find("p:Status/p:StatusCode", NAMES)
        require(status is not None and status.get("Value") == SUCCESS, "the status is not Success.")
        require(len(response.findall(".//a:Assertion", NAMES)) == 1, "there must be exactly one Assertion.")
    signed = signed_part(root, provider)
    if signed.tag == f"{{{NAMES['p']}}}Response":
        require(text(signed, "a:Issuer") == provider.idp_entity_id, "the Issuer of the Response is not the IdP.")
        signed = signed.find("a:Assertion", NAMES)
    require(signed is not None and signed.tag == f"{{{NAMES['a']}}}Assertion", "the signature covers no Assertion.")
    check_issuer(signed, provider)
    check_subject(signed)
    check_conditions(signed, provider)
    check_authentication(signed)
    return {"sub": text(signed, "a:Subject/a:NameID"), "aud": [e.text for e in signed.iterfind(".//a:Audience", NAMES)]}


def parse(token: str):
    """The XML in the base64 text, parsed without entities and network access."""
    try:
        xml = base64.b64decode("".join(token.split()), validate=True)
        return etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True))
    except (binascii.Error, ValueError, etree.XMLSyntaxError) as error:
        raise Refused("invalid_grant", "The SAML assertion is not valid: not base64 of XML.") from error


def signed_part(root, provider: SamlPoolProvider):
    """The element that the IdP's key signed."""
    try:
        return XMLVerifier().verify(root, x509_cert=provider.certificate, id_attribute="ID").signed_xml
    except (SignXMLException, InvalidInput, ValueError) as error:
        raise Refused("invalid_grant", "The SAML assertion is not valid: its signature does not verify.") from error


def check_issuer(assertion, provider: SamlPoolProvider):
    """Checks `Issuer` and the time of issue."""
    issuer = assertion.find("a:Issuer", NAMES)
    require(issuer is not None and issuer.text == provider.idp_entity_id, "the Issuer of the Assertion is not the IdP.")
    require(issuer.get("Format") in (None, ENTITY), "the Format of the Issuer is not entity.")
    issued, now = instant(assertion, "IssueInstant"), datetime.now(timezone.utc)
    require(issued and now - timedelta(hours=1) <= issued <= now, "IssueInstant is not within the last hour.")


def check_subject(assertion):
    """Checks that there is a NameID and exactly one bearer confirmation that has not expired."""
    require(text(assertion, "a:Subject/a:NameID"), "the Subject has no NameID.")
    confirmations = assertion.findall("a:Subject/a:SubjectConfirmation", NAMES)
    require(len(confirmations) == 1, "there must be exactly one SubjectConfirmation.")
    require(confirmations[0].get("Method") == BEARER, "the SubjectConfirmation is not of method bearer.")
    data = confirmations[0].find("a:SubjectConfirmationData", NAMES)
    require(data is not None and future(data, "NotOnOrAfter"), "the SubjectConfirmationData is over or without an end.")
    require(data.get("NotBefore") is None, "the SubjectConfirmationData must not have NotBefore.")


def check_conditions(assertion, provider: SamlPoolProvider):
    """Checks the times, and that each audience restriction names this pool provider."""
    conditions = assertion.find("a:Conditions", NAMES)
    require(conditions is not None, "there are no Conditions.")
    begin = instant(conditions, "NotBefore")
    require(begin and begin <= datetime.now(timezone.utc), "NotBefore of the Conditions is not in the past.")
    require(future(conditions, "NotOnOrAfter"), "NotOnOrAfter of the Conditions is not in the future.")
    restrictions = conditions.findall("a:AudienceRestriction", NAMES)
    require(restrictions, "there is no AudienceRestriction.")
    names = (provider.name, "https:" + provider.name)
    for restriction in restrictions:
        audiences = [element.text for element in restriction.findall("a:Audience", NAMES)]
        require(any(audience in names for audience in audiences), "an AudienceRestriction does not name the provider.")


def check_authentication(assertion):
    """Checks that there is an AuthnStatement, and that no session has expired."""
    statements = assertion.findall("a:AuthnStatement", NAMES)
    require(statements, "there is no AuthnStatement.")
    for statement in statements:
        end = statement.get("SessionNotOnOrAfter")
        require(end is None or future(statement, "SessionNotOnOrAfter"), "the session of an AuthnStatement is over.")


def text(element, path: str) -> str | None:
    """The text at a path, or None."""
    return element.findtext(path, namespaces=NAMES)


def instant(element, name: str) -> datetime | None:
    """Reads an xs:dateTime attribute in UTC; None if it is absent or not a time."""
    try:
        moment = datetime.fromisoformat(element.get(name, "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def future(element, name: str) -> bool:
    """Whether a time attribute exists and is in the future."""
    moment = instant(element, name)
    return moment is not None and moment > datetime.now(timezone.utc)
