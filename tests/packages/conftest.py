"""Fixtures of the package tests: the packages that packaging/release builds from the current sources, and clean systems to install them
in. tests/packages/run runs them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
MANIFEST = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
VERSION = MANIFEST["version"]
# The URL at which the definitions expect the files of a release.
DOWNLOAD = f"{MANIFEST['repository']}/releases/download/v{VERSION}"
CACHE = Path(
    os.environ.get("WIF_TOKEN_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wif-token-tests"
)
BUILDS = CACHE / "release-builds"
# A JWT that is valid until 2100.
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"


def run(*command, env: dict | None = None, check: bool = True, **more) -> subprocess.CompletedProcess:
    """Runs a command and returns the result; if the command fails, the test fails and shows the command and its output."""
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | (env or {}), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, **{"timeout": 120} | more)  # fmt: skip
    assert done.returncode == 0 or not check, f"{command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def documentation() -> set[str]:
    """The files in the documentation folder of every package, according to packaging/documentation.txt."""
    listed = [line for line in (PACKAGING / "documentation.txt").read_text().splitlines() if not line.startswith("#")]
    found = (path for name in listed for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found}


def files() -> list[Path]:
    """The project's own files."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT).stdout.split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def release() -> Path:
    """The output folder of packaging/release."""
    return Path(run(ROOT / "tests" / "packages" / "release", timeout=3600).stdout.strip()) / "release"


class System:
    """A clean Debian in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        run("tar", "--extract", "--file", CACHE / "root.tar", "--directory", folder)

    def run(self, *command, check: bool = True, user: str = "root", env: dict | None = None) -> subprocess.CompletedProcess:
        """Runs a command in the system, with no variable of this machine's environment."""
        variables = [f"{name}={value}" for name, value in ({"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | (env or {})).items()]
        return run("chroot", f"--userspec={user}", self.folder, "env", "-i", *variables, *command, check=check)

    def put(self, name: str, content: str | Path) -> None:
        """Puts a file into the system."""
        path = self.folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read_bytes() if isinstance(content, Path) else content.encode())

    def files(self) -> set[str]:
        """Every file and folder of the system."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@pytest.fixture
def system(tmp_path):
    """A clean Debian."""
    found = System(tmp_path / "system")
    yield found
    shutil.rmtree(found.folder, ignore_errors=True)


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpacks an archive, and returns its only folder."""
    run("tar", "--extract", "--gzip", "--file", archive, "--directory", folder)
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="session")
def static(release, tmp_path_factory) -> Path:
    """The unpacked archive of the static program."""
    return unpacked(release / f"wif-token-{VERSION}-linux-x86_64.tar.gz", tmp_path_factory.mktemp("static"))


@pytest.fixture(scope="session")
def definitions(release, tmp_path_factory) -> Path:
    """The definitions of the release, for package managers, the setup action and the dev container feature."""
    return unpacked(release / f"wif-token-{VERSION}-distribution.tar.gz", tmp_path_factory.mktemp("definitions"))
