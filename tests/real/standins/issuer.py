"""An OpenID issuer on loopback that only publishes a discovery document and a key set.

https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig — its tokens are signed by the test itself, so
that each can break exactly one rule. The real issuers are in servers/.
"""

from __future__ import annotations

import ssl

from standins.loopback import Answer, Loopback, Request
from support.signer import Signer, good_claims


class Issuer:
    """Publishes the keys of its signers, over TLS if a context is given; `claimed` is the issuer in the discovery document."""

    def __init__(self, *signers: Signer, tls: ssl.SSLContext | None = None):
        self.signers = signers or (Signer(),)
        self._http = Loopback(self._answer, tls)
        self.url = self.claimed = self._http.url
        self.requests = self._http.requests

    def token(self, audience: str, header: dict | None = None, **claims) -> str:
        """Signs a token with the first signer. The token passes every rule, apart from the claims given by name."""
        return self.signers[0].token(good_claims(self.url, audience, **claims), header)

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        if request.path == "/.well-known/openid-configuration":
            return Answer(200, {"issuer": self.claimed, "jwks_uri": self.url + "/jwks"})
        if request.path == "/jwks":
            return Answer(200, {"keys": [signer.public_jwk() for signer in self.signers]})
        return Answer(404, "not found")
