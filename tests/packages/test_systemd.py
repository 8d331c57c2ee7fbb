"""The units: verified, hardened, and run by a real systemd that is booted in a container."""

from __future__ import annotations

import json
import re

import pytest

from conftest import PACKAGING, ROOT, TOKEN, System, run

UNITS = PACKAGING / "systemd"
RENEWED = TOKEN.replace("c2ln", "bmV3")
# Runs once at boot, uses the units as an administrator would, and ends the container.
PROOF = """[Unit]
After=basic.target wif-token@my-app.service
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
state() {{ systemctl show --value --property="$1" wif-token@my-app.service; }}
cat $token; echo
stat --format='%U %a' /run/wif-token/my-app $token
state ActiveState
state StatusText
rm $token
timeout 60 bash -c "until [ -s $token ]; do sleep 0.2; done"
cat $token; echo
printf %s '{RENEWED}' >/etc/my-app/token
systemctl restart wif-token@my-app.service; echo "started $?"
cat $token; echo
systemctl stop wif-token@my-app.service
state Result
rm /etc/my-app/token
timeout 20 systemctl start wif-token@my-app.service; echo "started $?"
state ExecMainStatus
cat $token; echo
echo nonsense >/etc/wif-token/my-app.args
systemctl reset-failed wif-token@my-app.service
systemctl start wif-token@my-app.service
state ActiveState
ls -A /run/wif-token/my-app
"""


@pytest.fixture
def installed(release, system):
    """A system with the package, and a user with a token file that the unit keeps up to date."""
    system.put("package.deb", next(release.glob("*_amd64.deb")))
    system.run("dpkg", "--install", "/package.deb")
    system.run("useradd", "--system", "my-app")
    system.put("etc/my-app/token", TOKEN)
    system.run("chown", "-R", "my-app", "/etc/my-app")
    system.put("etc/wif-token/my-app.args", "# the source\nfile\n--path=/etc/my-app/token\n--audience=a\n")
    return system


def test_verify(installed):
    """systemd-analyze reports nothing about the units when the program is installed."""
    done = installed.run("systemd-analyze", "verify", "--man=no", "wif-token@my-app.service")
    assert done.stdout + done.stderr == ""


def test_security():
    """The exposure level is at most 1.5 of 10: the unit must reach the network and read the files of the source."""
    run("systemd-analyze", "security", "--offline=true", "--threshold=15", UNITS / "wif-token@.service")


def booted(system: System, script: str, *units: str) -> list[str]:
    """Boots the system with these units, and returns the lines that the script prints in it."""
    system.put("etc/systemd/system/proof.service", PROOF)
    system.put("proof.sh", script)
    (system.folder / "proof.sh").chmod(0o755)
    system.run("systemctl", "enable", "proof.service", *units)
    run("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--directory", system.folder, "--boot",
        timeout=180, check=False)  # fmt: skip
    return (system.folder / "proof.log").read_text().splitlines()


def test_the_service_keeps_the_token_up_to_date(installed):
    """A service that is ordered after the unit finds a token. An outage leaves the token in place. A wrong setting causes no restart."""
    said = booted(installed, SCRIPT, "wif-token@my-app.service")
    status = said.pop(4)
    assert re.fullmatch("the token in /run/wif-token/my-app/subject-token expires at 2100-.*, and is renewed at 20.*", status), status
    assert said == [
        TOKEN, "my-app 700", "my-app 600", "active", TOKEN,
        "started 0", RENEWED, "success",
        "started 1", "4", RENEWED,
        "failed", "subject-token", "subject-token.lock"], said  # fmt: skip


# A service prints its token before and after a change of the token file, and a token that its key signs.
CREDENTIALS_UNIT = """LoadCredential=key:/etc/my-app/key.pem
Type=exec
StandardOutput=append:/said
ExecStart=/usr/bin/bash /service
"""
SERVICE = """
token() { wif-token file --path=/run/credentials/my-app.service/token --audience=a --format=text; echo; }
token
timeout 60 bash -c 'until [ -e /changed ]; do sleep 0.1; done'
token
wif-token key --key=/run/credentials/my-app.service/key --issuer=https://a.example --subject=s --audience=a --format=text
"""
CREDENTIALS_SCRIPT = f"""#!/bin/bash
systemctl start my-app.service; echo "started $?"
timeout 60 bash -c 'until [ -s /said ]; do sleep 0.1; done'
printf %s '{RENEWED}' >/etc/my-app/token
setpriv --reuid nobody --clear-groups cat /run/credentials/my-app.service/token; echo "nobody $?"
touch /changed
timeout 60 bash -c 'while systemctl is-active --quiet my-app.service; do sleep 0.1; done'
systemctl show --value --property=Result my-app.service
"""


