"""Runs a real Google client on a credential configuration whose command is the program under test.

A client prints an access token or an error; the stand-in records what the token service received.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from standins.sts import GoogleStandIn
from support.places import HERE, NODE_MODULES, PYTHON, SYSTEM_PATH, need
from support.program import JWT, Program

ALLOW = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"


@dataclass(frozen=True)
class Outcome:
    """How a client ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def access_token(self) -> str:
        """The access token that the client obtained."""
        assert self.status == 0, self.complaint
        return self.stdout.strip() if not self.stdout.startswith("{") else json.loads(self.stdout)["access_token"]

    @property
    def complaint(self) -> str:
        """Everything that the client printed."""
        return self.stdout + self.stderr


def python_command(configuration: Path) -> tuple[list, dict]:
    """The command of google-auth, on the Python that runs the tests."""
    return [PYTHON, HERE / "clients" / "python_client.py", configuration], {}


def node_command(configuration: Path) -> tuple[list, dict]:
    """The command of google-auth-library."""
    need("google-auth-library")
    return [need("node"), HERE / "clients" / "node_client.mjs", NODE_MODULES, configuration], {}


def rust_command(configuration: Path) -> tuple[list, dict]:
    """The command of google-cloud-auth."""
    return [need("rust-client"), configuration], {}


def gcloud_command(configuration: Path) -> tuple[list, dict]:
    """The command of gcloud, with its own configuration folder."""
    settings = {
        "CLOUDSDK_CONFIG": str(configuration.parent / "gcloud"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(configuration),
    }
    return [need("gcloud"), "auth", "print-access-token", "--quiet"], settings


CLIENTS: dict[str, Callable[[Path], tuple[list, dict]]] = {
    "python": python_command,
    "node": node_command,
    "rust": rust_command,
    "gcloud": gcloud_command,
}


@dataclass
class Clients:
    """Writes configurations and runs clients with them, all in one folder of the test."""

    folder: Path
    program: Program
    sts: GoogleStandIn

    def configuration(self, audience: str, *arguments, token_type: str = JWT, output_file: Path | None = None,
                      email: str | None = None, before: tuple = (), **executable) -> Path:  # fmt: skip
        """Writes a credential configuration whose command is the program with these arguments, as `wif-token config`
        does.

        The Rust client sets no variables for the program, so the command line names audience, token type and output
        file, as docs/clients.md tells users to; the other clients set the same values as variables too.
        """
        found = self.written(audience, arguments, token_type, email)
        options = [f"--audience={audience}", f"--token-type={token_type}", f"--log-file={self.log}"]
        written = found["credential_source"]["executable"]
        del written["output_file"]
        if output_file:
            options.append(f"--output-file={output_file}")
            written["output_file"] = str(output_file)
        program, source, *rest = written["command"].split(" ")
        written["command"] = " ".join([*before, program, source, *options, *rest])
        assert not set(written["command"]) & set("'\"\\"), "not portable: clients handle quotes differently"
        written |= {"timeout_millis": 20000} | executable
        found |= {"token_url": self.sts.token_url, "token_info_url": self.sts.url + "/v1/introspect"}
        if email:
            found["service_account_impersonation_url"] = self.sts.impersonation_url(email)
        path = self.folder / "credentials.json"
        path.write_text(json.dumps(found))
        return path

    def written(self, audience: str, arguments: tuple, token_type: str = JWT, email: str | None = None) -> dict:
        """Runs `wif-token config` for this source, and returns what it writes; the options of `config` come before
        `--`."""
        source, *rest = map(str, arguments)
        own = [f"--pool-provider={audience}", f"--token-type={token_type}", f"--program={self.program.path}"]
        own += [f"--service-account={email}"] if email else []
        own += ["--workforce-pool-user-project=123456789012"] if "workforcePools" in audience else []
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "credentials.json"
        path.unlink(missing_ok=True)  # `config` would leave a file alone that a test has changed
        run = self.program.run("config", source, *own, f"--out={path}", *rest, logs=False)
        assert run.status == 0, run.described()
        return json.loads(path.read_text())

    @property
    def log(self) -> Path:
        """The log file of the program that a client runs."""
        return self.folder / "wif-token.log"

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """The environment of the client: minimal, with the opt-in that Google requires."""
        path = os.pathsep.join([str(Path(shutil.which("node") or "/usr/bin/node").parent), SYSTEM_PATH])
        return self.program.environment({ALLOW: "1", "NO_PROXY": "127.0.0.1", "PATH": path, **(extra or {})})

    def run(self, name: str, configuration: Path, *more, env: dict[str, str] | None = None) -> Outcome:
        """Runs a client to its end; the leak scan sees its output like that of the program."""
        command, settings = CLIENTS[name](configuration)
        done = subprocess.run(
            [str(word) for word in [*command, *more]], env=self.environment({**settings, **(env or {})}),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        for number, exchange in enumerate(self.sts.exchanges):
            self.program.ledger.token(f"the token of exchange {number}", exchange.subject_token)
        self.program.ledger.note(f"what the {name} client said", outcome.complaint)
        if self.log.exists():
            self.program.ledger.note(f"the log file under the {name} client", self.log.read_text())
        return outcome
