"""The IAM Service Account Credentials API: access tokens, ID tokens and signatures of service accounts.

https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts
The bearer is an access token that this stand-in issued, of a federated principal or of a service account, whose scope is
cloud-platform or iam. What it may do is in the policies (iam_policy.py): every delegate needs the Token Creator role on the next,
the last one a role with the method's permission on the account.
`expireTime` is in whole seconds: a fraction, which the real service may send, breaks several of Google's own clients.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from dataclasses import dataclass, field

from standins import iam_policy
from standins.iam_policy import Caller, Policies
from standins.loopback import Answer, Request
from standins.refused import ApiRefused
from standins.service_account_keys import ServiceAccountKeys

PATH = re.compile(r"/v1/projects/(?P<project>[^/]+)/serviceAccounts/(?P<account>[^/:]+):(?P<method>\w+)")
DELEGATE = re.compile(r"projects/-/serviceAccounts/(?P<account>[^/:]+)")
DURATION = re.compile(r"(\d+(?:\.\d{1,9})?)s")
SCOPES = {"https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/iam"}
LONGEST_LIFE, LONGEST_EXTENDED_LIFE, LONGEST_JWT = 3600, 43200, 12 * 3600  # seconds


@dataclass(frozen=True)
class Call:
    """One request that succeeded."""

    method: str
    account: str
    caller: Caller
    delegates: tuple[str, ...]
    body: dict
    answer: dict


@dataclass
class IamCredentials:
    """The service with its policies and keys. `extended` is the list in the organization policy for longer lifetimes.
    """

    policies: Policies = field(default_factory=Policies)
    keys: ServiceAccountKeys = field(default_factory=ServiceAccountKeys)
    extended: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    tokens: dict[str, Caller] = field(default_factory=dict)  # every access token that may call, including federated ones
    impersonated: dict[str, str] = field(default_factory=dict)  # access token -> service account

    def answer(self, request: Request) -> Answer:
        """The response of a method. Raises ApiRefused otherwise."""
        route = PATH.fullmatch(request.path)
        if route is None or route["project"] != "-" or route["method"] not in METHODS:
            raise ApiRefused(404, "Requested entity was not found.", "NOT_FOUND")
        caller = self.authenticate(request)
        permission, fields, method = METHODS[route["method"]]
        body = read(request, {"delegates": list, **fields})
        delegates = chain(body, route["account"], caller)
        self.authorize(caller, delegates, route["account"], permission)
        answer = method(self, route["account"], body)
        self.calls.append(Call(route["method"], route["account"], caller, delegates, body, answer))
        return Answer(200, answer)

    def authenticate(self, request: Request) -> Caller:
        """The caller. Raises 401 for a token that was not issued, and 403 for one with too small a scope."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        caller = self.tokens.get(token) if scheme == "Bearer" else None
        if caller is None:
            raise ApiRefused(401, "Request had invalid authentication credentials. Expected OAuth 2 access token, "
                                  "login cookie or other valid authentication credential.", "UNAUTHENTICATED")  # fmt: skip
        if not SCOPES & caller.scopes:
            info = error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", service="iamcredentials.googleapis.com")
            raise ApiRefused(403, "Request had insufficient authentication scopes.", "PERMISSION_DENIED", [info])
        return caller

    def authorize(self, caller: Caller, delegates: tuple[str, ...], account: str, permission: str):
        """Checks each link of the chain. The refusal is the same 403 whether a role or an account is missing."""
        for delegate in delegates:
            if not self.policies.allows(caller, iam_policy.IMPLICIT_DELEGATION, delegate):
                raise denied(iam_policy.IMPLICIT_DELEGATION)
            caller = iam_policy.service_account(delegate, [])
        if not self.policies.allows(caller, permission, account):
            raise denied(permission)

    def generate_access_token(self, account: str, body: dict) -> dict:
        """Issues a new access token of the account."""
        scopes = body.get("scope")
        if not scopes or not all(isinstance(scope, str) and scope.startswith(("https://", "openid", "email", "profile"))
                                 for scope in scopes):  # fmt: skip
            raise invalid("scope", "At least one valid scope is required.")
        longest = LONGEST_EXTENDED_LIFE if account in self.extended else LONGEST_LIFE
        lifetime = DURATION.fullmatch(body.get("lifetime") or f"{LONGEST_LIFE}s")
        if lifetime is None or not 0 < float(lifetime[1]) <= longest:
            raise invalid("lifetime", f"The lifetime must be a duration of at most {longest}s.")
        token = "ya29.impersonated-" + secrets.token_hex(16)
        self.tokens[token] = iam_policy.service_account(account, scopes)
        self.impersonated[token] = account
        return {"accessToken": token, "expireTime": rfc3339(time.time() + float(lifetime[1]))}

    def generate_id_token(self, account: str, body: dict) -> dict:
        """Issues an ID token that Google signs for an audience."""
        if not body.get("audience"):
            raise invalid("audience", "The audience is required.")
        number, now = unique_id(account), int(time.time())
        claims = {"iss": "https://accounts.google.com", "aud": body["audience"], "azp": number, "sub": number,
                  "iat": now, "exp": now + 3600}  # fmt: skip
        if body.get("includeEmail"):
            claims |= {"email": account, "email_verified": True}
        return {"token": self.keys.signer("google").token(claims)}

    def sign_jwt(self, account: str, body: dict) -> dict:
        """Signs the claims with the key of the account."""
        try:
            claims = json.loads(body["payload"])
            assert isinstance(claims, dict)
        except (KeyError, ValueError, AssertionError) as error:
            raise invalid("payload", "The payload must be a serialized JSON object.") from error
        if "exp" in claims:
            exp, now = claims["exp"], time.time()
            if type(exp) is not int or not now < exp <= now + LONGEST_JWT:
                raise invalid("payload", "exp must be an integer, not in the past and at most 12 hours in the future.")
        signer = self.keys.signer(account)
        return {"keyId": signer.kid, "signedJwt": signer.token(claims)}

    def sign_blob(self, account: str, body: dict) -> dict:
        """Signs any bytes with the key of the account."""
        try:
            blob = base64.b64decode(body["payload"], validate=True)
        except (KeyError, ValueError) as error:
            raise invalid("payload", "Base64 decoding failed.") from error
        kid, signature = self.keys.sign_blob(account, blob)
        return {"keyId": kid, "signedBlob": base64.b64encode(signature).decode()}


