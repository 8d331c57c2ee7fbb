"""The token endpoint of Microsoft Entra ID: client credentials with a secret, a certificate or a federated token.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/entra/identity-platform/certificate-credentials (PS256 with `x5t#S256`; RS256 with the SHA-1 `x5t`
is what older clients send), https://learn.microsoft.com/entra/workload-id/workload-identity-federation. The texts are those of
https://learn.microsoft.com/entra/identity-platform/reference-error-codes or of public reports.
"""

from __future__ import annotations

import base64
import ssl
import uuid
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import hashes

from standins.azure_tenant import CLOSED, TENANT, Application, Tenant
from standins.loopback import Answer, Loopback, Request

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
INVALID = "Client assertion contains an invalid signature. "


class EntraRefused(Exception):
    """A refusal: an OAuth error, its number and Entra's text."""

    def __init__(self, error: str, number: int, text: str):
        super().__init__(f"AADSTS{number}: {text}")
        self.error, self.number, self.text = error, number, text

    def answer(self) -> Answer:
        """Status 401 for a client that is not authenticated, otherwise 400."""
        trace = str(uuid.uuid4())
        now = "2026-11-21 16:00:00Z"
        description = f"AADSTS{self.number}: {self.text} Trace ID: {trace} Correlation ID: {trace} Timestamp: {now}"
        body = {"error": self.error, "error_description": description, "error_codes": [self.number], "trace_id": trace,
                "timestamp": now, "error_uri": f"https://login.microsoftonline.com/error?code={self.number}"}  # fmt: skip
        return Answer(401 if self.error == "invalid_client" else 400, body)


