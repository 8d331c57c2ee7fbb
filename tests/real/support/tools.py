"""Runs the tools that get credentials from the program: git, pip, uv, cargo.

A tool finds the program in PATH under the names that it uses, and reaches Google's servers by the proxy of standins/guarded.py.
The output of a tool must not contain a token.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from standins.guarded import Guarded
from support.clients import ALLOW
from support.commands import Commands


@dataclass
class Tools:
    """The servers, the configuration of the program, and the folder with the files of the tools, which is their HOME.
    """

    folder: Path
    commands: Commands
    servers: Guarded
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        """The first folder of PATH."""
        return self.folder / "bin"

    def link(self, name: str):
        """Installs the program under this name."""
        self.bin.mkdir(exist_ok=True)
        (self.bin / name).symlink_to(self.commands.program.path)

    def script(self, name: str, text: str):
        """Installs a shell script under this name."""
        self.bin.mkdir(exist_ok=True)
        (self.bin / name).write_text("#!/bin/sh\n" + text)
        (self.bin / name).chmod(0o755)

    def run(self, *words, status: int | None = 0, env: dict[str, str] | None = None, **popen) -> subprocess.CompletedProcess:
        """Runs a tool. If an exit status is given, asserts that the tool ends with it."""
        found = self.commands.program.environment(self.servers.environment())
        found |= {"PATH": os.pathsep.join([str(self.bin), found["PATH"]]), "HOME": str(self.folder), ALLOW: "1",
                  "GOOGLE_APPLICATION_CREDENTIALS": str(self.commands.path), **self.variables, **(env or {})}  # fmt: skip
        settings = {"cwd": self.folder, "stdin": subprocess.DEVNULL, **popen}
        if "input" in settings:
            del settings["stdin"]
        words = [str(word) for word in words]
        done = subprocess.run(words, env=found, capture_output=True, text=True, timeout=120, **settings)
        ledger = self.commands.program.ledger
        for name, tokens in self.commands.seen().items():
            for number, token in enumerate(tokens):
                ledger.token(f"{name} {number}", token)
        ledger.note(f"the stdout of {words[0]}", done.stdout, may_hold_token=popen.get("input") is not None)
        ledger.note(f"the stderr of {words[0]}", done.stderr)
        assert status is None or done.returncode == status, f"{words} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done
