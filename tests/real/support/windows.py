"""The Windows build of the program under Wine: built by packaging/windows/build, run like the Linux one.

Wine's prefix and the missing library are made by tests/real/install; one wineserver serves a whole run of the tests, and all
that Wine started ends with it. WIF_TOKEN_WINDOWS_BIN names an .exe that is built already.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

from support.places import CACHE, HERE, SYSTEM_PATH, need
from support.processes import serving
from support_net import missing

WINE = Path("/usr/lib/wine/wine64")
LIBRARY = CACHE / "wine" / "bcryptprimitives.dll"
SETTINGS = {"WINEPREFIX": str(CACHE / "wine" / "prefix"), "WINEARCH": "win64", "WINEDEBUG": "-all"}
WRAPPER = """#!/bin/sh
# A client's command line has no room for Wine's settings.
export {settings}
exec {wine} {program} "$@"
"""


def build() -> Path:
    """The .exe of the sources as they are now."""
    if given := os.environ.get("WIF_TOKEN_WINDOWS_BIN"):
        return Path(given).resolve()
    need("x86_64-w64-mingw32-gcc")
    script = HERE.parent.parent / "packaging" / "windows" / "build"
    env = os.environ | {"CARGO_TARGET_DIR": str(CACHE / "windows")}
    done = subprocess.run([script], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Path(done.stdout.strip())


@contextlib.contextmanager
def wine(folder: Path) -> Iterator[Path]:
    """A command that runs the .exe, until the block ends."""
    if not (WINE.exists() and LIBRARY.exists()):
        missing("Wine is not here: run tests/real/install")
    for found in (build(), LIBRARY):
        shutil.copy(found, folder)
    command = folder / "wif-token"
    settings = " ".join(f"{name}='{value}'" for name, value in SETTINGS.items())
    command.write_text(WRAPPER.format(settings=settings, wine=WINE, program=folder / "wif-token.exe"))
    command.chmod(0o755)
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder), **SETTINGS}

    def ready() -> bool:
        # Not through pipes: the first call starts Wine's services, which keep whatever they inherit.
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run([command, "--version"], env=env, **quiet, timeout=60, check=False).returncode == 0

    server = need("wineserver")
    with serving([server, "-f", "-p"], folder / "wineserver.log", env, ready, seconds=60):
        try:
            yield command
        finally:  # Wine's services too, which outlive a server that is merely killed
            subprocess.run([server, "-k"], env=env, stdin=subprocess.DEVNULL, timeout=30, check=False)
