"""The webhook with which a GKE cluster accepts Google's access tokens: its API server calls it for every unknown token.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication — a service account is known
by its address if the token has the scope userinfo.email, and otherwise by its number; a federated identity by its principal.
A token that nobody issued, that has expired or that lacks the scope cloud-platform is not accepted.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from standins.iam_credentials import unique_id
from standins.loopback import Answer, Loopback, Request
from standins.sts import GoogleStandIn

SCOPE = "https://www.googleapis.com/auth/"
VERSION, KIND = "authentication.k8s.io/v1", "TokenReview"


@dataclass
class GkeAuthenticator:
    """The webhook; a test says which tokens are Google's. `expiry` contains the expiry of tokens that expire during a
    test.
    """

    sts: GoogleStandIn | None = None
    expiry: dict[str, float] = field(default_factory=dict)
    reviewed: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def serving(self, path: Path) -> Iterator[Path]:
        """Writes the configuration for the API server."""
        with Loopback(self._answer) as http:
            path.write_text(json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "google",
                "contexts": [{"name": "google", "context": {"cluster": "google", "user": "api-server"}}],
                "clusters": [{"name": "google", "cluster": {"server": http.url}}], "users": [{"name": "api-server"}],
            }))  # fmt: skip
            yield path

    @contextlib.contextmanager
    def trusting(self, sts: GoogleStandIn) -> Iterator[GkeAuthenticator]:
        """Accepts the tokens of this stand-in, until the block ends."""
        self.sts, self.reviewed = sts, []
        try:
            yield self
        finally:
            self.sts = None

    def _answer(self, request: Request) -> Answer:
        review = json.loads(request.body)
        assert (review["apiVersion"], review["kind"]) == (VERSION, KIND), review
        token = review["spec"]["token"]
        self.reviewed.append(token)
        user = self.user(token)
        status = {"authenticated": True, "user": {"username": user, "groups": []}} if user else {"authenticated": False}
        return Answer(200, {"apiVersion": VERSION, "kind": KIND, "status": status})

    def user(self, token: str) -> str | None:
        """The user of the cluster that the bearer is."""
        caller = self.sts.iam.tokens.get(token) if self.sts else None
        if caller is None or time.time() >= self.expiry.get(token, float("inf")) or SCOPE + "cloud-platform" not in caller.scopes:
            return None
        names = [name for name in caller.members if name.startswith(("serviceAccount:", "principal:"))]
        kind, _, name = names[0].partition(":")
        if kind == "principal":
            return names[0]
        return name if SCOPE + "userinfo.email" in caller.scopes else unique_id(name)
