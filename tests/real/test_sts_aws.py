"""Proves that the token service stand-in refuses an AWS subject token that breaks any one of Google's documented rules.

The rules: https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token, see standins/verify_aws.py. google-auth's
own signer makes the accepted token; each case is that token with one thing changed.
"""

from __future__ import annotations

import json
import time
from functools import partial
from urllib.parse import quote

import pytest
import requests

from standins.aws_keys import ACCOUNT, AwsKeys
from standins.token_exchange import GRANT, TOKEN_TYPE
from standins.verify_aws import AwsPoolProvider, known_to, verify_aws
from support.aws import AWS4_REQUEST, CallerIdentity, encoded, google_request, google_token
from support.refusals import refused_by

FORM = "Invalid format of AWS credentials:"
UNKNOWN = "Received invalid AWS response of type AccessDenied"
refused = partial(refused_by, verify_aws)


@pytest.fixture
def keys(ledger) -> AwsKeys:
    """The keys that AWS knows."""
    return AwsKeys(ledger)


@pytest.fixture
def pool_provider(audience, keys) -> AwsPoolProvider:
    """A pool provider that trusts the account of these tests."""
    return AwsPoolProvider(audience, ACCOUNT, known_to(keys))


@pytest.mark.parametrize("prefix", ["", "https:"])
@pytest.mark.parametrize("kind", ["user", "session"])
def test_accepts_what_google_s_own_signer_makes(audience, keys, pool_provider, kind, prefix):
    """The key is that of a user or of a session, and the target resource has `https:` or not."""
    key = getattr(keys, kind)("alice")
    claims = verify_aws(google_token(key, prefix + audience), pool_provider)
    assert claims == {"sub": key.arn, "arn": key.arn, "account": ACCOUNT}


def test_accepts_the_global_host(audience, keys, pool_provider):
    """`sts.amazonaws.com` signs for us-east-1."""
    url = "https://sts.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    assert verify_aws(google_token(keys.user("alice"), audience, url=url), pool_provider)


def test_accepts_another_region(audience, keys, pool_provider):
    """The region of the host is that of the signature."""
    assert verify_aws(google_token(keys.user("alice"), audience, region="eu-central-1"), pool_provider)


@pytest.mark.parametrize("url, text", [
    ("http://sts.us-east-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15", "must be https"),
    ("https://sts.us-east-1.amazonaws.com:443?Action=GetCallerIdentity&Version=2011-06-15", "neither port"),
    ("https://sts.us-east-1.amazonaws.com.example.test?Action=GetCallerIdentity&Version=2011-06-15", "the host of the url"),
    ("https://sts.cn-north-1.amazonaws.com.cn?Action=GetCallerIdentity&Version=2011-06-15", "the host of the url"),
    ("https://sts-fips.us-east-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15", "the host of the url"),
    ("https://127.0.0.1?Action=GetCallerIdentity&Version=2011-06-15", "the host of the url"),
    ("https://sts.us-east-1.amazonaws.com?Version=2011-06-15", "Action=GetCallerIdentity"),
    ("https://sts.us-east-1.amazonaws.com?Action=AssumeRole&Version=2011-06-15", "Action=GetCallerIdentity"),
    ("https://sts.us-east-1.amazonaws.com?Action=GetCallerIdentity", "a Version"),
])  # fmt: skip
def test_refuses_a_url(audience, keys, pool_provider, url, text):
    """The scheme, port, host or query is wrong."""
    request = google_request(keys.user("alice"), audience)
    refused(encoded(request | {"url": url}), pool_provider, FORM, text)


def test_refuses_another_method(audience, keys, pool_provider):
    """Only POST is allowed."""
    refused(encoded(google_request(keys.user("alice"), audience) | {"method": "GET"}), pool_provider, FORM, "POST")


@pytest.mark.parametrize("name", ["x_amz_date", "authorization", "host", "x_goog_cloud_target_resource"])
def test_refuses_a_missing_header(audience, keys, pool_provider, name):
    """Each of the four headers is required."""
    token = CallerIdentity(google_token(keys.user("alice"), audience)).changed(**{name: None}).token
    refused(token, pool_provider, FORM, f"the header {name.replace('_', '-')} is missing")


