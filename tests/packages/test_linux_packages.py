"""The .deb and the .rpm: lintian and rpmlint accept them, and they are installed, run, upgraded and removed in a clean Debian."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from conftest import PACKAGING, TOKEN, VERSION, documentation, run

NEWER = "999.0.0"
FEATURES = "features: Kerberos, PKCS#11"
PATHS = {
    "usr/bin/wif-token", "usr/bin/docker-credential-wif-token", "usr/bin/git-credential-wif-token",
    "usr/share/man/man1/wif-token.1.gz", "usr/share/bash-completion/completions/wif-token",
    "usr/share/fish/vendor_completions.d/wif-token.fish",
    "usr/lib/systemd/system/wif-token@.service"} | {f"usr/share/doc/wif-token/{name}" for name in documentation()}  # fmt: skip
# rpm on Debian does not know what the packages of Debian provide.
INSTALL = {"deb": ("dpkg", "--install"), "rpm": ("rpm", "--upgrade", "--nodeps")}
REMOVE = {"deb": ("dpkg", "--purge"), "rpm": ("rpm", "--erase")}
ZSH = {"deb": "usr/share/zsh/vendor-completions/_wif-token", "rpm": "usr/share/zsh/site-functions/_wif-token"}


@pytest.fixture(scope="session")
def newer(release, tmp_path_factory):
    """The same program in a package with a later version, for each package type."""
    folder = tmp_path_factory.mktemp("newer")
    run("dpkg-deb", "--extract", package(release, "deb"), folder)
    made = run(PACKAGING / "linux" / "packages", folder / "usr/bin", folder, NEWER).stdout.split()
    return {Path(path).suffix[1:]: Path(path) for path in made}


ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def package(release, kind, architecture="x86_64"):
    return next(release.glob(f"*{ARCHITECTURES[architecture] if kind == 'deb' else architecture}.{kind}"))


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    """Each architecture that has packages."""
    return request.param


def test_lintian(release, architecture):
    """lintian reports nothing. The packages are not in Debian, so their changelog closes no bug."""
    done = run("lintian", "--tag-display-limit", "0", "--allow-root", "--fail-on", "error,warning,info",
               "--suppress-tags", "initial-upload-closes-no-bugs", package(release, "deb", architecture), check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_rpmlint(release, architecture):
    """rpmlint reports nothing except what packaging/linux/rpmlint.toml allows, with reasons."""
    done = run("rpmlint", "--strict", "--config", PACKAGING / "linux" / "rpmlint.toml", package(release, "rpm", architecture))
    assert "0 errors, 0 warnings" in done.stdout, done.stdout


def test_what_the_packages_need(release, architecture):
    """The packages require only the C library. They recommend the Kerberos library and the certificate authorities."""
    path = package(release, "deb", architecture)
    assert run("dpkg-deb", "--field", path, "Architecture").stdout.strip() == ARCHITECTURES[architecture]
    assert run("dpkg-deb", "--field", path, "Depends").stdout.strip() == "libc6 (>= 2.34)"
    assert run("dpkg-deb", "--field", path, "Recommends").stdout.strip() == "ca-certificates, libgssapi-krb5-2"
    path = package(release, "rpm", architecture)
    rpm = run("rpm", "--query", "--package", "--requires", path).stdout
    assert {re.split(r"[-.(]", line)[0] for line in rpm.splitlines()} <= {"/bin/sh", "libc", "rpmlib", "rtld", "ld"}
    assert max(tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([0-9.]+)", rpm)) == (2, 34)
    assert run("rpm", "--query", "--package", "--recommends", path).stdout.split() == ["ca-certificates", "krb5-libs"]


def test_the_packages_of_the_other_architecture_run(release, tmp_path):
    """The program runs on an emulated processor, and both packages contain the same program."""
    run("dpkg-deb", "--extract", package(release, "deb", "aarch64"), tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    emulated = ("qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", tmp_path / "usr/bin/wif-token")
    assert run(*emulated, "file", f"--path={tmp_path}/token", "--format=text", "--audience=a").stdout == TOKEN
    unpacked = run("sh", "-c", 'rpm2cpio "$1" | cpio --quiet --extract --to-stdout ./usr/bin/wif-token | sha256sum', "sh",
                   package(release, "rpm", "aarch64")).stdout  # fmt: skip
    assert unpacked.split()[0] == hashlib.sha256((tmp_path / "usr/bin/wif-token").read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_install_run_upgrade_and_remove(kind, release, newer, system):
    """After the removal, the system has the same files as before."""
    before = system.files()
    if kind == "rpm":
        install = lambda path: run(*INSTALL[kind], "--root", system.folder, path)  # noqa: E731
        remove = lambda: run(*REMOVE[kind], "--root", system.folder, "wif-token")  # noqa: E731
        installed = lambda: run("rpm", "--root", system.folder, "--query", "wif-token").stdout.strip()  # noqa: E731
    else:
        install = lambda path: (system.put("package.deb", path), system.run(*INSTALL[kind], "/package.deb"))  # noqa: E731
        remove = lambda: system.run(*REMOVE[kind], "wif-token")  # noqa: E731
        installed = lambda: system.run("dpkg-query", "--show", "wif-token").stdout.strip()  # noqa: E731

    install(package(release, kind))
    assert PATHS | {ZSH[kind]} <= system.files()
    assert system.run("wif-token", "--version").stdout.splitlines()[::3] == [f"wif-token {VERSION}", FEATURES]
    system.put("token", TOKEN)
    assert system.run("wif-token", "file", "--path=/token", "--format=text", "--audience=a").stdout == TOKEN
    assert json.loads(system.run("docker-credential-wif-token", "list").stdout) == {"https://gcr.io": "oauth2accesstoken"}
    assert VERSION in installed()

    install(newer[kind])
    assert NEWER in installed()
    assert system.run("wif-token", "--version").stdout.splitlines()[::3] == [f"wif-token {VERSION}", FEATURES]

    remove()
    left = {name for name in system.files() - before if "wif-token" in name}
    assert left == set()
    assert system.run("sh", "-c", "command -v wif-token", check=False).returncode != 0
