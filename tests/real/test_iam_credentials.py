"""Proves that the stand-in of the IAM Service Account Credentials API refuses what Google documents, and that Google's own library
accepts it.

https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts
"""

from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from google.auth import iam
from google.auth.exceptions import RefreshError
from google.auth.impersonated_credentials import IDTokenCredentials
from google.auth.transport.requests import Request

from standins.iam_policy import ROLES
from standins.sts import DEPLOYER
from support.impersonation import (
    CLOUD_PLATFORM,
    CREATOR,
    FIRST,
    SECOND,
    STORAGE,
    account_name,
    federated_token,
    google_impersonation,
    google_source,
    grant_chain,
    lead_to,
    pool_of,
    principal,
    seconds_left,
)
from support.signer import claims_of

TARGET = "target@example-project.iam.gserviceaccount.com"
BODIES = {
    "generateAccessToken": {"scope": [CLOUD_PLATFORM]},
    "generateIdToken": {"audience": "https://app.example.com"},
    "signJwt": {"payload": "{}"},
    "signBlob": {"payload": "YmxvYg=="},
}
PERMISSIONS = {"generateAccessToken": "getAccessToken", "generateIdToken": "getOpenIdToken", "signJwt": "signJwt",
               "signBlob": "signBlob"}  # fmt: skip
each_method = pytest.mark.parametrize("method", list(BODIES))


@pytest.fixture
def call(sts, issuer, audience):
    """Calls a method for an account as the workload; `change` changes the valid body."""
    def post(method, account=TARGET, token=None, **change) -> requests.Response:
        token = token or federated_token(sts, audience, issuer.token("https:" + audience))
        body = {name: value for name, value in (BODIES[method] | change).items() if value is not ...}
        url = f"{sts.url}/v1/{account_name(account)}:{method}"
        return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    return post


@pytest.fixture
def creator(sts, audience):
    """The workload may create every credential of the target."""
    sts.iam.policies.grant(CREATOR, on=TARGET, to=principal(audience))


