"""The APT and the DNF repository, signed with a key of the test: what their tools install, and what they refuse."""

from __future__ import annotations

import re
import shutil

import pytest

from conftest import PACKAGING, ROOT, VERSION, run

HOMEPAGE = re.search(r'^homepage = "(.*)/"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
ONLY = ("-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/etc/apt/only")


@pytest.fixture(scope="module")
def repositories(release, tmp_path_factory):
    """Both repositories, unpacked and signed."""
    folder = tmp_path_factory.mktemp("repositories")
    run("tar", "--extract", "--gzip", "--file", release / f"wif-token-{VERSION}-repositories.tar.gz", "--directory", folder)
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home)}
    run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "packages@example.test", "rsa3072", "sign", env=env)
    top = folder / f"wif-token-{VERSION}-repositories"
    run(PACKAGING / "distribution" / "sign", top, "packages@example.test", env=env)
    run("gpgconf", "--kill", "all", env=env)
    return top


@pytest.fixture
def copied(repositories, tmp_path):
    """A copy of the repositories that a test may damage."""
    return shutil.copytree(repositories, tmp_path / "copied")


def apt(system, repositories) -> str:
    """Runs `apt-get update` in a system that has only this repository, and returns its output."""
    shutil.copytree(repositories, system.folder / "repositories")
    system.put("usr/share/keyrings/wif-token.asc", repositories / "wif-token.asc")
    source = (repositories / "apt" / "wif-token.sources").read_text()
    assert f"URIs: {HOMEPAGE}/apt\n" in source
    system.put("etc/apt/only/wif-token.sources", source.replace(HOMEPAGE, "file:/repositories"))
    done = system.run("apt-get", *ONLY, "-o", "APT::Update::Error-Mode=any", "update", check=False)
    return done.stderr if done.returncode else ""


def test_apt_installs(repositories, system):
    """apt installs the package from the signed repository alone."""
    assert apt(system, repositories) == ""
    done = system.run("apt-get", *ONLY, "--yes", "--no-install-recommends", "install", "wif-token")
    assert "WARNING" not in done.stdout + done.stderr
    assert system.run("wif-token", "--version").stdout.startswith(f"wif-token {VERSION}\n")


def test_apt_refuses_what_was_not_signed(copied, system):
    """apt refuses an index that was changed."""
    index = copied / "apt/dists/stable/InRelease"
    index.write_text(index.read_text().replace("Label: wif-token", "Label: wif-tokem"))
    assert "BADSIG" in apt(system, copied)


def test_apt_refuses_another_package(copied, system):
    """apt refuses a package that was changed after the index was signed."""
    (package,) = (copied / "apt/pool").glob("*_amd64.deb")
    package.write_bytes(package.read_bytes()[:-1] + b"\1")
    assert apt(system, copied) == ""
    done = system.run("apt-get", *ONLY, "--yes", "--no-install-recommends", "install", "wif-token", check=False)
    assert done.returncode == 100 and "Hash Sum mismatch" in done.stderr, done.stderr


def dnf(repositories, folder, *words: str, check: bool = True):
    """Runs dnf with only this repository."""
    definition = (repositories / "rpm" / "wif-token.repo").read_text()
    assert f"baseurl={HOMEPAGE}/rpm/$basearch\n" in definition and f"gpgkey={HOMEPAGE}/wif-token.asc\n" in definition
    (folder / "repos").mkdir(exist_ok=True)
    (folder / "repos" / "wif-token.repo").write_text(definition.replace(HOMEPAGE, f"file://{repositories}"))
    settings = (f"reposdir={folder}/repos", f"cachedir={folder}/cache", f"persistdir={folder}/persist", f"logdir={folder}")
    options = [f"--setopt={setting}" for setting in settings]
    return run("dnf", "--assumeyes", "--releasever=9", f"--installroot={folder}/root", *options, *words, check=check)


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_dnf_downloads(repositories, release, tmp_path, architecture):
    """dnf downloads the package of each architecture and verifies the index. No repository here has the dependencies."""
    dnf(repositories, tmp_path, f"--forcearch={architecture}", "download", f"--destdir={tmp_path}", "wif-token")
    name = f"wif-token-{VERSION}-1.{architecture}.rpm"
    assert (tmp_path / name).read_bytes() == (release / name).read_bytes()


def test_dnf_refuses_what_was_not_signed(copied, tmp_path):
    """dnf refuses an index that was changed, and a package that is not the one in the index."""
    index = copied / "rpm/x86_64/repodata/repomd.xml"
    signed = index.read_text()
    index.write_text(signed.replace("<revision>", "<revision>1"))
    done = dnf(copied, tmp_path, "download", f"--destdir={tmp_path}", "wif-token", check=False)
    assert done.returncode != 0 and "GPG" in done.stderr, done.stderr
    index.write_text(signed)
    (package,) = (copied / "rpm/x86_64").glob("*.rpm")
    package.write_bytes(package.read_bytes()[:-1] + b"\1")
    done = dnf(copied, tmp_path, "download", f"--destdir={tmp_path}", "wif-token", check=False)
    assert done.returncode != 0 and "checksum" in done.stderr, done.stdout + done.stderr
