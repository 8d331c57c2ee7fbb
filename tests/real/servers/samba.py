"""Runs the KDC of a real Active Directory domain: Samba's, on a high port of loopback, with accounts and service names of AD.

https://wiki.samba.org/index.php/Setting_up_Samba_as_an_Active_Directory_Domain_Controller . The domain is provisioned once
(which takes a few seconds) and stored in the tests' cache as an archive, from which each run restores its own copy. Only the KDC
is started, and it reads no settings of the machine's own Samba.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Iterator

from servers.kdc import CONFIG, REALM, Kdc
from support.places import CACHE, SYSTEM_PATH, missing, need
from support.processes import free_port, listens, serving

ACCOUNTS = {"alice": "Pw-of-alice+7", "disabled": "Pw-of-disabled+8", "robot": "Pw-of-robot+6"}
SERVICE, SERVICE_PASSWORD = "svc-adfs", "Pw-of-svc-adfs+9"
SERVICE_NAMES = ("HTTP/localhost", "HTTP/adfs.example.test")
AES_ONLY = """dn: CN={name},CN=Users,DC=example,DC=test
changetype: modify
replace: msDS-SupportedEncryptionTypes
msDS-SupportedEncryptionTypes: 24
"""
CONFIG_OF_SAMBA = """\
[global]
workgroup = EXAMPLE
realm = {realm}
netbios name = DC1
server role = active directory domain controller
server services = kdc
interfaces = lo
bind interfaces only = yes
krb5 port = {port}
kpasswd port = 0
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}
pid directory = {folder}
ncalrpc dir = {folder}/ncalrpc
binddns dir = {folder}/bind-dns
log file = {folder}/log
logging = file
"""


def tool(folder: Path, *words: str, stdin: str = ""):
    """Runs one command of Samba on the domain in this folder."""
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(words, input=stdin, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{words[:4]}: {done.stdout}{done.stderr}"


def provision(folder: Path):
    """Creates a domain with its accounts, and the keytabs of the service and the robot next to it."""
    samba_tool = str(need("samba-tool"))
    tool(folder, samba_tool, "domain", "provision", f"--realm={REALM}", "--domain=EXAMPLE", "--server-role=dc", "--dns-backend=NONE",
         f"--adminpass=Adm1n-{os.urandom(8).hex()}", f"--targetdir={folder}", "--host-name=dc1", "--host-ip=127.0.0.1",
         "--option=interfaces=lo", "--option=bind interfaces only=yes", "--option=vfs objects=")  # fmt: skip
    configure(folder, 0)
    database, settings = str(folder / "private" / "sam.ldb"), ("-s", str(folder / "smb.conf"))
    where = (*settings, "-H", database)
    for name, password in {**ACCOUNTS, SERVICE: SERVICE_PASSWORD}.items():
        tool(folder, samba_tool, "user", "create", name, password, *where)
        tool(folder, str(need("ldbmodify")), "-H", database, stdin=AES_ONLY.format(name=name))
        tool(folder, samba_tool, "user", "setpassword", name, f"--newpassword={password}+", *where)  # creates the AES keys
    for name in SERVICE_NAMES:
        tool(folder, samba_tool, "spn", "add", name, SERVICE, *where)
    tool(folder, samba_tool, "user", "disable", "disabled", *where)
    for keytab, principals in (("http.keytab", SERVICE_NAMES), ("robot.keytab", ("robot",))):
        for principal in principals:
            tool(folder, samba_tool, "domain", "exportkeytab", str(folder / keytab), f"--principal={principal}", *settings)


def configure(folder: Path, port: int):
    """Writes the configuration files of Samba and Kerberos for this copy."""
    (folder / "smb.conf").write_text(CONFIG_OF_SAMBA.format(folder=folder, port=port, realm=REALM))
    (folder / "krb5.conf").write_text(CONFIG.format(folder=folder, port=port, realm=REALM))


def archive(scratch: Path) -> Path:
    """Returns the archive of the domain, which is provisioned once for each version of this file."""
    kept = CACHE / f"samba-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]}.tar"
    if not kept.exists():
        fresh = scratch / "provisioned"
        fresh.mkdir()
        provision(fresh)
        half = kept.with_suffix(f".{os.getpid()}")
        with tarfile.open(half, "w") as writing:
            for name in ("private", "state", "http.keytab", "robot.keytab"):
                writing.add(fresh / name, name)
        half.rename(kept)
    return kept


@contextlib.contextmanager
def domain(folder: Path) -> Iterator[Kdc]:
    """Runs the KDC of the domain until the block ends; the keytabs are in `folder` of the result."""
    samba = need("samba")
    if os.geteuid() != 0:
        missing("Samba's domain controller needs root")
    own = folder / "domain"
    own.mkdir()
    with tarfile.open(archive(folder)) as reading:
        reading.extractall(own, filter="fully_trusted")
    port = free_port()
    configure(own, port)
    command = [samba, "-F", "--no-process-group", "-s", own / "smb.conf", "--debug-stdout"]
    with serving(command, folder / "samba.log", {"PATH": SYSTEM_PATH, "HOME": str(own)}, lambda: listens(port)):
        yield Kdc(own, port, {name: password + "+" for name, password in ACCOUNTS.items()})
