"""Servers as child processes: started in the foreground, awaited by a poll with a deadline, killed with their group."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator


@contextlib.contextmanager
def serving(command: list, log: Path, env: dict[str, str], ready: Callable[[], object], seconds: float = 20) -> Iterator:
    """Runs `command` until the block ends; `ready` is polled until it answers something true, which is yielded."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(word) for word in command], env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield until(ready, seconds, lambda: check_alive(server, log))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def check_alive(server: subprocess.Popen, log: Path):
    """Fails at once, with what it said, when a server has died."""
    if server.poll() is not None:
        raise AssertionError(f"{server.args[0]} ended with {server.returncode}:\n{log.read_text(errors='replace')[-3000:]}")


def until(condition: Callable[[], object], seconds: float, meanwhile: Callable[[], None] = lambda: None):
    """The first true answer of `condition`, asked every 20 ms until the deadline; its errors count as no."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        meanwhile()
        try:
            if answer := condition():
                return answer
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"nothing within {seconds} s; last error: {last}")


def free_port() -> int:
    """A port nobody uses now, for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
