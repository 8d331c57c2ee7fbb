"""`id-token`, `sign-jwt` and `sign-blob`: Google's own verifier, where there is one, and openssl verify the output with the published
keys.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time

import google.auth.jwt
import pytest
import requests
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from standins.sts import DEPLOYER
from support.impersonation import CREATOR, FIRST, SECOND, grant_chain, principal
from support.places import need

AUDIENCE = "https://app.example.com"
TARGET = "target@example-project.iam.gserviceaccount.com"


@pytest.fixture
def ready(commands, sts, issuer, audience, tmp_path):
    """A file-sourced configuration of a workload that may create every credential of the target."""
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")}, TARGET)
    sts.iam.policies.grant(CREATOR, on=TARGET, to=principal(audience))


def certificates(sts, account: str = TARGET) -> dict[str, str]:
    """The published certificates of the account, by key ID."""
    return requests.get(f"{sts.url}/service_accounts/v1/metadata/x509/{account}", timeout=10).json()


@pytest.mark.parametrize("email", [False, True])
def test_an_id_token(commands, sts, ready, email):
    """google-auth verifies it in the same way as Cloud Run or IAP."""
    token = commands.output("id-token", f"--for={AUDIENCE}", *(["--include-email"] if email else []))
    claims = id_token.verify_token(token, Request(), AUDIENCE, certs_url=sts.url + "/oauth2/v3/certs")
    assert claims["aud"] == AUDIENCE and claims.get("email") == (TARGET if email else None)


def test_an_id_token_in_its_other_forms(commands, sts, ready):
    """The forms are the header of a request, and JSON."""
    header = commands.output("id-token", f"--for={AUDIENCE}", "--format=header")
    document = json.loads(commands.output("id-token", f"--for={AUDIENCE}", "--format=json"))
    for token in (header.removeprefix("Authorization: Bearer "), document["id_token"]):
        assert id_token.verify_token(token, Request(), AUDIENCE, certs_url=sts.url + "/oauth2/v3/certs")


def test_a_role_that_allows_only_id_tokens(commands, sts, audience, ready):
    """It allows only ID tokens."""
    sts.iam.policies.accounts[TARGET] = {"serviceAccountOpenIdTokenCreator": {principal(audience)}}
    assert commands.output("id-token", f"--for={AUDIENCE}")
    assert "serviceAccounts.getAccessToken" in commands.refused("DENIED", "access-token")


def test_a_jwt(commands, sts, ready, tmp_path):
    """The claims are unchanged, and the key is that of the account."""
    now = int(time.time())
    claims = {"iss": TARGET, "sub": TARGET, "aud": AUDIENCE, "iat": now, "exp": now + 3600, "ä": [1, None]}
    (tmp_path / "claims").write_text(json.dumps(claims, indent=2, ensure_ascii=False))
    signed = commands.output("sign-jwt", f"--payload={tmp_path / 'claims'}")
    assert google.auth.jwt.decode(signed, certificates(sts), audience=AUDIENCE) == claims
    document = json.loads(commands.output("sign-jwt", f"--payload={tmp_path / 'claims'}", "--format=json"))
    assert document["key_id"] in certificates(sts)
    assert google.auth.jwt.decode(document["signed_jwt"], certificates(sts), audience=AUDIENCE) == claims
    (another,) = certificates(sts, DEPLOYER).values()
    with pytest.raises(Exception, match="Could not verify"):
        google.auth.jwt.decode(signed, {document["key_id"]: another})


@pytest.mark.parametrize("exp", [13 * 3600, -60])
def test_a_jwt_that_would_not_be_signed(commands, sts, ready, tmp_path, exp):
    """The program refuses an expiry that is too late, and Google one that has passed."""
    (tmp_path / "claims").write_text(json.dumps({"exp": int(time.time()) + exp}))
    commands.refused("CONFIGURATION", "sign-jwt", f"--payload={tmp_path / 'claims'}")
    assert len(sts.refusals) == (1 if exp < 0 else 0)


@pytest.mark.parametrize("blob", [b"", b"\0\xff binary \r\n", b"x" * 1024 * 1024])
def test_a_blob(commands, sts, ready, tmp_path, blob):
    """openssl verifies the signature with the published certificate, for an empty file, a binary file and the largest
    file.
    """
    (tmp_path / "blob").write_bytes(blob)
    document = json.loads(commands.output("sign-blob", f"--file={tmp_path / 'blob'}", "--format=json"))
    assert commands.output("sign-blob", f"--file={tmp_path / 'blob'}") == document["signed_blob"]
    (tmp_path / "signature").write_bytes(base64.b64decode(document["signed_blob"], validate=True))
    (tmp_path / "certificate").write_text(certificates(sts)[document["key_id"]])
    openssl = need("openssl")
    subprocess.run([openssl, "x509", "-in", tmp_path / "certificate", "-noout", "-pubkey", "-out", tmp_path / "key"], check=True)
    verified = subprocess.run([openssl, "dgst", "-sha256", "-verify", tmp_path / "key", "-signature", tmp_path / "signature",
                               tmp_path / "blob"], capture_output=True, text=True, check=False)  # fmt: skip
    assert verified.stdout == "Verified OK\n", verified


@pytest.mark.parametrize("command", ["id-token --for=https://app.example.com", "sign-jwt --payload={payload}",
                                     "sign-blob --file={payload}"])  # fmt: skip
def test_through_delegates(commands, sts, audience, ready, tmp_path, command):
    """Each method works with a chain of two delegates."""
    (tmp_path / "payload").write_text("{}")
    sts.iam.policies.accounts[TARGET] = {}
    grant_chain(sts, audience, FIRST, SECOND, TARGET)
    words = command.format(payload=tmp_path / "payload").split()
    assert commands.output(*words, f"--delegate={FIRST}", f"--delegate={SECOND}")
    assert sts.iam.calls[-1].delegates == (FIRST, SECOND)
    commands.refused("DENIED", *words, f"--delegate={SECOND}", f"--delegate={FIRST}")
