"""Keys, a certificate and tokens that the tests create or decode themselves, with cryptography and PyJWT."""

from __future__ import annotations

import datetime
import json
import secrets
import time

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ENCODINGS = {"pkcs8": serialization.PrivateFormat.PKCS8, "traditional": serialization.PrivateFormat.TraditionalOpenSSL}


def new_key(kind: str = "EC"):
    """Generates a P-256 key, or an RSA key of 2048 bits."""
    if kind == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key, encoding: str = "pkcs8") -> str:
    """The private key, unencrypted: PKCS#8, or the older PKCS#1 and SEC 1 forms."""
    return key.private_bytes(serialization.Encoding.PEM, ENCODINGS[encoding], serialization.NoEncryption()).decode()


class Signer:
    """A key with a `kid`, as an issuer has; `algorithm` is RS256 or ES256."""

    def __init__(self, algorithm: str = "ES256", kid: str | None = "test-key"):
        self.algorithm = algorithm
        self.kid = kid
        self.key = new_key("EC" if algorithm.startswith("ES") else "RSA")

    def public_jwk(self) -> dict:
        """The public key as a JWK."""
        maker = jwt.get_algorithm_by_name(self.algorithm)
        key = json.loads(maker.to_jwk(self.key.public_key()))
        return key | {"use": "sig", "alg": self.algorithm} | ({"kid": self.kid} if self.kid else {})

    def private_jwk(self) -> str:
        """The whole key as a JWK."""
        key = json.loads(jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.key))
        return json.dumps(key | {"alg": self.algorithm} | ({"kid": self.kid} if self.kid else {}))

    def jwks(self) -> dict:
        """A key set with this key."""
        return {"keys": [self.public_jwk()]}

    def token(self, claims: dict, header: dict | None = None) -> str:
        """Signs a token; a claim or header that is None is left out."""
        head = {"kid": self.kid} | (header or {})
        head = {name: value for name, value in head.items() if value is not None}
        payload = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(payload, self.key, algorithm=self.algorithm, headers=head)


def good_claims(issuer: str, audience: str, **other) -> dict:
    """Claims that pass every rule of the token service; each can be replaced by name."""
    now = int(time.time())
    fresh = {"iss": issuer, "aud": audience, "sub": "repo:example/app", "iat": now - 5, "exp": now + 3600}
    return fresh | {"jti": secrets.token_hex(8)} | other


def some_token(**claims) -> str:
    """Signs a valid token of an issuer that does not exist, for tests in which no signature is verified; claims can be
    replaced by name."""
    return Signer().token(good_claims("https://issuer.example.test", "somebody", **claims))


def claims_of(token: str) -> dict:
    """The claims of a token, without a verification of its signature."""
    return jwt.decode(token, options={"verify_signature": False})


def tampered(token: str) -> str:
    """Returns the token with another subject and the old signature."""
    header, _, signature = token.split(".")
    claims = json.dumps(claims_of(token) | {"sub": "administrator"}).encode()
    return f"{header}.{jwt.utils.base64url_encode(claims).decode()}.{signature}"


def certificate(key, name: str) -> x509.Certificate:
    """Creates a self-signed certificate that is valid for a day, as in the metadata of an identity provider."""
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def certificate_pem(found: x509.Certificate) -> str:
    """Encodes a certificate as PEM."""
    return found.public_bytes(serialization.Encoding.PEM).decode()
