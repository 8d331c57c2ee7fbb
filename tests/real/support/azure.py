"""What the Azure tests share: azure-identity as the reference, certificates, and the folder of Arc's keys.

The folder is fixed, `/var/opt/azcmagent/tokens`: neither the program nor azure-identity has a setting for it. So both
run in a mount namespace in which a folder of the test is at that path.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from cryptography import x509

from servers.namespace import own_mounts
from standins.azure import Azure
from standins.azure_managed import KEYS
from standins.azure_tenant import RESOURCE
from support.places import HERE, PYTHON
from support.program import Program
from support.signer import certificate, certificate_pem, new_key, pem

MOUNT = """mount -t tmpfs none /var/opt
mkdir -p "{keys}"
mount --bind "{folder}" "{keys}"
"""
# An installed agent, which is found by its program if no variable names it.
AGENT = """mount -t tmpfs none /opt
mkdir -p /opt/azcmagent/bin
touch /opt/azcmagent/bin/himds
"""


def with_keys(folder: Path, agent: bool = False) -> tuple[str, ...]:
    """Returns a command prefix that runs the command with `folder` in place of the agent's folder."""
    return own_mounts(MOUNT.format(folder=folder, keys=KEYS) + (AGENT if agent else ""))


def reference(azure: Azure, program: Program, credential: str, env: dict[str, str], *, resource: str = RESOURCE,
              prefix: tuple = (), **options) -> dict:  # fmt: skip
    """Runs azure-identity in an environment, and returns what it finds: `{"token": …}` or `{"failure": …}`."""
    if credential.startswith(("Default", "Client", "Certificate", "Workload")):
        options |= {"disable_instance_discovery": True, "connection_verify": str(azure.ca)}
    words = [*prefix, PYTHON, "-B", HERE / "clients" / "azure_credential.py", credential, resource, json.dumps(options)]
    done = subprocess.run(
        [str(word) for word in words], env=program.environment(env), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def certified(folder: Path, ledger) -> tuple[Path, x509.Certificate]:
    """Creates a PEM file with a key and its certificate, as AZURE_CLIENT_CERTIFICATE_PATH names one."""
    key = new_key("RSA")
    found = certificate(key, "build")
    path = folder / "certified.pem"
    path.write_text(ledger.private_key("the key of the certificate", pem(key)) + certificate_pem(found))
    path.chmod(0o600)
    return path, found
