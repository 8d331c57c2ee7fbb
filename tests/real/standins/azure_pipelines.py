"""The endpoint of Azure DevOps that issues the ID token of a job.

https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create — `AzurePipelinesCredential` of Microsoft's SDK must
work with this stand-in. The text for a connection that no task of the stage names is that of
https://github.com/dotnet/docker-tools/issues/2012. The status is not reported there; 400 is a guess.
"""

from __future__ import annotations

import time

from standins.issuer import Issuer
from standins.loopback import Answer, Loopback, Request

AUDIENCE = "api://AzureADTokenExchange"
PATH = "/example/project-1/_apis/distributedtask/hubs/build/plans/plan-1/jobs/job-1/oidctoken"
NO_VERSION = ('No api-version was supplied for the "POST" request. The version must be supplied either as part of the Accept header '
              '(e.g. "application/json; api-version=1.0") or as a query parameter (e.g. "?api-version=1.0").')  # fmt: skip


class AzureDevOps:
    """Issues tokens of `issuer` to the job with this access token: for the job itself, or for `connections` by ID."""

    def __init__(self, issuer: Issuer, access_token: str):
        self.issuer, self.access_token = issuer, access_token
        self.connections = {"11111111-aaaa-4bbb-8ccc-222222222222": "deploy"}
        self.unnamed: set[str] = set()  # the connections that no task of the stage names
        self.issued: list[str] = []
        self._http = Loopback(self._answer)
        self.requests = self._http.requests
        self.address = self._http.url + PATH

    def environment(self) -> dict[str, str]:
        """The variables of a step that maps its access token."""
        return {"TF_BUILD": "True", "SYSTEM_OIDCREQUESTURI": self.address, "SYSTEM_ACCESSTOKEN": self.access_token}

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        if "content-length" not in request.headers and request.method == "POST":
            return Answer(411, "Length Required")
        if request.headers.get("authorization") != f"Bearer {self.access_token}":
            if request.headers.get("x-tfs-fedauthredirect") == "Suppress":
                return Answer(401, "")
            return Answer(302, "<html>Object moved</html>", {"Location": "https://spsprodcus1.vssps.visualstudio.com/_signin"})
        if request.path != PATH or request.method != "POST":
            return failed(405, f"The requested resource does not support http method '{request.method}'.")
        if "api-version" not in request.query:
            return failed(400, NO_VERSION, "VssVersionNotSpecifiedException")
        identifier = request.query.get("serviceConnectionId", [None])[0]
        if identifier in self.unnamed:
            words = f"There is no explicit reference to service connection {identifier} from current stage Deploy.Deploy.__default."
            return Answer(400, {"count": len(words), "value": words})
        if identifier and identifier not in self.connections:
            return failed(404, f"No service connection found with identifier {identifier}.")
        subject = f"sc://example/project/{self.connections[identifier]}" if identifier else "p://example/project/pipeline"
        end = int(time.time()) + 600
        self.issued.append(self.issuer.token(AUDIENCE, sub=subject, exp=end))
        return Answer(200, {"oidcToken": self.issued[-1]})


def failed(status: int, message: str, kind: str = "DistributedTaskException") -> Answer:
    """Makes a failure in the form of Azure DevOps."""
    return Answer(status, {"$id": "1", "innerException": None, "message": message, "typeKey": kind, "errorCode": 0})