def test_refuses_a_header_that_occurs_twice(audience, keys, pool_provider):
    """Google does not document which of the two would be used."""
    request = google_request(keys.user("alice"), audience)
    refused(encoded(request | {"headers": request["headers"] * 2}), pool_provider, FORM, "twice")


def test_refuses_another_pool_provider(audience, keys, pool_provider):
    """The request is signed for the other pool provider, so only this rule can refuse it."""
    refused(google_token(keys.user("alice"), audience + "-other"), pool_provider, FORM, "is not the identity provider")


@pytest.mark.parametrize(
    "seconds, text", [(-16 * 60, "more than 15 minutes ago"), (16 * 60, "in the future"), (30, "in the future")]
)
def test_refuses_a_date(audience, keys, pool_provider, seconds, text):
    """The date is more than 15 minutes old, or in the future."""
    refused(google_token(keys.user("alice"), audience, when=time.time() + seconds), pool_provider, FORM, text)


def test_refuses_what_is_not_a_date(audience, keys, pool_provider):
    """Another form of a time is refused too."""
    token = CallerIdentity(google_token(keys.user("alice"), audience)).changed(x_amz_date="2026-01-01T00:00:00Z").token
    refused(token, pool_provider, FORM, "no time")


@pytest.mark.parametrize("encode", [
    lambda request: quote(encoded(request), safe=""),
    lambda request: "opaque-token",
    lambda request: "",
    lambda request: quote(json.dumps([request])),
    lambda request: quote(json.dumps({"url": request["url"]})),
    lambda request: quote(json.dumps(request | {"headers": {header["key"]: header["value"] for header in request["headers"]}})),
], ids=["encoded twice", "opaque", "empty", "a list", "without headers", "headers as an object"])  # fmt: skip
def test_refuses_what_is_not_json_encoded_once(audience, keys, pool_provider, encode):
    """The text is that of the public report, whatever is there instead of one JSON object with three members."""
    refused(encode(google_request(keys.user("alice"), audience)), pool_provider, FORM, "expected '{'")


def test_refuses_an_unknown_key(audience, pool_provider):
    """AWS does not know the signer."""
    refused(
        google_token(AwsKeys().user("mallory"), audience),
        pool_provider,
        UNKNOWN,
        "security token included in the request is invalid",
    )


def test_refuses_another_account(audience, keys):
    """AWS knows the account, but the pool provider trusts another one."""
    provider = AwsPoolProvider(audience, "999999999999", known_to(keys))
    refused(google_token(keys.user("alice"), audience), provider, f"The AWS account {ACCOUNT}")


def test_refuses_an_expired_session(audience, keys, pool_provider):
    """The signature is valid, but the session has expired."""
    refused(google_token(keys.session("alice", seconds=-1), audience), pool_provider, UNKNOWN, "expired")


def test_the_service_accepts_the_request_only_for_an_aws_pool_provider(sts, audience, keys, pool_provider, issuer):
    """The whole exchange is tried; `issuer` has configured an OIDC pool provider with this name."""
    fields = {"grant_type": GRANT, "requested_token_type": TOKEN_TYPE + "access_token", "audience": audience, "scope": "s",
              "subject_token": google_token(keys.user("alice"), audience), "subject_token_type": AWS4_REQUEST}  # fmt: skip
    refusal = requests.post(sts.token_url, data=fields, timeout=10)
    assert refusal.status_code == 400 and "does not fit the type" in refusal.json()["error_description"]
    sts.add(pool_provider)
    assert requests.post(sts.token_url, data=fields, timeout=10).status_code == 200
    assert sts.exchanges[-1].claims["arn"] == keys.user("alice").arn
    as_jwt = requests.post(sts.token_url, data=fields | {"subject_token_type": TOKEN_TYPE + "jwt"}, timeout=10)
    assert as_jwt.status_code == 400