# Method -> its permission, the fields of its body, and the function that responds.
METHODS = {
    "generateAccessToken": (iam_policy.GET_ACCESS_TOKEN, {"scope": list, "lifetime": str}, IamCredentials.generate_access_token),
    "generateIdToken": (iam_policy.GET_OPEN_ID_TOKEN, {"audience": str, "includeEmail": bool, "useEmailAzp": bool},
                        IamCredentials.generate_id_token),
    "signJwt": (iam_policy.SIGN_JWT, {"payload": str}, IamCredentials.sign_jwt),
    "signBlob": (iam_policy.SIGN_BLOB, {"payload": str}, IamCredentials.sign_blob),
}


def read(request: Request, fields: dict[str, type]) -> dict:
    """The body, a JSON object with these fields. A null counts as absent, as in all of Google's APIs."""
    try:
        body = json.loads(request.body)
        assert isinstance(body, dict)
    except (ValueError, AssertionError) as error:
        raise ApiRefused(400, "Invalid JSON payload received.", "INVALID_ARGUMENT") from error
    for name, value in body.items():
        if name not in fields:
            raise invalid(name, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        if value is not None and not isinstance(value, fields[name]):
            raise invalid(name, f"Invalid value at '{name}'.")
    return {name: value for name, value in body.items() if value is not None}


def chain(body: dict, account: str, caller: Caller) -> tuple[str, ...]:
    """The addresses of the delegates, in order. The account itself and the caller are not among them."""
    routes = [DELEGATE.fullmatch(name) if isinstance(name, str) else None for name in body.get("delegates", [])]
    if not all(routes):
        raise invalid("delegates", "A delegate must be projects/-/serviceAccounts/{ACCOUNT_EMAIL_OR_UNIQUEID}.")
    found = tuple(route["account"] for route in routes)
    if account in found or any(f"serviceAccount:{name}" in caller.members for name in found):
        raise invalid("delegates", "A delegate must be neither the caller nor the target service account.")
    return found


def error_info(reason: str, domain: str, **metadata: str) -> dict:
    """The detail of an error that programs read."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata}


def denied(permission: str) -> ApiRefused:
    """Google's 403, which is the same whether the permission or the account is missing."""
    info = error_info("IAM_PERMISSION_DENIED", "iam.googleapis.com", permission=permission)
    return ApiRefused(403, f"Permission '{permission}' denied on resource (or it may not exist).", "PERMISSION_DENIED", [info])


def invalid(name: str, description: str) -> ApiRefused:
    """Google's 400, which names the wrong field."""
    violation = {"@type": "type.googleapis.com/google.rpc.BadRequest",
                 "fieldViolations": [{"field": name, "description": description}]}  # fmt: skip
    return ApiRefused(400, "Request contains an invalid argument.", "INVALID_ARGUMENT", [violation])


def unique_id(account: str) -> str:
    """The 21 digits of a service account."""
    return str(10**20 + int(hashlib.sha256(account.encode()).hexdigest(), 16) % 10**19)


def rfc3339(when: float) -> str:
    """Formats a time in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
