"""The metadata server of a Google Cloud host, as far as tokens are concerned.

https://cloud.google.com/compute/docs/metadata/querying-metadata: requests without `Metadata-Flavor: Google`, or with
`X-Forwarded-For`, get 403, and every answer has the header too. google-auth must accept it: see
test_credential_files.py.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from standins.loopback import Answer, Loopback, Request
from standins.service_account_keys import ServiceAccountKeys

ACCOUNTS = "/computeMetadata/v1/instance/service-accounts/"
FLAVOR = {"Metadata-Flavor": "Google"}


@dataclass
class MetadataServer:
    """One host. Without an account, no service account is attached to it."""

    keys: ServiceAccountKeys
    account: str | None = "host@example-project.iam.gserviceaccount.com"
    tokens: dict[str, list[str]] = field(default_factory=dict)  # access token -> scopes
    asked: list[str] = field(default_factory=list)

    def __post_init__(self):
        self._http = Loopback(self._answer)
        self.url, self.host = self._http.url, self._http.url.removeprefix("http://")
        self.requests = self._http.requests

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        if request.headers.get("metadata-flavor") != "Google" and request.path != "/" or "x-forwarded-for" in request.headers:
            return Answer(403, "Forbidden", FLAVOR)
        self.asked.append(request.path)
        body = self._value(request)
        return Answer(404, "not found", FLAVOR) if body is None else Answer(200, body, FLAVOR)

    def _value(self, request: Request) -> dict | str | None:
        if request.path == "/":
            return "computeMetadata/\n"
        if request.path == "/computeMetadata/v1/instance":
            return "service-accounts/\n"
        if request.path == "/computeMetadata/v1/project/project-id":
            return "example-project"
        place, _, name = request.path.removeprefix(ACCOUNTS).partition("/")
        if not request.path.startswith(ACCOUNTS) or self.account is None or place not in ("default", self.account):
            return None
        return self._of_account(name, request.query)

    def _of_account(self, name: str, query: dict[str, list[str]]) -> dict | str | None:
        match name:
            case "" if query.get("recursive") == ["true"]:
                return {"aliases": ["default"], "email": self.account, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
            case "email":
                return self.account
            case "token":
                token = "ya29.host-" + secrets.token_hex(16)
                self.tokens[token] = query.get("scopes", [""])[0].split(",")
                return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
            case "identity" if query.get("audience"):
                now = int(time.time())
                claims = {"iss": "https://accounts.google.com", "aud": query["audience"][0], "sub": "1", "iat": now, "exp": now + 3600}
                return self.keys.signer("google").token(claims | {"email": self.account})
        return None
