"""IAM Identity Center on loopback: GetRoleCredentials of the portal and CreateToken of the OIDC service, on one port.

https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html (its `expiration` is in
milliseconds) and https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

import hashlib
import json
import time

from standins.aws_keys import ACCOUNT, AccessKey, AwsKeys
from standins.aws_refused import AwsRefused
from standins.loopback import Answer, Loopback, Request

CLIENT = {"clientId": "sso-client-4711", "clientSecret": "sso-client-secret-4711-0815"}


def cache_name(text: str) -> str:
    """The name of the file in the token cache of the CLI: the hash of the session name, or in the legacy form of the
    start URL.
    """
    return f".aws/sso/cache/{hashlib.sha1(text.encode()).hexdigest()}.json"


def utc(seconds: float) -> str:
    """Formats the time this many seconds from now as the cache of the CLI contains it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class AwsSso:
    """One running stand-in, with access tokens, refresh tokens, and the roles that each user may use."""

    def __init__(self, keys: AwsKeys, ledger=None):
        self.keys = keys
        self.tokens = {"sso-access-token-fresh-1", "sso-access-token-refreshed-2"}
        self.refresh_tokens = {"sso-refresh-token-1": "sso-access-token-refreshed-2"}
        self.roles: dict[tuple[str, str], AccessKey] = {}  # (account, role) -> its session
        if ledger is not None:
            for text in (*self.tokens, *self.refresh_tokens, CLIENT["clientSecret"]):
                ledger.secret("an SSO token or client secret", text)
                ledger.secret(text, text)
        self._http = Loopback(self._answer)
        self.url, self.requests = self._http.url, self._http.requests

    def allow(self, role: str, account: str = ACCOUNT) -> AccessKey:
        """Allows every signed-in user to use a role, and returns its session."""
        self.roles[account, role] = self.keys.session(f"sso{role}", role=role)
        return self.roles[account, role]

    def cached(
        self, start_url: str, token: str = "sso-access-token-fresh-1", seconds: float = 3600, refresh: bool = False
    ) -> str:
        """The content of a cache file as `aws sso login` writes it."""
        found = {"startUrl": start_url, "region": "us-east-1", "accessToken": token, "expiresAt": utc(seconds)}
        if refresh:
            found |= CLIENT | {"registrationExpiresAt": utc(86400), "refreshToken": "sso-refresh-token-1"}
        return json.dumps(found)

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        try:
            if (request.method, request.path) == ("GET", "/federation/credentials"):
                return self._role_credentials(request)
            if (request.method, request.path) == ("POST", "/token"):
                return self._create_token(json.loads(request.body))
            raise AwsRefused(404, "ResourceNotFoundException", "No such operation.")
        except AwsRefused as refusal:
            oidc = {"error": "invalid_grant", "error_description": refusal.message} if request.path == "/token" else {}
            return refusal.json(**oidc)

    def _role_credentials(self, request: Request) -> Answer:
        if request.headers.get("x-amz-sso_bearer_token") not in self.tokens:
            raise AwsRefused(401, "UnauthorizedException", "Session token not found or invalid")
        key = self.roles.get((request.query.get("account_id", [""])[0], request.query.get("role_name", [""])[0]))
        if key is None:
            raise AwsRefused(403, "ForbiddenException", "No access")
        return Answer(200, {"roleCredentials": {
            "accessKeyId": key.id, "secretAccessKey": key.secret, "sessionToken": key.token,
            "expiration": int(key.expires) * 1000,
        }})  # fmt: skip

    def _create_token(self, asked: dict) -> Answer:
        if asked.get("grantType") != "refresh_token" or {name: asked.get(name) for name in CLIENT} != CLIENT:
            raise AwsRefused(400, "InvalidRequestException", "Invalid request.")
        token = self.refresh_tokens.get(asked.get("refreshToken"))
        if token is None:
            raise AwsRefused(400, "InvalidGrantException", "Invalid refresh token provided")
        return Answer(
            200, {"accessToken": token, "tokenType": "Bearer", "expiresIn": 28800, "refreshToken": asked["refreshToken"]}
        )
