"""What the tests of the exchange and the impersonation share: accounts, a federated token, and Google's Python library with loopback
addresses.

google-auth's impersonation knows only Google's own addresses: `lead_to` puts those of the stand-in in their place, and turns off
the lookup of regional access boundaries, which would leave this machine.
"""

from __future__ import annotations

import time

import requests
from google.auth import credentials, iam, identity_pool, impersonated_credentials

from standins.sts import DEPLOYER, GoogleStandIn
from standins.token_exchange import GRANT, TOKEN_TYPE

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
STORAGE = "https://www.googleapis.com/auth/devstorage.read_only"
FIRST, SECOND = (f"{name}@example-project.iam.gserviceaccount.com" for name in ("first", "second"))
CREATOR = "serviceAccountTokenCreator"
SUBJECT = "repo:example/app"  # the subject in support.signer.good_claims


def pool_of(audience: str) -> str:
    """The pool of a pool provider, as in the name of a principal."""
    return audience.partition("/providers/")[0]


def principal(audience: str, subject: str = SUBJECT) -> str:
    """The member that this subject is in policies."""
    return f"principal:{pool_of(audience)}/subject/{subject}"


def account_name(email: str) -> str:
    """The name of a service account as a delegate."""
    return f"projects/-/serviceAccounts/{email}"


def grant_chain(sts: GoogleStandIn, audience: str, *emails: str):
    """Allows each account to create tokens for the next, and the workload for the first."""
    members = [principal(audience), *(f"serviceAccount:{email}" for email in emails)]
    for member, email in zip(members, emails, strict=False):
        sts.iam.policies.grant(CREATOR, on=email, to=member)


def federated_token(sts: GoogleStandIn, audience: str, subject_token: str, scope: str = CLOUD_PLATFORM) -> str:
    """Exchanges the subject token, and returns the access token of the token service."""
    fields = {"grant_type": GRANT, "requested_token_type": TOKEN_TYPE + "access_token", "audience": audience, "scope": scope,
              "subject_token": subject_token, "subject_token_type": TOKEN_TYPE + "jwt"}  # fmt: skip
    answer = requests.post(sts.token_url, data=fields, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def lead_to(sts: GoogleStandIn, monkeypatch):
    """Makes google-auth call this stand-in instead of Google."""
    for name in ("_IAM_ENDPOINT", "_IAM_SIGN_ENDPOINT", "_IAM_SIGNJWT_ENDPOINT", "_IAM_IDTOKEN_ENDPOINT"):
        method = getattr(iam, name).rpartition(":")[2]
        monkeypatch.setattr(iam, name, f"{sts.url}/v1/projects/-/serviceAccounts/{{}}:{method}")
    monkeypatch.setattr(credentials.CredentialsWithRegionalAccessBoundary, "_maybe_start_regional_access_boundary_refresh",
                        lambda *_: None)  # fmt: skip
    real = impersonated_credentials._client.jwt_grant  # the assertion still names Google's own endpoint as its audience
    monkeypatch.setattr(impersonated_credentials._client, "jwt_grant",
                        lambda request, _, assertion: real(request, sts.oauth_url, assertion))  # fmt: skip


def google_source(sts: GoogleStandIn, audience: str, file, **more) -> identity_pool.Credentials:
    """Creates the credentials of google-auth for a file-sourced configuration, without impersonation."""
    return identity_pool.Credentials(audience=audience, subject_token_type=TOKEN_TYPE + "jwt", token_url=sts.token_url,
                                     credential_source={"file": str(file)}, scopes=[CLOUD_PLATFORM], **more)  # fmt: skip


def google_impersonation(sts: GoogleStandIn, audience: str, file, target: str = DEPLOYER, delegates: tuple = (), **more):
    """Creates google-auth's impersonated credentials with that source."""
    more = {"target_scopes": [CLOUD_PLATFORM]} | more
    return impersonated_credentials.Credentials(
        source_credentials=google_source(sts, audience, file), target_principal=target,
        delegates=[account_name(email) for email in delegates], **more,
    )  # fmt: skip


def seconds_left(answer: dict) -> float:
    """The number of seconds for which an access token of generateAccessToken is still valid."""
    return time.mktime(time.strptime(answer["expireTime"], "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
