"""The token endpoint of AD FS: client credentials with Windows authentication, a secret or a signed assertion.

[MS-OAPX] 2.2.3.4 `use_windows_client_authentication`, 3.2.5.2 token endpoint; RFC 7523 for the assertion.
https://learn.microsoft.com/openspecs/windows_protocols/ms-oapx/ — the MSIS texts are those that AD FS is reported to give.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import jwt

from standins.adfs_page import error_page
from standins.loopback import Answer, Request
from support.signer import good_claims

if TYPE_CHECKING:
    from standins.adfs import Adfs

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
UNKNOWN_CLIENT = "MSIS9607: The 'client_id' parameter in the request is invalid. No registered client is found with this identifier."
NOT_AUTHENTICATED = "MSIS9622: Client authentication failed. Please verify the credential provided for client authentication is valid."
UNKNOWN_RESOURCE = ("MSIS9602: The received 'resource' parameter is invalid. The authorization server can not find a registered "
                    "resource with the specified identifier.")  # fmt: skip
NOT_ALLOWED = "MSIS9605: The client is not allowed to access the requested resource."


@dataclass
class OAuthClient:
    """A server application. `users` may sign in as this application with Windows authentication; it was granted
    `resources`.
    """

    users: set[str] = field(default_factory=set)
    resources: set[str] = field(default_factory=set)
    secret: str | None = None
    public_key: object = None
    used: set[str] = field(default_factory=set)  # jti of assertions


def discovery(adfs: Adfs) -> dict:
    """The OpenID provider metadata that a client of this grant reads."""
    return {
        "issuer": adfs.issuer,
        "authorization_endpoint": adfs.issuer + "/oauth2/authorize/",
        "token_endpoint": adfs.issuer + "/oauth2/token/",
        "jwks_uri": adfs.issuer + "/discovery/keys",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post", "client_secret_basic", "private_key_jwt", "windows_client_authentication"],
        "response_types_supported": ["code", "id_token"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "access_token_issuer": adfs.public.replace("https", "http", 1) + "/adfs/services/trust",
        "microsoft_multi_refresh_token": True,
    }


def token(adfs: Adfs, request: Request) -> Answer:
    """Responds to one token request."""
    def refuse(status: int, error: str, description: str) -> Answer:
        if adfs.errors_as_html:
            return error_page(status, description)
        return Answer(status, {"error": error, "error_description": description})

    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return refuse(400, "invalid_request", "MSIS9606: The received request is not a form.")
    fields = parse_qs(request.body.decode(), keep_blank_values=True)
    if any(len(values) > 1 for values in fields.values()):
        return refuse(400, "invalid_request", "MSIS9606: A parameter is repeated.")
    fields = {name: value for name, (value,) in fields.items()}
    adfs.requests.append(fields)
    if fields.get("grant_type") != "client_credentials":
        return refuse(400, "unsupported_grant_type", "MSIS9611: The authorization server does not support the requested 'grant_type'.")
    windows = fields.get("use_windows_client_authentication") == "true"
    if windows and adfs.user(request) is None:
        # The challenge precedes every check of the client, and is only for listed user agents.
        return Answer(401, "", {"WWW-Authenticate": "Negotiate"} if adfs.negotiates_with(request) else {})
    client = adfs.clients.get(fields.get("client_id", ""))
    if client is None:
        return refuse(400, "invalid_client", UNKNOWN_CLIENT)
    if windows and adfs.user(request) not in client.users:
        return refuse(401, "invalid_client", NOT_AUTHENTICATED)
    if not windows and not authenticated(adfs, client, fields):
        return refuse(400, "invalid_client", NOT_AUTHENTICATED)
    resource = fields.get("resource", "")
    if resource not in adfs.resources:
        return refuse(400, "invalid_resource", UNKNOWN_RESOURCE)
    if resource not in client.resources:
        return refuse(400, "unauthorized_client", NOT_ALLOWED)
    subject = adfs.user(request) if windows else fields["client_id"]
    claims = good_claims(adfs.issuer, resource, sub=subject, appid=fields["client_id"], apptype="Confidential", scp="openid")
    made = adfs.signer.token(claims)
    adfs.issued.append(made)
    return Answer(200, {"access_token": made, "token_type": "bearer", "expires_in": 3600})


def authenticated(adfs: Adfs, client: OAuthClient, fields: dict[str, str]) -> bool:
    """Authenticates a client by a secret in the body, or by an assertion that can be used once."""
    if "client_secret" in fields:
        return client.secret is not None and fields["client_secret"] == client.secret
    if fields.get("client_assertion_type") != ASSERTION_TYPE or client.public_key is None:
        return False
    try:
        claims = jwt.decode(fields.get("client_assertion", ""), client.public_key, algorithms=["RS256"],
                            audience=[adfs.issuer + "/oauth2/token/", adfs.issuer + "/oauth2/token", adfs.issuer],
                            options={"require": ["exp", "iss", "sub", "aud", "jti"]})  # fmt: skip
    except jwt.InvalidTokenError:
        return False
    fresh = claims["jti"] not in client.used and claims["exp"] < time.time() + 3600
    client.used.add(claims["jti"])
    return fresh and claims["iss"] == claims["sub"] == fields["client_id"]