def test_a_service_reads_its_credentials(installed):
    """The directives in docs/sources/file.md give copies of a token and a key, which do not change and which others cannot read."""
    page = (ROOT / "docs" / "sources" / "file.md").read_text()
    (unit,) = re.findall(r"### systemd credentials\n.*?```ini\n(.*?)```", page, re.S)
    assert "file --path=/run/credentials/my-app.service/token" in page
    assert "--key=/run/credentials/my-app.service/key" in page
    installed.put("etc/systemd/system/my-app.service", unit + CREDENTIALS_UNIT)
    installed.put("service", SERVICE)
    claims = ["--issuer=https://a.example", "--subject=s", "--audience=a"]
    installed.run("wif-token", "key", "--key=/etc/my-app/key.pem", "--generate", *claims)
    installed.run("chmod", "600", "/etc/my-app/token")
    installed.run("chown", "-R", "root", "/etc/my-app")
    assert booted(installed, CREDENTIALS_SCRIPT) == ["started 0", "nobody 1", "success"]
    before, after, signed = (installed.folder / "said").read_text().splitlines()
    assert (before, after) == (TOKEN, TOKEN) and signed.count(".") == 2


ACCOUNT = "deployer@my-project.iam.gserviceaccount.com"
SECRET = "hunter2-serve-4711-0815"
CREDENTIALS = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/my-pool/providers/my-provider",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "service_account_impersonation_url": f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken",
    "credential_source": {"file": "/etc/my-app/token"},
}
# The status and the last line of a response. Only the subject token needs no network.
ASK = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/8080
printf 'GET %s HTTP/1.0\\r\\nHost: localhost:8080\\r\\n%s\\r\\n\\r\\n' "$1" "$2" >&3
echo "$(tr -d '\\r' <&3 | sed -n '1s/[^ ]* //p; $p')"
"""
SERVE_SCRIPT = f"""#!/bin/bash
active() {{ systemctl is-active my-app-metadata.socket my-app-metadata.service | paste -sd ' '; }}
as() {{ setpriv --reuid "$1" --clear-groups bash /ask "$2" "$3"; }}
active
as my-app /computeMetadata/v1/instance/service-accounts/default/email 'Metadata-Flavor: Google'
active
as my-app /subject-token 'Authorization: Bearer {SECRET}'
as nobody /subject-token 'Authorization: Bearer {SECRET}'
systemctl stop my-app-metadata.service
active
as my-app /healthz ''
active
systemctl show --value --property=NRestarts,Result my-app-metadata.service | paste -sd ' '
"""


def test_a_socket_starts_the_metadata_server(installed):
    """With the units of docs/commands/serve.md and a secret, systemd starts the server for the first client, and again
    after a stop.
    """
    page = (ROOT / "docs" / "commands" / "serve.md").read_text()
    units = dict(re.findall(r"`(my-app-metadata\.\w+)`[^`]*```ini\n(.*?)```", page, re.S))
    assert units.keys() == {"my-app-metadata.socket", "my-app-metadata.service"}
    for name, text in units.items():
        installed.put(f"etc/systemd/system/{name}", text)
    assert installed.run("systemd-analyze", "verify", "--man=no", *units).stderr == ""
    (command,) = re.findall(r"^ExecStart=.*", units["my-app-metadata.service"], re.M)
    more = f"[Service]\nExecStart=\n{command} --token=file:/etc/my-app/serve-secret\n"
    installed.put("etc/systemd/system/my-app-metadata.service.d/secret.conf", more)
    installed.put("etc/my-app/credentials.json", json.dumps(CREDENTIALS))
    installed.put("etc/my-app/serve-secret", SECRET)
    installed.run("chown", "-R", "my-app", "/etc/my-app")
    installed.put("ask", ASK)
    assert booted(installed, SERVE_SCRIPT, "my-app-metadata.socket") == [
        "active inactive", "200 OK", ACCOUNT, "active active", "200 OK", TOKEN,
        "403 Forbidden", "this metadata server belongs to another user",
        "active inactive", "200 OK", "ok", "active active", "success 0"]  # fmt: skip
