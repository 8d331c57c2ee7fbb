"""Runs Debian's Apache in the foreground with mod_auth_gssapi: TLS, Negotiate and a proxy to the front of AD FS behind it.

https://github.com/gssapi/mod_auth_gssapi . Apache verifies the credentials of a request, and names their owner to
the front in X-Remote-User. It forwards a request without credentials, because the front decides by the User-Agent whether to
challenge, as AD FS does. Apache drops its root privileges, so its folder is outside of pytest's private one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from servers.authority import Certificate
from support.places import SYSTEM_PATH, missing, need
from support.processes import listens, serving, until

MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_gssapi", "headers", "proxy", "proxy_http", "ssl", "reqtimeout")
CONFIG = """\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
Mutex pthread default
User www-data
Group www-data
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
ErrorLog {folder}/error.log
LogLevel auth_gssapi:info
KeepAlive On
ProxyPreserveHost On
LogFormat "%{{remote}}p %>s [%{{X-Remote-User}}i] %m %U agent=%{{User-Agent}}i" seen
CustomLog {folder}/access.log seen
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
{tls}  RequestHeader unset X-Remote-User early
  RequestHeader unset X-Remote-Certificate early
  ProxyPass / http://127.0.0.1:{behind}/
  <If "%{{HTTP:Authorization}} =~ /^(Negotiate|NTLM) /">
    AuthType GSSAPI
    AuthName "AD FS"
    GssapiAllowedMech {mechanism}
    GssapiConnectionBound {bound}
    GssapiNegotiateOnce On
    {store}
    Require valid-user
    RequestHeader set X-Remote-User expr=%{{REMOTE_USER}}
  </If>
</VirtualHost>
"""
TLS = """\
  SSLEngine on
  SSLCertificateFile {certificate}
  SSLCertificateKeyFile {key}
"""


@dataclass(frozen=True)
class Apache:
    """A running Apache; `url` has no trailing slash."""

    url: str
    folder: Path

    def log(self) -> list[list[str]]:
        """For each request, oldest first: connection (the client's port), status, user in brackets, method, path, agent…"""
        return [line.split() for line in (self.folder / "access.log").read_text().splitlines()]

    def wait_for(self, count: int) -> list[list[str]]:
        """The log once it has this many lines, because Apache writes a line after the response."""
        return until(lambda: len(self.log()) >= count and self.log(), f"{count} lines in Apache's log")


@contextlib.contextmanager
def apache(certificate: Certificate, port: int, behind: int, keytab: Path, env: dict[str, str], mechanism: str = "krb5",
           tls: bool = True) -> Iterator[Apache]:  # fmt: skip
    """Serves `localhost` until the block ends; `env` has the variables of Kerberos or the user file of NTLM, and
    `behind` is the port of the front.
    """
    program = need("apache2")
    if not (MODULES / "mod_auth_gssapi.so").exists():
        missing("libapache2-mod-auth-gssapi is not installed")
    folder = Path(tempfile.mkdtemp(prefix="wif-apache-"))
    # The files of the workers are in a folder that they can read, because they do not run as root.
    env = env | {name: shutil.copy(env[name], folder) for name in ("KRB5_CONFIG", "NTLM_USER_FILE") if name in env}
    read = {"certificate": certificate.cert, "key": certificate.key, "keytab": keytab}
    copies = {name: shutil.copy(path, folder) for name, path in read.items()}
    loaded = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in LOADED)
    text = CONFIG.format(folder=folder, port=port, behind=behind, mechanism=mechanism, tls=TLS.format(**copies) if tls else "",
                         bound="On" if mechanism == "ntlmssp" else "Off",
                         store=f"GssapiCredStore keytab:{copies['keytab']}" if mechanism == "krb5" else "")  # fmt: skip
    (folder / "apache.conf").write_text(loaded + text)
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "www-data", "www-data")
    command = [program, "-D", "FOREGROUND", "-f", folder / "apache.conf"]
    own = {"PATH": SYSTEM_PATH, "KRB5RCACHENAME": f"file2:{folder}/replay", **env}
    try:
        with serving(command, folder / "stdout.log", own, lambda: listens(port)):
            yield Apache(f"{'https' if tls else 'http'}://localhost:{port}", folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
