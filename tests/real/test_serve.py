"""`serve`: one metadata server for several clients, and the subject token at a URL for those that exchange it themselves."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import pytest

from servers.authority import Authority
from servers.namespace import namespace, own_mounts
from standins.sts import DEPLOYER
from support.metadata import ACCESS, go
from support.places import need
from support.processes import free_port, listens, until

SECRET = "hunter2-serve-4711-0815"
ACCESS_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
FLAVOR = {"Metadata-Flavor": "Google"}
MOST_GROWTH, SLACK = 8 * 1024, 256  # KiB


@dataclass
class Served:
    """A running server and its process."""

    address: str
    pid: int

    def environment(self) -> dict[str, str]:
        """The variables through which clients find the server, without the proxies of other tests."""
        names = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")
        return dict.fromkeys(names, self.address) | {"METADATA_SERVER_DETECTION": "assume-present"}

    @property
    def memory(self) -> int:
        """The resident memory of the process, in KiB."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1])


@pytest.fixture
def configured(commands, issuer, audience, ledger, tmp_path):
    """A configuration whose subject token is in a file."""
    path = tmp_path / "token"
    path.write_text(ledger.token("the subject token", issuer.token("https:" + audience)))
    commands.configure(audience, {"file": str(path)})


@pytest.fixture
def served(commands, configured, ledger, tmp_path):
    """Starts a server."""
    ledger.secret("the secret of /subject-token", SECRET)

    @contextmanager
    def serve(*options: str) -> Iterator[Served]:
        port, log = free_port(), tmp_path / "serve.log"
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path), "SECRET": SECRET}
        server = commands.program.start("serve", f"--listen=127.0.0.1:{port}", f"--log-file={log}", *options, env=env)
        try:
            until(lambda: listens(port), "the server listens")
            yield Served(f"127.0.0.1:{port}", server.pid)
        finally:
            server.terminate()
            run = commands.program.finish(server, log=log)
        assert (run.status, run.stdout, run.stderr) == (0, "", ""), run.described()
        assert not listens(port)

    return serve


def printed(commands, server: Served, client: list) -> str:
    """Runs a client, and returns the access token that it prints."""
    env = commands.program.environment(server.environment() | {"CLOUDSDK_CONFIG": str(commands.folder / "gcloud")})
    words = [str(word) for word in client]
    done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["access_token"] if done.stdout.startswith("{") else done.stdout.strip()


