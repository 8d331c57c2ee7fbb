"""Google's endpoints for refresh tokens: of Google accounts (`/token`), and of users of workforce pools (`/v1/oauthtoken`).

RFC 6749 section 6, https://developers.google.com/identity/protocols/oauth2/native-app#offline and https://google.aip.dev/auth/4113.
The client authenticates in the form at the first, in the header at the second. A refresh token of a workforce user is replaced at
each use, and refused from then on; a refusal changes nothing. The texts are those that public reports quote.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from standins.iam_policy import Caller
from standins.loopback import Answer, Request
from standins.refused import Refused

GRANT = "refresh_token"
OF_ACCOUNTS, OF_WORKFORCE = "/token", "/v1/oauthtoken"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"


class OAuthRefused(Refused):
    """A refusal with another status, or with the member that says which kind of invalid_grant it is."""

    def __init__(self, error: str, description: str, status: int = 400, subtype: str = ""):
        super().__init__(error, description)
        self.status, self.subtype = status, subtype

    def answer(self) -> Answer:
        """The response as Google words it."""
        more = {"error_subtype": self.subtype} if self.subtype else {}
        return Answer(self.status, super().answer().body | more)


@dataclass
class User:
    """A user who signed in: the client, the scopes, and whether the organization requires another sign-in."""

    member: str
    client: str
    path: str
    scopes: frozenset[str] = frozenset({CLOUD_PLATFORM, EMAIL, "openid"})
    revoked: bool = False
    must_reauthenticate: bool = False
    life: int = 3599  # the lifetime of an access token, in seconds


@dataclass(frozen=True)
class Refresh:
    """One request that succeeded, in a form that does not depend on the client."""

    path: str
    client: str
    refresh_token: str
    scope: str
    given_in: str  # form or header


@dataclass
class OAuth:
    """The clients, and the refresh tokens that are valid now. Access tokens are added to `tokens`, which the IAM
    stand-in accepts.
    """

    tokens: dict[str, Caller]
    clients: dict[str, str] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)  # by refresh token
    replaced: set[str] = field(default_factory=set)
    refreshes: list[Refresh] = field(default_factory=list)

    def sign_in(self, member: str, client: str, path: str, **more) -> str:
        """Signs in this user, and returns a new refresh token."""
        token = "1//refresh-" + secrets.token_hex(12)
        self.users[token] = User(member, client, path, **more)
        return token

    def answers(self, request: Request) -> bool:
        """Whether this is a refresh request; the endpoint for Google accounts has other grants too."""
        grants = parse_qs(request.body.decode(errors="replace")).get("grant_type")
        return request.method == "POST" and (request.path == OF_WORKFORCE or request.path == OF_ACCOUNTS and grants == [GRANT])

    def answer(self, request: Request) -> Answer:
        """Issues an access token. Raises OAuthRefused otherwise."""
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise OAuthRefused("invalid_request", "The request is not a form.")
        fields = parse_qs(request.body.decode(), keep_blank_values=True)
        if any(len(values) > 1 for values in fields.values()):
            raise OAuthRefused("invalid_request", "A parameter occurs twice.")
        fields = {name: value for name, (value,) in fields.items()}
        client, given_in = self.authenticate(request, fields)
        if fields.get("grant_type") != GRANT:
            raise OAuthRefused("unsupported_grant_type", f"Invalid grant_type: {fields.get('grant_type', '')}")
        token = fields.get("refresh_token", "")
        user = self.user_of(token, client, request.path)
        scopes = frozenset(fields.get("scope", "").split()) or user.scopes
        if not scopes <= user.scopes:
            raise OAuthRefused("invalid_scope", f"Some requested scopes cannot be shown: [{', '.join(sorted(scopes - user.scopes))}]")
        self.refreshes.append(Refresh(request.path, client, token, fields.get("scope", ""), given_in))
        return Answer(200, self.issue(user, scopes, token))

    def authenticate(self, request: Request, fields: dict[str, str]) -> tuple[str, str]:
        """The client and the place of its secret: the form for Google accounts, the header for workforce pools."""
        header = request.headers.get("authorization", "")
        if request.path == OF_WORKFORCE:
            scheme, _, pair = header.partition(" ")
            given = base64.b64decode(pair).decode() if scheme == "Basic" else ""
            client, _, secret = given.partition(":")
            place = "header"
        else:
            client, secret, place = fields.get("client_id", ""), fields.get("client_secret", ""), "form"
        if client not in self.clients:
            raise OAuthRefused("invalid_client", "The OAuth client was not found.", 401)
        if self.clients[client] != secret:
            raise OAuthRefused("invalid_client", "The provided client secret is invalid.", 401)
        return client, place

    def user_of(self, token: str, client: str, path: str) -> User:
        """The user of this refresh token."""
        user = self.users.get(token)
        if user is None or user.path != path:
            raise OAuthRefused("invalid_grant", "Bad Request")
        if user.client != client:
            raise OAuthRefused("unauthorized_client", "Unauthorized", 401)
        if user.revoked or token in self.replaced:
            raise OAuthRefused("invalid_grant", "Token has been expired or revoked.")
        if user.must_reauthenticate:
            raise OAuthRefused("invalid_grant", "reauth related error (invalid_rapt)", subtype="invalid_rapt")
        return user

    def issue(self, user: User, scopes: frozenset[str], token: str) -> dict:
        """Issues an access token, and for workforce pools the next refresh token."""
        access = "ya29.user-" + secrets.token_hex(16)
        self.tokens[access] = Caller(frozenset({user.member}), scopes)
        found = {"access_token": access, "expires_in": user.life, "token_type": "Bearer", "scope": " ".join(sorted(scopes))}
        if user.path == OF_WORKFORCE:
            found["refresh_token"] = "1//refresh-" + secrets.token_hex(12)
            self.users[found["refresh_token"]] = user
            self.replaced.add(token)
        return found
