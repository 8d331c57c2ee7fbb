"""The two metadata endpoints that hand out AWS credentials: that of containers and that of EC2 instances, version 2.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html — what ministack lacks: a check of the
container's Authorization, credentials that this machine's STS stand-in knows, and the faults of instances.
"""

from __future__ import annotations

import secrets
import threading

from standins.aws_keys import AccessKey
from standins.loopback import Answer, Loopback, Request

ROLES = "/latest/meta-data/iam/security-credentials/"
SIX_HOURS = 21600  # seconds


class ContainerEndpoint:
    """Returns one session at every path, to clients that send the right Authorization (None: to all clients)."""

    def __init__(self):
        self.key: AccessKey | None = None
        self.authorization: str | None = None
        self.status, self.document = 200, None  # a response other than that of the session
        self._http = Loopback(self._answer)
        self.url, self.requests = self._http.url, self._http.requests

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        if self.authorization not in (None, request.headers.get("authorization")):
            return Answer(401, {"code": "AccessDenied", "message": "invalid authorization token"})
        if self.document is not None or self.status != 200:
            return Answer(self.status, self.document or {"code": "InternalServerError", "message": "try later"})
        if request.method != "GET" or self.key is None:
            return Answer(404, {"code": "NoSuchCredential", "message": "unable to find credentials"})
        return Answer(200, self.key.document() | {"RoleArn": "arn:aws:iam::123456789012:role/task"})


class Imds:
    """Returns the session of one role to clients that have a session token of this service. `faults` maps a step (`put`,
    `list`, `role`) to a status, or to "hang", which sends no response until `close`, as with a hop limit of 1.
    """

    def __init__(self, region: str = "us-east-1"):
        self.key: AccessKey | None = None
        self.role = "instance-role"
        self.region = region
        self.faults: dict[str, int | str] = {}
        self.document: dict | None = None  # a response other than that of the session
        self._tokens: set[str] = set()
        self._over = threading.Event()
        self._http = Loopback(self._answer)
        self.url, self.requests = self._http.url, self._http.requests

    def close(self):
        """Stops serving and ends the requests that hang."""
        self._over.set()
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        step = {"/latest/api/token": "put", ROLES: "list", ROLES.rstrip("/"): "list"}.get(request.path, "role")
        fault = self.faults.get(step)
        if fault == "hang":
            self._over.wait(60)
            return Answer(500, "over")
        if fault:
            return Answer(fault, "refused")
        if step == "put":
            return self._issue(request)
        if request.headers.get("x-aws-ec2-metadata-token") not in self._tokens or request.method != "GET":
            return Answer(401, "Unauthorized")
        if step == "list" and self.key:
            return Answer(200, self.role)
        if request.path == ROLES + self.role and self.key:
            end = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z"}
            return Answer(200, self.document or end | self.key.document())
        if request.path == "/latest/meta-data/placement/region":
            return Answer(200, self.region)
        if request.path == "/latest/meta-data/placement/availability-zone":
            return Answer(200, self.region + "a")
        return Answer(404, "not found")

    def _issue(self, request: Request) -> Answer:
        seconds = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT":
            return Answer(405, "Method Not Allowed")
        if not seconds.isdigit() or not 1 <= int(seconds) <= SIX_HOURS:
            return Answer(400, "Bad Request")
        token = secrets.token_urlsafe(40)
        self._tokens.add(token)
        return Answer(200, token, {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": seconds})
