"""The installed gcloud: commands that need no network, and commands that use a stand-in. Each run has its own configuration folder and no
proxy; variables contain its endpoints.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.places import SYSTEM_PATH, need


@dataclass
class Gcloud:
    """gcloud in one folder of the test."""

    folder: Path

    def run(self, *arguments: str, **properties: str) -> subprocess.CompletedProcess:
        """Runs one command; `properties` are CLOUDSDK_… variables without that prefix."""
        env = {"PATH": os.pathsep.join([str(need("gcloud").parent), SYSTEM_PATH]), "HOME": str(self.folder),
               "CLOUDSDK_CONFIG": str(self.folder / "gcloud"), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
               "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1", "NO_PROXY": "127.0.0.1"}  # fmt: skip
        env |= {f"CLOUDSDK_{name.upper()}": value for name, value in properties.items()}
        return subprocess.run([str(need("gcloud")), *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=90, check=False)  # fmt: skip

    def credential_config(self, pool_provider: str, *options: str, **properties: str) -> dict:
        """Runs create-cred-config for the pool provider with this audience, and returns the configuration."""
        name = pool_provider.removeprefix("//iam.googleapis.com/")
        group = "workforce-pools" if "workforcePools" in name else "workload-identity-pools"
        out = self.folder / "by-gcloud.json"
        done = self.run("iam", group, "create-cred-config", name, f"--output-file={out}", *options, **properties)
        assert done.returncode == 0, done.stderr
        return json.loads(out.read_text())

    def typed(self, line: str, **properties: str) -> subprocess.CompletedProcess:
        """Runs a line as a user pastes it into a shell."""
        words = shlex.split(line)
        assert words[0] == "gcloud", line
        return self.run(*words[1:], **properties)
