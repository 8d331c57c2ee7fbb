"""Anthropic, Databricks, OpenAI and Snowflake on loopback: each exchanges a trusted token in the protocol of its SDK.

Their tokens are valid for a second, so the SDK exchanges again at once.
https://platform.claude.com/docs/en/manage-claude/wif-reference#token-exchange-request,
https://docs.databricks.com/en/dev-tools/auth/oauth-federation-howto.html,
https://developers.openai.com/api/reference/workload-identity-federation,
https://docs.snowflake.com/en/user-guide/workload-identity-federation
"""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from standins.federation import Distrusted, Trust
from standins.loopback import Answer, Loopback, Request

BEARER = "hunter2-access-token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
RULE, ORGANIZATION, ACCOUNT = "fdrl_example", "00000000-0000-0000-0000-000000000000", "svac_example"
CLIENT = "11111111-2222-3333-4444-555555555555"


class RelyingParty:
    """A running service. `trust` contains the settings of its administrator."""

    def __init__(self, trust: Trust):
        self.trust = trust
        self._http = Loopback(self.answer)
        self.url, self.port, self.requests = self._http.url, self._http.port, self._http.requests

    def close(self):
        """Stops the server."""
        self._http.close()

    def answer(self, request: Request) -> Answer:
        """The response to a request."""
        raise NotImplementedError

    def issued(self, token: str) -> dict:
        """Exchanges a trusted token for the OAuth token of this service."""
        self.trust.judge(token)
        return {"access_token": BEARER, "token_type": "Bearer", "expires_in": 1}


def is_authorized(request: Request) -> bool:
    """Whether the request contains the token that the service has issued."""
    return request.headers.get("authorization") == f"Bearer {BEARER}"


class Anthropic(RelyingParty):
    """`/v1/oauth/token` with the grant of RFC 7523 in JSON, and a list of models."""

    def answer(self, request: Request) -> Answer:
        if (request.method, request.path) == ("POST", "/v1/oauth/token"):
            body = json.loads(request.body)
            if body.get("grant_type") != JWT_BEARER or body.get("organization_id") != ORGANIZATION or "service_account_id" not in body:
                return refusal("invalid_request")
            if len(body["assertion"]) > 16 * 1024 or body.get("federation_rule_id") != RULE or body["service_account_id"] != ACCOUNT:
                return refusal("invalid_grant")
            try:
                return Answer(200, self.issued(body["assertion"]))
            except Distrusted:
                return refusal("invalid_grant")  # the reason is only in the log of the Console
        if (request.method, request.path) == ("GET", "/v1/models") and is_authorized(request):
            model = {"id": "model-1", "type": "model", "display_name": "Model", "created_at": "2026-01-01T00:00:00Z"}
            return Answer(200, {"data": [model], "has_more": False, "first_id": "model-1", "last_id": "model-1"})
        return Answer(401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid bearer token"}})


def refusal(code: str) -> Answer:
    """Makes an OAuth error that does not state the reason."""
    return Answer(400, {"error": code, "error_description": "the token exchange was refused"})


class Databricks(RelyingParty):
    """A workspace: its discovery documents, the exchange of RFC 8693, and the identity of the caller."""

    def answer(self, request: Request) -> Answer:
        if request.path == "/.well-known/databricks-config":
            return Answer(200, {"oidc_endpoint": self.url + "/oidc", "account_id": CLIENT, "workspace_id": "1"})
        if request.path == "/oidc/.well-known/oauth-authorization-server":
            base = self.url + "/oidc/v1"
            return Answer(200, {"token_endpoint": base + "/token", "authorization_endpoint": base + "/authorize"})
        if (request.method, request.path) == ("POST", "/oidc/v1/token"):
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            if form.get("grant_type") != EXCHANGE or form.get("client_id") != CLIENT:
                return Answer(400, {"error": "invalid_request", "error_description": "The request is not a token exchange."})
            try:
                return Answer(200, self.issued(form["subject_token"]))
            except Distrusted as distrust:
                description = f"The token does not match a federation policy: {distrust}."
                return Answer(400, {"error": "invalid_grant", "error_description": description})
        if request.path == "/api/2.0/preview/scim/v2/Me" and is_authorized(request):
            return Answer(200, {"userName": "my-app"})
        return Answer(401, {"error_code": "UNAUTHENTICATED", "message": "Credential was not sent or was of an unsupported type."})


class OpenAi(RelyingParty):
    """The exchange of RFC 8693 in JSON, and a list of models."""

    def answer(self, request: Request) -> Answer:
        if (request.method, request.path) == ("POST", "/oauth/token"):
            body = json.loads(request.body)
            expected = {"grant_type": EXCHANGE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                        "identity_provider_id": RULE, "service_account_id": ACCOUNT}  # fmt: skip
            try:
                if {name: body.get(name) for name in expected} != expected:
                    raise Distrusted("malformed")
                return Answer(200, self.issued(body["subject_token"]))
            except Distrusted as distrust:
                return Answer(400, {"error": "invalid_grant", "error_description": f"The token is not accepted: {distrust}."})
        if (request.method, request.path) == ("GET", "/v1/models") and is_authorized(request):
            return Answer(200, {"object": "list", "data": [{"id": "model-1", "object": "model", "created": 1, "owned_by": "system"}]})
        return Answer(401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error", "code": None}})


class Snowflake(RelyingParty):
    """The login request of the drivers."""

    def answer(self, request: Request) -> Answer:
        if request.path != "/session/v1/login-request":
            return Answer(200, {"data": None, "code": None, "message": None, "success": True})
        data = json.loads(request.body)["data"]
        try:
            if (data["AUTHENTICATOR"], data["PROVIDER"]) != ("WORKLOAD_IDENTITY", "OIDC"):
                raise Distrusted("malformed")
            self.trust.judge(data["TOKEN"])
        except Distrusted as distrust:
            message = f"The workload identity was refused: {distrust}."
            return Answer(200, {"data": {}, "code": "390144", "message": message, "success": False})
        session = {"token": BEARER, "masterToken": "hunter2-master-token", "validityInSeconds": 3600, "sessionId": 1, "parameters": [],
                   "masterValidityInSeconds": 14400, "displayUserName": "MY_APP", "serverVersion": "9",
                   "sessionInfo": {"databaseName": None, "schemaName": None, "warehouseName": None, "roleName": "PUBLIC"}}  # fmt: skip
        return Answer(200, {"data": session, "code": None, "message": None, "success": True})
