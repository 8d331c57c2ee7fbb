"""The units: verified, hardened, and run by a real systemd that is booted in a container."""

from __future__ import annotations

import pytest

from conftest import PACKAGING, TOKEN, run

UNITS = PACKAGING / "systemd"
RENEWED = TOKEN.replace("c2ln", "bmV3")
# Runs once at boot, tries the units out as an administrator would, and ends the container.
PROOF = """[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/proof.sh
ExecStopPost=/usr/bin/systemctl poweroff --force --no-block
StandardOutput=file:/proof.log
StandardError=null
[Install]
WantedBy=multi-user.target
"""
SCRIPT = f"""#!/bin/bash
token=/run/wif-token/my-app/subject-token
timeout 60 bash -c "until [ -s $token ]; do sleep 0.2; done"
stat --format='%U %a' /run/wif-token/my-app $token
cat $token; echo
systemctl is-active wif-token@my-app.timer
printf %s '{RENEWED}' >/etc/my-app/token
systemctl start wif-token@my-app.service; echo "started $?"
cat $token; echo
rm /etc/my-app/token
timeout 20 systemctl start wif-token@my-app.service; echo "started $?"
systemctl show --value --property=ExecMainStatus wif-token@my-app.service
cat $token; echo
echo nonsense >/etc/wif-token/my-app.args
systemctl reset-failed wif-token@my-app.service
systemctl start wif-token@my-app.service
systemctl show --value --property=ActiveState wif-token@my-app.service
ls -A /run/wif-token/my-app
"""


@pytest.fixture
def installed(release, system):
    """A system with the package, and a user who has a token to be kept fresh."""
    system.put("package.deb", next(release.glob("*_amd64.deb")))
    system.run("dpkg", "--install", "/package.deb")
    system.run("useradd", "--system", "my-app")
    system.put("etc/my-app/token", TOKEN)
    system.run("chown", "-R", "my-app", "/etc/my-app")
    system.put("etc/wif-token/my-app.args", "# the source\nfile\n--path=/etc/my-app/token\n--audience=a\n")
    return system


def test_verify(installed):
    """No word of systemd-analyze, with the program in its place."""
    for unit in ("wif-token@my-app.service", "wif-token@my-app.timer"):
        done = installed.run("systemd-analyze", "verify", "--man=no", unit)
        assert done.stdout + done.stderr == ""


def test_security():
    """Exposure at most 1.5 of 10: it has to reach the network and read what the token comes from."""
    run("systemd-analyze", "security", "--offline=true", "--threshold=15", UNITS / "wif-token@.service")


def test_the_timer_keeps_the_token_fresh(installed):
    """At boot, again when asked, the old token kept where there is no new one; a wrong setting is not tried again."""
    installed.put("etc/systemd/system/proof.service", PROOF)
    installed.put("proof.sh", SCRIPT)
    (installed.folder / "proof.sh").chmod(0o755)
    installed.run("systemctl", "enable", "proof.service", "wif-token@my-app.timer")
    run("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--directory", installed.folder, "--boot",
        timeout=180, check=False)  # fmt: skip
    said = (installed.folder / "proof.log").read_text().splitlines()
    assert said == [
        "my-app 700", "my-app 600", TOKEN, "active",
        "started 0", RENEWED,
        "started 1", "4", RENEWED,
        "failed", "subject-token", "subject-token.lock"], said  # fmt: skip
