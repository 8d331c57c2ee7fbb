"""Child processes: servers that run in the foreground, a poll with a deadline until they are ready, the end of their process group, and
unused ports."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator


@contextlib.contextmanager
def serving(command: list, log: Path, env: dict[str, str], ready: Callable[[], object], seconds: float = 60) -> Iterator:
    """Runs `command` until the block ends; `ready` is polled until it returns a true value, which is yielded."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(word) for word in command], env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield until(ready, f"{command[0]} is ready", seconds, lambda: check_alive(server, log))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def check_alive(server: subprocess.Popen, log: Path):
    """Fails at once, with the output of the server, if the server has ended."""
    if server.poll() is not None:
        raise AssertionError(f"{server.args[0]} ended with {server.returncode}:\n{log.read_text(errors='replace')[-3000:]}")


def until(condition: Callable[[], object], what: str, seconds: float = 30, meanwhile: Callable[[], None] = lambda: None):
    """Polls `condition` until it returns a true value, which is returned; an error counts as false. Fails after
    `seconds` with a description."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        meanwhile()
        try:
            if answer := condition():
                return answer
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.01)
    raise AssertionError(f"still not true after {seconds} s: {what}; last error: {last}")


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a process accepts connections at this port."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


class Ports:
    """Ports for servers that cannot choose one themselves: a block of them that belongs to this process.

    A port that was merely free a moment ago could be taken by another worker, or by any connection, before the server binds it.
    So the blocks are below the ports that the system chooses itself, and the first port of a block stays bound while the process
    runs, which tells other processes that the block is taken.
    """

    BLOCKS, SIZE = range(12000, 32000, 200), 200

    def __init__(self):
        for first in self.BLOCKS:
            self.claim = socket.socket()
            try:
                self.claim.bind(("127.0.0.1", first))
                break
            except OSError:
                self.claim.close()
        else:
            raise AssertionError("no block of ports is free")
        self.block = itertools.cycle(range(first + 1, first + self.SIZE))

    def next(self) -> int:
        """The next port of the block on which nobody listens."""
        return next(port for port in itertools.islice(self.block, self.SIZE) if unused(port))


def unused(port: int) -> bool:
    """Whether a server could listen on this port."""
    with socket.socket() as probe:
        # Servers set this option too, so that closed connections of an earlier server do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@functools.cache
def ports() -> Ports:
    """The ports of this process."""
    return Ports()


def free_ports(count: int) -> list[int]:
    """Returns different unused ports, for servers that cannot choose one themselves."""
    return [ports().next() for _ in range(count)]


def free_port() -> int:
    """Returns an unused port."""
    return free_ports(1)[0]
