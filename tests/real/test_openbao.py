"""OpenBao as a second issuer, and as an independent verifier of the tokens of the program.

As an issuer, it sets `aud` to exactly the pool provider's resource name. As a verifier, it checks, without code of these tests, the
tokens of the `key` source (by the JWKS that the program wrote) and of the `oidc` source (by the issuer's discovery).
"""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from standins.loopback import Answer, Loopback
from standins.verify_jwt import OidcPoolProvider
from support.oidc_provider import client, oidc_provider
from support.openbao import binary, openbao
from support.signer import new_key, pem, tampered


@pytest.fixture(scope="module")
def bao(tmp_path_factory):
    """One server for this file."""
    with openbao(tmp_path_factory.mktemp("openbao")) as found:
        yield found


@pytest.fixture
def mount(request) -> str:
    """The path of a login that only this test uses."""
    return "jwt-" + str(abs(hash(request.node.nodeid)))[:12]


def judged(bao, mount: str, token: str, others: str) -> str:
    """Asserts that the server accepts the token, and refuses it with a change or for another audience."""
    accepted = bao.login(mount, token)
    with pytest.raises(PermissionError, match="signature"):
        bao.login(mount, tampered(token))
    with pytest.raises(PermissionError, match="aud"):
        bao.login(mount, others)
    return accepted


def test_google_accepts_its_tokens(clients, bao, sts, ledger, audience, tmp_path):
    """The `command` source runs `bao read`, and Python's client exchanges the token. The audience is the resource name
    without `https:`.
    """
    token_file = tmp_path / "bao-token"
    token_file.write_text(ledger.secret("the OpenBao token", bao.issue_for(audience)))
    sts.add(OidcPoolProvider(audience, bao.issuer))
    source = ("command", "--", binary(), "read", "-field=token", "identity/oidc/token/google")
    configuration = clients.configuration(audience, *source)
    env = {"BAO_ADDR": bao.url, "BAO_TOKEN": token_file.read_text()}
    assert clients.run("python", configuration, env=env).access_token in sts.issued
    assert sts.exchanges[0].claims["aud"] == audience and sts.exchanges[0].claims["iss"] == bao.issuer

    stranger = env | {"BAO_TOKEN": ledger.secret("a made-up token", "s.madeUpTokenOfNobody1234567")}
    outcome = clients.run("python", configuration, env=stranger)
    assert outcome.status != 0 and len(sts.exchanges) == 1


@pytest.mark.parametrize("kind", ["generated", "EC", "RSA", "EC traditional", "RSA traditional"])
def test_it_accepts_tokens_of_the_key_source(program, bao, ledger, audience, tmp_path, mount, kind):
    """The server verifies tokens of a generated key, and of existing keys in both PEM forms, with their public keys."""
    key = tmp_path / "demo.pem"
    source = ["key", f"--key={key}", "--issuer=https://issuer.example.test", "--subject=build-7"]
    if kind == "generated":
        assert program.run(*source, f"--audience={audience}", "--generate").token
        published = Loopback(lambda _: Answer(200, json.loads((tmp_path / "demo.jwks.json").read_text())))
        config = {"jwks_url": published.url}
    else:
        made, published = new_key(kind.split()[0]), None
        key.write_text(pem(made, "traditional" if "traditional" in kind else "pkcs8"))
        key.chmod(0o600)
        config = {"jwt_validation_pubkeys": [public_pem(made)]}
    ledger.private_key("the key", key.read_text())
    try:
        bao.trust(mount, audience, bound_issuer="https://issuer.example.test", **config)
        token = program.run(*source, f"--audience={audience}", "--claim=team=platform").token
        others = program.run(*source, "--audience=https://other.example.test").token
        assert judged(bao, mount, token, others) == f"{mount}-build-7"
    finally:
        if published:
            published.close()


def public_pem(key) -> str:
    """Encodes the public key as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_it_accepts_tokens_of_the_oidc_source(program, bao, audience, tmp_path, mount):
    """The server verifies an access token of npm oidc-provider by discovery."""
    with oidc_provider(tmp_path, [client("public", "none")]) as server:
        bao.trust(mount, "https:" + audience, oidc_discovery_url=server.issuer, bound_issuer=server.issuer)
        source = ["oidc", f"--issuer={server.issuer}", "--client-id=public", "--auth=none", f"--audience={audience}"]
        token = program.run(*source, f"--resource=https:{audience}").token
        others = program.run(*source, "--resource=https://other.example.test").token
        assert judged(bao, mount, token, others) == f"{mount}-public"
