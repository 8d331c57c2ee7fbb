"""Many runs on one output file: one fetch, the same token for all waiting runs, never a part of a file, and never the token of another
request. The server responds when every other run waits for the lock: see support/crowd.py.
"""

import json
import os
import threading
import time

import pytest

from servers.faults import HEAD, far_end
from support.crowd import crowd, have_open
from support.processes import until
from support.program import JWT, token_of
from support.signer import claims_of, some_token


@pytest.fixture
def runs(storm) -> int:
    """How many runs start at once."""
    return 200 if storm else 50


def stale(path):
    """Writes a well-formed output file whose token has expired, and returns its bytes."""
    over = int(time.time()) - 600
    path.write_text(json.dumps({"version": 1, "success": True, "token_type": JWT, "id_token": some_token(exp=over),
                                "expiration_time": over - 300}))
    return path.read_bytes()


def behind_a_gate(status, body, opened):
    """Starts a server that responds only once `opened` is set."""
    def behave(far, connection, over):
        far.requests.append(connection.recv(65536))
        opened.wait(60)
        head = HEAD.replace(b"200 OK", status)
        connection.sendall(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    return behave


class Reader(threading.Thread):
    """Reads the output file continuously, as a client does before it runs the program."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.over, self.tokens, self.wrong, self.reads = path, threading.Event(), [], [], 0

    def run(self):
        while not self.over.is_set():
            text = self.path.read_text()
            self.reads += 1
            try:
                token = token_of(json.loads(text))
            except (ValueError, KeyError, AssertionError):
                self.wrong.append(text)
                continue
            if token not in self.tokens:
                self.tokens.append(token)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def test_many_runs_fetch_once_and_a_reader_sees_only_whole_documents(asked, runs):
    output, token, opened = asked.home / "out.json", some_token(), threading.Event()
    old = token_of(json.loads(stale(output)))
    with far_end(behind_a_gate(b"200 OK", token.encode(), opened)) as far, Reader(output) as reader:
        done = crowd(asked, runs, ("url", f"--url={far.url}", f"--output-file={output}"), output, far, opened)
        until(lambda: token in reader.tokens, "the reader has seen the new token")
        assert len(far.requests) == 1
    assert {one.token for one in done} == {token} and len({one.stdout for one in done}) == 1
    assert (reader.wrong, reader.tokens) == ([], [old, token]) and reader.reads > 10
    assert json.loads(output.read_text())["id_token"] == token
    assert sorted(os.listdir(output.parent)) == ["out.json", "out.json.lock"]


@pytest.mark.parametrize("status, kind, tries", [(b"503 Service Unavailable", "UNREACHABLE", 4), (b"403 Forbidden", "DENIED", 1)])
def test_waiting_runs_report_the_failure_of_the_one_fetch(asked, tmp_path, runs, status, kind, tries):
    output, opened = tmp_path / "out.json", threading.Event()
    before = stale(output)
    with far_end(behind_a_gate(status, b"fixture-body", opened)) as far:
        done = crowd(asked, runs, ("url", f"--url={far.url}", f"--output-file={output}"), output, far, opened)
        assert len(far.requests) == tries
        assert len({(one.stdout, one.stderr, one.status) for one in done}) == 1
        done[0].failed(kind)
        # Attempts with pauses take two seconds.
        assert max(one.seconds for one in done) < len(done), "the runs went one after another"
        assert output.read_bytes() == before

        asked.run("url", f"--url={far.url}", f"--output-file={output}").failed(kind)
        # Only a refusal is remembered, for ten seconds.
        assert len(far.requests) == (1 if kind == "DENIED" else 2 * tries)


def test_when_the_fetching_run_is_killed_another_run_fetches(asked, tmp_path):
    """Only one other run fetches; the rest use its token."""
    output, token, opened = tmp_path / "out.json", some_token(), threading.Event()
    with far_end(behind_a_gate(b"200 OK", token.encode(), opened)) as far:
        words = ("url", f"--url={far.url}", f"--output-file={output}", "--timeout=60")
        first = asked.start(*words)
        until(lambda: far.requests, "the first run fetches")
        others = [asked.start(*words) for _ in range(20)]
        try:
            until(lambda: have_open(f"{output}.lock", others) == 20, "20 runs at the lock")
            first.kill()
            assert first.communicate() == (b"", b"")
            until(lambda: len(far.requests) == 2, "another run fetches")
            opened.set()
            assert {asked.finish(child).token for child in others} == {token} and len(far.requests) == 2
        finally:
            for child in others:
                child.kill()


def test_a_success_after_a_failure(asked, tmp_path):
    """The failure of many runs does not affect the next run."""
    output, opened = tmp_path / "out.json", threading.Event()
    with far_end(behind_a_gate(b"500 Oops", b"", opened)) as far:
        crowd(asked, 20, ("url", f"--url={far.url}", f"--output-file={output}"), output, far, opened)
    (tmp_path / "token").write_text(token := some_token())
    assert asked.run("file", f"--path={tmp_path / 'token'}", f"--output-file={output}").token == token
    assert json.loads(output.read_text())["id_token"] == token


def test_a_lock_that_is_never_released_ends_the_wait_at_the_deadline(asked, tmp_path):
    """The run that holds the lock gets no response. The other run still ends before its deadline."""
    output = tmp_path / "out.json"
    with far_end(behind_a_gate(b"200 OK", b"", threading.Event())) as far:
        holder = asked.start("url", f"--url={far.url}", f"--output-file={output}", "--timeout=60")
        try:
            until(lambda: far.requests, "the first run fetches")
            done = asked.killed_after(2).run("url", f"--url={far.url}", f"--output-file={output}", "--timeout=2")
        finally:
            holder.kill()
            holder.communicate()
    done.failed("UNREACHABLE")
    assert done.seconds > 1, done


def test_a_token_is_never_printed_for_another_request(asked, audience, tmp_path):
    """Ten runs for each of six audiences use one output file at once."""
    output = tmp_path / "out.json"
    command = ("key", f"--key={tmp_path / 'k.pem'}", "--issuer=https://i.example.test", "--subject=s")
    assert asked.run(*command, "--generate").token
    audiences = [audience.replace("pool/", f"pool-{n % 6}/") for n in range(60)]
    children = [asked.start(*command, f"--output-file={output}", "--timeout=60", env=asked.request(audience)) for audience in audiences]
    done = [asked.finish(child) for child in children]
    for audience, one in zip(audiences, done, strict=True):
        assert claims_of(one.token)["aud"].endswith(audience), (audience, one)
    assert claims_of(token_of(json.loads(output.read_text())))["aud"].endswith(tuple(audiences))


def test_a_fresh_file_is_for_one_request_only(asked, audience, tmp_path):
    """Another audience, source or option causes a fetch; the same request does not."""
    output, tokens = tmp_path / "out.json", {}
    for name in ("a", "b"):
        tokens[name] = some_token(sub=name)
        (tmp_path / name).write_text(tokens[name])

    def run(name, audience=audience):
        return asked.run("file", f"--path={tmp_path / name}", f"--output-file={output}", env=asked.request(audience)).token

    assert run("a") == tokens["a"]
    (tmp_path / "a").write_text(newer := some_token(sub="a"))
    assert run("a") == tokens["a"]  # from the output file
    assert run("a", audience + "2") == newer
    assert run("b") == tokens["b"]
    assert run("a") == newer
