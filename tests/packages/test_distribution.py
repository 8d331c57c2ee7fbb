"""The definitions of package managers, each read or run by its own tool."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml

from conftest import DOWNLOAD, MANIFEST, PACKAGING, VERSION, documentation, run, unpacked

# The files that the release workflow adds from other systems.
NATIVE = ("macos-aarch64.tar.gz", "macos-x86_64.tar.gz", "windows-aarch64.zip")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def sums(folder: Path) -> dict[str, str]:
    """The checksums of a release, by file name."""
    return dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())


@pytest.fixture(scope="module")
def complete(release, tmp_path_factory):
    """The checksums of a release that includes the programs of other systems, and its definitions."""
    folder = tmp_path_factory.mktemp("complete")
    lines = [f"{hashlib.sha256(name.encode()).hexdigest()}  wif-token-{VERSION}-{name}\n" for name in NATIVE]
    (folder / "SHA256SUMS").write_text((release / "SHA256SUMS").read_text() + "".join(lines))
    archive = folder / f"wif-token-{VERSION}-distribution.tar.gz"
    run(PACKAGING / "distribution" / "build", folder, archive)
    return sums(folder), unpacked(archive, folder)


def is_released(found: set[tuple[str, str]], checksums: dict[str, str], *names: str) -> None:
    """Asserts that these downloads and checksums are exactly these files of the release."""
    assert found == {(f"{DOWNLOAD}/{name}", checksums[name]) for name in names}


def test_what_a_release_without_other_systems_names(release, definitions):
    """The definitions name no missing file, and no placeholder is left."""
    for path in definitions.rglob("*"):
        if path.is_file():
            text = path.read_text()
            named = set(re.findall(rf"wif-token[-_]{re.escape(VERSION)}-[\w.-]+\.(?:tar\.gz|zip|msi|deb)\b", text))
            assert named <= set(sums(release)), path
            assert not re.search(r"@[a-z0-9_-]+@", text) and "# @" not in text, path


def test_homebrew(complete, static, tmp_path):
    """Each platform has its file. The formula installs the program, its links, the manual and the completions."""
    checksums, folder = complete
    formula = folder / "homebrew" / "Formula" / "wif-token.rb"
    done = run("ruby", "-w", Path(__file__).with_name("formula.rb"), formula, static, tmp_path)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    platforms = {key: found.pop(key) for key in list(found) if " " in key}
    assert found == {"desc": MANIFEST["description"], "homepage": MANIFEST["homepage"], "version": VERSION, "license": "Apache-2.0"}
    for key, (url, checksum) in platforms.items():
        system, machine = key.removeprefix("on_").split(" on_")
        name = f"wif-token-{VERSION}-{system}-{'aarch64' if machine == 'arm' else 'x86_64'}.tar.gz"
        is_released({(url, checksum)}, checksums, name)
    assert len(platforms) == 4
    assert run(tmp_path / "bin" / "git-credential-wif-token", "--version").stdout.startswith(f"wif-token {VERSION}\n")
    assert sum(path.is_file() for path in (tmp_path / "share").rglob("*")) == 3
    # `brew audit` refuses a longer description, and one with an article or a full stop.
    assert len(MANIFEST["description"]) < 80 and re.fullmatch(r"(?!An? |The ).*[^.]", MANIFEST["description"])


def test_scoop(complete):
    """Each architecture has its file, and the folder in that file."""
    checksums, folder = complete
    manifest = json.loads((folder / "scoop" / "bucket" / "wif-token.json").read_text())
    found = {(entry["url"], entry["hash"]) for entry in manifest["architecture"].values()}
    names = [f"wif-token-{VERSION}-windows-{machine}.zip" for machine in ("x86_64", "aarch64")]
    is_released(found, checksums, *names)
    assert {entry["extract_dir"] + ".zip" for entry in manifest["architecture"].values()} == set(names)
    assert manifest.keys() == {"version", "description", "homepage", "license", "architecture", "bin"}


def test_winget(complete, release):
    """There are three manifests for one version. The product code is that of the MSI."""
    checksums, folder = complete
    files = sorted((folder / "winget").iterdir())
    installer, locale, version = (yaml.safe_load(path.read_text()) for path in files)
    kinds = {"installer": installer, "defaultLocale": locale, "version": version}
    for kind, found in kinds.items():
        assert (found["PackageIdentifier"], found["PackageVersion"]) == ("wif-token.wif-token", VERSION)
        assert (found["ManifestType"], found["ManifestVersion"]) == (kind, "1.10.0")
    assert version["DefaultLocale"] == locale["PackageLocale"]
    assert locale.keys() >= {"Publisher", "PackageName", "License", "ShortDescription"}
    downloads = {(found["InstallerUrl"], found["InstallerSha256"]) for found in installer["Installers"]}
    name = f"wif-token-{VERSION}-windows"
    is_released(downloads, checksums, f"{name}-x86_64.msi", f"{name}-aarch64.zip")
    table = run("msiinfo", "export", release / f"{name}-x86_64.msi", "Property").stdout
    assert f"ProductCode\t{installer['Installers'][0]['ProductCode']}" in table


@pytest.fixture
def of_nobody():
    """A folder that the user `nobody` can reach and write to, because the folders of pytest belong to root."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_arch_linux(release, definitions, of_nobody):
    """makepkg prints the same description as .SRCINFO, verifies the checksum, and makes the package."""
    for path in (*(definitions / "aur").iterdir(), release / f"wif-token_{VERSION}-1_amd64.deb"):
        shutil.copy(path, of_nobody)
    for path in (of_nobody, *of_nobody.iterdir()):
        os.chown(path, 65534, 65534)
    # The package has no dependencies, so makepkg does not run pacman but requires that it exists.
    env = {"HOME": str(of_nobody), "PKGEXT": ".pkg.tar", "CARCH": "x86_64", "LC_ALL": "C", "PACMAN": "true"}
    described = run(*NOBODY, "makepkg", "--printsrcinfo", cwd=of_nobody, env=env).stdout
    assert described == (of_nobody / ".SRCINFO").read_text()
    run(*NOBODY, "makepkg", "--nodeps", "--noconfirm", cwd=of_nobody, env=env)
    (package,) = of_nobody.glob("*.pkg.tar")
    found = set(run("tar", "--list", "--file", package).stdout.splitlines())
    assert {"usr/bin/wif-token", "usr/bin/git-credential-wif-token", "usr/lib/systemd/system/wif-token@.service",
            "usr/share/zsh/site-functions/_wif-token", "usr/share/man/man1/wif-token.1.gz"} <= found  # fmt: skip
    assert {f"usr/share/doc/wif-token/{name}" for name in documentation()} <= found
    assert not [name for name in found if name.startswith("lib/") or "vendor-completions" in name]


