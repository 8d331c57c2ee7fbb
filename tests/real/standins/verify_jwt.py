"""Verifies an OIDC subject token by the rules Google documents.

https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers#oidc and the guide
"Obtain short-lived tokens for Workload Identity Federation", "ID token requirements":
issuer by discovery (or an uploaded JWKS), a key by `kid` or by trial, RS256 or ES256, `iss`, `aud`, `exp`, `iat`,
a life of at most 24 hours, and a `sub` that fits the mapped attribute `google.subject`.

One difference, for loopback: an issuer may use plain http on 127.0.0.1. Google accepts only https.
"""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from dataclasses import dataclass

import jwt

from standins.refused import Refused

ALGORITHMS = ("RS256", "ES256")
LONGEST_LIFE = 24 * 3600  # seconds
LONGEST_SUBJECT = 127  # bytes


@dataclass(frozen=True)
class OidcPoolProvider:
    """A workload identity pool provider of the type OIDC. `name` is the full resource name, which begins with
    `//iam.googleapis.com/`.
    """

    name: str
    issuer: str
    allowed_audiences: tuple[str, ...] = ()
    jwks: dict | None = None  # uploaded keys, with which discovery is not used
    ca_file: str | None = None  # for an issuer on https with a private CA

    def audiences(self) -> tuple[str, ...]:
        """The accepted `aud`: the allowed audiences, or the resource name with and without `https:`."""
        return self.allowed_audiences or (self.name, "https:" + self.name)


def invalid(description: str) -> Refused:
    """The code that the service uses for every fault of the token itself."""
    return Refused("invalid_grant", description)


def verify_jwt(token: str, provider: OidcPoolProvider) -> dict:
    """Verifies a token by every rule, and returns its claims. Raises Refused otherwise."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise invalid("The given credential is not a valid JSON Web Token.") from error
    if header.get("alg") not in ALGORITHMS:
        raise invalid(f"The algorithm {header.get('alg')} of the ID Token is not supported; it must be RS256 or ES256.")
    if claims.get("iss") != provider.issuer:
        raise invalid("The issuer in ID Token does not match the expected one.")
    keys = provider.jwks["keys"] if provider.jwks is not None else published_keys(provider)
    check_signature(token, header, keys)
    check_audience(claims, provider)
    check_times(claims)
    check_subject(claims)
    return claims


def published_keys(provider: OidcPoolProvider) -> list[dict]:
    """The keys of the issuer, found by OpenID discovery; nothing is cached."""
    document = fetch(provider.issuer.rstrip("/") + "/.well-known/openid-configuration", provider)
    if document.get("issuer") != provider.issuer:
        raise invalid("`issuer` claim in OIDC discovery document does not match the issuer specified in the request.")
    return fetch(str(document.get("jwks_uri")), provider).get("keys", [])


def fetch(url: str, provider: OidcPoolProvider) -> dict:
    """Fetches one JSON object of the issuer, without any proxy of the environment."""
    handlers: list = [urllib.request.ProxyHandler({})]
    if provider.ca_file:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=provider.ca_file)))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:
        raise invalid("Error connecting to the given credential's issuer.") from error


def check_signature(token: str, header: dict, keys: list[dict]):
    """Verifies the signature with the key that `kid` names, or without `kid` with any key."""
    if "kid" in header:
        keys = [key for key in keys if key.get("kid") == header["kid"]]
        if not keys:
            raise invalid("The `kid` of the ID Token matches no key of the issuer.")
    kind = {"RS256": "RSA", "ES256": "EC"}[header["alg"]]
    for key in keys:
        if key.get("kty") != kind or key.get("use", "sig") != "sig":
            continue
        try:
            jwt.api_jws.decode(token, jwt.PyJWK(key, algorithm=header["alg"]).key, algorithms=[header["alg"]])
            return
        except jwt.InvalidTokenError:
            continue
    raise invalid("Unable to verify the signature of the ID Token.")


def check_audience(claims: dict, provider: OidcPoolProvider):
    """Checks that the pool provider allows one `aud`."""
    found = claims.get("aud")
    found = found if isinstance(found, list) else [found]
    if not any(audience in provider.audiences() for audience in found):
        raise invalid(f"The audience in ID Token [{', '.join(map(str, found))}] does not match the expected audience.")


def check_times(claims: dict):
    """Checks that `exp` is in the future and `iat` in the past, with at most 24 hours between them."""
    now = time.time()
    for name in ("exp", "iat"):
        if not isinstance(claims.get(name), (int, float)) or isinstance(claims.get(name), bool):
            raise invalid(f"The ID Token has no numeric `{name}`.")
    if claims["exp"] <= now:
        raise invalid(f"ID Token expired at {claims['exp']}; it is {int(now)} now.")
    if claims["iat"] > now:
        raise invalid(f"ID Token issued at {claims['iat']} is in the future.")
    if claims["exp"] - claims["iat"] > LONGEST_LIFE:
        raise invalid("The ID Token lives for more than 24 hours.")


def check_subject(claims: dict):
    """Checks `google.subject`, mapped from `sub`: it is required, and its length is limited."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise invalid("The mapped attribute google.subject is empty: the ID Token has no `sub`.")
    if len(subject.encode()) > LONGEST_SUBJECT:
        raise invalid("The size of mapped attribute exceeds the 127 bytes limit.")
