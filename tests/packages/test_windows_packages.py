"""The zip and the MSI under Wine: installed silently to a path without spaces, run, and removed again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import zipfile

import pytest

from conftest import PACKAGING, ROOT, VERSION, documentation, run

NAME = f"wif-token-{VERSION}-windows-x86_64"
HELPERS = {"docker-credential-wif-token.cmd", "git-credential-wif-token"}
FILES = {"wif-token.exe", "wif-token.ps1", "wif-token-task.xml", "LICENSE.txt", "dependencies.txt"} | HELPERS | documentation()
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """Runs a command in a new Windows whose C: is the folder `drive`. The output is read from a file."""
    prefix = tmp_path_factory.mktemp("wine")
    env = os.environ | {"WINEPREFIX": str(prefix), "WINEARCH": "win64", "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}

    def command(*words, check: bool = True) -> str:
        with (prefix / "output").open("w+") as output:
            # The output is not a pipe, because the first call starts Wine's services, which keep inherited files open.
            done = subprocess.run(["wine", *words], env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL,
                                  timeout=180, check=False)  # fmt: skip
            output.seek(0)
            said = output.read()
        assert done.returncode == 0 or not check, f"{words}: {done.returncode} {said}"
        return said

    command("wineboot", "--init")
    command.drive = prefix / "drive_c"
    # A library that this Wine does not have, as in the real tests.
    run("x86_64-w64-mingw32-gcc", "-shared", "-O2", "-o", command.drive / "windows/system32/bcryptprimitives.dll",
        ROOT / "tests" / "real" / "windows" / "bcryptprimitives.c", "-ladvapi32")  # fmt: skip
    yield command
    subprocess.run(["wineserver", "-k", "-w"], env=env, **QUIET, timeout=60, check=False)
    shutil.rmtree(prefix, ignore_errors=True)


def test_the_zip(release):
    """The archive has one folder, with exactly the expected files."""
    with zipfile.ZipFile(release / f"{NAME}.zip") as found:
        assert {name for name in found.namelist() if not name.endswith("/")} == {f"{NAME}/{name}" for name in FILES}


def test_install_run_and_remove(release, wine):
    r"""The installation is silent, and the removal leaves no C:\wif-token."""
    msi = f"Z:{release / NAME}.msi"
    wine("msiexec", "/i", msi, "/qn")
    folder = wine.drive / "wif-token"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == FILES
    assert wine(r"C:\wif-token\wif-token.exe", "--version").splitlines()[0] == f"wif-token {VERSION}"
    listed = wine("cmd", "/c", r"C:\wif-token\docker-credential-wif-token.cmd", "list")
    assert json.loads(listed) == {"https://gcr.io": "oauth2accesstoken"}
    wine("msiexec", "/x", msi, "/qn")
    assert not (wine.drive / "wif-token").exists()


def test_another_folder(release, wine):
    """The administrator can choose another folder."""
    msi = f"Z:{release / NAME}.msi"
    wine("msiexec", "/i", msi, "/qn", r"INSTALLFOLDER=C:\tools\google")
    assert wine(r"C:\tools\google\wif-token.exe", "--version").splitlines()[0] == f"wif-token {VERSION}"
    wine("msiexec", "/x", msi, "/qn")
    assert not (wine.drive / "tools" / "google").exists()


def test_who_may_write_to_the_folder(release):
    """Wine does not apply the access control list, so the test reads it from the table: SYSTEM and administrators have
    full access, users can read and run, and nothing is inherited.
    """
    table = run("msiinfo", "export", release / f"{NAME}.msi", "MsiLockPermissionsEx").stdout
    assert "INSTALLFOLDER\tCreateFolder\tD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)" in table
    assert "INSTALLFOLDER\tProgram" in run("msiinfo", "export", release / f"{NAME}.msi", "CreateFolder").stdout


def test_the_version_resource(release):
    """The properties of the file show the version."""
    with zipfile.ZipFile(release / f"{NAME}.zip") as found:
        program = found.read(f"{NAME}/wif-token.exe")
    resource = program[program.index("VS_VERSION_INFO".encode("utf-16-le")) :][:2000].decode("utf-16-le", "replace")
    for key, value in {"ProductVersion": VERSION, "FileVersion": VERSION, "OriginalFilename": "wif-token.exe"}.items():
        assert value in resource.split(key, 1)[1][: len(value) + 4]


def test_the_scheduled_task(wine, tmp_path):
    """Wine's task scheduler accepts the task and refuses a broken one. It does not notice every mistake."""
    task = PACKAGING / "windows" / "wif-token-task.xml"
    for _ in range(20):  # a new Windows is still starting its services
        if "already" in wine("net", "start", "Schedule", check=False):
            break
        time.sleep(1)
    wine("schtasks", "/create", "/tn", "wif-token", "/xml", f"Z:{task}")
    wrong = tmp_path / "wrong.xml"
    wrong.write_text(task.read_text().replace("Enabled>true", "Enabled>perhaps"))
    with pytest.raises(AssertionError):
        wine("schtasks", "/create", "/tn", "wrong", "/xml", f"Z:{wrong}")
