"""Runs the commands that follow the subject token, on credential configurations of every kind.

Every token and signature of the stand-in is registered for the leak scan: it may be only in the stdout of a success.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from standins.iam_credentials import Call
from standins.sts import DEPLOYER, GoogleStandIn
from standins.token_exchange import Exchange
from support.clients import ALLOW
from support.program import EXIT_STATUS, JWT, Program, Run


@dataclass
class Commands:
    """The program, Google on loopback, and one configuration file."""

    folder: Path
    program: Program
    sts: GoogleStandIn

    @property
    def path(self) -> Path:
        """The path of the configuration."""
        return self.folder / "credentials.json"

    def configure(self, audience: str, source: dict, email: str | None = DEPLOYER, token_type: str = JWT, **more) -> Path:
        """Writes a configuration for the stand-in; `more` has further members."""
        found = {
            "type": "external_account",
            "universe_domain": "googleapis.com",
            "audience": audience,
            "subject_token_type": token_type,
            "token_url": self.sts.token_url,
            "token_info_url": self.sts.url + "/v1/introspect",
            "credential_source": source,
        }
        if email:
            found["service_account_impersonation_url"] = self.sts.impersonation_url(email)
        self.path.write_text(json.dumps(found | more))
        return self.path

    def run(self, command: str, *arguments, env: dict[str, str] | None = None) -> Run:
        """Runs the program; the leak scan then knows what Google received and returned."""
        before = {name: len(seen) for name, seen in self.seen().items()}
        given = {"GOOGLE_APPLICATION_CREDENTIALS": str(self.path), ALLOW: "1", **(env or {})}
        run = self.program.run(command, *arguments, env=given)
        for name, seen in self.seen().items():
            for number, token in list(enumerate(seen))[before[name]:]:
                self.program.ledger.token(f"{name} {number}", token)
        return run

    def seen(self) -> dict[str, list[str]]:
        """Every token and signature that the stand-in has received or returned, with its name."""
        results = ("token", "signedJwt", "signedBlob")
        return {
            "subject token": [exchange.subject_token for exchange in self.sts.exchanges],
            "access token": list(self.sts.iam.tokens),
            "token of a person": list(self.sts.delegation.grants),
            "result": [call.answer[name] for call in self.sts.iam.calls for name in results if name in call.answer],
        }

    def output(self, command: str, *arguments, env: dict[str, str] | None = None) -> str:
        """Runs the program, and returns the stdout of a success, which must print nothing to stderr."""
        run = self.run(command, *arguments, env=env)
        assert (run.status, run.stderr) == (0, ""), run.described()
        return run.stdout

    def refused(self, code: str, command: str, *arguments, env: dict[str, str] | None = None) -> str:
        """Runs the program, and returns the line of a failure of this kind."""
        run = self.run(command, *arguments, env=env)
        assert (run.status, run.stdout, run.stderr.count("\n")) == (EXIT_STATUS[code], "", 1), run.described()
        return run.stderr


@dataclass(frozen=True)
class Received:
    """The important values of an exchange and of the call after it, in a form that does not depend on the client."""

    audience: str
    subject_token_type: str
    claims: dict
    scope: str
    client: str
    options: dict
    method: str = ""
    account: str = ""
    delegates: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    lifetime: str = ""

    @classmethod
    def last(cls, sts: GoogleStandIn) -> Received:
        """The latest exchange and call. Both are then forgotten, so that the next client starts without them."""
        exchange: Exchange = sts.exchanges.pop()
        assert sts.exchanges == [] and sts.refusals == [], "one exchange, no refusal"
        claims = {name: value for name, value in exchange.claims.items() if name not in ("iat", "exp", "jti")}
        seen = (exchange.audience, exchange.subject_token_type, claims, exchange.scope, exchange.client, exchange.options)
        if not sts.iam.calls:
            return cls(*seen)
        call: Call = sts.iam.calls.pop()
        assert sts.iam.calls == [], "one call"
        return cls(*seen, call.method, call.account, call.delegates, tuple(call.body.get("scope", ())),
                   call.body.get("lifetime", "3600s"))  # fmt: skip
