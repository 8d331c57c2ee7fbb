"""`--cache-file`: kept for its owner and its own request, fetched once by runs that come together, a failure shared by them.

The far end holds the subject token back until every run has the lock file open, so that nothing here depends on time.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from standins.loopback import Answer, Loopback
from standins.sts import DEPLOYER
from support.impersonation import FIRST, grant_chain
from support.processes import until
from test_concurrency import have_open

RUNS = 20


@pytest.fixture
def cached(commands, issuer, audience, tmp_path):
    """A file-sourced configuration, and the cache file's path."""
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")})
    return tmp_path / "cache.json"


def test_a_fresh_one_answers_without_any_request(commands, sts, cached):
    """In each form; it is for its owner alone."""
    token = commands.output("access-token", f"--cache-file={cached}")
    assert stat.S_IMODE(cached.stat().st_mode) == 0o600
    before = cached.read_bytes()
    assert commands.output("access-token", f"--cache-file={cached}") == token
    assert commands.output("access-token", f"--cache-file={cached}", "--format=header") == f"Authorization: Bearer {token}"
    document = json.loads(commands.output("access-token", f"--cache-file={cached}", "--format=json"))
    assert document["access_token"] == token and abs(document["expiration_time"] - time.time() - 3600) < 10
    assert len(sts.requests) == 2 and cached.read_bytes() == before


@pytest.mark.parametrize("options", [["--scope=bigquery"], ["--lifetime=900"], [f"--delegate={FIRST}"]])
def test_another_request_fetches_anew(commands, sts, audience, cached, options):
    """The kept token would be of other scopes, of another life, by another way."""
    grant_chain(sts, audience, FIRST, DEPLOYER)
    first = commands.output("access-token", f"--cache-file={cached}")
    assert commands.output("access-token", f"--cache-file={cached}", *options) not in (first, "")
    assert len(sts.iam.calls) == 2


@pytest.mark.parametrize("content", ["", "{}", "\0" * 4096, "[1]", '{"access_token":"ya29.planted","expiration_time":4000000000}'])
def test_a_file_that_is_not_ours_is_replaced(commands, sts, cached, content):
    """Nothing of it is used."""
    cached.write_text(content)
    assert commands.output("access-token", f"--cache-file={cached}") in sts.impersonated
    assert json.loads(cached.read_text())["access_token"] in sts.impersonated


@pytest.mark.parametrize("left, used", [(400, True), (299, False)])
def test_what_ends_within_five_minutes_is_renewed(commands, sts, cached, left, used):
    """Whoever gets a token has to be able to use it."""
    token = commands.output("access-token", f"--cache-file={cached}")
    document = json.loads(cached.read_text())
    cached.write_text(json.dumps(document | {"expiration_time": int(time.time()) + left}))
    assert (commands.output("access-token", f"--cache-file={cached}") == token) == used


def crowd(commands, audience, cached, answer):
    """Starts runs that all need the one subject token, lets `answer` give it when all wait, and returns how they ended."""
    opened = threading.Event()

    def held(request):
        opened.wait(60)
        return answer

    with Loopback(held) as server:
        commands.configure(audience, {"url": server.url})
        env = commands.program.environment({"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)})
        words = [str(commands.program.path), "access-token", f"--cache-file={cached}", "--timeout=60"]
        children = [subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True) for _ in range(RUNS)]  # fmt: skip
        try:
            lock = f"{cached}.lock"
            until(lambda: server.requests and have_open(lock, children) == RUNS, "all at the lock", seconds=60)
            opened.set()
            with ThreadPoolExecutor(RUNS) as pool:
                ends = list(pool.map(lambda child: (*child.communicate(timeout=60), child.returncode), children))
        finally:
            for child in children:
                child.kill()
        assert len(server.requests) == 1
    assert len(set(ends)) == 1, ends
    return ends[0]


def test_a_crowd_fetches_once(commands, sts, issuer, audience, cached):
    """One subject token, one exchange, one impersonation, one answer."""
    stdout, stderr, status = crowd(commands, audience, cached, Answer(200, issuer.token("https:" + audience)))
    assert (status, stderr) == (0, "") and sts.impersonated[stdout] == DEPLOYER
    assert (len(sts.exchanges), len(sts.iam.calls)) == (1, 1)
    assert sorted(name for name in os.listdir(cached.parent) if name.startswith("cache")) == ["cache.json", "cache.json.lock"]


def test_a_crowd_shares_a_failure(commands, sts, audience, cached):
    """Nobody hammers a far end that said no; the next run asks again."""
    stdout, stderr, status = crowd(commands, audience, cached, Answer(403, {"message": "not today"}))
    assert (status, stdout) == (5, "") and "not today" in stderr and sts.requests == []
    assert "nothing listens" in commands.refused("UNREACHABLE", "access-token", f"--cache-file={cached}")
