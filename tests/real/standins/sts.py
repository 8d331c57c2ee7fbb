"""Google on loopback: the Security Token Service and the IAM Service Account Credentials API behind one port.

    sts = GoogleStandIn()
    sts.add(OidcPoolProvider(name, issuer))
    …a client posts to sts.token_url…
    sts.exchanges[-1].claims

An exchange that succeeds is kept in `exchanges`, a refusal in `refusals`; a test asserts on both, since a stand-in that
accepts everything proves nothing.
"""

from __future__ import annotations

import secrets

from standins.iam_credentials import generate_access_token
from standins.introspection import introspect
from standins.loopback import Answer, Loopback, Request
from standins.refused import ApiRefused, Refused
from standins.token_exchange import TOKEN_TYPE, Exchange, exchange
from standins.verify_aws import AwsPoolProvider
from standins.verify_jwt import OidcPoolProvider
from standins.verify_saml import SamlPoolProvider


class GoogleStandIn:
    """One running stand-in; a test makes its own."""

    def __init__(self):
        self.pool_providers: dict[str, OidcPoolProvider | SamlPoolProvider | AwsPoolProvider] = {}
        self.exchanges: list[Exchange] = []
        self.refusals: list[Refused | ApiRefused] = []
        self.issued: dict[str, Exchange] = {}
        self.impersonated: dict[str, str] = {}  # access token -> service account
        self.service_accounts = {"deployer@example-project.iam.gserviceaccount.com"}
        self._http = Loopback(self._answer)
        self.url = self._http.url
        self.token_url = self.url + "/v1/token"
        self.requests = self._http.requests

    def add(self, pool_provider: OidcPoolProvider | SamlPoolProvider | AwsPoolProvider):
        """Configures one workload identity pool provider."""
        self.pool_providers[pool_provider.name] = pool_provider

    def impersonation_url(self, account: str) -> str:
        """What a credential configuration holds as `service_account_impersonation_url`."""
        return f"{self.url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        try:
            if (request.method, request.path) == ("POST", "/v1/token"):
                return self._exchange(request)
            if (request.method, request.path) == ("POST", "/v1/introspect"):
                return introspect(request, self.issued)
            if request.method == "POST" and ":generateAccessToken" in request.path:
                token, answer = generate_access_token(request, self.issued, self.service_accounts)
                self.impersonated[token] = request.path.rpartition("/")[2].partition(":")[0]
                return answer
            raise ApiRefused(404, "Requested entity was not found.", "NOT_FOUND")
        except (Refused, ApiRefused) as refusal:
            self.refusals.append(refusal)
            return refusal.answer()

    def _exchange(self, request: Request) -> Answer:
        done = exchange(request, self.pool_providers)
        token = "ya29.federated-" + secrets.token_hex(16)
        self.exchanges.append(done)
        self.issued[token] = done
        return Answer(200, {
            "access_token": token,
            "issued_token_type": TOKEN_TYPE + "access_token",
            "token_type": "Bearer",
            "expires_in": 3599,
        })  # fmt: skip
