"""`keep`: a token file that a client can read at any time, through renewals, an outage, kills, and another run on the same file."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from itertools import count

import pytest

from standins.loopback import Answer, Loopback
from support.places import need
from support.processes import until
from support.signer import claims_of
from test_concurrency import Reader


class TokenService:
    """Issues a token with a new `jti` for each request, or refuses."""

    def __init__(self, issuer, audience):
        self.life, self.status, self.numbers = 3600, 200, count()
        self._issuer, self._audience = issuer, "https:" + audience
        self._http = Loopback(self._answer)
        self.url, self.requests, self.close = self._http.url, self._http.requests, self._http.close

    def _answer(self, _) -> Answer:
        now = int(time.time())
        token = self._issuer.token(self._audience, exp=now + self.life, iat=now, jti=str(next(self.numbers)))
        return Answer(200, token) if self.status == 200 else Answer(self.status, "")


class TokenReader(Reader):
    """Reads a file with a bare token in a loop."""

    def run(self):
        while not self.over.is_set():
            text = self.path.read_text()
            self.reads += 1
            try:
                assert text == text.strip() and claims_of(text)["jti"]
            except (ValueError, KeyError, IndexError, AssertionError):
                self.wrong.append(text)
                continue
            if text not in self.tokens:
                self.tokens.append(text)


@pytest.fixture
def service(issuer, audience):
    """A service that issues tokens of the trusted issuer."""
    found = TokenService(issuer, audience)
    yield found
    found.close()


@pytest.fixture
def output(tmp_path):
    """The output file, in a separate directory."""
    folder = tmp_path / "tokens"
    folder.mkdir(mode=0o700)
    return folder / "token"


@pytest.fixture
def words(service, output):
    """The command line. A token is renewed after one or two seconds."""
    return ["keep", "url", f"--url={service.url}/", f"--output-file={output}", "--expiry-margin=3598"]


@pytest.fixture
def keep(program):
    """Starts `keep`, and ends it with the test."""
    started = []

    def start(*arguments, **popen) -> subprocess.Popen:
        started.append(program.start(*arguments, **popen))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()


def stopped(program, child, with_signal=signal.SIGTERM):
    """Ends `keep` with SIGTERM, as a service manager does. It must have printed nothing."""
    child.send_signal(with_signal)
    done = program.finish(child)
    assert (done.status, done.stdout, done.stderr) == (0, "", ""), done.described()


def test_a_client_finds_a_valid_token_through_renewals_and_an_outage(keep, program, service, output, sts, clients, audience, tmp_path):
    """google-auth reads the file and exchanges the token. Both tokens are valid for a few seconds only."""
    service.life = 8
    config = clients.configuration(audience, "env", "--name=T")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"credential_source": {"file": str(output)}}))
    child = keep("keep", "url", f"--url={service.url}/", f"--output-file={output}", f"--log-file={tmp_path / 'log'}")
    first = until(output.read_text, "the first token")
    exchange = lambda: clients.run("python", config, "file-sourced").access_token  # noqa: E731
    assert exchange() in sts.issued
    until(lambda: output.read_text() != first, "a renewal")
    assert claims_of(first)["exp"] > time.time(), "the first token was renewed before it expired"
    service.status = 503
    until(lambda: "next attempt at" in (tmp_path / "log").read_text(), "an attempt fails")
    held = output.read_text()
    assert claims_of(held)["exp"] > time.time(), "the outage is shorter than the life of the token"
    service.status = 200
    until(lambda: output.read_text() != held, "a token after the outage")
    assert exchange() in sts.issued
    stopped(program, child)
    assert "eyJ" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("calls", ["fsync", "rename,renameat,renameat2"])
def test_a_run_that_is_killed_while_it_replaces_the_file_leaves_a_whole_one(keep, program, words, output, calls):
    """The first run is killed at its second token. The next run removes the files that are left."""
    strace = [need("strace"), "-f", "-qq", "-o", "/dev/null", "-e", f"inject={calls}:signal=SIGKILL:when=2"]
    done = subprocess.run([*strace, program.path, *words], env=program.environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), done
    old = output.read_text()
    assert claims_of(old)["jti"] == "0"
    left = sorted(path.name for path in output.parent.iterdir() if path.name.startswith("."))
    assert len(left) == 1, left
    child = keep(*words)
    until(lambda: output.read_text() != old, "a new token")
    assert sorted(path.name for path in output.parent.iterdir()) == ["token", "token.lock"]
    stopped(program, child)


def test_a_file_system_that_stops_responding_ends_the_run(program, words, output):
    """The file system stops responding when the run reads the file between two attempts."""
    strace = [need("strace"), "-f", "-qq", "-o", "/dev/null", "-P", output, "-e", "inject=statx:delay_enter=6000000:when=3+"]
    command = [*strace, program.path, *words[:-1], "--timeout=3"]
    done = subprocess.run(command, env=program.environment(), capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode == 6 and f"still waiting for the file {output}" in done.stderr, done
    assert claims_of(output.read_text())["jti"] == "0"


def test_two_runs_on_one_file_and_one_of_them_is_killed(keep, program, words, output, service, tmp_path):
    """A reader never sees a part of a token, and the other run continues."""
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    first, second = (keep(*words, f"--log-file={log}") for log in logs)
    until(output.exists, "the first token")
    with TokenReader(output) as reader:
        until(lambda: any("another run has renewed" in log.read_text() for log in logs), "one run uses the token of the other")
        until(lambda: len(reader.tokens) > 3, "some renewals")
        first.kill()
        seen = len(reader.tokens)
        until(lambda: len(reader.tokens) > seen + 1, "renewals by the other run")
    assert reader.wrong == [] and reader.reads > 100
    assert len(service.requests) < 2 * len(reader.tokens) + 2
    stopped(program, second, signal.SIGINT)


def test_a_client_that_runs_executables_needs_only_the_document(keep, program, service, output, sts, clients, audience):
    """The client does not run the program, so no run is in the log."""
    config = clients.configuration(audience, "url", f"--url={service.url}/", output_file=output)
    child = keep("keep", "url", f"--url={service.url}/", f"--output-file={output}", "--format=json", env=program.request(audience))
    until(output.exists, "the first document")
    assert json.loads(output.read_text())["success"] is True
    assert clients.run("python", config).access_token in sts.issued
    assert len(service.requests) == 1 and not clients.log.exists()
    stopped(program, child)
