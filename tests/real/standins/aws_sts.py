"""The Security Token Service of AWS on loopback: GetWebIdentityToken, GetCallerIdentity, AssumeRole and
AssumeRoleWithWebIdentity, in the query protocol.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html and its neighbours. It verifies signatures,
checks parameters as documented, and issues real tokens: RS256 or ES384 with the keys of an issuer that publishes them, with the
claims of https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html

The credentials are derived from the request: the same request gives the same key, and another external ID, role or caller
gives another key.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from standins.aws_keys import ACCOUNT, AccessKey, AwsKeys, session_key
from standins.aws_refused import NAMESPACE, AwsRefused
from standins.aws_trust import check_form, check_trust, verified
from standins.federation import Distrusted, Trust
from standins.issuer import Issuer
from standins.loopback import Answer, Loopback, Request
from standins.sigv4 import SignedRequest, verify
from support.signer import Signer

VERSION = "2011-06-15"
CLAIMS = "https://sts.amazonaws.com/"
ROLE = re.compile(r"arn:aws:iam::\d{12}:role/(?:[\w+=,.@-]+/)*(?P<name>[\w+=,.@-]+)")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
TAG = re.compile(r"[\w .:/=+@-]*")
LARGEST_TAGS = 2048  # characters of all tags, after which the token would be too large


@dataclass(frozen=True)
class Call:
    """One request that succeeded: the caller and the parameters."""

    action: str
    parameters: dict[str, str]
    caller: AccessKey | None

    def member(self, name: str) -> list[str]:
        """The values of a list parameter."""
        return members(self.parameters, name)


def members(parameters: dict[str, str], name: str) -> list[str]:
    """Reads `NAME.member.1`, `.2`, … of the query protocol."""
    found = [key for key in parameters if re.fullmatch(re.escape(name) + r"\.member\.\d+", key)]
    return [parameters[f"{name}.member.{number}"] for number in range(1, len(found) + 1)]


class AwsSts:
    """One running stand-in. `refuse` maps an action to its refusal; `clock` is how far its clock is ahead, in seconds.
    """

    def __init__(self, keys: AwsKeys, region: str = "us-east-1"):
        self.keys = keys
        self.region = region
        self.clock = 0.0
        self.refuse: dict[str, AwsRefused] = {}
        self.fail_first: dict[str, AwsRefused] = {}  # action -> refusal of only its next request
        self.calls: list[Call] = []
        self.refusals: list[AwsRefused] = []
        self.external_ids: dict[str, str] = {}  # role ARN -> what its trust policy requires
        self.google_keys = None  # returns Google's key set; if set, only tokens of Google may assume a role, by the policies in `trust`
        self.trust: dict[str, dict] = {}  # role ARN -> its trust policy
        self.federated: Trust | None = None  # an IAM OIDC provider; if set, only tokens that it trusts may assume a role
        self.longest = 3600  # seconds: the maximum session duration of the roles
        self.seconds_left: int | None = None  # the lifetime of sessions for a token of Google, if it differs from the request
        elliptic = Signer("ES384", "EC384_0")
        elliptic.key = ec.generate_private_key(ec.SECP384R1())
        self.signers = {"RS256": Signer("RS256", "RSA_0"), "ES384": elliptic}
        self.issuer = Issuer(*self.signers.values())
        self._http = Loopback(self._answer)
        self.url, self.port, self.requests = self._http.url, self._http.port, self._http.requests

    def close(self):
        """Stops serving, including the issuer."""
        self._http.close()
        self.issuer.close()

    def _answer(self, request: Request) -> Answer:
        try:
            answer = self._act(request)
        except AwsRefused as refusal:
            self.refusals.append(refusal)
            answer = refusal.xml()
        return replace(answer, headers=answer.headers | {"Date": formatdate(time.time() + self.clock, usegmt=True)})

    def _act(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", "/"):
            raise AwsRefused(404, "UnknownOperationException", "This stand-in takes POST / only.")
        parameters = dict(parse_qsl(request.raw_query, True) + parse_qsl(request.body.decode(), True))
        if parameters.get("Version") != VERSION:
            raise AwsRefused(400, "InvalidAction", f"Could not find operation for version {parameters.get('Version')}")
        actions = {"GetWebIdentityToken": self._web_identity_token, "GetCallerIdentity": self._caller_identity,
                   "AssumeRole": self._assume_role, "AssumeRoleWithWebIdentity": self._assume_role_with_web_identity}  # fmt: skip
        action = parameters.get("Action", "")
        if action not in actions:
            raise AwsRefused(400, "InvalidAction", f"Could not find operation {action} for version {VERSION}")
        caller = None
        if action != "AssumeRoleWithWebIdentity":
            signed = SignedRequest(request.method, request.path, request.raw_query, request.headers, request.body)
            caller = verify(signed, self.keys, self.region, self.clock)
        elif "authorization" in request.headers:
            raise AwsRefused(400, "ValidationError", "AssumeRoleWithWebIdentity is not signed.")
        elif self.google_keys:
            form = parse_qsl(request.body.decode(), True)
            check_form(form, request.raw_query, request.headers.get("content-type", ""))
        if action in self.fail_first:
            raise self.fail_first.pop(action)
        if action in self.refuse:
            raise self.refuse[action]
        result = actions[action](parameters, caller)
        self.calls.append(Call(action, parameters, caller))
        return answered(action, result)

    def _caller_identity(self, parameters: dict, caller: AccessKey) -> str:
        return element("Arn", caller.arn) + element("UserId", caller.id[4:]) + element("Account", caller.arn.split(":")[4])

    def _web_identity_token(self, parameters: dict, caller: AccessKey) -> str:
        algorithm = parameters.get("SigningAlgorithm", "")
        require(algorithm in self.signers, "signingAlgorithm", "Member must satisfy enum value set: [RS256, ES384]")
        audiences = members(parameters, "Audience")
        require(1 <= len(audiences) <= 10, "audience", "Member must have length between 1 and 10, inclusive")
        require(
            all(1 <= len(audience) <= 1000 for audience in audiences),
            "audience",
            "Member must have length between 1 and 1000, inclusive",
        )
        seconds = parameters.get("DurationSeconds", "300")
        in_range = seconds.isdigit() and 60 <= int(seconds) <= 3600
        require(in_range, "durationSeconds", "Member must have value between 60 and 3600")
        tags = request_tags(parameters)
        now = int(time.time())
        end = now + int(seconds)
        if caller.expires is not None and end > caller.expires + 1:
            raise AwsRefused(403, "SessionDurationEscalationException",
                             "The requested token duration would extend the session beyond its original expiration time.")  # fmt: skip
        aws = {"aws_account": ACCOUNT, "source_region": self.region, "principal_id": caller.principal}
        claims = {"iss": self.issuer.url, "sub": caller.principal, "aud": audiences if len(audiences) > 1 else audiences[0],
                  "iat": now, "exp": end, "jti": secrets.token_hex(16), CLAIMS: aws | ({"request_tags": tags} if tags else {})}  # fmt: skip
        signer = self.signers[algorithm]
        token = jwt.encode(claims, signer.key, algorithm=algorithm, headers={"kid": signer.kid})
        return element("WebIdentityToken", token) + element(
            "Expiration", time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(end))
        )

    def _assume_role(self, parameters: dict, caller: AccessKey) -> str:
        role = checked_role(parameters)
        external_id = parameters.get("ExternalId")
        if self.external_ids.get(role[0], external_id) != external_id:
            raise AwsRefused(
                403, "AccessDenied", f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role[0]}"
            )
        return self._credentials(role, parameters, f"{role[0]} by {caller.id} as {external_id}")

    def _assume_role_with_web_identity(self, parameters: dict, caller: None) -> str:
        role, token = checked_role(parameters), parameters.get("WebIdentityToken", "")
        require(4 <= len(token) <= 20000, "webIdentityToken", "Member must have length between 4 and 20000, inclusive")
        if token != token.strip() or token.count(".") != 2:
            raise AwsRefused(
                400,
                "InvalidIdentityToken",
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            )
        if self.google_keys:
            return self._assume_role_with_google(role, token, parameters)
        if self.federated:
            self._judge(token)
        who = element("SubjectFromWebIdentityToken", "system:serviceaccount:app:app") + element(
            "Provider", "https://oidc.example.test"
        )
        return who + self._credentials(role, parameters, f"{role[0]} by {token}", self.seconds_left)

    def _judge(self, token: str):
        try:
            self.federated.judge(token)
        except Distrusted as distrust:
            code, message = {
                "issuer": ("InvalidIdentityToken", "No OpenIDConnect provider found in your account for the issuer"),
                "audience": ("InvalidIdentityToken", "Incorrect token audience"),
                "subject": ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
                "times": ("ExpiredTokenException", "Token expired"),
                "key": ("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"),
            }.get(str(distrust), ("InvalidIdentityToken", "The ID Token provided is not a valid JWT."))
            raise AwsRefused(403 if code == "AccessDenied" else 400, code, message) from distrust

    def _assume_role_with_google(self, role: tuple[str, str], token: str, parameters: dict) -> str:
        claims = verified(token, self.google_keys())
        check_trust(self.trust.get(role[0]), claims)
        if int(parameters.get("DurationSeconds", "3600")) > self.longest:
            raise AwsRefused(
                400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        client = claims.get("azp", claims["aud"])
        who = (element("SubjectFromWebIdentityToken", claims["sub"]) + element("Audience", client)
               + element("Provider", "accounts.google.com"))  # fmt: skip
        return who + self._credentials(role, parameters, f"{role[0]} by {token}", self.seconds_left, is_printed=True)

    def _credentials(
        self, role: tuple[str, str], parameters: dict, purpose: str, left: int | None = None, is_printed: bool = False
    ) -> str:
        seconds = parameters.get("DurationSeconds", "3600")
        require(
            seconds.isdigit() and 900 <= int(seconds) <= 43200, "durationSeconds",
            "Member must have value between 900 and 43200"
        )
        arn, name = role
        session = parameters["RoleSessionName"]
        key = session_key(name[:8] + hashlib.sha256(purpose.encode()).hexdigest()[:8], int(seconds) if left is None else left)
        key = replace(key, arn=f"arn:aws:sts::{arn.split(':')[4]}:assumed-role/{name}/{session}")
        key = self.keys.add(key, is_printed)
        inner = (element("AccessKeyId", key.id) + element("SecretAccessKey", key.secret) + element("SessionToken", key.token)
                 + element("Expiration", key.expiration))  # fmt: skip
        user = element("Arn", key.arn) + element("AssumedRoleId", f"AROA{key.id[4:]}:{session}")
        return f"<Credentials>{inner}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"


def checked_role(parameters: dict) -> tuple[str, str]:
    """The ARN and the name of the role, after a check of the parameters that both AssumeRole actions have."""
    arn = parameters.get("RoleArn", "")
    found = ROLE.fullmatch(arn)
    if found is None:
        raise AwsRefused(400, "ValidationError", f"{arn} is invalid")
    require(
        SESSION_NAME.fullmatch(parameters.get("RoleSessionName", "")),
        "roleSessionName",
        r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
    )
    return arn, found["name"]


def request_tags(parameters: dict) -> dict[str, str]:
    """Reads `Tags.member.N.Key` and `.Value`, as documented: at most 50, keys up to 128 characters, values up to 256.
    """
    keys = [name for name in parameters if re.fullmatch(r"Tags\.member\.\d+\.Key", name)]
    tags = {parameters[f"Tags.member.{n}.Key"]: parameters.get(f"Tags.member.{n}.Value") for n in range(1, len(keys) + 1)}
    require(len(tags) == len(keys) <= 50, "tags", "Member must have length less than or equal to 50, without duplicates")
    for key, value in tags.items():
        require(1 <= len(key) <= 128 and TAG.fullmatch(key), "tags", "Member must have length between 1 and 128")
        require(
            value is not None and len(value) <= 256 and TAG.fullmatch(value),
            "tags",
            "Member must have length less than or equal to 256",
        )
    if sum(len(key) + len(value) for key, value in tags.items()) > LARGEST_TAGS:
        raise AwsRefused(
            400, "JWTPayloadSizeExceededException", "The requested token payload size exceeds the maximum allowed size."
        )
    return tags


def require(condition, member: str, constraint: str):
    """Refuses a request in the words of AWS's own validation."""
    if not condition:
        raise AwsRefused(
            400, "ValidationError",
            f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}"
        )


def element(name: str, text: str) -> str:
    """Formats one XML element."""
    return f"<{name}>{escape(text)}</{name}>"


def answered(action: str, result: str) -> Answer:
    """Puts a result into its envelope."""
    body = (f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}</{action}Result><ResponseMetadata>'
            f"<RequestId>{secrets.token_hex(16)}</RequestId></ResponseMetadata></{action}Response>\n")  # fmt: skip
    return Answer(200, body, {"Content-Type": "text/xml"})
