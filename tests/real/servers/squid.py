"""Starts squid as a forward proxy with CONNECT, in the foreground, inside a network namespace.

Two ports: `OPEN` requires no credentials, `GUARDED` requires Basic credentials. `DENIED_HOST` is refused with 403 on both.
"""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.places import SYSTEM_PATH, need
from support.processes import serving, until

OPEN, GUARDED = 3128, 3129
DENIED_HOST = "other.example.test"
USER, PASSWORD = "robot", "p@ss:w/rd"

CONFIG = """
http_port {address}:{open} name=open
http_port {address}:{guarded} name=guarded
auth_param basic program {ncsa} {folder}/users
auth_param basic realm proxy
acl denied dstdomain {denied}
acl open_port myportname open
acl guarded_port myportname guarded
acl known proxy_auth REQUIRED
http_access deny denied
http_access allow open_port
http_access allow guarded_port known
http_access deny all
cache deny all
hosts_file /etc/hosts
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
pid_filename none
coredump_dir {folder}
shutdown_lifetime 0 seconds
pinger_enable off
visible_hostname proxy.example.test
"""


class Squid:
    """A running squid; `requests()` are `METHOD TARGET STATUS` lines, in order."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def requests(self):
        fields = [line.split() for line in (self.folder / "access.log").read_text().splitlines()]
        return [f"{f[5]} {f[6]} {f[3].rpartition('/')[2]}" for f in fields]

    def during(self, run, **given):
        """Calls `run`, and returns its result and the lines that were logged meanwhile. squid writes a line when a
        tunnel has ended."""
        before = len(self.requests())
        done = run(**given)
        return done, until(lambda: self.requests()[before:], f"squid has logged the run, which ended as {done}")


@contextlib.contextmanager
def squid(inside, address):
    """Runs squid inside a namespace on `address` until the block ends."""
    program = need("squid")
    ncsa = need("/usr/lib/squid/basic_ncsa_auth")
    folder = Path(tempfile.mkdtemp(prefix="wif-squid-"))  # outside of pytest's private folder, because squid drops its root privileges
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, capture_output=True, text=True,
                            check=True).stdout.strip()
    (folder / "users").write_text(f"{USER}:{hashed}\n")
    (folder / "access.log").touch()
    (folder / "squid.conf").write_text(CONFIG.format(address=address, folder=folder, ncsa=ncsa, open=OPEN,
                                                     guarded=GUARDED, denied=DENIED_HOST))
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "proxy")
    command, log = [*inside.prefix, program, "-N", "-f", folder / "squid.conf"], folder / "cache.log"

    def up():
        return log.exists() and log.read_text().count("Accepting HTTP Socket connections") == 2

    try:
        with serving(command, folder / "output.log", {"PATH": SYSTEM_PATH, "TMPDIR": "/tmp"}, up):
            yield Squid(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
