"""`helper bazel get`: started as Bazel starts a credential helper, with the request that Bazel writes; its output must follow the
schema of the specification. https://github.com/EngFlow/credential-helper-spec/blob/main/spec.md
"""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import requests
from jsonschema import Draft202012Validator, FormatChecker

from standins.loopback import Answer, Loopback
from standins.sts import DEPLOYER
from support.clients import ALLOW

# The published schema; only the text of the specification requires the format of `expires`.
RESPONSE = Draft202012Validator({
    "type": "object",
    "properties": {
        "headers": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "expires": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    },
}, format_checker=FormatChecker())  # fmt: skip
GOOGLE = "https://storage.googleapis.com/my-bucket/cas/0123"


@dataclass
class Bazel:
    """Runs a helper as Bazel does: with the environment of the client, the word `get`, and nothing else."""

    commands: object
    helper: Path

    def run(self, request: str, *words: str) -> tuple[int, str, str]:
        """Runs the helper. Returns status, stdout and stderr, which the leak scan sees."""
        variables = {"GOOGLE_APPLICATION_CREDENTIALS": str(self.commands.path), ALLOW: "1"}
        env = self.commands.program.environment(variables)
        done = subprocess.run([self.helper, *(words or ["get"])], env=env, input=request, capture_output=True, text=True, timeout=30,
                              check=False)  # fmt: skip
        ledger = self.commands.program.ledger
        for number, token in enumerate(self.commands.sts.iam.tokens):
            ledger.token(f"access token {number}", token)
        ledger.note("stderr of the helper", done.stderr)
        ledger.note("stdout of the helper", done.stdout, may_hold_token=done.returncode == 0)
        return done.returncode, done.stdout, done.stderr

    def credentials(self, uri: str, **more) -> dict:
        """Runs the helper, and returns the output of a success."""
        status, stdout, stderr = self.run(json.dumps({"uri": uri} | more))
        assert (status, stderr) == (0, ""), stderr
        answer = json.loads(stdout)
        RESPONSE.validate(answer)
        assert set(answer) <= {"headers", "expires"}  # no further members, as the specification recommends
        return answer


@pytest.fixture
def bazel(commands, issuer, audience, tmp_path) -> Bazel:
    """The program under its own name, as on the page of the helper, with a configuration of the deployer."""
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")})
    helper = tmp_path / "bazel-credential-wif-token"
    helper.symlink_to(commands.program.path)
    return Bazel(commands, helper)


def until_expiry(answer: dict) -> float:
    """The number of seconds for which Bazel uses the answer."""
    return datetime.fromisoformat(answer["expires"]).timestamp() - time.time()


@pytest.mark.parametrize("uri", [
    GOOGLE,
    "https://remotebuildexecution.googleapis.com/build.bazel.remote.execution.v2.Capabilities",
    "https://europe-maven.pkg.dev/my-project/my-repository/com/example/a.jar",
])  # fmt: skip
def test_headers_of_a_request_to_google(bazel, sts, uri):
    """The server that gets the header recognizes the token of the deployer."""
    answer = bazel.credentials(uri, later=[{}])
    with Loopback(lambda request: Answer(200, {})) as server:
        for name, values in answer["headers"].items():
            assert requests.get(server.url, headers={name: values[0]}, timeout=10).ok and len(values) == 1
        sent = server.requests[0].headers["authorization"].removeprefix("Bearer ")
    assert sts.impersonated[sent] == DEPLOYER
    assert 3600 - 300 - 60 - 10 < until_expiry(answer) <= 3600 - 60


@pytest.mark.parametrize("uri", [
    "https://cache.example.com/", "https://storage.googleapis.com.example.com/", "https://storage.googleapis.com@example.com/",
    "http://storage.googleapis.com/", "https://storage.googleapis.com:444/", "not a URI", "",
])  # fmt: skip
def test_no_headers_for_other_hosts(bazel, sts, uri):
    """Bazel continues without credentials, and no request is sent to Google."""
    assert bazel.credentials(uri) == {"headers": {}}
    assert sts.requests == []


def test_bazel_shows_why_there_are_no_credentials(bazel, sts):
    """Bazel appends standard error to its own message."""
    sts.iam.policies.accounts[DEPLOYER].clear()
    status, stdout, stderr = bazel.run(json.dumps({"uri": GOOGLE}))
    assert (status, stdout, stderr.count("\n")) == (5, "", 1)
    assert "roles/iam.workloadIdentityUser" in stderr


@pytest.mark.parametrize("request_, words, said", [
    ("", (), "not a JSON object"),
    ("hunter2", (), "not a JSON object"),
    ('{"uri": 1}', (), "not a JSON object"),
    ("\x1b[2J", (), "control characters"),
    ("a" * 100_000, (), "longer than 64 KiB"),
    ("{}", ("store",), "helper bazel get"),
])  # fmt: skip
def test_wrong_requests(bazel, sts, request_, words, said):
    """The helper refuses them without a request to Google, and does not repeat the input."""
    status, stdout, stderr = bazel.run(request_, *words)
    assert (status, stdout, stderr.count("\n")) == (2, "", 1) and said in stderr and "hunter2" not in stderr
    assert sts.requests == []


def test_fifty_at_once_use_one_token(bazel, sts):
    """Bazel asks for each server, and several builds can run on one host."""
    with ThreadPoolExecutor(50) as threads:
        runs = list(threads.map(lambda _: bazel.run(json.dumps({"uri": GOOGLE})), range(50)))
    assert len({stdout for _, stdout, _ in runs}) == 1 and {(status, stderr) for status, _, stderr in runs} == {(0, "")}
    assert len(sts.exchanges) == len(sts.iam.calls) == 1


def test_a_token_is_renewed(bazel, commands, sts, audience, tmp_path, monkeypatch):
    """The token is valid for too short a time to be cached. Bazel is told to run the helper again before the token
    expires, and then gets a new one.
    """
    commands.configure(audience, {"file": str(tmp_path / "token")}, None)
    real = sts._exchange
    monkeypatch.setattr(sts, "_exchange", lambda request: Answer(200, real(request).body | {"expires_in": 100}))
    first, second = bazel.credentials(GOOGLE), bazel.credentials(GOOGLE)
    assert all(80 < until_expiry(answer) <= 91 for answer in (first, second))
    assert first["headers"] != second["headers"]
