"""Proves that the token service stand-in refuses the requests that Google's refuses, with Google's error texts.

https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token and RFC 8693. Without these refusals an accepted
exchange of another test would prove nothing.
"""

from __future__ import annotations

import base64

import pytest
import requests

from standins.token_exchange import FIELDS, GRANT, TOKEN_TYPE
from standins.verify_jwt import OidcPoolProvider


@pytest.fixture
def fields(issuer, audience) -> dict[str, str]:
    """The form of a valid exchange."""
    return {
        "grant_type": GRANT,
        "requested_token_type": TOKEN_TYPE + "access_token",
        "audience": audience,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "subject_token": issuer.token("https:" + audience),
        "subject_token_type": TOKEN_TYPE + "jwt",
    }


def basic(client: str) -> dict[str, str]:
    """Makes an Authorization header for a client ID."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client}:secret".encode()).decode()}


def test_accepts_a_form(sts, fields):
    """Each refusal below differs from this exchange in one point."""
    answer = requests.post(sts.token_url, data=fields, timeout=10)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"access_token", "issued_token_type", "token_type", "expires_in"}
    assert sts.exchanges[-1].claims["sub"] == "repo:example/app"


def test_accepts_json_in_camel_case(sts, fields):
    """JSON is the other content type in the reference."""
    names = {snake: camel for camel, snake in FIELDS.items()}
    answer = requests.post(sts.token_url, json={names[name]: value for name, value in fields.items()}, timeout=10)
    assert answer.status_code == 200, answer.text


def test_accepts_the_public_client_id_of_gcloud(sts, fields):
    """A workload pool accepts no other client ID."""
    header = basic("32555940559.apps.googleusercontent.com")
    assert requests.post(sts.token_url, data=fields, headers=header, timeout=10).status_code == 200


AUDIENCE_TEXT = 'Invalid value for "audience". This value should be the full resource name of the Identity Provider.'
POOL = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool"


@pytest.mark.parametrize("change, error, text", [
    ({"grant_type": "client_credentials"}, "unsupported_grant_type", "Invalid grant_type"),
    ({"grant_type": None}, "unsupported_grant_type", "Invalid grant_type"),
    ({"requested_token_type": TOKEN_TYPE + "id_token"}, "invalid_request", "Invalid requested_token_type"),
    ({"audience": None}, "invalid_request", AUDIENCE_TEXT),
    ({"audience": POOL}, "invalid_request", AUDIENCE_TEXT),
    ({"audience": "https:" + POOL + "/providers/ci"}, "invalid_request", AUDIENCE_TEXT),
    ({"audience": POOL.replace("123456789012", "my-project") + "/providers/ci"}, "invalid_request", AUDIENCE_TEXT),
    ({"audience": POOL + "/providers/gone"}, "invalid_target", "The target service indicated by"),
    ({"scope": None}, "invalid_scope", "The scope must be specified"),
    ({"subject_token_type": TOKEN_TYPE + "refresh_token"}, "invalid_request", "Invalid value for subject_token_type"),
    ({"subject_token_type": None}, "invalid_request", "Invalid value for subject_token_type"),
    ({"subject_token_type": TOKEN_TYPE + "saml2"}, "invalid_request", "does not fit the type"),
    ({"subject_token": None}, "invalid_request", "The subject_token must be specified"),
])  # fmt: skip
def test_refuses_a_field(sts, fields, change, error, text):
    """Each field is wrong or missing."""
    changed = {name: value for name, value in (fields | change).items() if value is not None}
    answer = requests.post(sts.token_url, data=changed, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert text in answer.json()["error_description"]
    assert sts.exchanges == [] and len(sts.refusals) == 1


@pytest.mark.parametrize("header", [basic("some-client"), {"Authorization": "Bearer abcdef"}, {"Authorization": "Basic %%"}])
def test_refuses_client_authentication(sts, fields, header):
    """A workload pool accepts no Authorization header."""
    answer = requests.post(sts.token_url, data=fields, headers=header, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/people/providers/idp"


@pytest.fixture
def workforce(sts, issuer, fields) -> dict[str, str]:
    """The form of an exchange for a workforce pool."""
    sts.add(OidcPoolProvider(WORKFORCE, issuer.url))
    sts.clients["app"] = "secret"
    return fields | {"audience": WORKFORCE, "subject_token": issuer.token("https:" + WORKFORCE)}


def test_a_workforce_pool_accepts_a_client_or_a_project(sts, workforce):
    """The OAuth client must be registered, or the options name the project that is billed; both are recorded."""
    assert requests.post(sts.token_url, data=workforce, headers=basic("app"), timeout=10).status_code == 200
    options = {"options": '{"userProject":"123"}'}
    assert requests.post(sts.token_url, data=workforce | options, timeout=10).status_code == 200
    assert [(done.client, done.options) for done in sts.exchanges] == [("app", {}), ("", {"userProject": "123"})]
    sts.clients["app"] = "another secret"
    answer = requests.post(sts.token_url, data=workforce, headers=basic("app"), timeout=10)
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("options", ['{"userProject":"123"}', "[]", "no JSON", '{"other":1}'])
def test_refuses_options(sts, fields, options):
    """A workload pool has no project that is billed."""
    answer = requests.post(sts.token_url, data=fields | {"options": options}, timeout=10)
    assert answer.json() == {"error": "invalid_request", "error_description": "Invalid value for options."}


@pytest.mark.parametrize("body, kind", [
    (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded"),
    (b'{"grant_type": "snake_case in JSON"}', "application/json"),
    (b"[]", "application/json"),
    (b"grant_type=a", "text/plain"),
])  # fmt: skip
def test_refuses_a_body_it_cannot_read(sts, body, kind):
    """A field is repeated, its name has the wrong form, or the content type is wrong."""
    answer = requests.post(sts.token_url, data=body, headers={"Content-Type": kind}, timeout=10)
    assert answer.json() == {"error": "invalid_request", "error_description": "The request cannot be read."}
