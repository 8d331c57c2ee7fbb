"""The request rules of Google's Security Token Service: `POST /v1/token`, RFC 8693 token exchange.

https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token — form (snake_case) or JSON (camelCase), no client
authentication for workload pools, an OAuth client or the option `userProject` for workforce pools, and the error texts that the
public reports quote. What the subject token itself must
satisfy is in verify_jwt.py, verify_saml.py, verify_aws.py and verify_x509.py.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from standins.loopback import Request
from standins.refused import Refused
from standins.verify_aws import AwsPoolProvider, verify_aws
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from standins.verify_saml import SamlPoolProvider, verify_saml
from standins.verify_x509 import X509PoolProvider, verify_x509

TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"
AWS4_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
MTLS = TOKEN_TYPE + "mtls"
PoolProvider = OidcPoolProvider | SamlPoolProvider | AwsPoolProvider | X509PoolProvider
VERIFIERS = {
    TOKEN_TYPE + "jwt": (OidcPoolProvider, verify_jwt),
    TOKEN_TYPE + "id_token": (OidcPoolProvider, verify_jwt),
    TOKEN_TYPE + "saml2": (SamlPoolProvider, verify_saml),
    AWS4_REQUEST: (AwsPoolProvider, verify_aws),
    MTLS: (X509PoolProvider, verify_x509),
}
FIELDS = {
    "grantType": "grant_type",
    "requestedTokenType": "requested_token_type",
    "subjectToken": "subject_token",
    "subjectTokenType": "subject_token_type",
    "audience": "audience",
    "scope": "scope",
    "options": "options",
}
RESOURCE_NAME = re.compile(
    r"//iam\.googleapis\.com/(projects/\d+/locations/global/workloadIdentityPools|locations/global/workforcePools)"
    r"/[a-z0-9-]+/providers/[a-z0-9-]+"
)
# gcloud, bq and gsutil send their own public client id even for workload pools; it is public, see the Cloud SDK's source.
GCLOUD_CLIENT_ID = "32555940559.apps.googleusercontent.com"


@dataclass(frozen=True)
class Exchange:
    """One exchange that succeeded: the request, and the claims of the verified token."""

    audience: str
    subject_token: str
    subject_token_type: str
    scope: str
    claims: dict
    user_agent: str
    metrics: str
    client: str = ""
    options: dict = field(default_factory=dict)


def exchange(request: Request, pool_providers: dict[str, PoolProvider], clients: dict[str, str]) -> Exchange:
    """Checks every rule of the request, then those of its subject token. Raises Refused otherwise."""
    fields = form(request)
    workforce = "/workforcePools/" in fields.get("audience", "")
    client = check_client(request, clients if workforce else {})
    options = read_options(fields, workforce)
    if fields.get("grant_type") != GRANT:
        raise Refused("unsupported_grant_type", f"Invalid grant_type: it must be {GRANT}.")
    if fields.get("requested_token_type") != TOKEN_TYPE + "access_token":
        raise Refused("invalid_request", "Invalid requested_token_type: it must be an access_token.")
    pool_provider = find_pool_provider(fields.get("audience", ""), pool_providers)
    if not fields.get("scope"):
        raise Refused("invalid_scope", "The scope must be specified.")
    kind = fields.get("subject_token_type", "")
    if kind not in VERIFIERS:
        raise Refused("invalid_request", "Invalid value for subject_token_type.")
    expected, verify = VERIFIERS[kind]
    if not isinstance(pool_provider, expected):
        raise Refused("invalid_request", "The subject_token_type does not fit the type of the identity provider.")
    if not fields.get("subject_token"):
        raise Refused("invalid_request", "The subject_token must be specified.")
    certificate = (request.certificate,) if kind == MTLS else ()
    claims = verify(fields["subject_token"], pool_provider, *certificate)
    return Exchange(
        pool_provider.name, fields["subject_token"], kind, fields["scope"], claims,
        request.headers.get("user-agent", ""), request.headers.get("x-goog-api-client", ""), client, options,
    )  # fmt: skip


def check_client(request: Request, clients: dict[str, str]) -> str:
    """The ID of the client: one of these with its secret, or gcloud's public client, which the service ignores;
    otherwise none.
    """
    header = request.headers.get("authorization")
    if header is None:
        return ""
    scheme, _, value = header.partition(" ")
    try:
        client, _, secret = base64.b64decode(value).decode().partition(":") if scheme == "Basic" else ("", "", "")
    except ValueError:
        client = secret = ""
    if client != GCLOUD_CLIENT_ID and clients.get(client) != secret:
        raise Refused("invalid_client", "The OAuth client was not found.")
    return client


def read_options(fields: dict[str, str], workforce: bool) -> dict:
    """The options, a JSON object in a string, which google-auth for Python percent-encodes. Only a workforce pool has a
    project that is billed; gRPC core sends an empty one for every pool.
    """
    try:
        options = {name: value for name, value in json.loads(unquote(fields.get("options") or "{}")).items() if value != ""}
        if options.keys() <= ({"userProject"} if workforce else set()):
            return options
    except (ValueError, AttributeError):
        pass
    raise Refused("invalid_request", "Invalid value for options.")


def form(request: Request) -> dict[str, str]:
    """The fields under their snake_case names. A repeated field is an error (RFC 6749 section 3.2)."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if content_type == "application/json":
            fields = {FIELDS[name]: value for name, value in json.loads(request.body).items()}
        elif content_type == "application/x-www-form-urlencoded":
            parsed = parse_qs(request.body.decode(), strict_parsing=True)
            fields = {name: value for name, (value,) in parsed.items()}
        else:
            raise ValueError("neither a form nor JSON")
    except (ValueError, KeyError, AttributeError) as error:
        raise Refused("invalid_request", "The request cannot be read.") from error
    return fields


def find_pool_provider(audience: str, pool_providers: dict):
    """The configured pool provider whose full name is the audience."""
    if not RESOURCE_NAME.fullmatch(audience):
        raise Refused(
            "invalid_request",
            'Invalid value for "audience". This value should be the full resource name of the Identity Provider.'
            " See https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list of possible formats.",
        )
    if audience not in pool_providers:
        raise Refused(
            "invalid_target",
            'The target service indicated by the "audience" parameters is invalid. This might either be because the pool'
            " or provider is disabled or deleted or because it doesn't exist.",
        )
    return pool_providers[audience]
