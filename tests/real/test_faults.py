"""Servers, programs and files that misbehave: every run ends by itself, before its deadline, with the right kind.

A server here is a loopback socket of `servers/faults.py`. Runs have `DEADLINE` seconds, after which they are killed;
`ended_by_itself` also requires that the run used its time.
"""

import json
import os
import socket
import subprocess
from contextlib import ExitStack

import pytest

from servers import faults
from servers.faults import far_end
from servers.namespace import NAMES, namespace
from support.places import need
from support.signer import some_token

TOKEN = some_token()
DEADLINE = 2


@pytest.fixture
def hurried(asked):
    """The program with the timeout of these tests."""
    return asked.killed_after(DEADLINE)


@pytest.fixture
def fetch(hurried):
    """Runs the program with this URL."""
    return lambda url: hurried.run("url", f"--url={url}", f"--timeout={DEADLINE}")


def ended_by_itself(done, kind="UNREACHABLE"):
    """Asserts that the run used its time and was not killed, and returns its message."""
    message = done.failed(kind)
    assert done.seconds > DEADLINE / 2, done
    return message


# Servers

@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_never_responds(fetch, scheme):
    with far_end(faults.hang) as far:
        message = ended_by_itself(fetch(far.url.replace("http:", f"{scheme}:")))
        assert "--timeout" in message and far.requests, message


@pytest.mark.parametrize("behave", [faults.drip_headers, faults.drip_body])
def test_a_response_that_arrives_slowly(fetch, behave):
    with far_end(behave) as far:
        ended_by_itself(fetch(far.url))


def test_a_server_that_does_not_accept_the_connection(fetch):
    """The backlog of the server is full, so the TCP handshake gets no response."""
    with ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        ended_by_itself(fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/token"))


def test_the_deadline_applies_to_the_whole_run(hurried):
    """Discovery takes half of the time, and the token endpoint takes the rest."""
    def behave(far, connection, over):
        far.requests.append(connection.recv(65536))
        if b"POST" in far.requests[-1]:
            over.wait(60)
        over.wait(DEADLINE / 2)
        issuer = f"http://127.0.0.1:{far.port}"
        body = json.dumps({"issuer": issuer, "token_endpoint": f"{issuer}/token"}).encode()
        connection.sendall(faults.HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with far_end(behave) as far:
        ended_by_itself(hurried.run("oidc", f"--issuer=http://127.0.0.1:{far.port}", "--client-id=i", "--auth=none",
                                    f"--timeout={DEADLINE}"))
        assert [request[:4] for request in far.requests] == [b"GET ", b"POST"]


@pytest.mark.parametrize("behave", [faults.reset, faults.truncated, faults.truncated_chunks])
def test_a_truncated_response(fetch, behave):
    with far_end(behave) as far:
        done = fetch(far.url)
        done.failed("UNREACHABLE")
        assert "aaaa.bbbb" not in done.stdout + done.stderr and far.requests


@pytest.mark.parametrize("behave", [faults.endless, faults.endless_headers])
def test_an_endless_response_is_not_read_to_the_end(fetch, behave):
    with far_end(behave) as far:
        done = fetch(far.url)
        done.failed("PROTOCOL")
        assert far.given < 16 * 1024 * 1024, far.given


@pytest.mark.parametrize("behave", [faults.not_http, faults.empty])
def test_a_response_that_violates_the_standard(fetch, behave):
    with far_end(behave) as far:
        fetch(far.url).failed("PROTOCOL")


def test_a_refused_connection(fetch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        message = fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/token").failed("UNREACHABLE")
        assert "refused" in message, message


def test_an_impossible_port_is_refused_and_not_replaced(fetch):
    done = fetch("https://127.0.0.1:99999/token")
    assert "--url" in done.failed("USAGE")


def test_a_name_server_that_never_responds(asked):
    """getaddrinfo has its own timeout, which is longer and cannot be interrupted."""
    script = ("import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('%s', 53)); print(flush=True)\n"
              "while True: s.recv(512); print(flush=True)" % NAMES["idp.example.test"])
    with namespace(resolver=NAMES["idp.example.test"]) as space:
        silent = subprocess.Popen([*space.prefix, need("python3"), "-c", script], stdout=subprocess.PIPE)
        try:
            silent.stdout.readline()
            within = asked.killed_after(DEADLINE, *space.prefix)
            ended_by_itself(within.run("url", "--url=https://slow.example.test/token", f"--timeout={DEADLINE}"))
            silent.stdout.readline()  # it received a request
        finally:
            silent.kill()
            silent.communicate()


# stdin

def test_stdin_is_never_read(asked, tmp_path):
    """Neither the program nor the command that it runs reads what the client wrote there."""
    (tmp_path / "token").write_text(TOKEN)
    for source in (["file", "--timeout=5", f"--path={tmp_path / 'token'}"],
                   ["command", "--timeout=5", "--", "/bin/sh", "-c", f"cat; cat {tmp_path / 'token'}"]):
        reading, writing = os.pipe()
        try:
            os.write(writing, b"kept for the client")
            assert asked.killed_after(5).run(*source, stdin=reading).token == TOKEN
            assert os.read(reading, 100) == b"kept for the client"
        finally:
            os.close(reading)
            os.close(writing)


# Paths that are not regular files

@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo", 0o600)
    return tmp_path / "fifo"


@pytest.mark.parametrize("option", ["--path", "--ca-file", "--header", "--key", "--args-file"])
def test_an_input_pipe_that_nobody_writes_to_does_not_hang(asked, tmp_path, fifo, option):
    (tmp_path / "token").write_text(TOKEN)
    url = "--url=http://127.0.0.1:9/token"
    words = {"--path": ["file", f"--path={fifo}"],
             "--ca-file": ["url", url.replace("http:", "https:"), f"--ca-file={fifo}"],
             "--header": ["url", url, f"--header=X-Key:file:{fifo}"],
             "--key": ["key", f"--key={fifo}", "--issuer=https://i.example.test", "--subject=s"],
             "--args-file": ["file", f"--path={tmp_path / 'token'}", f"--args-file={fifo}"]}
    # The watchdog ends some of these a tenth of a second before the deadline, or later on a busy machine.
    done = asked.killed_after(5 * DEADLINE).run(*words[option], f"--timeout={DEADLINE}")
    assert done.status in (3, 6), done
    done.failed(done.document["code"])


def test_a_pipe_in_place_of_the_output_file_or_its_lock_does_not_prevent_a_token(hurried, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    for name in ("out", "other.lock"):
        os.mkfifo(tmp_path / name)
        output = tmp_path / name.removesuffix(".lock")
        done = hurried.run("file", f"--path={tmp_path / 'token'}", f"--output-file={output}", f"--timeout={DEADLINE}")
        assert done.token == TOKEN, name


def test_a_pipe_as_log_file_does_not_hang(hurried, tmp_path, fifo):
    (tmp_path / "token").write_text(TOKEN)
    done = hurried.run("file", f"--path={tmp_path / 'token'}", f"--log-file={fifo}", f"--timeout={DEADLINE}", logs=False)
    assert done.token == TOKEN if done.status == 0 else "--log-file" in done.failed("CONFIGURATION")


def test_an_endless_file_is_not_read_to_the_end(asked):
    """The address space is 256 MiB, so a program that reads on would be killed or panic."""
    limited = asked.killed_after(DEADLINE, need("prlimit"), f"--as={256 * 1024 * 1024}")
    done = limited.run("file", "--path=/dev/zero", f"--timeout={DEADLINE}")
    assert "--path" in done.failed("CONFIGURATION")
