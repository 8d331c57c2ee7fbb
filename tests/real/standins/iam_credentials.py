"""The IAM Service Account Credentials API: `generateAccessToken` for impersonation.

https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
The bearer must be an access token that this machine's token service stand-in issued, whose scope is cloud-platform or iam.
`expireTime` is in whole seconds: a fraction, which the real service may send, breaks several of Google's own clients.
"""

from __future__ import annotations

import json
import re
import secrets
import time

from standins.loopback import Answer, Request
from standins.refused import ApiRefused
from standins.token_exchange import Exchange

PATH = re.compile(r"/v1/projects/(?P<project>[^/]+)/serviceAccounts/(?P<account>[^/:]+):(?P<method>\w+)")
SCOPES = {"https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/iam"}


def generate_access_token(request: Request, issued: dict[str, Exchange], accounts: set[str]) -> tuple[str, Answer]:
    """The new token and the answer that holds it; ApiRefused otherwise."""
    route = PATH.fullmatch(request.path)
    if route is None or route["project"] != "-" or route["method"] != "generateAccessToken":
        raise ApiRefused(404, "Requested entity was not found.", "NOT_FOUND")
    exchange = issued.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if exchange is None or not SCOPES & set(exchange.scope.split()):
        raise ApiRefused(401, "Request had invalid authentication credentials. Expected OAuth 2 access token, "
                              "login cookie or other valid authentication credential.", "UNAUTHENTICATED")  # fmt: skip
    if route["account"] not in accounts:
        raise denied("iam.serviceAccounts.getAccessToken")
    lifetime = check_body(request)
    token = "ya29.impersonated-" + secrets.token_hex(16)
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lifetime))
    return token, Answer(200, {"accessToken": token, "expireTime": end})


def denied(permission: str) -> ApiRefused:
    """Google's 403, the same whether the permission or the account is missing."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": "iam.googleapis.com",
        "metadata": {"permission": permission},
    }
    text = f"Permission '{permission}' denied on resource (or it may not exist)."
    return ApiRefused(403, text, "PERMISSION_DENIED", [info])


def check_body(request: Request) -> int:
    """Scopes are mandatory, the lifetime is `NNNs` up to an hour; returns it in seconds."""
    try:
        body = json.loads(request.body)
        scope, lifetime = body["scope"], body.get("lifetime", "3600s")
        seconds = int(re.fullmatch(r"(\d+)s", lifetime)[1])
    except (ValueError, KeyError, TypeError) as error:
        raise ApiRefused(400, "Request contains an invalid argument.", "INVALID_ARGUMENT") from error
    if not isinstance(scope, list) or not scope or not 0 < seconds <= 3600:
        raise ApiRefused(400, "Request contains an invalid argument.", "INVALID_ARGUMENT")
    return seconds
