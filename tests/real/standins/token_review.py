"""The TokenReview API of Kubernetes, which the `kubernetes` login of Vault and OpenBao calls for the token of a pod.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/ — it refuses clients without permission
(401, 403), other paths and bodies; a token that it does not accept is not an error: the response is `authenticated: false`.
"""

from __future__ import annotations

import json

import jwt

from standins.loopback import Answer, Loopback, Request
from support.signer import Signer, good_claims

VERSION, KIND = "authentication.k8s.io/v1", "TokenReview"
PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
ISSUER = "https://kubernetes.default.svc.cluster.local"


class TokenReviewApi:
    """Signs the tokens of service accounts, and reviews them for the bearer of `reviewer`."""

    def __init__(self):
        self._signer = Signer("RS256", "service-accounts")
        self.reviewer = self.token("vault", "auth")
        self._http = Loopback(self._answer)
        self.url, self.requests = self._http.url, self._http.requests

    def close(self):
        """Stops serving."""
        self._http.close()

    def token(self, namespace: str, name: str, audience: str = ISSUER, **claims) -> str:
        """Signs a projected token: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/"""
        account = {"name": name, "uid": f"uid-of-{name}"}
        subject = f"system:serviceaccount:{namespace}:{name}"
        found = good_claims(ISSUER, audience, sub=subject, aud=[audience], **claims)
        return self._signer.token(found | {"kubernetes.io": {"namespace": namespace, "serviceaccount": account}})

    def _answer(self, request: Request) -> Answer:
        if request.path != PATH:
            return status(404, "NotFound", "the server could not find the requested resource")
        if request.method != "POST":
            return status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self._claims(bearer):
            return status(401, "Unauthorized", "Unauthorized")
        if bearer != self.reviewer:
            return status(403, "Forbidden", "tokenreviews.authentication.k8s.io is forbidden")
        try:
            review = json.loads(request.body)
            token = review["spec"]["token"]
        except (ValueError, KeyError, TypeError):
            return status(400, "BadRequest", "the object provided is unrecognized")
        # Both may be left out, as in the logins, because the path contains them.
        if (review.get("apiVersion", VERSION), review.get("kind", KIND)) != (VERSION, KIND):
            return status(400, "BadRequest", "the object provided is unrecognized")
        found = self._review(token, review["spec"].get("audiences") or [ISSUER])
        return Answer(201, review | {"apiVersion": VERSION, "kind": KIND, "status": found})

    def _review(self, token: str, audiences: list[str]) -> dict:
        claims = self._claims(token)
        shared = [audience for audience in audiences if claims and audience in claims["aud"]]
        if not claims or not shared:
            return {"authenticated": False, "error": "[invalid bearer token, token has been invalidated]"}
        account = claims["kubernetes.io"]["serviceaccount"]
        groups = ["system:serviceaccounts", "system:authenticated"]
        user = {"username": claims["sub"], "uid": account["uid"], "groups": groups}
        return {"authenticated": True, "user": user, "audiences": shared}

    def _claims(self, token: str) -> dict | None:
        key = jwt.PyJWK(self._signer.public_jwk()).key
        try:
            return jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER, options={"verify_aud": False})
        except jwt.InvalidTokenError:
            return None


def status(code: int, reason: str, message: str) -> Answer:
    """A refusal of the Kubernetes API: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    return Answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
