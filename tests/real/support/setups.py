"""Set-ups for `wif-token check`: a configuration, a token and Google on loopback that fit together, so that a test can break one part.

    setup = setups.file()
    setup.config["audience"] = "…"
    run = setup.check()
    assert run.first("error") == "error    audience        …"

Make all changes before `check`, which writes the files.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from standins.issuer import Issuer
from standins.loopback import Answer, Loopback, Request
from standins.sts import DEPLOYER, GoogleStandIn
from support.clients import ALLOW
from support.impersonation import principal
from support.program import JWT, SAML2, Program, Run
from support.snapshots import normalised

STEP = " " * 25


@dataclass(frozen=True)
class Report:
    """The output of one `check`."""

    run: Run

    def lines(self) -> list[str]:
        """One line for each check, without the details below the line."""
        return [line for line in self.run.stdout.splitlines() if not line.startswith(STEP)]

    def first(self, status: str) -> str | None:
        """The first line with this status."""
        return next((line for line in self.lines() if line.startswith(status)), None)

    def statuses(self) -> dict[str, str]:
        """Check -> status; for a check with several lines, the status of the last one."""
        return {line[9:24].strip(): line[:8].strip() for line in self.lines()}

    def below(self, link: str) -> list[str]:
        """The steps, claims or principals of a check."""
        _, _, rest = re.split(rf"(?m)^(\w+ +{link} .*\n)", self.run.stdout, maxsplit=1)
        return [line.strip() for line in re.match(rf"(?:{STEP}.*\n)*", rest)[0].splitlines()]


@dataclass
class Setup:
    """One set-up in its own folder; `token` is the content of the file `token`."""

    folder: Path
    program: Program
    sts: GoogleStandIn
    audience: str
    token: str
    config: dict
    issuer: Issuer | None = None
    env: dict[str, str | None] = field(default_factory=lambda: {ALLOW: "1"})
    options: list[str] = field(default_factory=list)
    text: str | None = None  # the text of the configuration, if it is not JSON
    server: str = ""  # the URL of the server of the source `url`

    @property
    def path(self) -> Path:
        """The configuration."""
        return self.folder / "credentials.json"

    @property
    def executable(self) -> dict:
        """The executable of the configuration."""
        return self.config["credential_source"]["executable"]

    def file(self, name: str, content: str, mode: int = 0o644) -> Path:
        """Writes a file in the folder."""
        path = self.folder / name
        path.write_text(content)
        path.chmod(mode)
        return path

    def claims(self, header: dict | None = None, **claims):
        """Replaces the token by one of the issuer with these claims; None leaves one out."""
        self.token = self.issuer.token("https:" + self.audience, header, **claims)

    def check(self, *options: str) -> Report:
        """Writes the files of the set-up, and runs `check`."""
        (self.folder / "token").write_text(self.token)
        self.path.write_text(json.dumps(self.config) if self.text is None else self.text)
        self.path.chmod(self.path.stat().st_mode & 0o777)
        self.program.ledger.token("the subject token", self.token)
        self.program.ledger.token("its signature", self.token.rpartition(".")[2])
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(self.path)} | self.env
        run = self.program.run("check", *self.options, *options, env={name: value for name, value in env.items() if value})
        for token in self.sts.iam.tokens:
            self.program.ledger.token("an access token", token)
        # No report may contain a token.
        self.program.ledger.note("the report", run.stdout + run.stderr)
        return Report(run)

    def places(self) -> dict[str, str]:
        """The values that differ from run to run, by their names in an expected text."""
        values = {"dir": self.folder, "sts": self.sts.url, "issuer": self.issuer.url if self.issuer else "",
                  "program": self.program.path, "server": self.server}  # fmt: skip
        return {name: str(value) for name, value in values.items()}

    def filled(self, text: str) -> str:
        """Replaces the placeholders in a text by the values of this run."""
        for name, value in (self.places() | {"aud": self.audience, "email": DEPLOYER}).items():
            text = text.replace("{" + name + "}", value)
        return text

    def normalised(self, report: Report) -> str:
        """The whole report in a form that is the same in every run."""
        return normalised(report.run.stdout, self.places()).replace(f" {len(self.token)} bytes", " {length} bytes")


@dataclass
class Setups:
    """Makes valid set-ups of every kind."""

    folder: Path
    program: Program
    sts: GoogleStandIn
    issuer: Issuer
    audience: str
    servers: list[Loopback] = field(default_factory=list)

    def close(self):
        """Stops the servers that were started."""
        for server in self.servers:
            server.close()

    def of(self, source: dict, token: str = "", token_type: str = JWT, email: str | None = DEPLOYER) -> Setup:
        """Makes a set-up with this credential source."""
        (self.folder / "private").mkdir(mode=0o700, exist_ok=True)
        config = {
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": self.audience,
            "subject_token_type": token_type,
            "token_url": self.sts.token_url,
            "credential_source": source,
        }
        if email:
            config["service_account_impersonation_url"] = self.sts.impersonation_url(email)
        return Setup(self.folder, self.program, self.sts, self.audience, token, config, self.issuer)

    def jwt(self, **claims) -> str:
        """Signs a token of the issuer."""
        return self.issuer.token("https:" + self.audience, **claims)

    def executable(self, command: str, token: str | None = None, token_type: str = JWT) -> Setup:
        """Makes a set-up with a program and an output file."""
        executable = {"command": command, "timeout_millis": 30000, "output_file": str(self.folder / "private" / "out.json")}
        return self.of({"executable": executable}, self.jwt() if token is None else token, token_type)

    def ours(self, *arguments: str, token: str | None = None, token_type: str = JWT) -> Setup:
        """Makes a set-up with this program, by default with the source `file`."""
        words = arguments or ("file", f"--path={self.folder / 'token'}")
        return self.executable(" ".join([str(self.program.path), *words]), token, token_type)

    def url(self, answer: Callable[[Request], Answer]) -> Setup:
        """Makes a set-up with the source `url`, a header, and a server."""
        server = Loopback(answer)
        self.servers.append(server)
        setup = self.of({"url": server.url + "/token", "headers": {"Metadata": "True"}})
        setup.server = server.url
        return setup

    def foreign(self, token: str | None = None, token_type: str = JWT, **document) -> Setup:
        """Makes a set-up with another program: a script that prints a document."""
        token = self.jwt() if token is None else token
        wire, member = (SAML2, "saml_response") if token_type == SAML2 else (JWT, "id_token")
        document = {"version": 1, "success": True, "token_type": wire, member: token,
                    "expiration_time": int(time.time()) + 240} | document  # fmt: skip
        setup = self.executable(str(self.folder / "helper"), token, token_type)
        del setup.executable["output_file"]
        setup.file("document.json", json.dumps({name: value for name, value in document.items() if value is not None}))
        setup.file("helper", f"#!/bin/sh\ncat {self.folder}/document.json\n", 0o755)
        return setup

    def grant(self, role: str, on: str, to: str | None = None):
        """Grants a role, by default to the workload."""
        self.sts.iam.policies.grant(role, on=on, to=to or principal(self.audience))


def copy(program: Path, folder: Path, mode: int = 0o755) -> Path:
    """Copies the program to another folder, under its own name."""
    folder.mkdir()
    path = folder / "wif-token"
    shutil.copy(program, path)
    path.chmod(mode)
    return path
