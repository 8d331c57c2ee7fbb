"""Runs a separate Kerberos realm in the foreground: MIT krb5kdc on a high port, without the settings in /etc.

https://web.mit.edu/kerberos/krb5-1.20/doc/ . Every program of the realm gets `env`: KRB5_CONFIG and KRB5CCNAME, and KRB5_CLIENT_KTNAME if
a keytab replaces a user. The host under test is `localhost`, which needs no name service.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from support.places import SYSTEM_PATH, need
from support.processes import free_port, listens, serving

REALM = "EXAMPLE.TEST"
CONFIG = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  default_ccache_name = FILE:{folder}/no-such-cache
  default_keytab_name = FILE:{folder}/no-such-keytab
  default_client_keytab_name = FILE:{folder}/no-such-keytab
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
  .example.test = {realm}
"""
KDC_CONFIG = """\
[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principals
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
    max_life = 24h
    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
  }}
[logging]
  kdc = STDERR
"""


@dataclass
class Kdc:
    """One realm; `config` is its krb5.conf."""

    folder: Path
    port: int
    passwords: dict[str, str] = field(default_factory=dict)
    caches: int = 0

    @property
    def config(self) -> Path:
        """The krb5.conf of every program in this realm."""
        return self.folder / "krb5.conf"

    def env(self, ccache: Path | None = None, client_keytab: Path | None = None) -> dict[str, str]:
        """The variables for a program of this realm. Without a credential cache, the program has no ticket."""
        # The name is new each time, because a program with a client keytab stores tickets there.
        self.caches += 1
        absent = self.folder / f"no-such-cache-{self.caches}"
        found = {"KRB5_CONFIG": str(self.config), "KRB5CCNAME": f"FILE:{ccache or absent}"}
        return found | ({"KRB5_CLIENT_KTNAME": f"FILE:{client_keytab}"} if client_keytab else {})

    def add(self, principal: str, password: str | None = None):
        """Adds a principal: with a password and required preauthentication, as in AD, or with random keys."""
        self.admin(f"addprinc +requires_preauth -pw {password} {principal}" if password else f"addprinc -randkey {principal}")
        if password:
            self.passwords[principal] = password

    def keytab(self, name: str, *principals: str) -> Path:
        """Writes a keytab with the keys of these principals, which do not change."""
        path = self.folder / name
        for principal in principals:
            self.admin(f"ktadd -norandkey -k {path} {principal}")
        return path

    def ticket(self, principal: str, *options: str, before: tuple = (), env: dict[str, str] | None = None) -> Path:
        """Requests a ticket with the password of this principal, and returns the credential cache."""
        self.caches += 1
        path = self.folder / f"ccache-{self.caches}"
        self.run(*before, need("kinit"), *options, principal, stdin=self.passwords[principal] + "\n", env=self.env(path) | (env or {}))
        return path

    def admin(self, query: str) -> str:
        """Runs one command of kadmin directly on the database."""
        return self.run(need("kadmin.local"), "-r", REALM, "-q", query)

    def run(self, *command, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """Runs a tool of Kerberos, which must succeed."""
        own = {"PATH": SYSTEM_PATH, "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"), **self.env(), **(env or {})}
        done = subprocess.run([str(word) for word in command], input=stdin, env=own, capture_output=True, text=True, timeout=30,
                              check=False)  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def serving(self, *before, env: dict[str, str] | None = None) -> Iterator[None]:
        """Serves on its port until the block ends; `before` can be a launcher that changes the clock."""
        own = {"PATH": SYSTEM_PATH, "KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"), **(env or {})}
        command = [*before, need("krb5kdc"), "-n", "-r", REALM, "-P", self.folder / "kdc.pid"]
        with serving(command, self.folder / "kdc.log", own, lambda: listens(self.port)):
            yield


def realm(folder: Path) -> Kdc:
    """Creates a realm in this folder, without starting its KDC."""
    for name in ("krb5kdc", "kadmin.local", "kdb5_util", "kinit"):
        need(name)
    made = Kdc(folder, free_port())
    for file, text in (("krb5.conf", CONFIG), ("kdc.conf", KDC_CONFIG)):
        (folder / file).write_text(text.format(folder=folder, realm=REALM, port=made.port))
    (folder / "acl").touch()
    made.run(need("kdb5_util"), "create", "-s", "-r", REALM, "-P", os.urandom(12).hex())
    return made
