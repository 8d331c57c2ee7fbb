"""The ID token endpoint of Codefresh, as one build sees it.

https://codefresh.io/docs/docs/integrations/oidc-pipelines/ and the script of Codefresh's own step,
https://github.com/codefresh-io/steps/blob/master/incubating/obtain-oidc-id-token/step.yaml: the token of the build is the whole
header, without a scheme.
"""

from __future__ import annotations

import time

from standins.issuer import Issuer
from standins.loopback import Answer, Loopback, Request

PLATFORM = "https://g.codefresh.io"  # the default audience of a token


class Codefresh:
    """Issues tokens of `issuer` that are valid for five minutes, while the build runs."""

    def __init__(self, issuer: Issuer, build_token: str):
        self.issuer, self.build_token = issuer, build_token
        self.build_runs = True
        self._http = Loopback(self._answer)
        self.url = self._http.url + "/api/oidc/id-token"

    def environment(self) -> dict[str, str]:
        """The variables of every build."""
        return {"CF_OIDC_REQUEST_URL": self.url, "CF_OIDC_REQUEST_TOKEN": self.build_token}

    def close(self):
        """Stops the server."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        if (request.method, request.path) != ("GET", "/api/oidc/id-token"):
            return Answer(404, {"message": "Not found"})
        if request.headers.get("authorization") != self.build_token or not self.build_runs:
            return Answer(401, {"message": "The request token is wrong, or its build has ended."})
        audience = request.query.get("audience", [PLATFORM])[0]
        return Answer(200, {"id_token": self.issuer.token(audience, exp=int(time.time()) + 300)})