EXPRESSION = """system: import {file} {{
  lib.licenses.asl20 = "Apache-2.0";
  fetchurl = file: file;
  installShellFiles = null;
  stdenvNoCC = {{ hostPlatform.system = system; mkDerivation = package: package; }};
}}"""


def test_nix(complete, static, tmp_path):
    """Nix evaluates the expression for each platform. A shell runs its install phase."""
    checksums, folder = complete
    expression = EXPRESSION.format(file=folder / "nix" / "wif-token.nix")
    env = {"NIX_STATE_DIR": str(tmp_path / "state"), "NIX_STORE_DIR": str(tmp_path / "store"), "NIX_LOG_DIR": str(tmp_path / "log")}

    def evaluated(system: str) -> dict:
        done = run("nix-instantiate", "--eval", "--strict", "--json", "--expr", f'({expression}) "{system}"', env=env)
        return json.loads(done.stdout)

    for system in evaluated("x86_64-linux")["meta"]["platforms"]:
        machine, name = system.replace("darwin", "macos").split("-")
        source = evaluated(system)["src"]
        is_released({(source["url"], source["sha256"])}, checksums, f"wif-token-{VERSION}-{name}-{machine}.tar.gz")
    with pytest.raises(AssertionError, match="no program for riscv64-linux"):
        evaluated("riscv64-linux")
    stubs = "runHook() { :; }; installManPage() { test -f $1; }; installShellCompletion() { test -f $1 && test -f $2 && test -f $3; }"
    phase = evaluated("x86_64-linux")["installPhase"]
    run("bash", "-euc", f"{stubs}; out={tmp_path}/out; {phase}", cwd=static)
    assert run(tmp_path / "out/bin/wif-token", "--version").stdout.startswith(f"wif-token {VERSION}\n")


def test_cargo_binstall(release):
    """The templates name a file of the release for each target, and the program in that file."""
    settings = MANIFEST["metadata"]["binstall"]
    values = {"repo": MANIFEST["repository"], "version": VERSION, "bin": "wif-token"}

    def filled(template: str, target: str) -> str:
        more = {"binary-ext": ".exe" if "windows" in target else ""}
        return re.sub(r"\{ ([a-z-]+) \}", lambda found: (values | more)[found[1]], template)

    names = set()
    for target, override in settings["overrides"].items():
        base, name = filled(override["pkg-url"], target).rsplit("/", 1)
        assert base == DOWNLOAD
        program = filled(override["bin-dir"], target)
        if name.removeprefix(f"wif-token-{VERSION}-") not in NATIVE:
            assert program in listing(release / name), target
        assert program.startswith(name.removesuffix(".zip").removesuffix(".tar.gz") + "/wif-token")
        assert (override.get("pkg-fmt", settings["pkg-fmt"]) == "zip") == name.endswith(".zip")
        names.add(name.removeprefix(f"wif-token-{VERSION}-"))
    assert names == {"linux-x86_64.tar.gz", "linux-aarch64.tar.gz", "windows-x86_64.zip", *NATIVE}


def listing(archive: Path) -> list[str]:
    """The names of the files in an archive."""
    command = ("unzip", "-Z1") if archive.suffix == ".zip" else ("tar", "--list", "--file")
    return run(*command, archive).stdout.splitlines()
