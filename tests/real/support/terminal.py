"""Runs a command on its own terminal, as a user would, and records the text of the terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from typing import Callable


def on_terminal(command: list, env: dict[str, str], seconds: float = 60,
                person: Callable[[str], object] = lambda text: True, **streams) -> tuple[int, str]:  # fmt: skip
    """Runs a command on a terminal; stdin, stdout and stderr are the terminal, except for `streams`. `person` reads the
    text whenever there is more of it, until it returns a true value. Returns the exit status and the text.
    """
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read():
        done = None
        try:
            while piece := os.read(ours, 65536):
                shown.append(piece)
                done = done or person(text_of(shown))
        except OSError:
            """Linux reports the closing of the other side as an error."""

    # setsid of util-linux starts a session whose controlling terminal, /dev/tty, is stdin.
    controlled = ["setsid", "--ctty", *map(str, command)]
    child = subprocess.Popen(controlled, env=env, **{"stdin": theirs, "stdout": theirs, "stderr": theirs, **streams})
    os.close(theirs)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        status = child.wait(seconds)
        reader.join(5)
        # A terminal that a process still has open would make every client wait.
        assert not reader.is_alive(), "a child of the command still holds the terminal"
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(ours)
    return status, text_of(shown)


def text_of(pieces: list[bytes]) -> str:
    """The text of a terminal, as lines."""
    return b"".join(pieces).decode(errors="replace").replace("\r\n", "\n")
