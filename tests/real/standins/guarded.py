"""Google's registries and git servers on loopback, under their real names: https servers that require an access token.

    servers = Guarded(folder, sts)
    servers.serve("europe-python.pkg.dev", content, scheme="Basic", user="oauth2accesstoken")
    …a tool runs with servers.environment()…
    servers.proofs["europe-python.pkg.dev"]

A tool reaches them through a proxy that connects these names to this machine, so it requests credentials for the real host. A
token that the stand-in of Google did not give to a service account is refused, as is another scheme or user name.
"""

from __future__ import annotations

import base64
import binascii
import re
import select
import socket
import ssl
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from servers.authority import Authority
from standins.loopback import Answer, Loopback, Request
from standins.sts import GoogleStandIn


@dataclass(frozen=True)
class Host:
    """What a server serves and to whom: the scheme of its challenge, and the user names that it accepts with the token.
    """

    content: Callable[[Request], Answer]
    scheme: str
    user: str


class Guarded:
    """Servers by name; `proofs` holds the scheme and user of every request to a name, but no token."""

    def __init__(self, folder: Path, sts: GoogleStandIn, *names: str):
        authority = Authority(folder / "guarded")
        certificate = authority.server("guarded", *names)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.cert, certificate.key)
        self.ca = authority.ca
        self.sts = sts
        self.hosts: dict[str, Host] = {}
        self.proofs: dict[str, list[str]] = defaultdict(list)
        self.revoked: set[str] = set()
        self._http = Loopback(self._answer, tls)
        self._proxy = Proxy(set(names), self._http.port)

    def serve(self, name: str, content: Callable[[Request], Answer], scheme: str, user: str = ""):
        """Starts a server under this name."""
        self.hosts[name] = Host(content, scheme, user)

    def environment(self) -> dict[str, str]:
        """The variables that lead a tool to these servers."""
        return {"HTTPS_PROXY": self._proxy.url, "https_proxy": self._proxy.url}

    def close(self):
        """Stops serving."""
        self._proxy.close()
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        name = request.headers["host"]
        host = self.hosts[name]
        scheme, user, token = proof(request.headers.get("authorization", ""))
        self.proofs[name].append(f"{scheme} {user}".strip())
        is_known = token in self.sts.impersonated and token not in self.revoked
        if is_known and scheme == host.scheme and re.fullmatch(host.user, user):
            return host.content(request)
        return Answer(401, "unauthorized", {"WWW-Authenticate": f'{host.scheme} realm="{name}"'})


def proof(header: str) -> tuple[str, str, str]:
    """The scheme, user and token in an Authorization header."""
    scheme, _, rest = header.partition(" ")
    if scheme != "Basic":
        return scheme, "", rest
    try:
        user, _, token = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return scheme, "", ""
    return scheme, user, token


class Proxy:
    """An HTTP proxy that forwards port 443 of these names to one port of this machine, and refuses all others."""

    def __init__(self, names: set[str], port: int):
        self.names, self.port = names, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        """Stops accepting."""
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket):
        with client:
            head = b""
            while b"\r\n\r\n" not in head and (read := client.recv(4096)):
                head += read
            target = head.decode("latin-1").partition("\r\n")[0].split(" ")
            if target[:1] != ["CONNECT"] or target[1].removesuffix(":443") not in self.names:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self.port)) as server:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                pump(client, server)


def pump(one: socket.socket, other: socket.socket):
    """Copies bytes in both directions until one end closes."""
    ends = {one: other, other: one}
    try:
        while True:
            for ready in select.select(list(ends), [], [])[0]:
                read = ready.recv(65536)
                if not read:
                    return
                ends[ready].sendall(read)
    except OSError:
        return
