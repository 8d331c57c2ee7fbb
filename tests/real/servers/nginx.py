"""Starts nginx in the foreground for one test module: a list of `server` blocks, each on its own port.

Every block writes one line per request to an access log, so that a test can say what a server did *not* receive.
"""

import contextlib
from pathlib import Path

from support.places import SYSTEM_PATH, need
from support.processes import listens, serving, until

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
  default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  log_format seen '$server_port $request_method $request_uri host=$host cert=$ssl_client_verify tls=$ssl_protocol '
                  'proxy-authorization=[$http_proxy_authorization]';
  access_log {folder}/access.log seen;
{servers}
}}
"""


class Nginx:
    """A running nginx. `requests(port)` returns the lines of the access log for one block, in order."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def requests(self, port):
        lines = (self.folder / "access.log").read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{port} ")]

    def wait_for(self, port, text):
        """Waits for a request whose log line contains `text`, because nginx writes the line after the response."""
        until(lambda: any(text in line for line in self.requests(port)), f"{text!r} in nginx's log of {port}")


def server(port, body, certificate=None, host="127.0.0.1", tls="TLSv1.2 TLSv1.3", ciphers="DEFAULT"):
    """Formats a `server` block with the directives and locations in `body`; with a certificate it uses TLS."""
    if certificate is None:
        return f"  server {{ listen {host}:{port}; {body} }}\n"
    return (f"  server {{ listen {host}:{port} ssl; ssl_certificate {certificate.cert}; "
            f"ssl_certificate_key {certificate.key};\n    ssl_protocols {tls}; ssl_ciphers {ciphers}; {body} }}\n")


def answers(path, text, status=200):
    """Formats a location block that responds to every method with this text."""
    return f"location = {path} {{ return {status} '{text}'; }}\n"


@contextlib.contextmanager
def nginx(folder, servers, ready, prefix=(), host="127.0.0.1"):
    """Runs nginx with these `server` blocks until the block ends; `ready` are the ports to wait for."""
    program = need("nginx")
    folder = Path(folder)
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, servers="".join(servers)))
    (folder / "access.log").touch()
    command = [*prefix, program, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]

    def up():
        return bool(prefix) and (folder / "nginx.pid").exists() or not prefix and all(listens(p, host) for p in ready)

    with serving(command, folder / "output.log", {"PATH": SYSTEM_PATH}, up):
        yield Nginx(folder)
