"""The installed Terraform, whose gcs backend reads its state from a bucket on loopback: with Go's golang.org/x/oauth2, as users run it.

The bucket requires a bearer token of the token service stand-in. https://developer.hashicorp.com/terraform/language/backend/gcs
"""

from __future__ import annotations

import json
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from standins.loopback import Answer, Loopback, Request
from standins.sts import GoogleStandIn
from support.clients import Clients
from support.places import need

BUCKET, OBJECT = "state-bucket", "default.tfstate"
QUIET = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
STATE = {"version": 4, "terraform_version": "1.0.0", "serial": 1, "lineage": "8f7d6c5b", "resources": [],
         "outputs": {"answer": {"value": "42", "type": "string"}}}  # fmt: skip


def bucket(sts: GoogleStandIn, tls: ssl.SSLContext | None = None) -> Loopback:
    """Serves a bucket that contains one state: https://cloud.google.com/storage/docs/json_api/v1/objects"""
    def answer(request: Request) -> Answer:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer not in sts.issued and bearer not in sts.impersonated:
            return Answer(401, {"error": {"code": 401, "message": "Invalid Credentials"}})
        item = {"kind": "storage#object", "name": OBJECT, "bucket": BUCKET, "generation": "1"}
        if request.path.endswith(f"/b/{BUCKET}/o"):
            return Answer(200, {"kind": "storage#objects", "items": [item]})
        if request.path.endswith(f"/b/{BUCKET}/o/{OBJECT}"):
            return Answer(200, item)
        if request.path.endswith(f"/{BUCKET}/{OBJECT}"):
            return Answer(200, STATE, {"X-Goog-Generation": "1"})
        return Answer(404, {"error": {"code": 404, "message": "Not Found"}})

    return Loopback(answer, tls)


@dataclass
class Terraform:
    """terraform in one folder of the test, whose backend is the bucket."""

    folder: Path
    clients: Clients
    storage: Loopback

    def command(self, *arguments: str, configuration: Path | None = None) -> list:
        """Runs one command with this credential configuration, or with the default credentials."""
        self.folder.mkdir(exist_ok=True)
        backend = {"bucket": BUCKET, "storage_custom_endpoint": self.storage.url + "/storage/v1/"}
        backend |= {"credentials": str(configuration)} if configuration else {}
        (self.folder / "main.tf.json").write_text(json.dumps({"terraform": {"backend": {"gcs": backend}}}))
        return [need("terraform"), f"-chdir={self.folder}", *arguments]

    def run(self, configuration: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """Runs Terraform with this credential configuration."""
        done = subprocess.run(self.command(*arguments, configuration=configuration), env=self.clients.environment(QUIET | (env or {})),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)  # fmt: skip
        self.clients.program.ledger.note("what terraform said", done.stdout + done.stderr)
        return done
