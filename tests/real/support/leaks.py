"""The leak scan: no secret of a fixture, and no token of a failure, in anything that a user or a log may see.

Fixtures register what is secret. Every run of the program, and of a client that ran it, is recorded; after each test `check`
searches them. A token may be in the stdout document of a success and in the output file, and nowhere else.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus


@dataclass
class Seen:
    """The text of one run; `may_hold_token` is true for the stdout of a success."""

    where: str
    text: str
    may_hold_token: bool = False


@dataclass
class Ledger:
    """Secrets and tokens by name, and the texts in which they are searched."""

    secrets: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def secret(self, name: str, value: str) -> str:
        """Registers a secret in the encodings in which it could leak, and returns it."""
        self.secrets[name] = value
        self.secrets[f"{name} (percent-encoded)"] = quote(value, safe="")
        self.secrets[f"{name} (form-encoded)"] = quote_plus(value)
        self.secrets[f"{name} (in JSON)"] = json.dumps(value)[1:-1]
        self.secrets[f"{name} (base64)"] = base64.b64encode(value.encode()).decode().rstrip("=")
        return value

    def private_key(self, name: str, pem: str) -> str:
        """Registers each line of a PEM body, and returns the PEM."""
        for number, line in enumerate(pem.strip().splitlines()[1:-1]):
            if len(line) > 16:
                self.secrets[f"{name} line {number}"] = line
        return pem

    def token(self, name: str, value: str) -> str:
        """Registers a token and its signature, which is enough to use the token. Returns the token."""
        self.tokens[name] = value
        if value.count(".") == 2:
            self.tokens[f"{name} (signature)"] = value.rpartition(".")[2]
        return value

    def note(self, where: str, text: str, may_hold_token: bool = False):
        """Adds a text to the scan."""
        self.seen.append(Seen(where, text, may_hold_token))

    def check(self) -> list[str]:
        """Searches the texts, and returns the names of the secrets that leaked, without their values."""
        return [
            f"{name} leaked into {seen.where}"
            for seen in self.seen
            for name, value in (self.secrets if seen.may_hold_token else self.secrets | self.tokens).items()
            if len(value) >= 8 and value in seen.text
        ]
