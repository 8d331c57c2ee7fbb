"""Verifies an AWS subject token, a signed GetCallerIdentity request, by the rules Google documents.

https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token, `subject_token` for `aws4_request`: percent-encoded
JSON with url, method and headers; https, no port, the host of AWS's STS, the query of GetCallerIdentity; POST; the headers
`x-amz-date`, `authorization`, `host` and `x-goog-cloud-target-resource`, which names the pool provider; a date within the
last 15 minutes. Then the service performs the request and compares the account.

Here, `perform` replaces AWS: it computes the signature again (standins/sigv4.py), or asks ministack. The texts begin as public
reports quote them (google-api-python-client#1136); what follows "Invalid format of AWS credentials:" is our own text.
"""

from __future__ import annotations

import json
import re
import time
from calendar import timegm
from dataclasses import dataclass
from typing import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

from standins.aws_keys import AwsKeys
from standins.aws_refused import AwsRefused
from standins.refused import Refused
from standins.sigv4 import SignedRequest, verify

HOST = re.compile(r"sts\.(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.)?amazonaws\.com")
MANDATORY = ("x-amz-date", "authorization", "host", "x-goog-cloud-target-resource")
LONGEST_LIFE = 15 * 60  # seconds


@dataclass(frozen=True)
class AwsPoolProvider:
    """A workload identity pool provider of the type AWS. `perform` returns the ARN of the caller, or raises AwsRefused.
    """

    name: str
    account: str
    perform: Callable[[SignedRequest], str]


def known_to(keys: AwsKeys) -> Callable[[SignedRequest], str]:
    """Returns a function in place of AWS that computes the signature again with the secrets that it knows."""

    def perform(request: SignedRequest) -> str:
        region = HOST.fullmatch(request.headers["host"])["region"] or "us-east-1"
        return verify(request, keys, region).arn

    return perform


def malformed(text: str) -> Refused:
    """The code and the text for every mistake in the form."""
    return Refused("invalid_grant", f"Invalid format of AWS credentials:{text}")


def verify_aws(token: str, provider: AwsPoolProvider) -> dict:
    """Verifies a signed request by every rule, and returns its account and ARN. Raises Refused otherwise."""
    request = parse(token)
    target = request.headers["x-goog-cloud-target-resource"]
    if target.removeprefix("https:") != provider.name:
        raise malformed(f"x-goog-cloud-target-resource {target} is not the identity provider.")
    check_date(request.headers["x-amz-date"])
    try:
        arn = provider.perform(request)
    except AwsRefused as refusal:
        raise Refused(
            "invalid_grant", f"Received invalid AWS response of type AccessDenied with error message: {refusal.message}"
        ) from refusal
    if arn.split(":")[4] != provider.account:
        raise Refused("invalid_grant", f"The AWS account {arn.split(':')[4]} is not the account of the identity provider.")
    return {"sub": arn, "arn": arn, "account": provider.account}


def parse(token: str) -> SignedRequest:
    """The request, which is percent-encoded once; its url, method and headers are checked."""
    try:
        found = json.loads(unquote(token, errors="strict"))
        url, method = found["url"], found["method"]
        headers = [(header["key"].lower(), header["value"]) for header in found["headers"]]
        parts = urlsplit(url)
        port = parts.port
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise malformed("Error at line 0:0: Unexpected end of stream : expected '{'") from error
    if parts.scheme != "https":
        raise malformed("the url must be https.")
    if port is not None or parts.username is not None:
        raise malformed("the url must have neither port nor user.")
    if HOST.fullmatch(parts.netloc) is None or parts.path not in ("", "/"):
        raise malformed("the host of the url must be sts.amazonaws.com or sts.REGION.amazonaws.com.")
    query = parse_qsl(parts.query)
    if ("Action", "GetCallerIdentity") not in query or not dict(query).get("Version"):
        raise malformed("the query of the url must have Action=GetCallerIdentity and a Version.")
    if method != "POST":
        raise malformed("the method must be POST.")
    if len(dict(headers)) != len(headers):
        raise malformed("a header stands twice.")
    for name in MANDATORY:
        if not dict(headers).get(name):
            raise malformed(f"the header {name} is missing.")
    if dict(headers)["host"] != parts.netloc:
        raise malformed("the header host is not the host of the url.")
    return SignedRequest(method, parts.path or "/", parts.query, dict(headers))


def check_date(date: str):
    """Checks that the request was signed in the last 15 minutes."""
    try:
        age = time.time() - timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    except ValueError as error:
        raise malformed("x-amz-date is no time.") from error
    if age > LONGEST_LIFE:
        raise malformed("x-amz-date is more than 15 minutes ago.")
    if age < -1:  # the tolerated difference of two clocks
        raise malformed("x-amz-date is in the future.")