def get(server: Served, path: str, **headers: str) -> tuple[int, str]:
    """Sends one request with these headers."""
    connection = http.client.HTTPConnection(server.address, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_clients_share_one_exchange(commands, served, sts):
    """Clients in several languages get tokens without a credential file; `/healthz` responds without a header."""
    with served() as server:
        assert get(server, "/healthz") == (200, "ok\n") and sts.requests == []
        tokens = {printed(commands, server, client("access")) for client in ACCESS.values()}
    (token,) = tokens
    assert sts.impersonated[token] == DEPLOYER and len(sts.exchanges) == 1


def url_sourced(served_by: Served, clients, written: Path, secret: str = SECRET, **form) -> Path:
    """The configuration of another client, whose subject token is that of the server."""
    found = json.loads(written.read_text())
    path = f"http://{served_by.address}/subject-token" + ("?format=json" if form else "")
    found["credential_source"] = {"url": path, "headers": {"Authorization": f"Bearer {secret}"}, **form}
    clients.folder.mkdir(exist_ok=True)
    path = clients.folder / "credentials.json"
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("form", [{}, {"format": {"type": "json", "subject_token_field_name": "subject_token"}}], ids=["text", "json"])
@pytest.mark.parametrize("client, mode", [("python", ["file-sourced"]), ("node", []), ("gcloud", [])])
def test_a_client_exchanges_the_subject_token(clients, commands, served, sts, client, mode, form):
    """A client reads the subject token from `credential_source.url`, with the secret in a header."""
    with served("--token=env:SECRET") as server:
        outcome = clients.run(client, url_sourced(server, clients, commands.path, **form), *mode)
        assert sts.impersonated[outcome.access_token] == DEPLOYER


STS = "sts.googleapis.com"


@pytest.fixture
def google_name(sts, tmp_path) -> Iterator[tuple[Authority, tuple]]:
    """The stand-in on https under the name of Google's host: its authority, and the words before a command for which the
    name leads there.
    """
    authority, tls = Authority(tmp_path / "authority"), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown = authority.server("google", STS)
    tls.load_cert_chain(shown.cert, shown.key)
    address, https = sts.on_https(tls)
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost\n{address} {STS}\n")
    with https:
        yield authority, own_mounts(f"mount --bind {tmp_path / 'hosts'} /etc/hosts")


@pytest.mark.parametrize("source", ["url", "file"])
def test_grpc_sends_the_token_with_a_call(clients, commands, served, sts, audience, google_name, tmp_path, source):
    """The default credentials of gRPC core find no metadata server by a variable, and exchange tokens only at Google's
    own host.
    """
    at_google = {"token_url": f"https://{STS}/v1/token", "token_info_url": f"https://{STS}/v1/introspect"}
    commands.configure(audience, {"file": str(tmp_path / "token")}, None)
    authority, behind = google_name
    shown = authority.server("grpc", "localhost")
    with served("--token=env:SECRET") as server:
        configuration = url_sourced(server, clients, commands.path) if source == "url" else commands.path
        configuration.write_text(json.dumps(json.loads(configuration.read_text()) | at_google))
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(configuration), "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(authority.ca)}
        words = [str(word) for word in (*behind, need("grpc-client"), shown.cert, shown.key)]
        done = subprocess.run(words, env=commands.program.environment(env), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["access_token"] in sts.issued


@pytest.mark.parametrize("options, secret", [([], SECRET), (["--token=env:SECRET"], "hunter2-wrong-4711")])
@pytest.mark.parametrize("client, mode", [("python", ["file-sourced"]), ("node", [])])
def test_without_the_secret_there_is_no_subject_token(clients, commands, served, sts, client, mode, options, secret):
    """There is no subject token with another secret, and none from a server without a secret."""
    with served(*options) as server:
        outcome = clients.run(client, url_sourced(server, clients, commands.path, secret), *mode)
        assert outcome.status == 1 and sts.exchanges == []
        assert get(server, "/subject-token", **{"Metadata-Flavor": "Google"})[0] == 403


def test_memory_does_not_grow(commands, served, sts):
    """After 10,000 requests on one connection and 300 connections, the memory is at most 8 MiB above the start, and did
    not grow after the first part.
    """
    with served() as server:
        start = server.memory
        connection = http.client.HTTPConnection(server.address, timeout=30)

        def ask(count: int):
            for _ in range(count):
                connection.request("GET", ACCESS_PATH, headers=FLAVOR)
                response = connection.getresponse()
                assert response.status == 200 and response.read()

        ask(1000)
        warm = server.memory
        ask(9000)
        connection.close()
        for _ in range(300):
            assert get(server, ACCESS_PATH, **FLAVOR)[0] == 200
        end = server.memory
    print(f"VmRSS: {start} KiB at the start, {warm} after 1000 requests, {end} at the end")
    assert end - warm <= SLACK and end - start <= MOST_GROWTH, (start, warm, end)
    assert len(sts.exchanges) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_clients_omit_the_default_port_of_http(commands, configured, address):
    """On port 80, the address alone names the server."""
    with namespace() as inside:
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)}
        server = commands.program.behind(*inside.prefix).start("serve", f"--listen={address}:80", env=env)
        try:
            words = [str(word) for word in (*inside.prefix, *go("values"))]
            env = commands.program.environment({"GCE_METADATA_HOST": address})
            asks = [*inside.prefix, "curl", "--globoff", "--silent", f"http://{address}/healthz"]
            until(lambda: subprocess.run(asks, capture_output=True, check=False).returncode == 0, "the server listens")
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
        finally:
            server.terminate()
            run = commands.program.finish(server)
    assert json.loads(done.stdout)["email"] == DEPLOYER, done.stderr
    assert (run.status, run.stderr) == (0, "")


def test_a_server_that_ends_frees_its_socket(commands, configured, tmp_path):
    """A Unix socket is private and removed at the end. A socket on which no process listens is replaced."""
    path = tmp_path / "socket"
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)}
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = commands.program.start("serve", f"--listen=unix:{path}", env=env)
    try:
        until(lambda: connects(path), "the server listens")
        assert path.stat().st_mode & 0o777 == 0o600
        second = commands.run("serve", f"--listen=unix:{path}")
        assert second.status == 3 and "another process listens" in second.stderr, second.described()
        url = f"http://metadata.google.internal{ACCESS_PATH}"
        words = ["curl", "-sS", "--unix-socket", str(path), "-H", "Metadata-Flavor: Google", url]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        assert json.loads(done.stdout)["access_token"] in commands.sts.impersonated, done.stderr
    finally:
        server.terminate()
        run = commands.program.finish(server)
    assert run.status == 0 and not path.exists()


def test_a_socket_passed_by_systemd_is_used(commands, configured, sts):
    """systemd passes the socket as descriptor 3, with the process ID. A client that connected before the start gets a response."""
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path), "LISTEN_FDS": "1"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = ["sh", "-c", f"LISTEN_PID=$$ exec {commands.program.path} serve"]
        waiting = socket.create_connection(listener.getsockname(), timeout=30)
        waiting.sendall(f"GET {ACCESS_PATH} HTTP/1.0\r\nHost: metadata\r\nMetadata-Flavor: Google\r\n\r\n".encode())
        passed = {"pass_fds": [3], "preexec_fn": lambda: os.dup2(listener.fileno(), 3)}
        server = subprocess.Popen(words, env=commands.program.environment(env), **passed)
        try:
            with waiting.makefile("rb") as response:
                head, _, body = response.read().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and json.loads(body)["access_token"] in sts.impersonated
        finally:
            server.terminate()
        assert server.wait(30) == 0


def connects(path: Path) -> bool:
    """Whether a process accepts connections there."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