class Entra:
    """One running stand-in; `fail_first` contains statuses that it returns before it responds normally."""

    def __init__(self, tenant: Tenant, tls: ssl.SSLContext | None = None):
        self.tenant = tenant
        self.fail_first: list[int] = []
        self.refusals: list[EntraRefused] = []
        self._http = Loopback(self._answer, tls)
        self.url, self.requests = self._http.url, self._http.requests

    def close(self):
        """Stops serving."""
        self._http.close()

    @property
    def token_requests(self) -> list[dict[str, str]]:
        """The forms that a token endpoint received."""
        posts = [request for request in self.requests if request.method == "POST"]
        return [{name: values[0] for name, values in parse_qs(post.body.decode()).items()} for post in posts]

    def _answer(self, request: Request) -> Answer:
        tenant, _, path = request.path.lstrip("/").partition("/")
        if self.fail_first:
            return Answer(self.fail_first.pop(0), "try later")
        try:
            if tenant != TENANT:
                raise EntraRefused("invalid_request", 90002, f"Tenant '{tenant}' not found. Check to make sure you have the correct "
                                   "tenant ID and are signing into the correct cloud.")  # fmt: skip
            if (request.method, path) == ("GET", "v2.0/.well-known/openid-configuration"):
                return Answer(200, self._metadata())
            if (request.method, path) == ("POST", "oauth2/v2.0/token"):
                return self._token(request)
            return Answer(404, "")
        except EntraRefused as refusal:
            self.refusals.append(refusal)
            return refusal.answer()

    def _metadata(self) -> dict:
        base = f"{self.url}/{TENANT}"
        return {"issuer": f"{base}/v2.0", "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize"}  # fmt: skip

    def _token(self, request: Request) -> Answer:
        fields = parse_qs(request.body.decode(), keep_blank_values=True)
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise EntraRefused("invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
        if any(len(values) > 1 for values in fields.values()):
            raise EntraRefused("invalid_request", 9002313, "Invalid request. Request is malformed or invalid.")
        fields = {name: value for name, (value,) in fields.items()}
        for name in ("grant_type", "client_id", "scope"):
            if not fields.get(name):
                raise EntraRefused("invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")
        if fields["grant_type"] != "client_credentials":
            raise EntraRefused("unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{fields['grant_type']}'.")
        application = self.tenant.applications.get(fields["client_id"])
        if application is None:
            raise EntraRefused("unauthorized_client", 700016, f"Application with identifier '{fields['client_id']}' was not found in "
                               f"the directory '{TENANT}'.")  # fmt: skip
        proof = self._proof(application, fields)
        resource, suffix = fields["scope"][: -len("/.default")], fields["scope"][-len("/.default") :]
        if suffix != "/.default" or " " in resource:
            raise EntraRefused("invalid_scope", 1002012, f"The provided value for scope {fields['scope']} is not valid. Client "
                               "credential flows must have a scope value with /.default suffixed to the resource identifier.")  # fmt: skip
        if resource not in self.tenant.resources:
            raise EntraRefused("invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant named "
                               "Example.")  # fmt: skip
        if resource == CLOSED:
            raise EntraRefused("invalid_grant", 501051, f"Application '{fields['client_id']}' is not assigned to a role for the "
                               f"application '{resource}'.")  # fmt: skip
        token = self.tenant.token("entra", resource, application.identity, proof)
        return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})

    def _proof(self, application: Application, fields: dict[str, str]) -> str:
        if "client_assertion" in fields:
            if fields.get("client_assertion_type") != ASSERTION or "client_secret" in fields:
                raise EntraRefused("invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the "
                                   "'client_credentials' grant type.")  # fmt: skip
            return self._assertion(application, fields["client_assertion"])
        secret = fields.get("client_secret")
        if not secret:
            raise EntraRefused("invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the "
                               "'client_credentials' grant type.")  # fmt: skip
        if secret == application.expired_secret:
            raise EntraRefused("invalid_client", 7000222, f"The provided client secret keys for app '{fields['client_id']}' are expired.")
        if secret != application.secret:
            raise EntraRefused("invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is "
                               "the client secret value, not the client secret ID, for a secret added to app.")  # fmt: skip
        return "secret"

    def _assertion(self, application: Application, assertion: str) -> str:
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise EntraRefused("invalid_client", 50027, f"JWT token is invalid or malformed. {error}") from error
        certified = "x5t" in header or "x5t#S256" in header
        (self._certificate if certified else self._federated)(application, assertion, header, claims)
        application.assertions.append({"header": header, "claims": claims})
        return "certificate" if certified else "federated"

    def _certificate(self, application: Application, assertion: str, header: dict, claims: dict):
        digest, named = (hashes.SHA256(), header["x5t#S256"]) if "x5t#S256" in header else (hashes.SHA1(), header["x5t"])
        fingerprint = {base64.urlsafe_b64encode(one.fingerprint(digest)).decode().rstrip("="): one for one in application.certificates}
        certificate = fingerprint.get(named.rstrip("="))
        if certificate is None:
            raise EntraRefused("invalid_client", 700027, INVALID + "[Reason - The key was not found.]")
        audiences = [f"{self.url}/{TENANT}/oauth2/v2.0/token", f"{self.url}/{TENANT}/v2.0"]
        verify(assertion, certificate.public_key(), ["RS256", "PS256"], audiences)
        if not claims["iss"] == claims["sub"] == application.identity.client_id:
            raise EntraRefused("invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter.")

    def _federated(self, application: Application, assertion: str, header: dict, claims: dict):
        trusted = application.federated
        if not trusted:
            raise EntraRefused("invalid_client", 70025, "The client has no configured federated identity credentials.")
        for number, place, claim in ((700211, 0, "iss"), (700213, 1, "sub"), (700212, 2, "aud")):
            trusted = [one for one in trusted if claims.get(claim) in (one[place], [one[place]])]
            if not trusted:
                names = {"iss": "issuer", "sub": "subject", "aud": "audience"}
                raise EntraRefused("invalid_client", number, "No matching federated identity record found for presented assertion "
                                   f"{names[claim]} '{claims.get(claim)}'.")  # fmt: skip
        signers = {signer.kid: signer for signer in self.tenant.cluster.signers}
        signer = signers.get(header.get("kid"))
        if signer is None:
            raise EntraRefused("invalid_client", 700027, INVALID + "[Reason - The key was not found.]")
        verify(assertion, signer.key.public_key(), ["RS256"], [trusted[0][2]])


def verify(assertion: str, key, algorithms: list[str], audiences: list[str]):
    """Verifies the signature, the audience and the times of an assertion."""
    try:
        jwt.decode(assertion, key, algorithms=algorithms, audience=audiences, options={"require": ["exp", "iss", "sub", "aud"]})
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise EntraRefused("invalid_client", 700024, "Client assertion is not within its valid time range.") from error
    except jwt.InvalidAudienceError as error:
        raise EntraRefused("invalid_client", 700023, "Client assertion audience claim does not match Realm issuer.") from error
    except jwt.InvalidTokenError as error:
        raise EntraRefused("invalid_client", 700027, INVALID + "[Reason - The key used is not the one named.]") from error