def refused(answer: requests.Response, status: int, word: str) -> dict:
    """The first detail of an error, whose form must be that of every Google API."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, word), answer.text
    return error["details"][0] if "details" in error else {}


@each_method
@pytest.mark.parametrize("role", list(ROLES))
def test_a_role_gives_its_permissions_and_no_other(sts, call, audience, role, method):
    """Each role is tried with each method; a refusal names the permission."""
    sts.iam.policies.grant(role, on=TARGET, to=principal(audience))
    answer = call(method)
    permission = f"iam.serviceAccounts.{PERMISSIONS[method]}"
    if permission in ROLES[role]:
        assert answer.status_code == 200, answer.text
        return
    detail = refused(answer, 403, "PERMISSION_DENIED")
    assert (detail["reason"], detail["domain"]) == ("IAM_PERMISSION_DENIED", "iam.googleapis.com")
    assert detail["metadata"] == {"permission": permission}
    assert answer.json()["error"]["message"] == f"Permission '{permission}' denied on resource (or it may not exist)."


@each_method
def test_a_missing_account_looks_like_a_missing_role(sts, call, method):
    """The response is the same, so that nobody can find out which accounts exist."""
    sts.iam.policies.accounts[FIRST] = {}
    without_role = call(method, FIRST)
    gone = call(method, "gone@example-project.iam.gserviceaccount.com")
    assert (gone.status_code, gone.text) == (without_role.status_code, without_role.text) and gone.status_code == 403


@pytest.mark.parametrize("member, allowed", [
    ("principal:{pool}/subject/repo:example/app", True),
    ("principal:{pool}/subject/repo:example/other", False),
    ("principal:{other}/subject/repo:example/app", False),
    ("principalSet:{pool}/*", True),
    ("principalSet:{other}/*", False),
    ("principalSet:{pool}/attribute.repository/example/app", True),
    ("principalSet:{pool}/attribute.repository/example/other", False),
    ("principalSet:{pool}/group/builders", True),
    ("principalSet:{pool}/group/readers", False),
    ("serviceAccount:" + FIRST, False),
])  # fmt: skip
def test_members(sts, issuer, call, audience, member, allowed):
    """The cases are each type of principal, and a similar name of another principal."""
    pool = pool_of(audience)
    sts.iam.policies.grant(CREATOR, on=TARGET, to=member.format(pool=pool, other=pool + "2"))
    subject_token = issuer.token("https:" + audience, repository="example/app", groups=["builders"])
    answer = call("generateAccessToken", token=federated_token(sts, audience, subject_token))
    assert (answer.status_code == 200) == allowed, answer.text


def test_a_service_account_is_a_member_too(sts, call, audience):
    """The access token of the account may call the methods for the next account, unless its scope is insufficient."""
    sts.iam.policies.grant("workloadIdentityUser", on=FIRST, to=principal(audience))
    sts.iam.policies.grant(CREATOR, on=TARGET, to=f"serviceAccount:{FIRST}")
    token = call("generateAccessToken", FIRST).json()["accessToken"]
    assert call("signJwt", token=token).status_code == 200
    assert sts.iam.calls[-1].caller.members == {f"serviceAccount:{FIRST}"}
    small = call("generateAccessToken", FIRST, scope=[STORAGE]).json()["accessToken"]
    detail = refused(call("signJwt", token=small), 403, "PERMISSION_DENIED")
    assert detail["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    detail = refused(call("signJwt", token=token, delegates=[account_name(FIRST)]), 400, "INVALID_ARGUMENT")
    assert "neither the caller" in detail["fieldViolations"][0]["description"]


@pytest.mark.parametrize("scope, allowed", [
    (CLOUD_PLATFORM, True),
    ("https://www.googleapis.com/auth/iam", True),
    (STORAGE, False),
])  # fmt: skip
def test_the_scope_of_a_federated_token_is_used(sts, issuer, call, creator, audience, scope, allowed):
    """The API accepts two scopes."""
    token = federated_token(sts, audience, issuer.token("https:" + audience), scope)
    answer = call("generateAccessToken", token=token)
    if not allowed:
        assert refused(answer, 403, "PERMISSION_DENIED")["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    assert (answer.status_code == 200) == allowed


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer ya29.made-up"}, {"Authorization": "Basic dTpw"}])
def test_refuses_other_credentials(sts, header):
    """The status is 401, before any other check."""
    answer = requests.post(sts.impersonation_url(TARGET), json={}, headers=header, timeout=10)
    refused(answer, 401, "UNAUTHENTICATED")
    assert answer.json()["error"]["message"].startswith("Request had invalid authentication credentials.")


@pytest.mark.parametrize("path", [
    "/v1/projects/example-project/serviceAccounts/{}:signJwt",
    "/v1/projects/-/serviceAccounts/{}:signjwt",
    "/v1/projects/-/serviceAccounts/{}",
    "/v1beta/projects/-/serviceAccounts/{}:signJwt",
])  # fmt: skip
def test_refuses_another_path(sts, creator, path):
    """The dash in place of the project is required."""
    refused(requests.post(sts.url + path.format(TARGET), json=BODIES["signJwt"], timeout=10), 404, "NOT_FOUND")


LATE, PAST, SOON = 4102444800, 1, int(time.time()) + 6 * 3600


@pytest.mark.parametrize("method, change, field", [
    ("generateAccessToken", {"scope": ...}, "scope"),
    ("generateAccessToken", {"scope": []}, "scope"),
    ("generateAccessToken", {"scope": CLOUD_PLATFORM}, "scope"),
    ("generateAccessToken", {"scope": ["cloud-platform"]}, "scope"),
    ("generateAccessToken", {"lifetime": "3601s"}, "lifetime"),
    ("generateAccessToken", {"lifetime": "0s"}, "lifetime"),
    ("generateAccessToken", {"lifetime": "3600"}, "lifetime"),
    ("generateAccessToken", {"lifetime": 3600}, "lifetime"),
    ("generateIdToken", {"audience": ...}, "audience"),
    ("generateIdToken", {"includeEmail": "true"}, "includeEmail"),
    ("signJwt", {"payload": ...}, "payload"),
    ("signJwt", {"payload": {}}, "payload"),
    ("signJwt", {"payload": "[]"}, "payload"),
    ("signJwt", {"payload": json.dumps({"exp": LATE})}, "payload"),
    ("signJwt", {"payload": json.dumps({"exp": PAST})}, "payload"),
    ("signJwt", {"payload": json.dumps({"exp": str(SOON)})}, "payload"),
    ("signBlob", {"payload": ...}, "payload"),
    ("signBlob", {"payload": "no base64!"}, "payload"),
    ("signBlob", {"payload": "_-_-"}, "payload"),
    ("signBlob", {"blob": "YmxvYg=="}, "blob"),
    *((method, {"delegates": delegates}, "delegates") for method in BODIES for delegates in (
        [FIRST], ["projects/example-project/serviceAccounts/" + FIRST], [account_name(TARGET)], account_name(FIRST))),
])  # fmt: skip
def test_refuses_a_field(call, creator, method, change, field):
    """The field is missing, has another type, exceeds its limits, or is unknown."""
    detail = refused(call(method, **change), 400, "INVALID_ARGUMENT")
    assert detail["@type"].endswith("google.rpc.BadRequest")
    assert [violation["field"] for violation in detail["fieldViolations"]] == [field]


def test_refuses_what_is_not_json(sts, issuer, creator, audience):
    """The body is a form or a list."""
    bearer = {"Authorization": "Bearer " + federated_token(sts, audience, issuer.token("https:" + audience))}
    for body in (b"payload=x", b"[]"):
        answer = requests.post(f"{sts.url}/v1/{account_name(TARGET)}:signJwt", data=body, headers=bearer, timeout=10)
        refused(answer, 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("lifetime, allowed", [("3600s", True), ("43200s", True), ("43201s", False)])
def test_the_organization_policy_allows_a_longer_lifetime(sts, call, creator, lifetime, allowed):
    """The accounts in its list may have up to 12 hours."""
    sts.iam.extended.add(TARGET)
    answer = call("generateAccessToken", lifetime=lifetime)
    assert (answer.status_code == 200) == allowed
    if allowed:
        assert abs(seconds_left(answer.json()) - int(lifetime[:-1])) < 5


@each_method
def test_a_chain_requires_every_link(sts, call, audience, method):
    """With one or two delegates, the request is refused if one link is missing or the order is different."""
    accounts = (FIRST, SECOND, TARGET)
    grant_chain(sts, audience, *accounts)
    delegates = [account_name(FIRST), account_name(SECOND)]
    assert call(method, delegates=delegates).status_code == 200
    assert sts.iam.calls[-1].delegates == (FIRST, SECOND)
    for wrong in ([], delegates[:1], delegates[1:], delegates[::-1]):
        refused(call(method, delegates=wrong), 403, "PERMISSION_DENIED")
    for account in accounts:
        policy = sts.iam.policies.accounts.pop(account)
        refused(call(method, delegates=delegates), 403, "PERMISSION_DENIED")
        sts.iam.policies.accounts[account] = policy
    # The role of a workload does not allow delegation.
    sts.iam.policies.accounts[FIRST] = {"workloadIdentityUser": {principal(audience)}}
    detail = refused(call(method, delegates=delegates), 403, "PERMISSION_DENIED")
    assert detail["metadata"] == {"permission": "iam.serviceAccounts.implicitDelegation"}


def test_publishes_the_keys_it_signs_with(sts, call, creator):
    """JWKS and certificates are published for existing accounts."""
    signed = call("signJwt", payload='{"a":1}').json()
    keys = requests.get(f"{sts.url}/service_accounts/v1/jwk/{TARGET}", timeout=10).json()
    assert [key["kid"] for key in keys["keys"]] == [signed["keyId"]] == [jwt.get_unverified_header(signed["signedJwt"])["kid"]]
    assert jwt.decode(signed["signedJwt"], jwt.PyJWK(keys["keys"][0]).key, algorithms=["RS256"]) == {"a": 1}

    blob = call("signBlob", payload=base64.b64encode(b"blob").decode()).json()
    certificates = requests.get(f"{sts.url}/service_accounts/v1/metadata/x509/{TARGET}", timeout=10).json()
    key = x509.load_pem_x509_certificate(certificates[blob["keyId"]].encode()).public_key()
    key.verify(base64.b64decode(blob["signedBlob"]), b"blob", padding.PKCS1v15(), hashes.SHA256())

    for place in ("jwk", "metadata/x509"):
        unknown = requests.get(f"{sts.url}/service_accounts/v1/{place}/gone@example-project.iam.gserviceaccount.com", timeout=10)
        refused(unknown, 404, "NOT_FOUND")


@pytest.mark.parametrize("email", [False, True])
def test_an_id_token_is_google_s(sts, call, creator, email):
    """Google signs the ID token, not the account."""
    token = call("generateIdToken", includeEmail=email).json()["token"]
    key = requests.get(f"{sts.url}/oauth2/v3/certs", timeout=10).json()["keys"][0]
    claims = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"], audience="https://app.example.com")
    assert claims["iss"] == "https://accounts.google.com" and claims["sub"].isdigit()
    assert ("email" in claims) == email and claims.get("email", TARGET) == TARGET


@pytest.fixture
def subject_file(issuer, audience, tmp_path):
    """A file with a subject token."""
    path = tmp_path / "subject-token"
    path.write_text(issuer.token("https:" + audience))
    return path


@pytest.mark.parametrize("delegates", [(), (FIRST,), (FIRST, SECOND)])
def test_google_s_library_accepts_the_stand_in(sts, audience, subject_file, monkeypatch, delegates):
    """google-auth gets an access token, an ID token and a signature, directly and through delegates."""
    lead_to(sts, monkeypatch)
    grant_chain(sts, audience, *delegates, TARGET)
    found = google_impersonation(sts, audience, subject_file, TARGET, delegates, lifetime=1800)
    found.refresh(Request())
    assert sts.impersonated[found.token] == TARGET
    id_token = IDTokenCredentials(found, target_audience="https://app.example.com", include_email=True)
    id_token.refresh(Request())
    assert claims_of(id_token.token)["email"] == TARGET
    signature = found.sign_bytes(b"blob")
    sts.iam.keys.signer(TARGET).key.public_key().verify(signature, b"blob", padding.PKCS1v15(), hashes.SHA256())
    assert [call.method for call in sts.iam.calls] == ["generateAccessToken", "generateIdToken", "signBlob"]
    assert {call.delegates for call in sts.iam.calls} == {delegates}


def test_google_s_signer_accepts_the_stand_in(sts, audience, subject_file, creator, monkeypatch):
    """google.auth.iam.Signer works with a federated principal as the caller."""
    lead_to(sts, monkeypatch)
    source = google_source(sts, audience, subject_file)
    source.refresh(Request())
    signature = iam.Signer(Request(), source, TARGET).sign(b"blob")
    sts.iam.keys.signer(TARGET).key.public_key().verify(signature, b"blob", padding.PKCS1v15(), hashes.SHA256())


def test_google_s_library_sees_a_refusal(sts, audience, subject_file, monkeypatch):
    """Without the role, the library raises its own error."""
    lead_to(sts, monkeypatch)
    with pytest.raises(RefreshError, match="getAccessToken"):
        google_impersonation(sts, audience, subject_file, TARGET).refresh(Request())


PERSON = "ann@example.com"


@pytest.fixture
def domain(sts, creator):
    """A user of a domain, and the target with the authorization for two scopes."""
    sts.delegation.people.add(PERSON)
    sts.delegation.authorized[TARGET] = {STORAGE, "openid"}


def test_google_s_library_acts_for_a_user(sts, audience, subject_file, domain, monkeypatch):
    """Domain-wide delegation uses signJwt and then the JWT-bearer grant."""
    lead_to(sts, monkeypatch)
    found = google_impersonation(sts, audience, subject_file, TARGET, subject=PERSON, target_scopes=[STORAGE])
    found.refresh(Request())
    grant = sts.delegation.grants[found.token]
    assert (grant.account, grant.person, grant.scope) == (TARGET, PERSON, STORAGE)


def assertion(sts, **change) -> str:
    """A valid assertion, apart from the claims given by name."""
    now = int(time.time())
    good = {"iss": TARGET, "sub": PERSON, "scope": f"{STORAGE} openid", "aud": "https://oauth2.googleapis.com/token", "iat": now,
            "exp": now + 3600}  # fmt: skip
    return sts.iam.keys.signer(change.pop("signer", TARGET)).token(good | change)


def grant(sts, **fields) -> requests.Response:
    """Posts a grant."""
    fields = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"} | fields
    return requests.post(sts.oauth_url, data=fields, timeout=10)


@pytest.mark.parametrize("change, status, error, text", [
    ({"sub": "bob@other.example"}, 400, "invalid_grant", "Invalid email or User ID"),
    ({"sub": None}, 400, "invalid_grant", "Invalid email or User ID"),
    ({"scope": f"{STORAGE} {CLOUD_PLATFORM}"}, 401, "unauthorized_client", "Client is unauthorized to retrieve"),
    ({"iss": DEPLOYER, "signer": DEPLOYER}, 401, "unauthorized_client", "Client is unauthorized to retrieve"),
    ({"scope": None}, 400, "invalid_scope", "Invalid OAuth scope"),
    ({"iss": "gone@example-project.iam.gserviceaccount.com"}, 400, "invalid_grant", "account not found"),
    ({"signer": DEPLOYER}, 400, "invalid_grant", "Invalid JWT Signature."),
    ({"aud": "https://accounts.google.com"}, 400, "invalid_grant", "Failed audience check"),
    ({"aud": None}, 400, "invalid_grant", "Failed audience check"),
    ({"exp": PAST}, 400, "invalid_grant", "short-lived token"),
    ({"exp": LATE}, 400, "invalid_grant", "short-lived token"),
    ({"iat": LATE, "exp": LATE + 60}, 400, "invalid_grant", "short-lived token"),
])  # fmt: skip
def test_a_grant_is_refused(sts, domain, change, status, error, text):
    """Each claim is wrong in turn, or the key, the user or a scope."""
    assert grant(sts, assertion=assertion(sts)).json()["token_type"] == "Bearer"
    answer = grant(sts, assertion=assertion(sts, **change))
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert text in answer.json()["error_description"] and len(sts.delegation.grants) == 1


def test_another_grant_is_refused(sts, domain):
    """The grant type is another one, or the assertion is not a JWT."""
    other = grant(sts, grant_type="client_credentials", assertion=assertion(sts))
    assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")
    assert grant(sts, assertion="opaque").json()["error"] == "invalid_grant"
    assert grant(sts).json()["error"] == "invalid_grant"
