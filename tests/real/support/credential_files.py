"""Credential files of every type for the stand-in, and the requests of clients with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from standins.oauth import OF_ACCOUNTS, OF_WORKFORCE, Refresh
from standins.sts import GoogleStandIn
from support.impersonation import CREATOR, FIRST, principal
from support.leaks import Ledger
from support.program import JWT

TARGET = "target@example-project.iam.gserviceaccount.com"
WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/people/providers/idp"
CLIENT, CLIENT_SECRET = "client-1.apps.googleusercontent.com", "hunter2-client-secret"
MEMBERS = {"authorized_user": "user:ann@example.test",
           "external_account_authorized_user": f"principal:{WORKFORCE.partition('/providers/')[0]}/subject/ann"}  # fmt: skip
USERS = list(MEMBERS)
# `external_account` without and with its own service account.
SOURCES = [*USERS, "external_account", "external_account of an account"]


@dataclass
class CredentialFiles:
    """Writes one file repeatedly; every refresh token is new."""

    path: Path
    sts: GoogleStandIn
    ledger: Ledger
    audience: str
    subject_token: str

    def __post_init__(self):
        self.sts.oauth.clients[CLIENT] = self.ledger.secret("the client's secret", CLIENT_SECRET)
        (self.path.parent / "token").write_text(self.subject_token)

    def sign_in(self, kind: str, **more) -> str:
        """Signs in a user, and returns the new refresh token."""
        path = OF_ACCOUNTS if kind == "authorized_user" else OF_WORKFORCE
        token = self.sts.oauth.sign_in(MEMBERS[kind], CLIENT, path, **more)
        return self.ledger.secret(f"refresh token {len(self.sts.oauth.users)}", token)

    def credentials(self, kind: str, **user) -> dict:
        """The members of one type; `user` is a user of the stand-in."""
        client = {"client_id": CLIENT, "client_secret": CLIENT_SECRET}
        if kind == "authorized_user":
            found = {"type": kind, "account": "", **client, "refresh_token": self.sign_in(kind, **user)}
            return found | {"token_uri": self.sts.url + OF_ACCOUNTS, "universe_domain": "googleapis.com"}
        if kind == "external_account_authorized_user":
            found = {"type": kind, "audience": WORKFORCE, **client, "refresh_token": self.sign_in(kind, **user)}
            return found | {"token_url": self.sts.url + OF_WORKFORCE, "token_info_url": self.sts.url + "/v1/introspect"}
        found = {"type": "external_account", "audience": self.audience, "subject_token_type": JWT, "token_url": self.sts.token_url,
                 "universe_domain": "googleapis.com", "credential_source": {"file": str(self.path.parent / "token")}}  # fmt: skip
        if kind == "external_account of an account":
            found["service_account_impersonation_url"] = self.sts.impersonation_url(FIRST)
        return found

    def member(self, kind: str) -> str:
        """The name of the caller in policies."""
        if kind == "external_account of an account":
            return f"serviceAccount:{FIRST}"
        return MEMBERS.get(kind) or principal(self.audience)

    def write(self, kind: str, **user) -> Path:
        """Writes a file of this type. With `of an account`, the file names a service account that the caller may
        impersonate."""
        if kind == "external_account of an account":
            self.sts.iam.policies.grant(CREATOR, on=FIRST, to=principal(self.audience))
        return self.save(self.credentials(kind, **user))

    def save(self, content: dict) -> Path:
        """Writes the file as gcloud does, for its owner only."""
        self.path.touch(0o600)
        self.path.write_text(json.dumps(content, indent=2))
        return self.path

    def impersonating(self, kind: str, *delegates: str, **more) -> Path:
        """Writes a file of the type `impersonated_service_account`, and grants the roles that it needs."""
        self.write(kind)
        members = [self.member(kind), *(f"serviceAccount:{email}" for email in delegates)]
        for member, email in zip(members, [*delegates, TARGET], strict=True):
            self.sts.iam.policies.grant(CREATOR, on=email, to=member)
        found = {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": self.sts.impersonation_url(TARGET),
            "delegates": [f"projects/-/serviceAccounts/{email}" for email in delegates],
            "source_credentials": json.loads(self.path.read_text()),
        }
        return self.save(found | more)

    def refresh_token(self) -> str:
        """The refresh token in the file."""
        found = json.loads(self.path.read_text())
        return found.get("source_credentials", found)["refresh_token"]


@dataclass(frozen=True)
class Asked:
    """Everything that a client requested from Google for one token; a refresh token of the file has a fixed name."""

    refreshes: tuple[Refresh, ...]
    exchanges: tuple[tuple, ...]
    calls: tuple[tuple, ...]

    @classmethod
    def of(cls, sts: GoogleStandIn, in_file: str = "") -> Asked:
        """Returns what was requested since the last call."""
        assert sts.refusals == [], sts.refusals
        refreshes = [Refresh(it.path, it.client, "in the file" if it.refresh_token == in_file else "another", it.scope, it.given_in)
                     for it in sts.oauth.refreshes]  # fmt: skip
        exchanges = [(it.audience, it.subject_token_type, it.subject_token, it.scope, it.client, str(it.options)) for it in sts.exchanges]
        calls = [(it.method, it.account, it.delegates, tuple(it.body.get("scope", ())), it.body.get("lifetime", "3600s"),
                  it.body.get("audience"), it.body.get("includeEmail")) for it in sts.iam.calls]  # fmt: skip
        for seen in (sts.oauth.refreshes, sts.exchanges, sts.iam.calls):
            seen.clear()
        return cls(tuple(refreshes), tuple(exchanges), tuple(calls))
