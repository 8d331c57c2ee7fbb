"""The `oidc` source against a real issuer, npm oidc-provider: each client authentication, resource, scope, refusals.

RFC 6749 section 2.3.1 (client_secret_basic form-encodes id and secret), RFC 7523 (private_key_jwt, with jti replay refusal),
RFC 8707 (resource becomes `aud`), RFC 9068 (JWT access tokens). The token then goes through Google's clients to the token
service stand-in, which verifies it by the issuer's own discovery document and keys.
"""

from __future__ import annotations

import json

import jwt
import pytest
import requests

from standins.verify_jwt import OidcPoolProvider
from support.clients import CLIENTS
from support.oidc_provider import client, oidc_provider
from support.processes import until
from support.program import JWT, has_default_margin
from support.signer import Signer, claims_of, pem

AWKWARD = "p+l/u%s s:e&c=r?e#t \"q\" \\ 100%25"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EC_SIGNER, RSA_SIGNER = Signer("ES256", "client-ec"), Signer("RS256", "client-rsa")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One issuer for this file."""
    clients = [
        client("build: server/1", "client_secret_basic", client_secret=AWKWARD),
        client("poster", "client_secret_post", client_secret=AWKWARD),
        client("ec", "private_key_jwt", jwks=EC_SIGNER.jwks()),
        client("rsa", "private_key_jwt", jwks=RSA_SIGNER.jwks()),
        client("public", "none"),
    ]
    with oidc_provider(tmp_path_factory.mktemp("oidc-provider"), clients) as found:
        yield found


@pytest.fixture
def trusted(server, sts, audience):
    """Makes the token service trust this issuer."""
    sts.add(OidcPoolProvider(audience, server.issuer))


@pytest.fixture
def secrets(ledger, tmp_path) -> dict:
    """Writes the secrets of the clients above to files that the program may read."""
    ledger.secret("the client secret", AWKWARD)
    found = {name: tmp_path / name for name in ("secret", "ec.pem", "rsa.pem", "ec.jwk", "rsa.jwk")}
    found["secret"].write_text(AWKWARD)
    for name, signer in (("ec", EC_SIGNER), ("rsa", RSA_SIGNER)):
        found[name + ".pem"].write_text(ledger.private_key(f"the {name} key", pem(signer.key)))
        found[name + ".jwk"].write_text(signer.private_jwk())
        ledger.secret(f"the {name} JWK", json.loads(signer.private_jwk())["d"])
    for path in found.values():
        path.chmod(0o600)
    return found


def arguments(server, audience, identifier: str, *more) -> list[str]:
    """The arguments of the `oidc` source for one client, whose access token is for the pool provider."""
    return ["oidc", f"--issuer={server.issuer}", f"--client-id={identifier}", f"--resource=https:{audience}", *more]


def authentications(secrets) -> dict[str, tuple]:
    """By name: the client, the options, and the authentication method that the issuer saw."""
    return {
        "basic": ("build: server/1", ["--auth=basic", f"--client-secret=file:{secrets['secret']}"], "basic"),
        "basic-env": ("build: server/1", ["--auth=basic", "--client-secret=env:CLIENT_SECRET"], "basic"),
        "post": ("poster", ["--auth=post", f"--client-secret=file:{secrets['secret']}"], "post"),
        **{
            key: (key[:-4], ["--auth=private-key-jwt", f"--client-key={secrets[key]}"], "assertion")
            for key in ("ec.pem", "ec.jwk", "rsa.pem", "rsa.jwk")
        },
        "none": ("public", ["--auth=none"], "none"),
        "inferred basic": ("build: server/1", [f"--client-secret=file:{secrets['secret']}"], "basic"),
        "inferred assertion": ("ec", [f"--client-key={secrets['ec.jwk']}"], "assertion"),
        "inferred none": ("public", [], "none"),
    }


METHODS = ["basic", "basic-env", "post", "ec.pem", "ec.jwk", "rsa.pem", "rsa.jwk", "none", "inferred basic", "inferred assertion",
           "inferred none"]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_each_client_authentication(program, server, secrets, audience, method):
    """The issuer authenticates the client with the requested method, and its token contains the client and the pool
    provider. The issuer uses its own key IDs. A PEM file contains no `kid`, so an assertion has none.
    """
    identifier, options, seen = authentications(secrets)[method]
    before = len(server.token_requests)
    run = program.run(*arguments(server, audience, identifier, f"--audience={audience}", *options),
                      env={"CLIENT_SECRET": AWKWARD})  # fmt: skip
    claims = claims_of(run.token)
    assert (claims["iss"], claims["aud"], claims["sub"]) == (server.issuer, "https:" + audience, identifier)
    life = claims["exp"] - claims["iat"]
    assert has_default_margin(run.document["expiration_time"], claims["exp"], life)
    (request,) = until(lambda: server.token_requests[before:], "the request is logged")
    assert (request["auth"], request["client"], request["status"]) == (seen, identifier, 200)
    assert ("client_secret" in request["fields"]) == (seen == "post")


@pytest.mark.parametrize("name", list(CLIENTS))
def test_each_google_client_exchanges_the_issuer_s_token(clients, server, sts, trusted, secrets, audience, name):
    """A real client runs the program with a real issuer, and exchanges the token."""
    source = arguments(server, audience, "ec", "--auth=private-key-jwt", f"--client-key={secrets['ec.jwk']}")
    assert clients.run(name, clients.configuration(audience, *source)).access_token in sts.issued
    (exchange,) = sts.exchanges
    assert (exchange.audience, exchange.subject_token_type, exchange.claims["sub"]) == (audience, JWT, "ec")


def test_es256_issuer_keys(clients, server, sts, secrets, audience):
    """ES256 is the other algorithm that Google accepts. The resource is an allowed audience of the pool provider."""
    resource = "https://google.example.test/?es256"
    sts.add(OidcPoolProvider(audience, server.issuer, allowed_audiences=(resource,)))
    source = ["oidc", f"--issuer={server.issuer}", "--client-id=public", "--auth=none", f"--resource={resource}"]
    assert clients.run("python", clients.configuration(audience, *source)).access_token in sts.issued
    assert jwt.get_unverified_header(sts.exchanges[0].subject_token)["alg"] == "ES256"


def test_assertions_are_fresh_and_the_issuer_refuses_a_replay(program, server, secrets, audience):
    """The assertion of the program is refused if it is sent again (RFC 7523 section 3, item 7)."""
    before = len(server.token_requests)
    source = arguments(server, audience, "ec", "--auth=private-key-jwt", f"--client-key={secrets['ec.jwk']}")
    tokens = {program.run(*source, f"--audience={audience}").token for _ in range(2)}
    assert len(tokens) == 2
    first, second = until(lambda: len(server.token_requests) == before + 2 and server.token_requests[before:], "both are logged")
    claims = [claims_of(found["assertion"]) for found in (first, second)]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert all((claim["iss"], claim["sub"], claim["aud"]) == ("ec", "ec", server.issuer) for claim in claims)
    assert all(0 < claim["exp"] - claim["iat"] <= 600 for claim in claims)
    assert replay(server, first["assertion"]) == (401, "invalid_client")


def replay(server, assertion: str) -> tuple[int, str]:
    """Sends an assertion directly to the token endpoint."""
    fields = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": assertion}
    answer = requests.post(server.issuer + "/token", data=fields, timeout=10)
    return answer.status_code, answer.json().get("error")


def test_assertion_audience(program, server, secrets, audience):
    """Some issuers require the token endpoint as the audience. A wrong audience is refused, which shows that the option
    is used.
    """
    source = arguments(server, audience, "rsa", "--auth=private-key-jwt", f"--client-key={secrets['rsa.jwk']}",
                       f"--audience={audience}")  # fmt: skip
    assert program.run(*source, f"--assertion-audience={server.issuer}/token").token
    program.run(*source, "--assertion-audience=https://elsewhere.example.test").failed("DENIED", "invalid_client")


def test_scope_and_param(program, server, audience):
    """The commas of --scope become spaces, and --param sends a field that has no option."""
    source = ["oidc", f"--issuer={server.issuer}", "--client-id=public", "--auth=none", f"--audience={audience}"]
    run = program.run(*source, f"--param=resource=https:{audience}", "--scope=deploy,read")
    claims = claims_of(run.token)
    assert (claims["aud"], claims["scope"]) == ("https:" + audience, "deploy read")
    without = program.run(*source, f"--resource=https:{audience}")
    assert "scope" not in claims_of(without.token)


def test_a_slash_at_the_end_of_the_issuer(program, server, secrets, audience):
    """Users type the issuer with a slash. The audience of the assertion is still the issuer in the metadata."""
    options = ["--auth=private-key-jwt", f"--client-key={secrets['ec.jwk']}", f"--resource=https:{audience}"]
    run = program.run("oidc", f"--issuer={server.issuer}/", "--client-id=ec", f"--audience={audience}", *options)
    assert claims_of(run.token)["iss"] == server.issuer


@pytest.mark.parametrize("identifier, options, word", [
    ("build: server/1", ["--auth=basic", "--client-secret=env:WRONG"], "invalid_client"),
    ("poster", ["--auth=post", "--client-secret=env:WRONG"], "invalid_client"),
    ("nobody", ["--auth=none"], "invalid_client"),
    ("ec", ["--auth=none"], "invalid_client"),
])  # fmt: skip
def test_a_client_that_the_issuer_refuses_is_denied(program, server, ledger, audience, identifier, options, word):
    """The secret is wrong, the client is unknown, or the method is not the registered one."""
    wrong = ledger.secret("the wrong secret", "not-the-secret-4711")
    run = program.run(*arguments(server, audience, identifier, f"--audience={audience}", *options), env={"WRONG": wrong})
    run.failed("DENIED", word)
    assert server.token_requests[-1]["status"] in (400, 401)


def test_a_key_of_another_client_is_denied(program, server, secrets, ledger, audience, tmp_path):
    """The client ID is correct, but the signature is that of another key."""
    stranger = tmp_path / "stranger.pem"
    stranger.write_text(ledger.private_key("the stranger's key", pem(Signer().key)))
    stranger.chmod(0o600)
    source = arguments(server, audience, "ec", f"--audience={audience}", "--auth=private-key-jwt", f"--client-key={stranger}")
    program.run(*source).failed("DENIED", "invalid_client")


def test_an_opaque_access_token_is_a_protocol_error(program, server, audience):
    """An opaque token cannot be a subject token. Without --resource, this issuer returns one."""
    source = ["oidc", f"--issuer={server.issuer}", "--client-id=public", "--auth=none", f"--audience={audience}"]
    program.run(*source).failed("PROTOCOL", "opaque")
    program.run(*source, "--resource=https://opaque.example.test").failed("PROTOCOL", "opaque")


def test_an_absent_id_token_is_a_protocol_error(program, server, audience):
    """--use=id_token is set, but the issuer returns only an access token."""
    source = arguments(server, audience, "public", "--auth=none", f"--audience={audience}", "--use=id_token")
    program.run(*source).failed("PROTOCOL", "id_token")


def test_a_resource_that_the_issuer_refuses_is_denied(program, server, audience):
    """oidc-provider accepts only absolute URIs; the message contains its error invalid_target."""
    source = ["oidc", f"--issuer={server.issuer}", "--client-id=public", "--auth=none", f"--audience={audience}"]
    program.run(*source, f"--resource={audience}").failed("DENIED", "invalid_target")


def test_an_issuer_with_another_name_in_its_metadata(program, server, audience):
    """`localhost` is not the issuer `127.0.0.1` (OpenID Connect Discovery section 4.3)."""
    other = server.issuer.replace("127.0.0.1", "localhost")
    source = ["oidc", f"--issuer={other}", "--client-id=public", "--auth=none", f"--audience={audience}"]
    before = len(server.token_requests)
    message = program.run(*source, f"--resource=https:{audience}").failed("CONFIGURATION", "--issuer")
    assert server.issuer in message and len(server.token_requests) == before
