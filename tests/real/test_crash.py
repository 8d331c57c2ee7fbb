"""A run killed at a system call leaves the old file or the new one, and the next run succeeds.

strace kills a run with SIGKILL at each system call in turn. It counts by call name and by thread, so the run is
traced once to learn how often a thread makes each call; then every (name, n) is one run that dies there and one that
follows. tests/storm does so at every call; otherwise at those by which a run opens, changes or closes files.
"""

import base64
import collections
import json
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from support.credential_files import CredentialFiles
from support.places import need
from support.program import JWT, token_of
from support.signer import some_token

ON_FILES = {"openat", "write", "fsync", "fchmod", "flock", "linkat", "rename", "renameat", "renameat2", "close", "exit_group"}


@pytest.fixture
def strace(asked):
    """Runs strace with these options on the program."""
    def run(options, words):
        command = [need("strace"), "-f", *options, asked.path, *words]
        return subprocess.run(command, env=asked.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def system_calls(strace, storm, tmp_path):
    """The system calls at which runs are killed."""
    def calls(words):
        found = traced(strace, tmp_path / "trace", words)
        return [(name, n) for name, n in found if storm or name in ON_FILES]

    return calls


def traced(strace, trace, words):
    """Traces a run, and returns every (name, n) in it: the n-th call with that name in the thread that makes most of
    them."""
    done = strace(["-o", trace], words)
    assert done.returncode == 0, done.stderr
    counts = collections.Counter()
    for (_, name), count in collections.Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.M)).items():
        counts[name] = max(counts[name], count)
    assert counts.pop("execve") == 1 and counts.keys() & {"rename", "renameat", "renameat2", "linkat"}, counts
    return [(name, n) for name, count in counts.items() for n in range(1, count + 1)]


def die_at_each(strace, calls, prepare, words, examine):
    """For each call, calls `prepare(folder)`, kills a run of `words(folder)` there, and calls `examine(folder, dead,
    where)`. Returns how many times `examine` returned each value."""
    def die_at(name, n):
        folder = prepare(f"{name}-{n}")
        dead = strace(["-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={n}"], words(folder))
        killed = dead.returncode in (-9, 137)
        return examine(folder, dead, f"killed at {name} {n}"), killed

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        seen = collections.Counter(one.result() for one in [pool.submit(die_at, *call) for call in calls])
    outlived = sum(count for (_, killed), count in seen.items() if not killed)
    assert outlived <= len(calls) / 20, f"too many runs survived the signal: {seen}"
    return collections.Counter(state for state, killed in seen.elements() if killed)


def test_the_output_file(asked, strace, system_calls, tmp_path):
    token = some_token()
    old = json.dumps({"version": 1, "success": True, "token_type": JWT,
                      "id_token": "old.old.old", "expiration_time": int(time.time()) - 900}).encode()

    def prepare(name):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "token").write_text(token)
        (folder / "out.json").write_bytes(old)
        return folder

    def words(folder):
        return ["file", f"--path={folder / 'token'}", f"--output-file={folder / 'out.json'}", "--timeout=60"]

    def examine(folder, dead, where):
        left = (folder / "out.json").read_bytes()
        assert left == old or token_of(json.loads(left)) == token, f"{where}: {left[:200]!r}"
        assert dead.stdout == "" or token_of(json.loads(dead.stdout)) == token, f"{where}: {dead.stdout!r}"
        for path in folder.iterdir():  # all other files that it left are private
            assert path.name in ("token", "out.json") or path.stat().st_mode & 0o077 == 0, f"{where}: {path}"
        after = asked.run(*words(folder))
        assert after.token == token and after.seconds < 30, f"the run waits for the killed run, {where}: {after}"
        assert token_of(json.loads((folder / "out.json").read_text())) == token
        assert {path.name for path in folder.iterdir()} <= {"token", "out.json", "out.json.lock"}, where
        return "old" if left == old else "new"

    calls = system_calls(words(prepare("traced")))
    seen = die_at_each(strace, calls, prepare, words, examine)
    assert seen["old"] > 10 and seen["new"] > 0, seen


def test_a_key_that_is_being_made(asked, strace, system_calls, tmp_path):
    """The next run finds no key or a complete one, and the JWKS next to it always belongs to that key."""
    def prepare(name):
        (tmp_path / name).mkdir()
        return tmp_path / name

    def words(folder):
        return ["key", f"--key={folder / 'k.pem'}", "--generate", "--issuer=https://i.example.test", "--subject=s"]

    def examine(folder, _, where):
        left = (folder / "k.pem").read_bytes() if (folder / "k.pem").exists() else None
        assert asked.run(*words(folder)).token, where
        now = (folder / "k.pem").read_bytes()
        assert left in (None, now) and (folder / "k.pem").stat().st_mode & 0o777 == 0o600, where
        x = load_pem_private_key(now, None).public_key().public_numbers().x.to_bytes(32, "big")
        keys = json.loads((folder / "k.jwks.json").read_text())["keys"]
        assert [key["x"] for key in keys] == [base64.urlsafe_b64encode(x).rstrip(b"=").decode()], where
        return "no key" if left is None else "a key"

    calls = system_calls(words(prepare("traced")))
    seen = die_at_each(strace, calls, prepare, words, examine)
    assert seen["no key"] > 10 and seen["a key"] > 0, seen


def test_a_refresh_token_that_is_replaced(asked, strace, storm, sts, ledger, audience, tmp_path):
    """The file is always complete. Once a file contains the new token, the next run uses it; before that, only Google
    has it.
    """
    oauth, names = sts.oauth, {"c.json", "c.json.lock", "token"}

    def prepare(name):
        (tmp_path / name).mkdir()
        files = CredentialFiles(tmp_path / name / "c.json", sts, ledger, audience, "unused")
        files.write("external_account_authorized_user")
        shutil.copy(files.path, tmp_path / f"{name}.json")
        return tmp_path / name

    def words(folder):
        return ["access-token", f"--credentials={folder / 'c.json'}", "--timeout=60"]

    def complete(path):
        try:
            return json.loads(path.read_text())["refresh_token"]
        except (ValueError, KeyError):
            return None

    def examine(folder, dead, where):
        before, left = (json.loads(path.read_text()) for path in (tmp_path / f"{folder.name}.json", folder / "c.json"))
        old, in_file = before.pop("refresh_token"), left.pop("refresh_token")
        assert left == before, where

        def current():
            if old not in oauth.replaced:
                return old
            (token,) = [token for token, user in oauth.users.items() if user is oauth.users[old] and token not in oauth.replaced]
            return token

        valid = current()
        on_disk = {complete(path) for path in folder.iterdir() if path.name != "token"}
        for path in folder.iterdir():
            assert path.name in names or path.stat().st_mode & 0o077 == 0, f"{where}: {path}"
        after = asked.run(*words(folder))
        if after.status != 0:
            # The request of the killed run may have arrived only now.
            assert current() not in on_disk and "sign in again" in after.stderr, f"{where}: {after.described()}"
            return "lost"
        assert {path.name for path in folder.iterdir()} <= names, where
        assert complete(folder / "c.json") not in oauth.replaced, where
        if valid in (old, in_file):
            return "old" if valid == old else "new"
        assert valid in oauth.replaced, f"{where}: the next run has not used the new token"
        return "recovered"

    folder = prepare("traced")
    found = traced(strace, tmp_path / "trace", words(folder))
    calls = [(name, n) for name, n in found if storm or name in ON_FILES]
    seen = die_at_each(strace, calls, prepare, words, examine)
    assert seen["old"] > 10 and seen["new"] > 0 and seen["recovered"] > 0, seen
