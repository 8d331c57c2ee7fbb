"""Token introspection at the Security Token Service, with which gcloud finds the name of the account that signed in.

RFC 7662, https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/introspect; client libraries never call it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from standins.loopback import Answer, Request
from standins.token_exchange import Exchange


def introspect(request: Request, issued: dict[str, Exchange]) -> Answer:
    """Whether a token was issued here, and to whom."""
    fields = parse_qs(request.body.decode())
    exchange = issued.get(fields.get("token", [""])[0])
    if exchange is None:
        return Answer(200, {"active": False})
    pool = exchange.audience.partition("/providers/")[0]
    return Answer(200, {"active": True, "username": f"principal:{pool}/subject/{exchange.claims['sub']}"})
