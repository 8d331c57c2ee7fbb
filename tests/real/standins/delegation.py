"""Google's OAuth token endpoint, the JWT-bearer grant: a service account acts for a user of a domain.

https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests and RFC 7523. The assertion is
verified by the key that is published for the account in `iss`: signature, audience, times. An administrator of the domain must
have authorized the account for every scope. The texts are those that public reports quote.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import jwt

from standins.loopback import Answer, Request
from standins.refused import Refused
from standins.service_account_keys import ServiceAccountKeys

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
LONGEST_LIFE = 3600  # seconds
UNAUTHORIZED = ("Client is unauthorized to retrieve access tokens using this method, "
                "or client not authorized for any of the scopes requested.")  # fmt: skip
TIMES = ("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
         "Check your iat and exp values in the JWT claim.")  # fmt: skip


class Unauthorized(Refused):
    """The only refusal of this endpoint with status 401."""

    def answer(self) -> Answer:
        """HTTP 401 with the two OAuth members."""
        return Answer(401, super().answer().body)


@dataclass(frozen=True)
class Grant:
    """One grant: the account, the user and the scopes."""

    account: str
    person: str
    scope: str
    claims: dict


@dataclass
class Delegation:
    """A domain: its users, and the scopes for which its administrator authorized each service account."""

    keys: ServiceAccountKeys
    people: set[str] = field(default_factory=set)
    authorized: dict[str, set[str]] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)  # by access token

    def answer(self, request: Request, accounts) -> Answer:
        """Issues an access token of a user. Raises Refused otherwise."""
        fields = parse_qs(request.body.decode())
        if fields.get("grant_type") != [GRANT]:
            raise Refused("unsupported_grant_type", f"Invalid grant_type: {' '.join(fields.get('grant_type', []))}")
        claims = self.verify(fields.get("assertion", [""])[0], accounts)
        account, person, scopes = claims["iss"], claims.get("sub"), str(claims.get("scope", "")).split()
        if not scopes:
            raise Refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        if person not in self.people:
            raise Refused("invalid_grant", "Invalid email or User ID")
        if not set(scopes) <= self.authorized.get(account, set()):
            raise Unauthorized("unauthorized_client", UNAUTHORIZED)
        token = "ya29.person-" + secrets.token_hex(16)
        self.grants[token] = Grant(account, person, claims["scope"], claims)
        return Answer(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def verify(self, assertion: str, accounts) -> dict:
        """The claims of a valid assertion that the account in `iss` signed for this endpoint."""
        try:
            account = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
        except jwt.InvalidTokenError as error:
            raise Refused("invalid_grant", "Invalid JWT: the assertion cannot be read.") from error
        if account not in accounts:
            raise Refused("invalid_grant", "Invalid grant: account not found")
        try:
            claims = jwt.decode(assertion, self.keys.signer(account).key.public_key(), algorithms=["RS256"],
                                audience=AUDIENCE, options={"require": ["iat", "exp", "aud"]})  # fmt: skip
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as error:
            raise Refused("invalid_grant", "Invalid JWT Signature.") from error
        except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError) as error:
            raise Refused("invalid_grant", "Invalid JWT: Failed audience check.") from error
        except jwt.InvalidTokenError as error:
            raise Refused("invalid_grant", TIMES) from error
        if claims["exp"] - claims["iat"] > LONGEST_LIFE or claims["iat"] > time.time() + 60:
            raise Refused("invalid_grant", TIMES)
        return claims
