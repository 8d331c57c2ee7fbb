"""Runs a command on a terminal of its own, as a person would, and keeps all that the terminal showed."""

from __future__ import annotations

import os
import pty
import subprocess
import threading


def on_terminal(command: list, env: dict[str, str], seconds: float = 60) -> tuple[int, str]:
    """Exit status and the terminal's text; stdin, stdout and stderr are the terminal."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read():
        try:
            while piece := os.read(ours, 65536):
                shown.append(piece)
        except OSError:
            """Linux reports the closing of the other side as an error."""

    child = subprocess.Popen([str(word) for word in command], env=env, stdin=theirs, stdout=theirs, stderr=theirs,
                             start_new_session=True)  # fmt: skip
    os.close(theirs)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        status = child.wait(seconds)
        reader.join(5)
        # A terminal that something still holds open would keep every client waiting.
        assert not reader.is_alive(), "a child of the command still holds the terminal"
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(ours)
    return status, b"".join(shown).decode(errors="replace").replace("\r\n", "\n")
