"""What a relying party other than Google trusts, and its judgement of a token.

Each stand-in says in the words of its service why a token is refused; the reasons here are the same for all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import jwt

from standins.refused import Refused
from standins.verify_jwt import OidcPoolProvider, published_keys

ASYMMETRIC = tuple(family + size for family in ("RS", "PS", "ES") for size in ("256", "384", "512"))


class Distrusted(Exception):
    """Raised with the reason why a token is refused: malformed, algorithm, issuer, key, signature, audience, subject,
    times, lifetime or replay."""


@dataclass
class Trust:
    """The settings of a relying party for one workload, and the tokens that it has accepted."""

    issuer: str
    audiences: tuple[str, ...]
    subject: str
    algorithms: tuple[str, ...] = ASYMMETRIC
    required: tuple[str, ...] = ("exp",)
    every_audience: bool = False
    prefers_azp: bool = False  # used instead of aud, if there is one
    whole_seconds: bool = False
    needs_kid: bool = False
    longest_life: int | None = None  # seconds
    once: bool = False  # whether a token with a jti can be used only once
    accepted: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def judge(self, token: str) -> dict:
        """The claims of a trusted token. Raises Distrusted otherwise."""
        try:
            claims = self._judged(token)
        except Distrusted as distrust:
            self.reasons.append(str(distrust))
            raise
        self.accepted.append(token)
        return claims

    def _judged(self, token: str) -> dict:
        try:
            header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise Distrusted("malformed") from error
        if header.get("alg") not in self.algorithms:
            raise Distrusted("algorithm")
        if claims.get("iss") != self.issuer:
            raise Distrusted("issuer")
        self._signature(token, header)
        found = claims.get("azp", claims.get("aud")) if self.prefers_azp else claims.get("aud")
        known = [audience in self.audiences for audience in (found if isinstance(found, list) else [found])]
        if not (all(known) if self.every_audience else any(known)):
            raise Distrusted("audience")
        if claims.get("sub") != self.subject:
            raise Distrusted("subject")
        self._times(claims)
        if self.once and "jti" in claims and claims["jti"] in [jwt.decode(one, options={"verify_signature": False}).get("jti")
                                                              for one in self.accepted]:  # fmt: skip
            raise Distrusted("replay")
        return claims

    def _signature(self, token: str, header: dict):
        try:
            keys = published_keys(OidcPoolProvider("", self.issuer))
        except Refused as error:
            raise Distrusted("key") from error
        if "kid" in header or self.needs_kid:
            keys = [key for key in keys if key["kid"] == header.get("kid")]
        if not keys:
            raise Distrusted("key")
        for key in keys:
            try:
                jwt.api_jws.decode(token, jwt.PyJWK(key, algorithm=header["alg"]).key, algorithms=[header["alg"]])
                return
            except jwt.InvalidTokenError:
                continue
        raise Distrusted("signature")

    def _times(self, claims: dict):
        now = time.time()
        kind = int if self.whole_seconds else (int, float)
        for name in self.required:
            if not isinstance(claims.get(name), kind):
                raise Distrusted("times")
        if claims["exp"] <= now or claims.get("iat", now) > now + 60 or claims.get("nbf", now) > now + 60:
            raise Distrusted("times")
        if self.longest_life is not None and claims["exp"] - claims["iat"] > self.longest_life:
            raise Distrusted("lifetime")
