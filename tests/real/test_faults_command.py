"""The `command` source and processes that do not end: no process of the program survives it or keeps the stdout of the client open."""

import os
import signal

import pytest

from support.processes import alive, until
from support.signer import some_token

TOKEN = some_token()
DEADLINE = 2

# Writes its own process ID and that of a grandchild, and then runs the last words of the test.
FAMILY = 'sleep 300 & echo $! $$ > "$0.new" && mv "$0.new" "$0"; '


@pytest.fixture
def hurried(asked):
    """The program with the timeout of these tests."""
    return asked.killed_after(DEADLINE)


def shell(tmp_path, last_words):
    return ["command", f"--timeout={DEADLINE}", "--", "/bin/sh", "-c", FAMILY + last_words, str(tmp_path / "pids")]


def pids(tmp_path):
    path = tmp_path / "pids"
    found = until(lambda: path.exists() and path.read_text().split(), "the command has started")
    return [int(pid) for pid in found]


def all_gone(tmp_path):
    family = pids(tmp_path)
    try:
        until(lambda: not any(alive(pid) for pid in family), "the command and its child have ended", seconds=30)
    finally:
        for pid in filter(alive, family):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("last_words", ["wait", "exec sleep 300", "trap '' TERM; wait; sleep 300"],
                         ids=["waits", "hangs", "ignores SIGTERM"])
def test_a_command_that_hangs_is_killed_with_its_children(hurried, tmp_path, last_words):
    done = hurried.run(*shell(tmp_path, last_words))
    assert "--timeout" in done.failed("UNREACHABLE") and done.seconds > DEADLINE / 2, done
    all_gone(tmp_path)


def test_a_child_that_keeps_the_stdout_of_the_command_open_does_not_delay_the_program(hurried, tmp_path):
    """The command has printed its token and ended, but its child still has the pipe open."""
    assert hurried.run(*shell(tmp_path, f"echo {TOKEN}")).token == TOKEN
    all_gone(tmp_path)


def test_a_child_in_another_session_does_not_keep_our_stdout_open(hurried, tmp_path):
    """The child is not in the process group. The output of the command is used without waiting for it."""
    escaped = f"setsid sh -c 'echo $$ > {tmp_path}/escaped; exec sleep 300' & "
    done = hurried.run("command", f"--timeout={DEADLINE}", "--", "/bin/sh", "-c",
                       escaped + f"while [ ! -s {tmp_path}/escaped ]; do :; done; echo {TOKEN}")
    os.kill(int((tmp_path / "escaped").read_text()), signal.SIGKILL)
    assert done.token == TOKEN


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda word: word.name)
def test_a_run_that_is_terminated_kills_its_command(asked, tmp_path, word):
    # A signal can be ignored in the environment of the tests, such as in the background of a shell.
    before = signal.signal(word, signal.SIG_DFL)
    try:
        child = asked.start(*[w.replace(f"--timeout={DEADLINE}", "--timeout=60") for w in shell(tmp_path, "wait")])
    finally:
        signal.signal(word, before)
    try:
        pids(tmp_path)
        child.send_signal(word)
        done = asked.finish(child, timeout=30)
        assert done.status != 0 and TOKEN not in done.stdout, done
    finally:
        child.kill()
    all_gone(tmp_path)


def test_stderr_of_the_command_is_never_printed(asked):
    done = asked.run("command", "--", "/bin/sh", "-c", f"echo noise >&2; echo {TOKEN}")
    assert done.token == TOKEN
    failed = asked.run("command", "--", "/bin/sh", "-c", "echo fixture-noise >&2; exit 3")
    assert "fixture-noise" not in failed.stderr + failed.stdout and failed.status != 0


def test_an_endless_output_is_not_read_to_the_end(asked):
    done = asked.run("command", "--timeout=10", "--", "/usr/bin/yes")
    done.failed("PROTOCOL")
