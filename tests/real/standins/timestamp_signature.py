"""Verifies the signature by which a certificate vouches for a message: WS-Security X.509 token profile 1.1, as an endorsing token.

https://docs.oasis-open.org/wss/v1.1/wss-v1.1-spec-os-x509TokenProfile.pdf section 3. Plain XML Signature by lxml and
cryptography, so that it shares nothing with signxml. WCF's suite Basic256 uses RSA with SHA-1, and its successors use SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
NAMES = {"o": SECURITY, "u": UTILITY, "d": DSIG}
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
DIGESTS = {DSIG + "sha1": hashlib.sha1, "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256}
SIGNATURES = {DSIG + "rsa-sha1": hashes.SHA1, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": hashes.SHA256}


class NotSigned(Exception):
    """Raised if no valid signature by the key of the token covers the Timestamp."""


def signer_of(header, stamp) -> str:
    """The certificate (PEM) that signed this Timestamp."""
    try:
        return verified(header, stamp)
    except (AttributeError, KeyError, ValueError, TypeError, binascii.Error, InvalidSignature) as error:
        raise NotSigned(str(error)) from error


def verified(header, stamp) -> str:
    """Does the work of `signer_of`. If a part is missing, it raises an AttributeError, KeyError or other exception,
    which `signer_of` replaces by NotSigned."""
    token, signature = header.find("o:BinarySecurityToken", NAMES), header.find("d:Signature", NAMES)
    identifier = "{%s}Id" % UTILITY
    info = signature.find("d:SignedInfo", NAMES)
    if info.find("d:CanonicalizationMethod", NAMES).get("Algorithm") != EXCLUSIVE:
        raise NotSigned("the canonicalization of SignedInfo")
    named = signature.find("d:KeyInfo/o:SecurityTokenReference/o:Reference", NAMES).get("URI")
    if named != "#" + token.get(identifier):
        raise NotSigned("the key is not that of the token")
    references = {reference.get("URI"): reference for reference in info.findall("d:Reference", NAMES)}
    reference = references["#" + stamp.get(identifier)]
    transforms = [transform.get("Algorithm") for transform in reference.findall("d:Transforms/d:Transform", NAMES)]
    if transforms != [EXCLUSIVE]:
        raise NotSigned("the transforms of the Timestamp")
    digest = DIGESTS[reference.find("d:DigestMethod", NAMES).get("Algorithm")](canonical(stamp)).digest()
    if base64.b64decode(reference.findtext("d:DigestValue", "", NAMES)) != digest:
        raise NotSigned("the digest of the Timestamp")
    certificate = x509.load_der_x509_certificate(base64.b64decode(token.text))
    algorithm = SIGNATURES[info.find("d:SignatureMethod", NAMES).get("Algorithm")]
    value = base64.b64decode(signature.findtext("d:SignatureValue", "", NAMES))
    certificate.public_key().verify(value, canonical(info), padding.PKCS1v15(), algorithm())
    return certificate.public_bytes(Encoding.PEM).decode()


def canonical(element) -> bytes:
    """Serializes an element by exclusive canonicalization without comments."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
