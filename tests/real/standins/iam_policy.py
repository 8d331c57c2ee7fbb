"""IAM policies on service accounts, as far as they concern the creation of credentials.

https://cloud.google.com/iam/docs/service-account-permissions and https://cloud.google.com/iam/docs/principal-identifiers —
roles are named without `roles/iam.`. Every string claim of a subject token is mapped to the attribute of its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from standins.token_exchange import Exchange

GET_ACCESS_TOKEN = "iam.serviceAccounts.getAccessToken"
GET_OPEN_ID_TOKEN = "iam.serviceAccounts.getOpenIdToken"
IMPLICIT_DELEGATION = "iam.serviceAccounts.implicitDelegation"
SIGN_BLOB = "iam.serviceAccounts.signBlob"
SIGN_JWT = "iam.serviceAccounts.signJwt"
ROLES = {
    "workloadIdentityUser": {GET_ACCESS_TOKEN, GET_OPEN_ID_TOKEN},
    "serviceAccountOpenIdTokenCreator": {GET_OPEN_ID_TOKEN},
    "serviceAccountTokenCreator": {GET_ACCESS_TOKEN, GET_OPEN_ID_TOKEN, IMPLICIT_DELEGATION, SIGN_BLOB, SIGN_JWT},
    "serviceAccountUser": set(),  # may attach the account to a resource, but not create credentials for it
}


@dataclass(frozen=True)
class Caller:
    """The holder of an access token: all names that a policy may contain for it, and the scopes of the token."""

    members: frozenset[str]
    scopes: frozenset[str]


def federated(exchange: Exchange) -> Caller:
    """The principal of an exchange, with the principal sets that contain it."""
    pool = exchange.audience.partition("/providers/")[0]
    claims = exchange.claims
    names = {f"principal:{pool}/subject/{claims['sub']}", f"principalSet:{pool}/*"}
    names |= {f"principalSet:{pool}/attribute.{name}/{value}" for name, value in claims.items() if isinstance(value, str)}
    names |= {f"principalSet:{pool}/group/{group}" for group in claims.get("groups", [])}
    return Caller(frozenset(names), frozenset(exchange.scope.split()))


def service_account(email: str, scopes: list[str]) -> Caller:
    """Makes the caller of a service account with its own access token."""
    return Caller(frozenset({f"serviceAccount:{email}"}), frozenset(scopes))


@dataclass
class Policies:
    """The service accounts, each with its policy: role -> members."""

    accounts: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def grant(self, role: str, on: str, to: str):
        """Does what `gcloud iam service-accounts add-iam-policy-binding` does, and creates the account if it does not
        exist.
        """
        assert role in ROLES, role
        self.accounts.setdefault(on, {}).setdefault(role, set()).add(to)

    def allows(self, caller: Caller, permission: str, on: str) -> bool:
        """Whether a role on this account gives the caller this permission; never for an account that does not exist."""
        policy = self.accounts.get(on, {})
        return any(permission in ROLES[role] and members & caller.members for role, members in policy.items())
