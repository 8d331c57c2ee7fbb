"""Keys in a TPM, emulated by swtpm, through the module tpm2-pkcs11 and the resource manager tpm2-abrmd on its own bus."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.places import SYSTEM_PATH, missing, need
from support.processes import free_port, listens, serving, until

ISSUER, PIN, TOKEN = "https://host.example.test", "hunter2-tpm-pin", "tpm"


@dataclass
class Tpm:
    """A TPM whose token has an RSA key; `environment` leads modules and tools to it."""

    folder: Path
    environment: dict[str, str]

    def uri(self, key: str) -> str:
        """The URI of a key, with p11-kit."""
        return f"pkcs11:token={TOKEN};object={key}?pin-source={self.folder}/pin"


@pytest.fixture(scope="module")
def tpm(tmp_path_factory):
    """A TPM that only this file uses."""
    folder = tmp_path_factory.mktemp("tpm")
    (folder / "state").mkdir()
    (folder / "store").mkdir()
    (folder / "pin").write_text(PIN)
    port = free_port()
    swtpm = [need("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={folder}/state", "--flags", "not-need-init,startup-clear",
             "--server", f"type=tcp,port={port},bindaddr=127.0.0.1", "--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1"]  # fmt: skip
    # The manager uses a bus without a password, which ends with its process.
    manager = shlex.join([str(need("tpm2-abrmd")), "--session", "--allow-root", f"--tcti=swtpm:host=127.0.0.1,port={port}"])
    script = f'echo "bus=$DBUS_SESSION_BUS_ADDRESS"; exec {manager}'
    bus, log = [need("dbus-run-session"), "--", "sh", "-c", script], folder / "bus.log"
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder)}
    with serving(swtpm, folder / "swtpm.log", env, lambda: listens(port + 1)), \
            serving(bus, log, env, lambda: [line[4:] for line in log.read_text().splitlines() if line.startswith("bus=")]) as (address,):
        tcti = "tabrmd:bus_type=session"
        env |= {"DBUS_SESSION_BUS_ADDRESS": address, "TPM2_PKCS11_STORE": f"{folder}/store", "TPM2_PKCS11_TCTI": tcti,
                "TPM2TOOLS_TCTI": tcti}  # fmt: skip
        found = Tpm(folder, env)
        tool(found, "init")
        tool(found, "addtoken", "--pid=1", f"--label={TOKEN}", "--sopin=hunter2-officer", f"--userpin={PIN}")
        tool(found, "addkey", f"--label={TOKEN}", f"--userpin={PIN}", "--key-label=rsa", "--algorithm=rsa2048")
        yield found


def tool(tpm: Tpm, command: str, *words: str):
    """Runs tpm2_ptool, again until the resource manager is on its bus."""
    def once() -> bool:
        done = subprocess.run([need("tpm2_ptool"), command, f"--path={tpm.folder}/store", *words], env=tpm.environment, capture_output=True)
        return done.returncode == 0

    if command != "init":
        assert once()
        return
    try:
        until(once, "the TPM has a store", 20)
    except AssertionError:
        missing("swtpm with tpm2-abrmd does not start")


@pytest.mark.parametrize("key, options", [("rsa", []), ("made", ["--generate"])])
def test_the_pool_provider_accepts_the_tokens(program, ledger, tpm, audience, key, options):
    """The keys are one that tpm2_ptool created and one that the program creates. The output of the libraries is not in
    that of the program.
    """
    ledger.secret("the PIN", PIN)
    program = replace(program, variables=program.variables | tpm.environment)
    words = [f"--key={tpm.uri(key)}", *options]
    token = program.run("key", *words, f"--issuer={ISSUER}", "--subject=host-1", f"--audience={audience}").token
    shown = program.run("key", "--jwks", *words)
    assert (shown.status, shown.stderr) == (0, ""), shown.described()
    assert verify_jwt(token, OidcPoolProvider(audience, ISSUER, jwks=json.loads(shown.stdout)))["sub"] == "host-1"
