"""Starts npm oidc-provider (servers/oidc-provider.mjs) and reads the requests that its token endpoint received."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from support.places import HERE, NODE_MODULES, SYSTEM_PATH, need
from support.processes import serving


@dataclass(frozen=True)
class OidcServer:
    """One running issuer."""

    issuer: str
    log: Path

    @property
    def token_requests(self) -> list[dict]:
        """One entry for each token request, oldest first: auth, client, grant, status, error, fields, assertion, time."""
        return self.requests("/token")

    def requests(self, path: str) -> list[dict]:
        """One entry for each request to the endpoint at this path, as in `token_requests`."""
        return [request for request in json_lines(self.log)[1:] if request["path"] == path]


def json_lines(log: Path) -> list[dict]:
    """The complete JSON lines in the output of a server."""
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line[:1] == "{" and line[-1:] == "\n"]


def client(identifier: str, method: str, **more) -> dict:
    """The metadata of a client that may use client credentials (RFC 7591)."""
    found = {"client_id": identifier, "token_endpoint_auth_method": method, "grant_types": ["client_credentials"]}
    return found | {"response_types": [], "redirect_uris": []} | more


@contextlib.contextmanager
def oidc_provider(folder: Path, clients: list[dict], tls: dict | None = None, alias: bool = False,
                  device: dict | None = None) -> Iterator[OidcServer]:  # fmt: skip
    """Runs an issuer with these clients; `tls` contains the paths of key, certificate and CA. With `alias`, only a
    second port, which the discovery document announces, requests client certificates. `device` has the interval and
    the lifetime of a code in seconds, and the clients that get slow_down at first.
    """
    need("oidc-provider")
    settings = folder / "settings.json"
    paths = {"tls": {name: str(path) for name, path in tls.items()}} if tls else {}
    settings.write_text(json.dumps({"clients": clients, "alias": alias, "device": device, **paths}))
    log = folder / "oidc-provider.log"
    command = [need("node"), HERE / "servers" / "oidc-provider.mjs", NODE_MODULES, settings]
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder), "NODE_ENV": "test"}
    with serving(command, log, env, lambda: json_lines(log)) as first:
        yield OidcServer(first[0]["issuer"], log)
