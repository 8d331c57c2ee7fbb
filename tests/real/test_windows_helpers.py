"""The credentials, the private cache and the credential helpers of the Windows build, under Wine.

Wine takes APPDATA and LOCALAPPDATA from its registry, whatever the caller sets. It has its own network for the metadata server, without a
route to other networks.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from servers.namespace import namespace
from standins.sts import DEPLOYER
from support.clients import ALLOW
from support.commands import Commands
from support.program import Run
from support.windows import WindowsProgram, Wine, others_may_read, wine

FIRMWARE = r"HKLM\SYSTEM\HardwareConfig\Current"
DOCKER, GIT, CARGO = "europe-docker.pkg.dev", "source.developers.google.com", "sparse+https://europe-cargo.pkg.dev/p/r/"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Wine for this file."""
    with wine(tmp_path_factory.mktemp("windows")) as found:
        yield found


@dataclass
class User:
    """A user of Windows, whose folders are in the registry, with credentials."""

    running: Wine
    folder: Path
    commands: Commands

    @property
    def cache(self) -> Path:
        """The private cache."""
        return self.folder / "Local" / "wif-token"

    @property
    def well_known(self) -> Path:
        """The credential file that gcloud writes."""
        return self.folder / "Roaming" / "gcloud" / "application_default_credentials.json"

    def cached(self) -> list[str]:
        """The types of the files in the cache."""
        return sorted(path.name.rpartition("-")[0] for path in self.cache.iterdir() if path.suffix == ".json")

    def run(self, name: str, *words, given: bytes = b"") -> Run:
        """Runs the program under this name with this standard input; the leak scan then knows what Google returned."""
        program = replace(self.commands.program, path=self.running.named(name))
        stdin = self.folder / "stdin"
        stdin.write_bytes(given)
        with stdin.open("rb") as opened:
            run = program.finish(program.start(*words, env={ALLOW: "1"}, stdin=opened), timeout=60)
        for kind, tokens in self.commands.seen().items():
            for number, token in enumerate(tokens):
                program.ledger.token(f"{kind} {number}", token)
        return run


@pytest.fixture
def user(running, tmp_path, ledger, sts, issuer, audience) -> User:
    """A user with the well-known file."""
    folder = tmp_path / "user"
    for name in ("Roaming/gcloud", "Local"):
        (folder / name).mkdir(parents=True)
    for variable, name in (("APPDATA", "Roaming"), ("LOCALAPPDATA", "Local")):
        path = f"Z:{folder / name}".replace("/", "\\")
        running.run("reg", "add", r"HKCU\Volatile Environment", "/v", variable, "/d", path, "/f")
    found = User(running, folder, Commands(tmp_path, WindowsProgram(folder, ledger, running.program), sts))
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    shutil.move(found.commands.configure(audience, {"file": str(tmp_path / "token")}), found.well_known)
    return found


def test_the_well_known_file_and_the_private_cache(user, sts):
    """The file is found in APPDATA, and the second run uses the cache in LOCALAPPDATA."""
    first, second = (user.run("wif-token", "access-token") for _ in range(2))
    assert (first.status, first.stderr) == (0, "") and sts.impersonated[first.stdout] == DEPLOYER, first.described()
    assert second.stdout == first.stdout and len(sts.requests) == 2
    assert user.cached() == ["access-token", "access-token"]


