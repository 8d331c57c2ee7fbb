"""The token service of GitHub Actions and Forgejo Actions, as one job sees it.

https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token and
https://github.com/actions/toolkit/tree/main/packages/core — this stand-in must accept the toolkit. Without an audience the
token is for the owner of the repository, which no pool provider of these tests accepts.
"""

from __future__ import annotations

import time

from standins.issuer import Issuer
from standins.loopback import Answer, Loopback, Request

DEFAULT_AUDIENCE = "https://github.com/example"
FIVE_MINUTES = 300  # the lifetime of every token, in seconds


class ActionsTokenService:
    """Issues tokens of `issuer` to the job with this bearer token, while the job runs."""

    def __init__(self, issuer: Issuer, bearer: str):
        self.issuer, self.bearer = issuer, bearer
        self.job_runs = True
        self.issued: list[str] = []
        self._http = Loopback(self._answer)
        self.requests = self._http.requests
        self.address = self._http.url + "/run-7/job-1/idtoken?api-version=2.0"

    def environment(self) -> dict[str, str]:
        """The variables of a job with `permissions: id-token: write`."""
        return {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": self.address,
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.bearer}  # fmt: skip

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        if request.method != "GET":
            return Answer(405, {"message": f"The requested resource does not support http method '{request.method}'."})
        if request.path != "/run-7/job-1/idtoken" or request.query.get("api-version") != ["2.0"]:
            return Answer(404, {"message": "The address is not the one that the job was given."})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token != self.bearer:
            return Answer(401, {"message": "The bearer token is missing or wrong."})
        if not self.job_runs:
            return Answer(400, {"message": "Can't issue ID_TOKEN for job in 'Completed' state."})
        audiences = request.query.get("audience", [DEFAULT_AUDIENCE])
        if len(audiences) > 1:
            return Answer(400, {"message": "There is more than one audience."})
        end = int(time.time()) + FIVE_MINUTES
        self.issued.append(self.issuer.token(audiences[0], sub="repo:example/app:ref:refs/heads/main", exp=end))
        return Answer(200, {"count": len(self.issued[-1]), "value": self.issued[-1]})
