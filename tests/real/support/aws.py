"""What the AWS tests share: Google's own signer, the decoded output of the program, and the second verifier.

`google_token` is the reference for the form of a GetCallerIdentity subject token, made by the request signer of google-auth.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from dataclasses import dataclass
from unittest import mock
from urllib.parse import quote, unquote

from google.auth import _helpers, aws

from standins.aws_keys import AccessKey
from standins.sigv4 import Credential, SignedRequest, credential
from standins.verify_aws import parse
from support.places import need

REGION = "us-east-1"
AWS4_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
URL = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
# The members of a credential_source that every client requires.
CREDENTIAL_SOURCE = {"environment_id": "aws1", "regional_cred_verification_url": URL}


def google_request(
    key: AccessKey, target: str, region: str = REGION, when: float | None = None, url: str = URL, **headers: str
) -> dict:
    """Signs a GetCallerIdentity request with google-auth, in Google's JSON form; the target resource is signed too."""
    signer = aws.RequestSigner(region)
    credentials = aws.AwsSecurityCredentials(key.id, key.secret, key.token)
    now = _helpers.utcnow() if when is None else datetime.datetime.fromtimestamp(when, datetime.timezone.utc)
    with mock.patch.object(aws._helpers, "utcnow", lambda: now):
        found = signer.get_request_options(credentials, url.format(region=region), "POST",
                                           additional_headers={"x-goog-cloud-target-resource": target, **headers})  # fmt: skip
    return {
        "url": found["url"],
        "method": found["method"],
        "headers": [{"key": k, "value": v} for k, v in found["headers"].items()],
    }


def encoded(request: dict) -> str:
    """The subject token: JSON, percent-encoded once."""
    return quote(json.dumps(request, separators=(",", ":"), sort_keys=True), safe="")


def google_token(key: AccessKey, target: str, **how) -> str:
    """Makes the subject token with the request signer of google-auth."""
    return encoded(google_request(key, target, **how))


@dataclass(frozen=True)
class CallerIdentity:
    """A GetCallerIdentity subject token in its parts."""

    token: str

    @property
    def json(self) -> dict:
        """The url, method and headers, as Google reads them."""
        return json.loads(unquote(self.token, errors="strict"))

    @property
    def request(self) -> SignedRequest:
        """The request, checked by Google's rules for its form."""
        return parse(self.token)

    @property
    def headers(self) -> dict[str, str]:
        """The headers, with names in lower case."""
        return {header["key"].lower(): header["value"] for header in self.json["headers"]}

    @property
    def credential(self) -> Credential:
        """The Authorization header in its parts."""
        return credential(self.headers)

    @property
    def used(self) -> tuple[str, str | None]:
        """The credentials of the signature: the ID of the access key and the session token."""
        return self.credential.key_id, self.headers.get("x-amz-security-token")

    def changed(self, **headers: str | None) -> CallerIdentity:
        """The same token with other headers (`_` for `-`), or without those that are None."""
        new = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = [header for header in self.json["headers"] if header["key"].lower() not in new]
        more = [{"key": name, "value": value} for name, value in new.items() if value is not None]
        return CallerIdentity(encoded(self.json | {"headers": kept + more}))


def second_opinion(identity: CallerIdentity, key: AccessKey, region: str = REGION) -> str:
    """Asks scratchstack-aws-signature for its verdict: `accepted`, or `refused: …`. See verifiers/aws-signature."""
    question = {
        "request": identity.json, "body": "", "region": region,
        "must_be_signed": sorted(identity.headers.keys() - {"authorization"}),
        "key": {"id": key.id, "secret": key.secret, "token": key.token},
    }  # fmt: skip
    done = subprocess.run(
        [need("aws-signature")], input=json.dumps(question), capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == (0 if done.stdout == "accepted\n" else 1), done.stderr
    return done.stdout.strip()