def test_what_is_cached_is_private(user):
    """Everyone may read the folder, but not the file, even after it is replaced."""
    for _ in range(2):
        assert user.run("wif-token", "access-token").status == 0
        made = {path.name: others_may_read(path) for path in user.cache.iterdir()}
        assert set(made.values()) == {False} and {Path(name).suffix for name in made} == {".json", ".lock"}
        for path in user.cache.glob("*.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"expiration_time": int(time.time()) - 1}))
            path.chmod(0o644)


def test_old_files_are_removed(user):
    """A run that adds a file removes them, except those of other programs."""
    user.cache.mkdir()
    name = "access-token-" + 64 * "0"
    old = [user.cache / file for file in (f"{name}.json", f"{name}.json.lock", "access-token-1.json")]
    for path in old:
        path.write_text("{}")
        os.utime(path, (0, time.time() - 8 * 24 * 3600))
    assert user.run("wif-token", "access-token").status == 0
    assert [path.exists() for path in old] == [False, False, True]


def test_no_credentials(user):
    """The message contains the place of the well-known file."""
    user.well_known.unlink()
    run = user.run("wif-token", "access-token")
    assert run.status == 3 and r"Roaming\gcloud\application_default_credentials.json does not exist" in run.stderr


@pytest.mark.parametrize("name, words", [("wif-token", ["helper", "docker", "get"]), ("docker-credential-wif-token", ["get"]),
                                         ("docker-credential-gcp", ["get"])])  # fmt: skip
def test_docker(user, sts, name, words):
    """docker starts the program by its name, and writes the registry without a line break."""
    run = user.run(name, *words, given=f"https://{DOCKER}".encode())
    assert (run.status, run.stderr) == (0, ""), run.described()
    found = json.loads(run.stdout)
    assert found["ServerURL"] == f"https://{DOCKER}" and found["Username"] == "oauth2accesstoken"
    assert sts.impersonated[found["Secret"]] == DEPLOYER


def test_docker_at_another_registry(user, sts):
    """After this text and this status, docker continues without credentials."""
    run = user.run("docker-credential-wif-token", "get", given=b"registry.example.test\r\n")
    assert (run.status, run.stdout, run.stderr) == (1, "credentials not found in native keychain\n", "") and sts.requests == []


def test_git(user, sts):
    """git starts the program by its name. It writes line feeds on Windows too, and so does the program."""
    run = user.run("git-credential-wif-token", "get", given=f"protocol=https\nhost={GIT}\n\n".encode())
    assert (run.status, run.stderr) == (0, "") and "\r" not in run.stdout, run.described()
    assert sts.impersonated[dict(line.split("=", 1) for line in run.stdout.splitlines())["password"]] == DEPLOYER


def test_cargo(user, sts):
    """cargo starts the program by its name. Three requests on one standard input cause one exchange."""
    request = {"v": 1, "registry": {"index-url": CARGO}, "kind": "get", "operation": "read", "args": []}
    run = user.run("cargo-credential-wif-token", "--cargo-plugin", given=(json.dumps(request) + "\n").encode() * 3)
    assert (run.status, run.stderr) == (0, ""), run.described()
    hello, *answers = map(json.loads, run.stdout.splitlines())
    assert hello == {"v": [1]} and len(answers) == 3
    assert {sts.impersonated[answer["Ok"]["token"].removeprefix("Bearer ")] for answer in answers} == {DEPLOYER}
    assert len(sts.exchanges) == 1


@pytest.mark.parametrize("given, word", [(b"", "does not contain"), (b"\xff", "UTF-8"), (b"a\0b", "control"), (b"a" * 65537, "64 KiB")])
def test_unusable_standard_input(user, sts, given, word):
    """docker shows the line, and no request is sent."""
    run = user.run("docker-credential-wif-token", "get", given=given)
    assert run.status == 1 and word in run.stderr and run.stderr.count("\n") == 1 and run.stdout == run.stderr
    assert sts.requests == []


@pytest.fixture
def isolated(tmp_path, ledger):
    """The program on another Windows, from which no server can be reached, and that Windows."""
    with namespace() as space, wine(tmp_path, space.prefix) as found:
        home = tmp_path / "home"
        home.mkdir()
        yield WindowsProgram(home, ledger, found.program), found


def test_the_firmware_identifies_the_host(isolated):
    """The product name decides whether the program asks the metadata server, as with Google's libraries."""
    program, running = isolated
    for product, asks in (("Google Compute Engine", True), ("Google", True), ("Other Google", False)):
        running.run("reg", "add", FIRMWARE, "/v", "SystemProductName", "/d", product, "/f")
        run = program.run("access-token", "--timeout=5")
        assert ("http://169.254.169.254" in run.stderr) == asks and run.status == (6 if asks else 3), run.described()
    running.run("reg", "delete", FIRMWARE, "/v", "SystemProductName", "/f")
    assert "is not a Google Cloud host" in program.run("access-token").stderr
