"""`--cache-file`: the file is private and for one request, concurrent runs fetch one token, and they share a failure.

The server does not return the subject token until every run has the lock file open, so that nothing here depends on time.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time

import pytest

from standins.loopback import Answer, Loopback
from standins.sts import DEPLOYER
from support.crowd import crowd
from support.impersonation import FIRST, grant_chain
from support.program import Run

RUNS = 20


@pytest.fixture
def cached(commands, issuer, audience, tmp_path):
    """A file-sourced configuration, and the path of the cache file."""
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")})
    return tmp_path / "cache.json"


def test_a_fresh_file_is_used_without_any_request(commands, sts, cached):
    """A valid cached token is printed in each form without a request, and its file is private."""
    token = commands.output("access-token", f"--cache-file={cached}")
    assert stat.S_IMODE(cached.stat().st_mode) == 0o600
    before = cached.read_bytes()
    assert commands.output("access-token", f"--cache-file={cached}") == token
    assert commands.output("access-token", f"--cache-file={cached}", "--format=header") == f"Authorization: Bearer {token}"
    document = json.loads(commands.output("access-token", f"--cache-file={cached}", "--format=json"))
    assert document["access_token"] == token and abs(document["expiration_time"] - time.time() - 3600) < 10
    assert len(sts.requests) == 2 and cached.read_bytes() == before


@pytest.mark.parametrize("options", [["--scope=bigquery"], ["--lifetime=900"], [f"--delegate={FIRST}"]])
def test_another_request_fetches_a_new_token(commands, sts, audience, cached, options):
    """A request with other scopes, another lifetime or other delegates does not use the cached token."""
    grant_chain(sts, audience, FIRST, DEPLOYER)
    first = commands.output("access-token", f"--cache-file={cached}")
    assert commands.output("access-token", f"--cache-file={cached}", *options) not in (first, "")
    assert len(sts.iam.calls) == 2


@pytest.mark.parametrize("content", ["", "\0" * 4096])
def test_a_file_without_content_is_replaced(commands, sts, cached, content):
    """No part of the file is used."""
    cached.write_text(content)
    assert commands.output("access-token", f"--cache-file={cached}") in sts.impersonated
    assert json.loads(cached.read_text())["access_token"] in sts.impersonated


@pytest.mark.parametrize("content", ["[1]", "{}", '{"access_token":"ya29.planted","expiration_time":4000000000}'])
def test_a_file_of_another_program_is_left_alone(commands, sts, cached, content):
    """The file is neither used nor replaced."""
    cached.write_text(content)
    assert commands.output("access-token", f"--cache-file={cached}") in sts.impersonated
    assert cached.read_text() == content


@pytest.mark.parametrize("left, used", [(400, True), (299, False)])
def test_a_token_that_expires_within_five_minutes_is_renewed(commands, sts, cached, left, used):
    """A token that is about to expire is not given out."""
    token = commands.output("access-token", f"--cache-file={cached}")
    document = json.loads(cached.read_text())
    cached.write_text(json.dumps(document | {"expiration_time": int(time.time()) + left}))
    assert (commands.output("access-token", f"--cache-file={cached}") == token) == used


def together(commands, audience, cached, answer) -> Run:
    """Starts runs that need the same subject token, which `answer` returns once all of them wait. Returns how they
    ended.
    """
    opened = threading.Event()

    def held(request):
        opened.wait(60)
        return answer

    with Loopback(held) as server:
        commands.configure(audience, {"url": server.url})
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)}
        done = crowd(commands.program, RUNS, ("access-token", f"--cache-file={cached}"), cached, server, opened, env=env)
        assert len(server.requests) == 1
    assert len({(run.stdout, run.stderr, run.status) for run in done}) == 1, done
    return done[0]


def test_concurrent_runs_fetch_once(commands, sts, issuer, audience, cached):
    """There is one subject token, one exchange and one impersonation, and all runs print the same token."""
    run = together(commands, audience, cached, Answer(200, issuer.token("https:" + audience)))
    assert (run.status, run.stderr) == (0, "") and sts.impersonated[run.stdout] == DEPLOYER
    assert (len(sts.exchanges), len(sts.iam.calls)) == (1, 1)
    assert sorted(name for name in os.listdir(cached.parent) if name.startswith("cache")) == ["cache.json", "cache.json.lock"]


def test_concurrent_runs_share_a_failure(commands, sts, audience, cached):
    """A refused request is not sent again within ten seconds, although the server has gone by then."""
    run = together(commands, audience, cached, Answer(403, {"message": "not today"}))
    assert (run.status, run.stdout) == (5, "") and "not today" in run.stderr and sts.requests == []
    assert "without a new attempt" in commands.refused("DENIED", "access-token", f"--cache-file={cached}")
