"""The programs for Linux: small; the static ones without a library, for both architectures."""

from __future__ import annotations

import http.server
import json
import re
import threading

import pytest

from conftest import BUILDS, TOKEN, VERSION, documentation, run

# The largest size of a program by its C library, in MiB.
LIMITS = {"musl": 3.0, "gnu": 3.2}
TARGETS = [f"{architecture}-unknown-linux-{library}" for architecture in ("x86_64", "aarch64") for library in LIMITS]


@pytest.fixture
def server():
    """An endpoint on loopback that gives the token; below /adfs it requires a Kerberos ticket."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"token": TOKEN}).encode()
            self.send_response(401 if self.path.startswith("/adfs") else 200)
            self.send_header("WWW-Authenticate", "Negotiate")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://localhost:{found.server_port}/"
        found.shutdown()


def test_the_archive(static):
    """The archive contains what a user who unpacks it needs."""
    names = {str(path.relative_to(static)) for path in static.rglob("*") if path.is_file()}
    assert names == {
        "wif-token", "docker-credential-wif-token", "git-credential-wif-token",
        "LICENSE", "dependencies.txt", "musl.txt", "manual/wif-token.1",
        "completions/wif-token.bash", "completions/_wif-token", "completions/wif-token.fish", "completions/wif-token.ps1",
        "systemd/wif-token@.service"} | documentation()  # fmt: skip


@pytest.mark.parametrize("architecture, emulator", [("x86_64", ()), ("aarch64", ("qemu-aarch64-static",))])
def test_a_static_program_of_either_architecture(release, tmp_path, server, architecture, emulator):
    """The program has no interpreter and a random load address. It resolves a name and fetches a token."""
    name = f"wif-token-{VERSION}-linux-{architecture}"
    run("tar", "--extract", "--gzip", "--file", release / f"{name}.tar.gz", "--directory", tmp_path)
    program = tmp_path / name / "wif-token"
    headers = run("readelf", "--file-header", "--program-headers", "--dynamic", program).stdout
    assert "INTERP" not in headers and "NEEDED" not in headers and "DYN (Position-Independent" in headers
    said = run(*emulator, program, "--version").stdout.splitlines()
    assert (said[0], said[2:]) == (f"wif-token {VERSION}", [f"target: {architecture}-unknown-linux-musl", "features: static"])
    assert re.fullmatch("commit: [0-9a-f]{40}(-dirty)?", said[1])
    fetched = run(*emulator, program, "url", f"--url={server}", "--field=token", "--format=text", "--audience=a")
    assert fetched.stdout == TOKEN


@pytest.mark.parametrize("target", TARGETS)
def test_a_program_is_small(release, target):
    program = BUILDS / "linux" / target / "release" / "wif-token"
    assert program.stat().st_size <= LIMITS[target.rpartition("-")[2]] * 1024 * 1024


@pytest.mark.parametrize("target", TARGETS)
def test_the_functions_of_a_fresh_output_file_come_first(release, target):
    """Each program contains most functions in packaging/linux/fresh-path.txt. If it does not, create the list again."""
    orders = (BUILDS / "linux" / target / "release" / "deps").glob("wif_token-*.order")
    order = max(orders, key=lambda path: path.stat().st_mtime)
    assert len(order.read_text().splitlines()) > 300


def test_the_message_about_kerberos_names_the_packages(static, server):
    """The static program cannot load a library; its message says which packages can."""
    done = run(static / "wif-token", "adfs", f"--issuer={server}adfs/", "--relying-party=a", "--client-id=b", "--audience=a",
               "--protocol=ws-trust", "--token-type=urn:ietf:params:oauth:token-type:saml2", check=False)  # fmt: skip
    assert done.returncode == 4 and "deb or rpm" in json.loads(done.stdout)["message"], done.stdout
