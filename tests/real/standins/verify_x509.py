"""Verifies an X.509 subject token by the rules Google documents.

https://cloud.google.com/iam/docs/workload-identity-federation-with-x509-certificates: the subject token is a JSON array of
certificates in base64, the client's first, and the client presents the same one in the TLS handshake. The chain leads through these
and the intermediate CAs of the trust store to one of its trust anchors. The client's certificate is not that of a CA, is valid now,
and if it has extended key usages, clientAuth is one of them.
"""

from __future__ import annotations

import base64
import datetime
import json
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from standins.refused import Refused

MOST = 6  # certificates in a chain


@dataclass(frozen=True)
class X509PoolProvider:
    """A workload identity pool provider of the type X.509, with the PEM certificates of its trust store."""

    name: str
    trust_anchors: tuple[bytes, ...]
    intermediates: tuple[bytes, ...] = field(default=())


def invalid(description: str) -> Refused:
    """The code that the service uses for every fault of the token itself."""
    return Refused("invalid_grant", description)


def verify_x509(token: str, provider: X509PoolProvider, presented: bytes) -> dict:
    """Verifies a certificate by every rule, and returns what an attribute mapping can use of it. Raises Refused
    otherwise."""
    leaf, *chain = certificates(token)
    if leaf.public_bytes(Encoding.DER) != presented:
        raise invalid("The client certificate of the connection is not the first certificate of the subject token.")
    if leaf in chain or len(chain) >= MOST:
        raise invalid("The certificate chain is not valid.")
    check_leaf(leaf)
    anchors = [x509.load_pem_x509_certificate(pem) for pem in provider.trust_anchors]
    between = chain + [x509.load_pem_x509_certificate(pem) for pem in provider.intermediates]
    if not leads(leaf, between, anchors):
        raise invalid("The certificate chain does not lead to a trust anchor.")
    (name,) = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return {"sub": name.value, "subject": {"dn": {"cn": name.value}}}


def certificates(token: str) -> list[x509.Certificate]:
    """The certificates, which must be in standard base64 with padding."""
    try:
        texts = json.loads(token)
        assert isinstance(texts, list) and texts
        return [x509.load_der_x509_certificate(base64.b64decode(text, validate=True)) for text in texts]
    except (ValueError, TypeError, AssertionError) as error:
        raise invalid("The subject token is not a list of certificates.") from error


def check_leaf(leaf: x509.Certificate):
    """Checks the certificate of the client."""
    check_times(leaf)
    if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise invalid("The client certificate is that of a certificate authority.")
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        raise invalid("The client certificate lacks the extended key usage clientAuth.")


def check_times(certificate: x509.Certificate):
    """Checks that the certificate is valid now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise invalid("A certificate of the chain has expired or is not valid yet.")


def leads(certificate: x509.Certificate, between: list[x509.Certificate], anchors: list[x509.Certificate]) -> bool:
    """Whether an anchor issued the certificate, or an authority between them that an anchor issued."""
    if any(issued(certificate, anchor) for anchor in anchors):
        return True
    for authority in between:
        if issued(certificate, authority):
            check_times(authority)
            return leads(authority, [other for other in between if other != authority], anchors)
    return False


def issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether name and signature show that this authority issued the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
        return True
    except (ValueError, TypeError, InvalidSignature):
        return False
