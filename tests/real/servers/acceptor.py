"""A TLS server that accepts Negotiate and checks the channel binding, as AD FS with Extended Protection does.

    python acceptor.py SETTINGS     a JSON file: port, certificate, key, keytab, behind, mode

tls-server-end-point (RFC 5929 section 4): the certificate's hash by its own signature's algorithm, SHA-256 in place of MD5 and
SHA-1. MIT Kerberos refuses a wrong binding (GSS_S_BAD_BINDINGS) and accepts an absent one without the channel-bound flag.
Mode "require" refuses an absent one too, "allow" accepts it, "elsewhere" expects the binding of another certificate, as AD FS
does behind a load balancer that terminates TLS. The front gets the name of an accepted user in X-Remote-User.
Each result is one line of JSON on stdout: the client's port, the user, whether the binding was sent, the error.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socketserver
import ssl
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import gssapi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

SETTINGS = json.loads(Path(sys.argv[1]).read_text())


def binding(path: str) -> gssapi.raw.ChannelBindings:
    """The channel binding that a client sends if it saw this certificate."""
    certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    name = certificate.signature_hash_algorithm.name
    digest = hashlib.new("sha256" if name in ("md5", "sha1") else name, certificate.public_bytes(Encoding.DER)).digest()
    if SETTINGS["mode"] == "elsewhere":
        digest = bytes(byte ^ 255 for byte in digest)
    return gssapi.raw.ChannelBindings(application_data=b"tls-server-end-point:" + digest)


gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False  # a refusal is an exception of step() itself
BINDING = binding(SETTINGS["certificate"])
CREDENTIALS = gssapi.Credentials(usage="accept", store={"keytab": SETTINGS["keytab"]})


class Handler(BaseHTTPRequestHandler):
    """One connection. Kerberos needs one leg, so nothing is kept between requests."""

    protocol_version = "HTTP/1.1"

    def handle_request(self):
        """Judges the credentials, if there are any, and forwards the request to the front."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("x-remote-")}
        answer = None
        if scheme.lower() == "negotiate":
            user, answer = self.accept(base64.b64decode(token))
            if user is None:
                return self.reply(401, [("Content-Type", "text/html")], b"")
            headers["X-Remote-User"] = user
        front = http.client.HTTPConnection("127.0.0.1", SETTINGS["behind"], timeout=10)
        front.request(self.command, self.path, body, headers)
        found = front.getresponse()
        kept = [(name, value) for name, value in found.getheaders() if name.lower() not in ("content-length", "connection")]
        if answer:
            kept.append(("WWW-Authenticate", "Negotiate " + base64.b64encode(answer).decode()))
        return self.reply(found.status, kept, found.read())

    def accept(self, token: bytes) -> tuple[str | None, bytes | None]:
        """Verifies a Negotiate token. Returns the user and the response token, or None."""
        seen = {"port": self.client_address[1], "user": None, "bound": None, "error": None}
        answer = None
        try:
            context = gssapi.SecurityContext(creds=CREDENTIALS, usage="accept", channel_bindings=BINDING)
            answer = context.step(token)
            seen["bound"] = bool(context.actual_flags & gssapi.RequirementFlag.channel_bound)
            if seen["bound"] or SETTINGS["mode"] != "require":
                seen["user"] = str(context.initiator_name)
        except gssapi.exceptions.GSSError as error:
            seen["error"] = type(error).__name__
        print(json.dumps(seen), flush=True)
        return seen["user"], answer

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes):
        """Sends a response with a content length."""
        self.send_response_only(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = handle_request

    def log_message(self, *_):
        """Prints nothing."""


class Server(socketserver.ThreadingTCPServer):
    """A server with threads, each of which does its own handshake."""

    daemon_threads = allow_reuse_address = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def finish_request(self, request, client_address):
        """Does the handshake in the thread of the connection."""
        with self.context.wrap_socket(request, server_side=True) as spoken:
            super().finish_request(spoken, client_address)

    def handle_error(self, *_):
        """Ignores a client that closed the connection."""


if __name__ == "__main__":
    Server.context.load_cert_chain(SETTINGS["certificate"], SETTINGS["key"])
    Server(("127.0.0.1", SETTINGS["port"]), Handler).serve_forever()
