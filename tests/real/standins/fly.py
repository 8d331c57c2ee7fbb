"""The service at the Unix socket `/.fly/api` of a Fly Machine, and a machine to run programs in.

https://fly.io/docs/security/openid-connect/ and https://fly.io/docs/machines/api/tokens-resource/: the response is the token
itself. The curl command of that page must work. The path is fixed, so a program runs where the root has such a folder.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

from servers.namespace import own_mounts
from standins.issuer import Issuer

ORGANIZATION = "https://fly.io/example-org"  # the default audience of a token
# A root with the folders of this one and with /.fly, because a mount needs an existing folder.
MACHINE = """mount -t tmpfs none /mnt
for each in /*; do
    [ -L "$each" ] && cp -P "$each" /mnt
    [ -L "$each" ] || [ "$each" = /mnt ] || [ ! -d "$each" ] || {{ mkdir "/mnt$each"; mount --rbind "$each" "/mnt$each"; }}
done
mkdir /mnt/.fly
mount --bind "{folder}" /mnt/.fly
set -- chroot /mnt "$@"
"""


class FlyMachine:
    """Issues tokens of `issuer` that are valid for ten minutes. `answer` replaces the response; with `silent`, there is none."""

    def __init__(self, folder: Path, issuer: Issuer):
        self.folder, self.issuer = folder, issuer
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: tuple[int, str] | None = None
        self.silent = threading.Event()
        self.silent.set()
        folder.mkdir()
        machine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                machine.requests.append((self.command, self.path, headers, body))
                machine.silent.wait(30)
                status, text = machine.answer or machine.issue(self.command, self.path, body)
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = reply

            def log_message(self, *_):
                """Prints nothing: the requests are recorded instead."""

        self._server = ThreadingUnixStreamServer(str(folder / "api"), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def issue(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        """The status, and the token or an error."""
        if (method, path) != ("POST", "/v1/tokens/oidc"):
            return 404, json.dumps({"error": "not found"})
        try:
            audience = json.loads(body or "{}").get("aud") or ORGANIZATION
        except ValueError:
            return 400, json.dumps({"error": "invalid JSON"})
        return 200, self.issuer.token(audience, sub="example-org:app:machine", exp=int(time.time()) + 600)

    def inside(self) -> tuple[str, ...]:
        """Returns a command prefix that runs the command in the machine."""
        return own_mounts(MACHINE.format(folder=self.folder))

    def close(self):
        """Stops the server."""
        self.silent.set()
        self._server.shutdown()
        self._server.server_close()
