"""Proves that the token service stand-in refuses an OIDC subject token that breaks any one of Google's documented rules.

The rules: https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers, see standins/verify_jwt.py.
Each case below is the accepted token with one thing changed.
"""

from __future__ import annotations

import time
from functools import partial

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from standins.issuer import Issuer
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.refusals import refused_by
from support.signer import Signer, good_claims, new_key, tampered

refused = partial(refused_by, verify_jwt)


@pytest.fixture
def pool_provider(issuer, audience) -> OidcPoolProvider:
    """The pool provider of the `issuer` fixture."""
    return OidcPoolProvider(audience, issuer.url)


@pytest.mark.parametrize("prefix", ["", "https:"])
def test_accepts_the_resource_name_as_audience(issuer, pool_provider, audience, prefix):
    """The name has `https:` or not, and is a string or in a list."""
    assert verify_jwt(issuer.token(prefix + audience), pool_provider)["aud"] == prefix + audience
    assert verify_jwt(issuer.token(audience, aud=["other", prefix + audience]), pool_provider)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("kid", ["one", None])
def test_accepts_both_algorithms_with_and_without_kid(audience, algorithm, kid):
    """Without `kid`, each key is tried."""
    publishing = Issuer(Signer(algorithm, kid), Signer("ES256", "other"), Signer("RS256", "third"))
    try:
        assert verify_jwt(publishing.token(audience), OidcPoolProvider(audience, publishing.url))
    finally:
        publishing.close()


def test_accepts_an_allowed_audience_and_then_only_that(issuer, audience):
    """Allowed audiences replace the default ones."""
    configured = OidcPoolProvider(audience, issuer.url, allowed_audiences=("sts.example.test",))
    assert verify_jwt(issuer.token("sts.example.test"), configured)
    refused(issuer.token(audience), configured, "does not match the expected audience")


def test_accepts_an_uploaded_key_set_without_discovery(audience):
    """The key set was uploaded to the pool provider; the issuer has no server."""
    signer = Signer()
    configured = OidcPoolProvider(audience, "https://issuer.example.test", jwks=signer.jwks())
    assert verify_jwt(signer.token(good_claims("https://issuer.example.test", audience)), configured)
    stranger = Signer().token(good_claims("https://issuer.example.test", audience))
    refused(stranger, configured, "Unable to verify the signature")


@pytest.mark.parametrize("claims, text", [
    ({"iss": "https://someone-else.example.test"}, "The issuer in ID Token does not match"),
    ({"iss": None}, "The issuer in ID Token does not match"),
    ({"aud": "https://api.example.test"}, "The audience in ID Token [https://api.example.test] does not match"),
    ({"aud": None}, "does not match the expected audience"),
    ({"exp": 1}, "ID Token expired"),
    ({"exp": None}, "no numeric `exp`"),
    ({"exp": "tomorrow"}, "no numeric `exp`"),
    ({"iat": 4102444800}, "is in the future"),
    ({"iat": None}, "no numeric `iat`"),
    ({"iat": int(time.time()) - 100, "exp": int(time.time()) - 100 + 24 * 3600 + 1}, "more than 24 hours"),
    ({"sub": None}, "google.subject"),
    ({"sub": ""}, "google.subject"),
    ({"sub": "x" * 128}, "127 bytes"),
])  # fmt: skip
def test_refuses_a_claim(issuer, pool_provider, audience, claims, text):
    """One claim is wrong or missing, and the signature is valid."""
    refused(issuer.token(audience, **claims), pool_provider, text)


@pytest.mark.parametrize("algorithm, key", [
    ("ES384", ec.generate_private_key(ec.SECP384R1())),
    ("PS256", new_key("RSA")),
    ("RS384", new_key("RSA")),
    ("HS256", "k" * 64),
    ("none", None),
])  # fmt: skip
def test_refuses_other_algorithms(issuer, pool_provider, audience, algorithm, key):
    """Only RS256 and ES256 are accepted; this is checked before a key is read."""
    token = jwt.encode(good_claims(issuer.url, audience), key, algorithm=algorithm, headers={"kid": "test-key"})
    refused(token, pool_provider, f"The algorithm {algorithm}")
    assert issuer.requests == []


def test_refuses_a_kid_that_matches_no_key(issuer, pool_provider, audience):
    """The key itself is published under another `kid`."""
    refused(issuer.token(audience, header={"kid": "unknown"}), pool_provider, "`kid` of the ID Token matches no key")


def test_refuses_the_signature_of_another_key(issuer, pool_provider, audience):
    """The `kid` is correct, but the key is another one."""
    refused(Signer().token(good_claims(issuer.url, audience)), pool_provider, "Unable to verify the signature")


def test_refuses_changed_claims(issuer, pool_provider, audience):
    """One claim was changed after the signature."""
    refused(tampered(issuer.token(audience)), pool_provider, "Unable to verify the signature")


@pytest.mark.parametrize("token", ["opaque-token", "a.b.c", "", "e30.e30."])
def test_refuses_what_is_not_a_token(pool_provider, token):
    """An opaque access token cannot be a subject token."""
    refused(token, pool_provider)


def test_refuses_another_issuer_in_the_discovery_document(issuer, pool_provider, audience):
    """OpenID Connect Discovery section 4.3 requires the same issuer."""
    issuer.claimed = "https://someone-else.example.test"
    refused(issuer.token(audience), pool_provider, "`issuer` claim in OIDC discovery document does not match")


def test_refuses_an_issuer_it_cannot_reach(issuer, pool_provider, audience):
    """The service needs to reach the issuer from outside."""
    token = issuer.token(audience)
    issuer.close()
    refused(token, pool_provider, "Error connecting to the given credential's issuer.")
