"""Many runs on one output file: one fetch, one answer for all who waited, never a half-written file, never the token
of another request.

No sleeps: the far end holds its answer until every other run has the lock file open, which `/proc` shows.
"""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from servers.faults import HEAD, far_end
from support.processes import until
from support_net import AUDIENCE, claims_of, clean_env, finish, jwt, start, token_of, wif

RUNS = 200


def stale(path):
    """A well-formed output file whose token is over; returns its bytes."""
    path.write_text(json.dumps({"version": 1, "success": True, "token_type": "urn:ietf:params:oauth:token-type:jwt",
                                "id_token": jwt(lives=-600), "expiration_time": int(time.time()) - 900}))
    return path.read_bytes()


def have_open(path, children):
    """How many of these processes hold `path` open."""
    def holds(child):
        try:
            folder = f"/proc/{child.pid}/fd"
            return any(os.path.samefile(f"{folder}/{fd}", path) for fd in os.listdir(folder))
        except OSError:
            return False

    return sum(holds(child) for child in children)


def behind_a_gate(status, body, opened):
    """A far end that answers only once `opened` is set."""
    def behave(far, connection, over):
        far.requests.append(connection.recv(65536))
        opened.wait(60)
        head = HEAD.replace(b"200 OK", status)
        connection.sendall(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    return behave


def crowd(far, output, opened, runs=RUNS):
    """Starts `runs` runs, lets the far end answer once all of them stand at the lock, and returns the outcomes."""
    lock = Path(f"{output}.lock")
    children = [start("url", f"--url={far.url}", f"--output-file={output}", "--timeout=60") for _ in range(runs)]
    try:
        until(lambda: far.requests and have_open(lock, children) == runs, f"{runs} runs at the lock", seconds=60)
        began = time.monotonic()
        opened.set()
        with ThreadPoolExecutor(runs) as pool:
            return list(pool.map(lambda child: finish(child, began), children))
    finally:
        for child in children:
            child.kill()


class Reader(threading.Thread):
    """Reads the output file again and again, as a client does before it runs the program."""

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


def test_two_hundred_runs_fetch_once_and_a_reader_sees_only_whole_documents(tmp_path):
    output, token, opened = tmp_path / "out.json", jwt(), threading.Event()
    old = token_of(json.loads(stale(output)))
    with far_end(behind_a_gate(b"200 OK", token.encode(), opened)) as far, Reader(output) as reader:
        done = crowd(far, output, opened)
        until(lambda: token in reader.tokens, "the reader has seen the new token")
        assert len(far.requests) == 1
    assert {one.token() for one in done} == {token} and len({one.stdout for one in done}) == 1
    assert (reader.wrong, reader.tokens) == ([], [old, token]) and reader.reads > 10
    assert json.loads(output.read_text())["id_token"] == token
    assert sorted(os.listdir(tmp_path)) == ["out.json", "out.json.lock"]


@pytest.mark.parametrize("status, kind, tries", [(b"503 Service Unavailable", "UNREACHABLE", 4), (b"403 Forbidden", "DENIED", 1)])
def test_those_who_waited_report_the_failure_of_the_one_fetch(tmp_path, status, kind, tries):
    output, opened = tmp_path / "out.json", threading.Event()
    before = stale(output)
    with far_end(behind_a_gate(status, b"fixture-body", opened)) as far:
        done = crowd(far, output, opened)
        assert len(far.requests) == tries
        assert len({(one.stdout, one.stderr, one.status) for one in done}) == 1
        done[0].failure(kind)
        assert max(one.seconds for one in done) < 10, "they went one after another"
        assert output.read_bytes() == before

        wif("url", f"--url={far.url}", f"--output-file={output}").failure(kind)
        assert len(far.requests) == 2 * tries  # a failure is not kept for those who come later


def test_when_the_one_who_fetches_is_killed_another_takes_over(tmp_path):
    """And only one: the others get what that one fetched."""
    output, token, opened = tmp_path / "out.json", jwt(), threading.Event()
    with far_end(behind_a_gate(b"200 OK", token.encode(), opened)) as far:
        words = ("url", f"--url={far.url}", f"--output-file={output}", "--timeout=60")
        first = start(*words)
        until(lambda: far.requests, "the first run fetches")
        others = [start(*words) for _ in range(20)]
        try:
            until(lambda: have_open(f"{output}.lock", others) == 20, "20 runs at the lock")
            first.kill()
            assert first.communicate() == ("", "")
            until(lambda: len(far.requests) == 2, "another run fetches")
            opened.set()
            assert {finish(child).token() for child in others} == {token} and len(far.requests) == 2
        finally:
            for child in others:
                child.kill()


def test_a_success_after_a_failure(tmp_path):
    """Nothing of a failed crowd stands in the way of the next run."""
    output, opened = tmp_path / "out.json", threading.Event()
    with far_end(behind_a_gate(b"500 Oops", b"", opened)) as far:
        crowd(far, output, opened, runs=20)
    (tmp_path / "token").write_text(token := jwt())
    assert wif("file", f"--path={tmp_path / 'token'}", f"--output-file={output}").token() == token
    assert json.loads(output.read_text())["id_token"] == token


def test_a_lock_that_is_held_for_ever_ends_at_the_deadline(tmp_path):
    """The one who holds it never gets its answer: the other still ends, and in time."""
    output = tmp_path / "out.json"
    with far_end(behind_a_gate(b"200 OK", b"", threading.Event())) as far:
        holder = start("url", f"--url={far.url}", f"--output-file={output}", "--timeout=60")
        try:
            until(lambda: far.requests, "the first run fetches")
            done = wif("url", f"--url={far.url}", f"--output-file={output}", "--timeout=2")
        finally:
            holder.kill()
            holder.communicate()
    done.failure("UNREACHABLE")
    assert 1 < done.seconds < 2, done


def test_another_request_never_gets_this_ones_token(tmp_path):
    """Six audiences, ten runs each, all at once on one output file."""
    output = tmp_path / "out.json"
    wif("key", f"--key={tmp_path / 'k.pem'}", "--generate", "--issuer=https://i.example.test", "--subject=s").token()
    audiences = [AUDIENCE.replace("pool/", f"pool-{n % 6}/") for n in range(60)]
    children = [start("key", f"--key={tmp_path / 'k.pem'}", "--issuer=https://i.example.test", "--subject=s",
                      f"--output-file={output}", "--timeout=60",
                      env=clean_env(GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=audience)) for audience in audiences]
    done = [finish(child) for child in children]
    for audience, one in zip(audiences, done):
        assert claims_of(one.token())["aud"].endswith(audience), (audience, one)
    assert claims_of(token_of(json.loads(output.read_text())))["aud"].endswith(tuple(audiences))


def test_a_fresh_file_is_for_one_request_only(tmp_path):
    """Audience, source and option by option: a change fetches anew, the same again does not."""
    output, tokens = tmp_path / "out.json", {}
    for name in ("a", "b"):
        tokens[name] = jwt(sub=name)
        (tmp_path / name).write_text(tokens[name])

    def run(name, *options, **variables):
        return wif("file", f"--path={tmp_path / name}", f"--output-file={output}", *options,
                   env=clean_env(**variables)).token()

    assert run("a") == tokens["a"]
    (tmp_path / "a").write_text(newer := jwt(sub="a", jti="2"))
    assert run("a") == tokens["a"]  # from the output file
    assert run("a", GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=AUDIENCE + "2") == newer
    assert run("b") == tokens["b"]
    assert run("a") == newer
