"""The Windows build of the program under Wine: built by packaging/windows/build, run like the Linux one.

Wine's prefix and the missing library are made by tests/real/install; each test file has its own registry and one wineserver, and all
processes of Wine end with it. WIF_TOKEN_WINDOWS_BIN names an .exe that is built already.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator

from support.places import CACHE, HERE, SYSTEM_PATH, missing, need
from support.processes import serving
from support.program import Program, Run

WINE = Path("/usr/lib/wine/wine64")
LIBRARY = CACHE / "wine" / "bcryptprimitives.dll"
PREFIX = CACHE / "wine" / "prefix"
WRAPPER = """#!/bin/sh
# A client's command line has no room for Wine's settings.
export {settings}
exec {wine} {program} "$@"
"""

# Wine sometimes prints this to stderr if a process ends while one of its threads calls the wineserver.
OVERTAKEN = re.compile(r"^wine client error:[0-9a-f]+: .*\n?", re.MULTILINE)


class WindowsProgram(Program):
    """The program under Wine."""

    def run(self, *arguments, **more) -> Run:
        """Runs the program to its end. Rarely, Wine does not start it and exits with 1; then it is run again."""
        run = super().run(*arguments, **more)
        was_started = run.status != 1 or run.stdout or run.stderr
        return run if was_started else super().run(*arguments, **more)

    def finish(self, *arguments, **more) -> Run:
        """Waits for the end of a run, and removes the messages of Wine itself."""
        run = super().finish(*arguments, **more)
        return replace(run, stderr=OVERTAKEN.sub("", run.stderr))


@dataclass
class Wine:
    """Wine with its own registry."""

    folder: Path
    launcher: tuple[str, ...]
    settings: dict[str, str]

    @property
    def program(self) -> Path:
        """A command that runs the .exe."""
        return self.folder / "wif-token"

    def named(self, name: str) -> Path:
        """A command that runs the .exe under this name."""
        if not (self.folder / name).exists():
            program = self.folder / f"{name}.exe"
            if not program.exists():
                shutil.copy(self.folder / "wif-token.exe", program)
            exported = " ".join(f"{variable}='{value}'" for variable, value in self.settings.items())
            command = " ".join(map(str, [*self.launcher, WINE]))
            (self.folder / name).write_text(WRAPPER.format(settings=exported, wine=command, program=program))
            (self.folder / name).chmod(0o755)
        return self.folder / name

    def start(self, *command, **popen) -> subprocess.Popen:
        """Starts another Windows program."""
        env = {"PATH": SYSTEM_PATH, "HOME": str(self.folder), **self.settings}
        return subprocess.Popen([*self.launcher, WINE, *command], env=env, text=True, cwd=self.folder, **popen)

    def tool(self, name: str, *libraries: str) -> Path:
        """Compiles a program for Windows from tests/real/windows."""
        made = self.folder / f"{name}.exe"
        command = [need("x86_64-w64-mingw32-gcc"), "-municode", "-O2", "-o", made, HERE / "windows" / f"{name}.c", *libraries]
        subprocess.run(command, check=True)
        return made

    def run(self, *command):
        """Runs a program to its end; it must succeed."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with self.start(*command, **quiet) as child:
            said, _ = child.communicate(timeout=60)
        assert child.returncode == 0, f"{command} -> {child.returncode}: {said}"


def others_may_read(path: Path) -> bool:
    """Whether Wine's mode of a file shows access for others. Wine shows an access control list as a mode, in which the
    group has the rights of the user of the process.
    """
    mode = path.stat().st_mode
    assert mode & 0o600 == 0o600, f"its owner may not use {path}"
    return mode & 0o007 != 0


def prefix(folder: Path) -> Path:
    """Copies the files of Wine from the cache, with a registry that can be written."""
    made = folder / "prefix"
    made.mkdir()
    for name in (".update-timestamp", "system.reg", "user.reg", "userdef.reg"):
        shutil.copy(PREFIX / name, made)
    shutil.copytree(PREFIX / "dosdevices", made / "dosdevices", symlinks=True)
    (made / "drive_c").symlink_to(PREFIX / "drive_c")
    return made


def build() -> Path:
    """Builds the .exe of the current sources, unless WIF_TOKEN_WINDOWS_BIN names one, and returns its path."""
    if given := os.environ.get("WIF_TOKEN_WINDOWS_BIN"):
        return Path(given).resolve()
    need("x86_64-w64-mingw32-gcc")
    script = HERE.parent.parent / "packaging" / "windows" / "build"
    env = os.environ | {"CARGO_TARGET_DIR": str(CACHE / "release-builds" / "windows")}
    done = subprocess.run([script], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Path(done.stdout.strip())


@contextlib.contextmanager
def wine(folder: Path, launcher: tuple[str, ...] = ()) -> Iterator[Wine]:
    """Runs Wine until the block ends; `launcher` runs it elsewhere, such as in a network namespace."""
    if not (WINE.exists() and LIBRARY.exists()):
        missing("Wine is not installed: run tests/real/install")
    for found in (build(), LIBRARY):
        shutil.copy(found, folder)
    settings = {"WINEPREFIX": str(prefix(folder)), "WINEARCH": "win64", "WINEDEBUG": "-all"}
    found = Wine(folder, launcher, settings)
    found.named("wif-token")
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder), **settings}

    def ready() -> bool:
        # The streams are not pipes, because the first call starts Wine's services, which keep inherited files open.
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run([found.program, "--version"], env=env, **quiet, timeout=60, check=False).returncode == 0

    server = need("wineserver")
    with serving([*launcher, server, "-f", "-p"], folder / "wineserver.log", env, ready, seconds=60):
        try:
            yield found
        finally:  # this also ends Wine's services, which would outlive a killed server
            subprocess.run([*launcher, server, "-k"], env=env, stdin=subprocess.DEVNULL, timeout=30, check=False)
