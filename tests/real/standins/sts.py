"""Google on loopback: the Security Token Service, the IAM Service Account Credentials API and the OAuth endpoint, on one port.

    sts = GoogleStandIn()
    sts.add(OidcPoolProvider(name, issuer))
    …a client posts to sts.token_url…
    sts.exchanges[-1].claims

Successful exchanges are recorded in `exchanges`, calls for a service account in `iam.calls`, and refusals in `refusals`. Tests
assert on them, because a stand-in that accepts everything proves nothing.
"""

from __future__ import annotations

import secrets
import ssl

from standins import iam_policy, service_account_keys
from standins.delegation import Delegation
from standins.iam_credentials import PATH, IamCredentials
from standins.introspection import introspect
from standins.loopback import Answer, Loopback, Request, at_own_address
from standins.oauth import OAuth
from standins.refused import ApiRefused, Refused
from standins.token_exchange import TOKEN_TYPE, Exchange, PoolProvider, exchange

# Every workload of an added pool may impersonate this account.
DEPLOYER = "deployer@example-project.iam.gserviceaccount.com"


class GoogleStandIn:
    """One running stand-in; a test makes its own."""

    def __init__(self, tls: ssl.SSLContext | None = None):
        self.pool_providers: dict[str, PoolProvider] = {}
        self.clients: dict[str, str] = {}  # OAuth clients of workforce pools: id -> secret
        self.exchanges: list[Exchange] = []
        self.refusals: list[Refused | ApiRefused] = []
        self.issued: dict[str, Exchange] = {}
        self.iam = IamCredentials()
        self.iam.policies.accounts[DEPLOYER] = {}
        self.impersonated = self.iam.impersonated  # access token -> service account
        self.delegation = Delegation(self.iam.keys)
        self.oauth = OAuth(self.iam.tokens)
        self._http = Loopback(self._answer, tls)
        self.url = self._http.url
        self.token_url = self.url + "/v1/token"
        self.oauth_url = self.url + "/token"
        self.requests = self._http.requests

    @property
    def connections(self) -> int:
        """The number of connections that were accepted."""
        return self._http.connections

    def add(self, pool_provider: PoolProvider):
        """Adds a workload identity pool provider, whose workloads may impersonate the deployer."""
        self.pool_providers[pool_provider.name] = pool_provider
        pool = pool_provider.name.partition("/providers/")[0]
        self.iam.policies.grant("workloadIdentityUser", on=DEPLOYER, to=f"principalSet:{pool}/*")

    def impersonation_url(self, account: str) -> str:
        """The `service_account_impersonation_url` of a credential configuration."""
        return f"{self.url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"

    def on_https(self, tls: ssl.SSLContext) -> tuple[str, Loopback]:
        """Serves the same on https at another address, for clients that accept only the names of Google's hosts."""
        return at_own_address(lambda address: Loopback(self._answer, tls, address))

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except (Refused, ApiRefused) as refusal:
            self.refusals.append(refusal)
            return refusal.answer()

    def _route(self, request: Request) -> Answer:
        accounts = self.iam.policies.accounts
        match request.method, request.path:
            case "POST", "/v1/token":
                return self._exchange(request)
            case "POST", "/v1/introspect":
                return introspect(request, self.issued)
            case "POST", "/token" | "/v1/oauthtoken" if self.oauth.answers(request):
                return self.oauth.answer(request)
            case "POST", "/token":
                return self.delegation.answer(request, accounts)
            case "POST", path if PATH.fullmatch(path):
                return self.iam.answer(request)
            case "GET", path if service_account_keys.publishes(path):
                return self.iam.keys.publish(path, accounts)
        raise ApiRefused(404, "Requested entity was not found.", "NOT_FOUND")

    def _exchange(self, request: Request) -> Answer:
        done = exchange(request, self.pool_providers, self.clients)
        token = "ya29.federated-" + secrets.token_hex(16)
        self.exchanges.append(done)
        self.issued[token] = done
        self.iam.tokens[token] = iam_policy.federated(done)
        return Answer(200, {
            "access_token": token,
            "issued_token_type": TOKEN_TYPE + "access_token",
            "token_type": "Bearer",
            "expires_in": 3599,
        })  # fmt: skip
