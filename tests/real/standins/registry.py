"""Artifact Registry for container images on loopback, over TLS: a private repository, and a public one.

https://cloud.google.com/artifact-registry/docs/docker/authentication#token, https://distribution.github.io/distribution/spec/auth/token/
A client without credentials is sent to the token endpoint. That endpoint accepts Basic with the user oauth2accesstoken and an access
token that Google issued, with the scope cloud-platform. A client without credentials gets a token for public repositories only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl

from standins.iam_credentials import IamCredentials
from standins.loopback import Answer, Loopback, Request

USER = "oauth2accesstoken"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PRIVATE, PUBLIC = "my-project/private/image", "my-project/public/image"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}).encode()


def digest(content: bytes) -> str:
    """The name of a blob."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


MANIFEST = json.dumps({
    "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": [],
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(CONFIG), "digest": digest(CONFIG)},
}).encode()  # fmt: skip


class Registry:
    """One running registry; `readers` contains the service accounts that got a manifest, and None for an anonymous
    client.
    """

    def __init__(self, iam: IamCredentials, tls: ssl.SSLContext, address: tuple[str, int] = ("127.0.0.1", 0)):
        self.iam = iam
        self.granted: dict[str, str | None] = {}  # token of this registry -> service account, None for an anonymous client
        self.readers: list[str | None] = []
        self.refusals: list[str] = []
        self._http = Loopback(self._answer, tls, address)
        self.port = self._http.port
        self.requests = self._http.requests
        self.close = self._http.close

    def account(self, user: str, token: str) -> str | None:
        """The service account of this access token, if it may read."""
        caller = self.iam.tokens.get(token)
        return self.iam.impersonated.get(token) if user == USER and caller and SCOPE in caller.scopes else None

    def _answer(self, request: Request) -> Answer:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if request.path == "/v2/token":
            return self._token(scheme, value)
        if scheme != "Bearer":
            host = request.headers["host"]
            challenge = f'Bearer realm="https://{host}/v2/token",service="{host.partition(":")[0]}"'
            return self._refused(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
        if value not in self.granted:
            return self._refused(401, "UNAUTHORIZED", "authentication failed")
        return self._content(request, self.granted[value])

    def _token(self, scheme: str, value: str) -> Answer:
        account = None
        if scheme:
            user, _, secret = base64.b64decode(value).decode().partition(":")
            account = self.account(user, secret) if scheme == "Basic" else None
            if account is None:
                return self._refused(401, "UNAUTHORIZED", "authentication failed")
        token = "registry-" + secrets.token_hex(16)
        self.granted[token] = account
        return Answer(200, {"token": token, "expires_in": 300})

    def _content(self, request: Request, account: str | None) -> Answer:
        if request.path == "/v2/":
            return Answer(200, {})
        name, _, what = request.path.removeprefix("/v2/").rpartition("/")
        repository = name.rpartition("/")[0]
        if repository != PUBLIC and account is None:
            return self._refused(403, "DENIED", 'Unauthenticated request. Unauthenticated requests do not have permission '
                                 '"artifactregistry.repositories.downloadArtifacts"')  # fmt: skip
        if name.endswith("/manifests"):
            self.readers.append(account)
            return Answer(200, MANIFEST, {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": digest(MANIFEST)})
        return Answer(200, CONFIG) if what == digest(CONFIG) else self._refused(404, "BLOB_UNKNOWN", "blob unknown to registry")

    def _refused(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
        self.refusals.append(code)
        return Answer(status, {"errors": [{"code": code, "message": message}]}, headers or {})


class Engine:
    """The part of the Docker Engine API that passes the credentials of the docker command to a registry.
    https://docs.docker.com/reference/api/engine/
    """

    def __init__(self, registry: Registry):
        self.registry = registry
        self._http = Loopback(self._answer)
        self.host = self._http.url.replace("http://", "tcp://")
        self.close = self._http.close

    def _answer(self, request: Request) -> Answer:
        headers = {"Api-Version": "1.41", "Ostype": "linux"}
        path = request.path.partition("/v1.41")[2] or request.path
        if path == "/_ping":
            return Answer(200, "OK", headers)
        if path == "/auth":
            given = json.loads(request.body)
            found = self.registry.account(given.get("username", ""), given.get("password", ""))
            return Answer(200, {"Status": "Login Succeeded"}) if found else Answer(401, {"message": "unauthorized: authentication failed"})
        if path == "/images/create":
            header = request.headers.get("x-registry-auth", "e30=")
            given = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
            found = self.registry.account(given.get("username", ""), given.get("password", ""))
            self.registry.readers += [found] if found else []
            return Answer(200, {"status": "Pull complete"}) if found else Answer(404, {"message": "denied: Unauthenticated request"})
        return Answer(200, {"Components": []})
