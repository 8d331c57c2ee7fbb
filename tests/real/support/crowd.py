"""Many runs at once, all of which wait for one lock before the server responds. `/proc` shows which of them have opened it, so there are
no sleeps."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.processes import until
from support.program import Program, Run


def have_open(path: Path, children: list) -> int:
    """The number of these processes that have `path` open."""
    def holds(child) -> bool:
        try:
            folder = f"/proc/{child.pid}/fd"
            return any(os.path.samefile(f"{folder}/{fd}", path) for fd in os.listdir(folder))
        except OSError:
            return False

    return sum(holds(child) for child in children)


def crowd(program: Program, runs: int, words: tuple, kept: Path, far, opened: threading.Event, **start) -> list[Run]:
    """Starts this many runs, and sets `opened` once `far` has received a request and all runs wait for the lock of the
    file `kept`. Returns how the runs ended, and how long after that.
    """
    children = [program.start(*words, "--timeout=60", **start) for _ in range(runs)]
    try:
        until(lambda: far.requests and have_open(Path(f"{kept}.lock"), children) == runs, f"{runs} runs at the lock", seconds=60)
        began = time.monotonic()
        opened.set()
        with ThreadPoolExecutor(runs) as pool:
            return list(pool.map(lambda child: program.finish(child, began), children))
    finally:
        for child in children:
            child.kill()
