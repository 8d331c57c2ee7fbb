"""SAML subject tokens: Responses of a real identity provider (pysaml2, signed by xmlsec1) through the program and the clients.

Google accepts base64 of a Response or an Assertion (https://cloud.google.com/iam/docs/workforce-saml-assertions). The program
encodes raw XML and passes base64 on. The signature covers every byte, so none may change. The stand-in (signxml) and
pysaml2's own relying party verify it.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timezone

import pytest
from saml2.sigver import SignatureError

from standins.verify_saml import SamlPoolProvider
from support.clients import CLIENTS
from support.program import SAML2, has_default_margin
from support.pysaml2_idp import encoded
from support.saml import IDP, SamlSigner, at


@pytest.fixture(params=["response signed", "assertion signed"])
def xml(request, idp) -> str:
    """A Response of the identity provider."""
    return idp.response("user-7", sign_response=request.param.startswith("response"))


@pytest.mark.parametrize("form", ["xml", "base64", "base64 in lines"])
def test_the_file_source_keeps_every_byte(program, idp, ledger, audience, tmp_path, xml, form):
    """Raw XML is encoded, base64 is passed on, and pysaml2's relying party accepts the result."""
    path = tmp_path / "response"
    lines = "\n".join(re.findall(".{1,76}", encoded(xml))) + "\n"
    path.write_text({"xml": xml, "base64": encoded(xml), "base64 in lines": lines}[form])
    run = program.run("file", f"--path={path}", env=program.request(audience, SAML2))
    assert run.document["token_type"] == SAML2
    assert base64.b64decode(run.token).decode() == xml or base64.b64decode(run.token).decode() == xml.strip()
    assert idp.accepted_by_relying_party(run.token) == "user-7"
    end = min(re.findall(r'NotOnOrAfter="([^"]+)"', xml))
    seconds = datetime.fromisoformat(end.replace("Z", "+00:00")).timestamp()
    left = seconds - datetime.now(timezone.utc).timestamp()
    assert has_default_margin(run.document["expiration_time"], seconds, left)


@pytest.mark.parametrize("client", list(CLIENTS))
def test_each_google_client_exchanges_the_token(clients, sts, idp, audience, tmp_path, client):
    """Each client reads the member saml_response of the output file."""
    path = tmp_path / "response.xml"
    path.write_text(idp.response("user-7", sign_response=True))
    source = ("file", f"--path={path}")
    configuration = clients.configuration(audience, *source, token_type=SAML2, output_file=tmp_path / "output.json")
    for _ in range(2):
        assert clients.run(client, configuration).access_token in sts.issued
    assert [(found.claims["sub"], found.subject_token_type) for found in sts.exchanges] == [("user-7", SAML2)] * 2


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_tampered_response_is_refused(clients, sts, idp, audience, tmp_path, client):
    """The program does not verify the signature, but the token service and the relying party do."""
    path = tmp_path / "response.xml"
    path.write_text(idp.response("user-7", sign_response=False).replace("user-7", "root"))
    outcome = clients.run(client, clients.configuration(audience, "file", f"--path={path}", token_type=SAML2))
    assert outcome.status != 0 and sts.exchanges == []
    assert "signature does not verify" in sts.refusals[0].description
    with pytest.raises(SignatureError):
        idp.accepted_by_relying_party(encoded(path.read_text()))


def test_a_bare_assertion(clients, sts, audience, tmp_path):
    """WS-Trust returns an Assertion without a Response."""
    signer = SamlSigner()
    sts.add(SamlPoolProvider(audience, IDP, signer.certificate))
    path = tmp_path / "assertion.xml"
    path.write_bytes(base64.b64decode(signer.assertion(audience)))
    outcome = clients.run("python", clients.configuration(audience, "file", f"--path={path}", token_type=SAML2))
    assert outcome.access_token in sts.issued and sts.exchanges[0].claims["sub"] == "user@example.test"


def test_an_expired_assertion(program, audience, tmp_path):
    """The program reports it before a client sends it."""
    path = tmp_path / "response"
    path.write_text(SamlSigner().response(audience, not_on_or_after=at(minutes=-1)))
    program.run("file", f"--path={path}", env=program.request(audience, SAML2)).failed("EXPIRED")


@pytest.mark.parametrize("content", ["<html><body>Sign in</body></html>", encoded("<html/>"), "a.b.c", "<saml:Assert"])
def test_text_other_than_saml_is_not_a_token(program, ledger, audience, tmp_path, content):
    """The usual mistake is a sign-in page."""
    path = tmp_path / "response"
    path.write_text(content)
    run = program.run("file", f"--path={path}", env=program.request(audience, SAML2))
    assert run.document["code"] in ("PROTOCOL", "CONFIGURATION"), run.described()
    run.failed(run.document["code"], "SAML")
