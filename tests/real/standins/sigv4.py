"""A second implementation of AWS Signature Version 4, for stand-ins that know the secret and verify a signature.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html — written from that page alone, on
hashlib and hmac, so that it shares no code with the program, botocore or Google's libraries, all of which it judges.
Errors are those of AWS's Security Token Service, https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from calendar import timegm
from dataclasses import dataclass
from typing import Iterable
from urllib.parse import quote, unquote_to_bytes

from standins.aws_keys import AccessKey, AwsKeys
from standins.aws_refused import AwsRefused

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = 15 * 60  # seconds
AUTHORIZATION = re.compile(
    ALGORITHM + r" Credential=(?P<key>\w+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class SignedRequest:
    """What a signature covers; header names in lower case, path and query as they were sent."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Credential:
    """The Authorization header in its parts."""

    key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def credential(headers: dict[str, str]) -> Credential:
    """Parses the Authorization header of a signed request into its parts."""
    found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise AwsRefused(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    return Credential(
        found["key"], found["date"], found["region"], found["service"], tuple(found["headers"].split(";")), found["signature"]
    )


def verify(request: SignedRequest, keys: AwsKeys, region: str, clock: float = 0) -> AccessKey:
    """The access key that signed this request for STS in this region; `clock` is how far the clock of the server is
    ahead, in seconds.
    """
    given = credential(request.headers)
    key = keys.find(given.key_id)
    if key is None or request.headers.get("x-amz-security-token") != key.token:
        raise AwsRefused(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    if (given.region, given.service) != (region, "sts"):
        raise AwsRefused(403, "SignatureDoesNotMatch", f"Credential should be scoped to a valid region, not '{given.region}'.")
    check_time(request.headers.get("x-amz-date", ""), given, clock)
    must = {"host"} | {name for name in request.headers if name.startswith("x-amz-")}
    if not must <= set(given.signed_headers) <= set(request.headers):
        raise AwsRefused(403, "SignatureDoesNotMatch", "'Host' and every 'X-Amz-*' header must be a 'SignedHeader'.")
    if not hmac.compare_digest(signature(request, given, key.secret), given.signature):
        raise AwsRefused(
            403, "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
            " and signing method. Consult the service documentation for details.",
        )  # fmt: skip
    if key.expires is not None and key.expires <= time.time():
        raise AwsRefused(403, "ExpiredToken", "The security token included in the request is expired")
    return key


def check_time(date: str, given: Credential, clock: float):
    """Checks that `x-amz-date` is within 15 minutes of the server's clock, and on the day of the scope."""
    try:
        signed = timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    except ValueError as error:
        raise AwsRefused(400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'.") from error
    if date[:8] != given.date:
        raise AwsRefused(
            403, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date."
        )
    now = time.time() + clock
    limit, word = (now - SKEW, "expired") if signed < now else (now + SKEW, "not yet current")
    if abs(signed - now) > SKEW:
        verb, sign = ("now earlier than", "-") if signed < now else ("still later than", "+")
        text = f"Signature {word}: {date} is {verb} {stamp(limit)} ({stamp(now)} {sign} 15 min.)"
        raise AwsRefused(403, "SignatureDoesNotMatch", text)


def stamp(moment: float) -> str:
    """Formats a time as AWS writes it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def signature(request: SignedRequest, given: Credential, secret: str) -> str:
    """The signature that a client with the secret computes."""
    canonical = "\n".join([
        request.method,
        "/" + "/".join(encode(part) for part in request.path.split("/")[1:]),
        canonical_query(request.query),
        *(f"{name}:{' '.join(request.headers[name].split())}" for name in given.signed_headers),
        "",
        ";".join(given.signed_headers),
        hashlib.sha256(request.body).hexdigest(),
    ])  # fmt: skip
    to_sign = "\n".join([ALGORITHM, request.headers["x-amz-date"], given.scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret.encode()
    for part in given.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def canonical_query(query: str) -> str:
    """The names and values, encoded again and sorted."""
    pairs: Iterable = (part.partition("=")[::2] for part in query.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in sorted((encode(name), encode(value)) for name, value in pairs))


def encode(text: str) -> str:
    """Percent-encodes everything except the unreserved characters."""
    return quote(unquote_to_bytes(text), safe="-_.~")
