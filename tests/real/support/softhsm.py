"""SoftHSM tokens in their own folder, with keys that pkcs11-tool of OpenSC makes and reads."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from support.places import HERE, SYSTEM_PATH, missing, need

PIN = "hunter2-pin"
MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
KEYS = {"rsa": ("rsa:2048", "01"), "ec": ("EC:prime256v1", "02"), "p384": ("EC:secp384r1", "03")}


@dataclass
class Tokens:
    """A folder of tokens; keys are in the token `rig other`, beside an empty token `rig`."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which SoftHSM finds the tokens."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def make(self) -> Tokens:
        """Creates the tokens and their keys."""
        need("softhsm2-util"), need("pkcs11-tool")
        if not MODULE.exists():
            missing("SoftHSM's module is not installed: run tests/real/install")
        (self.folder / "tokens").mkdir()
        (self.folder / "softhsm2.conf").write_text(f"directories.tokendir = {self.folder}/tokens\nobjectstore.backend = file\n")
        (self.folder / "pin").write_text(PIN + "\n")
        (self.folder / "pin").chmod(0o600)
        for label in ("rig", "rig other"):
            self.command("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "hunter2-officer")
        for label, (kind, number) in KEYS.items():
            self.tool("--keypairgen", "--key-type", kind, "--label", label, "--id", number, "--sensitive")
        return self

    def command(self, *words: str) -> bytes:
        """Runs a program of Debian, which must succeed, and returns its output."""
        done = subprocess.run(words, env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **self.environment}, capture_output=True, check=True)
        return done.stdout

    def tool(self, *words: str, token: str = "rig other") -> bytes:
        """Runs pkcs11-tool with the PIN."""
        return self.command("pkcs11-tool", "--module", str(MODULE), "--token-label", token, "--login", "--pin", PIN, *words)

    def public_key(self, number: str):
        """The public key with this ID, as pkcs11-tool reads it."""
        objects = self.tool("--list-objects", "--type", "pubkey").decode().split("Public Key Object")
        (shown,) = [text for text in objects if re.search(rf"ID: +{number}\n", text)]
        if point := re.search(r"EC_POINT: +04(?:41|61)([0-9a-f]+)", shown):  # pkcs11-tool cannot write every curve
            curve = ec.SECP256R1() if "EC_POINT 256 bits" in shown else ec.SECP384R1()
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, bytes.fromhex(point[1]))
        path = self.folder / f"{number}.der"
        self.tool("--read-object", "--type", "pubkey", "--id", number, "-o", str(path))
        return load_der_public_key(path.read_bytes())

    def slot(self, token: str = "rig other") -> str:
        """The ID of the slot of a token, in hexadecimal digits."""
        shown = self.command("pkcs11-tool", "--module", str(MODULE), "--list-token-slots").decode()
        return re.search(rf"\((0x[0-9a-f]+)\)[^(]*token label +: {token}\n", shown)[1]

    def uri(self, key: str, module: Path | None = MODULE, pin: Path | None = None, token: str = "rig other") -> str:
        """The URI of a key, with this module or with p11-kit."""
        query = f"?pin-source=file:{pin or self.folder / 'pin'}" + (f"&module-path={module}" if module else "")
        return f"pkcs11:token={quote(token)};object={key};type=private{query}"


def misbehaving(folder: Path) -> Path:
    """Compiles the module that wraps SoftHSM and does what the variable MISBEHAVE says."""
    module = folder / "module.so"
    command = [need("cc"), "-shared", "-fPIC", "-o", module, HERE / "pkcs11" / "module.c", "-lpthread", "-ldl"]
    subprocess.run([str(word) for word in command], check=True)
    return module
