"""The keys that Google keeps for service accounts, and the URLs at which it publishes the public keys.

https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signJwt names the places:
`…/service_accounts/v1/jwk/EMAIL` and `…/service_accounts/v1/metadata/x509/EMAIL`. Google's own key, for ID tokens, is at
`…/oauth2/v3/certs`. All keys are real, so everyone can verify a signature.
"""

from __future__ import annotations

import hashlib
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from standins.loopback import Answer
from standins.refused import ApiRefused
from support.signer import Signer, certificate, certificate_pem

JWK, X509, GOOGLE = "/service_accounts/v1/jwk/", "/service_accounts/v1/metadata/x509/", "/oauth2/v3/certs"


class ServiceAccountKeys:
    """One RSA key for each service account, created when it first signs or is requested, and Google's own key."""

    def __init__(self):
        self._signers: dict[str, Signer] = {}
        self._lock = threading.Lock()

    def signer(self, account: str) -> Signer:
        """The key of an account, or Google's under the name `google`."""
        with self._lock:
            if account not in self._signers:
                self._signers[account] = Signer("RS256", kid=hashlib.sha1(account.encode()).hexdigest())
            return self._signers[account]

    def sign_blob(self, account: str, blob: bytes) -> tuple[str, bytes]:
        """The ID of the key, and a signature with RSA PKCS#1 v1.5 and SHA-256."""
        signer = self.signer(account)
        return signer.kid, signer.key.sign(blob, padding.PKCS1v15(), hashes.SHA256())

    def publish(self, path: str, accounts) -> Answer:
        """Returns one of the public documents. Raises 404 for an account that does not exist."""
        if path == GOOGLE:
            return Answer(200, self.signer("google").jwks())
        account = path.rpartition("/")[2]
        if account not in accounts:
            raise ApiRefused(404, "Requested entity was not found.", "NOT_FOUND")
        signer = self.signer(account)
        if path.startswith(JWK):
            return Answer(200, signer.jwks())
        return Answer(200, {signer.kid: certificate_pem(certificate(signer.key, account))})


def publishes(path: str) -> bool:
    """Whether a path is that of one of these documents."""
    return path == GOOGLE or path.startswith((JWK, X509))
