"""Runs docker, skopeo, podman and buildah with `docker-credential-wif-token` in PATH, as the packages install it.

The tools run in a mount namespace whose /etc/hosts maps the names of registries to loopback: a helper gives a token to Google's
own hosts only on port 443, and these tests must not need an exception.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from servers.namespace import own_mounts
from support.commands import Commands
from support.places import SYSTEM_PATH, need
from support.program import Program

TOOLS = ("docker", "skopeo", "podman", "buildah")


@dataclass(frozen=True)
class Outcome:
    """How a tool ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """Everything that the tool printed."""
        return self.stdout + self.stderr


class Containers:
    """The tools with one login file; the leak scan sees what they print."""

    def __init__(self, folder: Path, commands: Commands, hosts: dict[str, str], authorities: Path):
        self.folder, self.commands, self.authorities = folder, commands, authorities
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        (self.bin / "wif-token").symlink_to(self.program.path)
        (self.bin / "docker-credential-wif-token").symlink_to("wif-token")
        names = folder / "hosts"
        names.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in hosts.items()))
        self.prefix = own_mounts(f"mount --bind {names} /etc/hosts")
        # podman refuses a long path here.
        self.state = tempfile.TemporaryDirectory(prefix="wif-", ignore_cleanup_errors=True)

    @property
    def program(self) -> Program:
        """The program under test."""
        return self.commands.program

    @property
    def login_file(self) -> Path:
        """The login file of docker, which the others can read too."""
        return self.folder / "config.json"

    def configure(self, **members):
        """Writes the login file."""
        self.login_file.write_text(json.dumps(members))

    def helper(self, name: str, *words) -> str:
        """Writes a program docker-credential-NAME, as docs/helpers/docker.md shows it, with these words before
        `wif-token helper docker` or these options after it.
        """
        before, options = [word for word in words if not word.startswith("--")], [word for word in words if word.startswith("--")]
        path = self.bin / f"docker-credential-{name}"
        path.write_text(f'#!/bin/sh\nexec {" ".join([*before, "wif-token", "helper", "docker", *options])} "$@"\n')
        path.chmod(0o755)
        return name

    def environment(self) -> dict[str, str]:
        """The environment of the tools, which the helper inherits."""
        path = os.pathsep.join([str(self.bin), SYSTEM_PATH])
        found = {"PATH": path, "SSL_CERT_FILE": str(self.authorities), "TMPDIR": self.state.name}
        return self.program.environment(found | {"GOOGLE_APPLICATION_CREDENTIALS": str(self.commands.path)})

    def run(self, tool: str, *words, env: dict[str, str] | None = None) -> Outcome:
        """Runs one tool to its end."""
        state = ("--root", f"{self.state.name}/root", "--runroot", f"{self.state.name}/run", "--storage-driver=vfs")
        first = {"docker": ("--config", self.folder), "podman": (*state, "--events-backend=file"), "buildah": state}.get(tool, ())
        done = subprocess.run(
            [str(word) for word in (*self.prefix, need(tool), *first, *words)], env=self.environment() | (env or {}), cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        self.note(f"what {tool} said", done.stdout + done.stderr)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def note(self, where: str, text: str):
        """Registers a text for the leak scan, which then knows every token so far."""
        self.program.ledger.note(where, text)
        for name, tokens in self.commands.seen().items():
            for number, token in enumerate(tokens):
                self.program.ledger.token(f"{name} {number}", token)

    def read(self, tool: str, image: str) -> Outcome:
        """Reads the manifest of an image, or the whole image."""
        login = f"--authfile={self.login_file}"
        match tool:
            case "docker":
                return self.run(tool, "manifest", "inspect", image)
            case "skopeo":
                return self.run(tool, "inspect", "--raw", login, f"docker://{image}")
            case _:
                return self.run(tool, "pull", *(["--policy=always"] if tool == "buildah" else []), login, image)

    def close(self):
        """Removes the files that podman stores."""
        with suppress(OSError):
            self.state.cleanup()
