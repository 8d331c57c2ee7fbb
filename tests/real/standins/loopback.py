"""A threaded HTTP server on 127.0.0.1 and an ephemeral port, the base of every stand-in. A stand-in provides a function from Request to
Answer; every request is recorded for the tests.
"""

from __future__ import annotations

import itertools
import json
import secrets
import ssl
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, TypeVar
from urllib.parse import parse_qs, urlsplit

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One request as it was received; header names are in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    raw_query: str = ""  # as it was sent, for the verification of signatures
    certificate: bytes = b""  # the certificate of the client as DER


@dataclass(frozen=True)
class Answer:
    """A status and a body; a dict becomes JSON."""

    status: int
    body: dict | str | bytes
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """The bytes of the body and its default content type."""
        if isinstance(self.body, dict):
            return json.dumps(self.body).encode(), "application/json; charset=UTF-8"
        return (self.body.encode() if isinstance(self.body, str) else self.body), "text/plain; charset=UTF-8"


class Server(ThreadingHTTPServer):
    """A server whose threads end with the process."""

    daemon_threads = True

    def handle_error(self, *arguments):
        """Ignores a client that closed the connection before the response."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*arguments)


class Loopback:
    """Serves `answer` until `close`, over TLS if settings are given; `url` has no trailing slash. `address` is another
    address of this machine with its port, for clients that know a host by name and by the usual port.
    """

    def __init__(self, answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None, address: tuple[str, int] = ("127.0.0.1", 0)):
        self.requests: list[Request] = []
        self.connections = 0
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                standin.connections += 1
                super().setup()

            def reply(self):
                body = self.read_body()
                url = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                certificate = self.connection.getpeercert(binary_form=True) if tls else None
                request = Request(self.command, url.path, parse_qs(url.query), headers, body, url.query, certificate or b"")
                standin.requests.append(request)
                reply = answer(request)
                content, content_type = reply.encoded()
                self.send_response_only(reply.status)
                date = self.date_time_string()  # a stand-in can have another clock
                for name, value in {"Date": date, "Content-Type": content_type, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def read_body(self) -> bytes:
                """Reads the body by length or in chunks (RFC 9112 section 7.1), because an unread remainder would break the
                next request.
                """
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline().partition(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_POST = do_PUT = do_DELETE = reply

            def log_message(self, *_):
                """Prints nothing: the requests are recorded instead."""

        self._server = Server(address, Handler)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{address[0]}:{self.port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        # The poll interval limits the time of `close`; requests never wait for it.
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        """Stops serving and frees the port."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def at_own_address(start: Callable[[tuple[str, int]], T]) -> tuple[str, T]:
    """Starts a server on port 443 of its own address, because several tests run at once. Returns the address and the
    server.
    """
    for tries in itertools.count():
        address = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        try:
            return address, start((address, 443))
        except OSError:
            assert tries < 10, f"{address}:443 cannot be used"
