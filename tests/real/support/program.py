"""Runs the program under test as a client would: with a minimal environment, an empty HOME, and a stdin that stays open.

    run = program.run("env", "--name=TOKEN", env={"TOKEN": token})
    assert run.token == token
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Iterator

from support.leaks import Ledger
from support.places import PROGRAM, SYSTEM_PATH, need

PREFIX = "GOOGLE_EXTERNAL_ACCOUNT_"
JWT = "urn:ietf:params:oauth:token-type:jwt"
SAML2 = "urn:ietf:params:oauth:token-type:saml2"
MEMBERS = {JWT: "id_token", SAML2: "saml_response"}
EXIT_STATUS = {"USAGE": 2, "CONFIGURATION": 3, "ABSENT": 4, "DENIED": 5, "UNREACHABLE": 6, "PROTOCOL": 7, "EXPIRED": 8,
               "INTERNAL": 9}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """The results of one run of the program, and its duration in seconds."""

    arguments: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    log: str
    seconds: float

    @property
    def document(self) -> dict:
        """The document on stdout, which must be one line of JSON and nothing else."""
        assert self.stdout.endswith("\n") and self.stdout.count("\n") == 1, self.described()
        return json.loads(self.stdout)

    @property
    def token(self) -> str:
        """The subject token of a success that follows the contract."""
        document = self.document
        assert (self.status, self.stderr) == (0, ""), self.described()
        member = MEMBERS[document["token_type"]]
        assert set(document) == {"version", "success", "token_type", member, "expiration_time"}, self.described()
        return token_of(document)

    def failed(self, code: str, *words: str) -> str:
        """Asserts a failure that follows the contract, with this kind and these words, and returns its message."""
        document = self.document
        assert document["version"] == 1 and document["success"] is False, self.described()
        assert document["code"] == code and self.status == EXIT_STATUS[code], self.described()
        assert set(document) == {"version", "success", "token_type", "code", "message"}, self.described()
        assert document["message"] and document["token_type"], self.described()
        assert self.stderr.rstrip("\n").endswith(document["message"]) and self.stderr.count("\n") == 1, self.described()
        for word in words:
            assert word.lower() in document["message"].lower(), f"{word!r} is missing: {self.described()}"
        return document["message"]

    def described(self) -> str:
        """Describes the run for assertion messages."""
        return (f"{self.arguments} -> {self.status} after {self.seconds:.1f} s\n"
                f"stdout: {self.stdout}\nstderr: {self.stderr}\nlog: {self.log}")  # fmt: skip


def token_of(document: dict) -> str:
    """The subject token of a success of version 1, as on stdout and in an output file."""
    assert document["version"] == 1 and document["success"] is True, document
    assert type(document["expiration_time"]) is int, document
    return document[MEMBERS[document["token_type"]]]


def has_default_margin(expiration_time: int, expiry: float, life: float) -> bool:
    """Whether a document has the default margin before `expiry`: a tenth to a fifth of `life`, or 300 to 600 seconds."""
    return min(300, life / 10) - 2 <= expiry - expiration_time <= min(600, life / 5) + 2


@dataclass
class Program:
    """The program with its own home; the leak scan sees the results of each run."""

    home: Path
    ledger: Ledger
    path: Path = PROGRAM
    variables: dict[str, str] = field(default_factory=dict)  # the variables of every run
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """An environment with only PATH, a language and an empty HOME."""
        return {"PATH": SYSTEM_PATH, "HOME": str(self.home), "LANG": "C.UTF-8", **self.variables, **(extra or {})}

    def request(self, audience: str, token_type: str = JWT, output_file: Path | None = None, **more) -> dict[str, str]:
        """The variables that a client sets; names in `more` are in lower case: interactive="1", revoke="1"."""
        found = {"AUDIENCE": audience, "TOKEN_TYPE": token_type, "INTERACTIVE": "0", "REVOKE": "0"}
        found |= {name.upper(): value for name, value in more.items()}
        if output_file:
            found["OUTPUT_FILE"] = str(output_file)
        return {PREFIX + name: value for name, value in found.items()}

    def behind(self, *words) -> Program:
        """The program started through these words, such as those that enter a namespace. The command is still one file,
        so that clients can run it."""
        wrapper = self.home.parent / f"{self.path.name}-behind"
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, (*words, self.path)))} "$@"\n')
        wrapper.chmod(0o755)
        return replace(self, path=wrapper)

    def killed_after(self, seconds: float, *words) -> Program:
        """The program, killed after this time, as a client does. On a busy machine, the kill may come only when the
        program has ended."""
        return self.behind(*words, need("timeout"), "--signal=KILL", seconds)

    def run(self, source: str, *arguments, env: dict[str, str] | None = None, timeout: float = 40, logs: bool = True,
            **popen) -> Run:  # fmt: skip
        """Runs the program to its end, with a log file that the leak scan reads too."""
        log = self.home.parent / f"{self.home.name}-run-{next(self.numbers)}.log"
        logging = [f"--log-file={log}"] if logs else []
        # stdin is an open pipe without input, as with Node and Java: a program that reads it reaches the timeout.
        reading, writing = os.pipe()
        try:
            began = time.monotonic()
            child = self.start(source, *logging, *arguments, env=env, **{"stdin": reading, **popen})
            return self.finish(child, began, timeout, log)
        finally:
            os.close(reading)
            os.close(writing)

    def start(self, *arguments, env: dict[str, str] | None = None, **popen) -> subprocess.Popen:
        """Starts a run without a log file; the caller ends it with `finish`."""
        command = [str(word) for word in (self.path, *arguments)]
        settings = {"cwd": self.home, "stdin": subprocess.DEVNULL, **popen}
        return subprocess.Popen(command, env=self.environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings)

    def finish(self, child: subprocess.Popen, began: float = 0, timeout: float = 60, log: Path | None = None) -> Run:
        """Waits for the end of a run, and kills it at the timeout; `began` is a reading of the monotonic clock."""
        try:
            stdout, stderr = child.communicate(timeout=timeout)
        finally:
            child.kill()
            child.wait()
        seconds = time.monotonic() - began
        logged = log.read_text(errors="replace") if log and log.exists() else ""
        run = Run(tuple(child.args[1:]), child.returncode, stdout.decode(), stderr.decode(), logged, seconds)
        name = f"of process {child.pid} ({child.args[1]})"
        self.ledger.note(f"the stdout {name}", run.stdout, may_hold_token=run.status == 0)
        self.ledger.note(f"the stderr {name}", run.stderr)
        self.ledger.note(f"the log file {name}", run.log)
        for token in tokens_in(run.stdout):
            self.ledger.token(f"the token {name}", token)
        return run


def tokens_in(document: str) -> list[str]:
    """The tokens in a document."""
    try:
        found = json.loads(document)
        return [found[member] for member in MEMBERS.values() if member in found]
    except ValueError:
        return []
