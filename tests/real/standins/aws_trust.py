"""Judges a Google ID token and the trust policy of a role as AWS does for AssumeRoleWithWebIdentity.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif — AWS knows
accounts.google.com without an IAM OIDC provider: `:aud` is the token's `azp` if it has one, `:oaud` its `aud`, `:sub` its `sub`.
Only the parts of a policy that these tests need are evaluated; a condition that is not known here never matches.
"""

from __future__ import annotations

import json
import time

import jwt

from standins.aws_refused import AwsRefused

GOOGLE = "accounts.google.com"
ISSUERS = (GOOGLE, f"https://{GOOGLE}")
ACTION = "sts:AssumeRoleWithWebIdentity"
PARAMETERS = {"Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken", "DurationSeconds"}


def trust_policy(subject: str, audience: str = "sts.amazonaws.com", azp: str | None = None) -> dict:
    """The policy that lets one service account assume a role, and no other."""
    equal = {f"{GOOGLE}:aud": azp or subject, f"{GOOGLE}:oaud": audience, f"{GOOGLE}:sub": subject}
    statement = {"Effect": "Allow", "Principal": {"Federated": GOOGLE}, "Action": ACTION, "Condition": {"StringEquals": equal}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def check_form(pairs: list[tuple[str, str]], raw_query: str, content_type: str):
    """Checks the form of the parameters: all are known, each occurs once, and none is in the URL."""
    names = [name for name, _ in pairs]
    if raw_query or content_type.partition(";")[0] != "application/x-www-form-urlencoded":
        raise AwsRefused(400, "ValidationError", "This stand-in takes the parameters as a form only.")
    if len(set(names)) != len(names) or not set(names) <= PARAMETERS:
        raise AwsRefused(400, "ValidationError", f"This stand-in does not know these parameters: {sorted(names)}")


def verified(token: str, keys: dict) -> dict:
    """The claims of a token that one of these keys of Google signed and that has not expired. Raises AwsRefused
    otherwise.
    """
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)") from error
    if claims.get("iss") not in ISSUERS:
        raise invalid(f"No OpenIDConnect provider found in your account for {claims.get('iss')}")
    found = [key for key in keys["keys"] if key["kid"] == header.get("kid")]
    if header.get("alg") != "RS256" or not found:
        raise invalid("Couldn't retrieve verification key from your identity provider")
    try:
        jwt.api_jws.decode(token, jwt.PyJWK(found[0], algorithm="RS256").key, algorithms=["RS256"])
    except jwt.InvalidTokenError as error:
        raise invalid("The ID Token's signature is not valid") from error
    now = int(time.time())
    if type(claims.get("exp")) is not int or claims["exp"] <= now:
        raise AwsRefused(400, "ExpiredTokenException", f"Token expired: current date/time {now} must be before the expiration "
                                                       f"date/time {claims.get('exp')}")  # fmt: skip
    return claims


def check_trust(policy: dict | None, claims: dict):
    """Checks that a statement of the policy allows the bearer of these claims. The refusal is the same for a role that
    does not exist.
    """
    facts = {f"{GOOGLE}:aud": claims.get("azp", claims.get("aud")), f"{GOOGLE}:oaud": claims.get("aud"),
             f"{GOOGLE}:sub": claims.get("sub")}  # fmt: skip
    statements = policy["Statement"] if policy and policy.get("Version") == "2012-10-17" else []
    if not any(allows(statement, facts) for statement in statements):
        raise AwsRefused(403, "AccessDenied", f"Not authorized to perform {ACTION}")


def allows(statement: dict, facts: dict) -> bool:
    """Whether this statement allows the bearer."""
    named = (statement.get("Effect"), statement.get("Principal"), statement.get("Action"))
    conditions = statement.get("Condition", {})
    # AWS does not save a policy for Google that does not say which client may use it.
    equal = conditions.get("StringEquals", {})
    return (
        named == ("Allow", {"Federated": GOOGLE}, ACTION)
        and set(conditions) == {"StringEquals"}
        and f"{GOOGLE}:aud" in equal
        and all(facts.get(name) == value for name, value in equal.items())
    )


def invalid(message: str) -> AwsRefused:
    """The refusal of a token that cannot be verified."""
    return AwsRefused(400, "InvalidIdentityToken", message)


def policy_in(message: str) -> dict:
    """The trust policy at the end of a message of the program."""
    return json.loads(message[message.index("{") : message.rindex("}") + 1])
