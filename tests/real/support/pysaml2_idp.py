"""A SAML identity provider and a relying party by pysaml2, signing and checking with xmlsec1.

https://pysaml2.readthedocs.io/ — neither shares code with the stand-in's verifier, which uses signxml.
"""

from __future__ import annotations

import base64
import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pysaml2 imports a cipher mode that cryptography has deprecated
    from saml2 import BINDING_HTTP_POST
    from saml2.client import Saml2Client
    from saml2.config import IdPConfig, SPConfig
    from saml2.metadata import entity_descriptor
    from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
    from saml2.server import Server

from standins.verify_saml import SamlPoolProvider
from support.places import need
from support.signer import certificate, certificate_pem, new_key, pem

ENTITY_ID = "https://idp.example.test/metadata"
CONSUMER = "https://sts.googleapis.com/v1/token"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
METADATA = f"""<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s">\
<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:AssertionConsumerService index="0"\
 Binding="{BINDING_HTTP_POST}" Location="{CONSUMER}"/></md:SPSSODescriptor></md:EntityDescriptor>"""


class IdentityProvider:
    """Issues Responses for one relying party: Google, with the name `audience`."""

    def __init__(self, folder: Path, audience: str):
        self.audience, self.tool, key = audience, str(need("xmlsec1")), new_key("RSA")
        files = {name: folder / name for name in ("idp.pem", "idp.crt", "google.xml", "idp.xml")}
        self.certificate = certificate_pem(certificate(key, "idp.example.test"))
        files["idp.pem"].write_text(pem(key))
        files["idp.crt"].write_text(self.certificate)
        files["google.xml"].write_text(METADATA % audience)
        configuration = IdPConfig().load({
            "entityid": ENTITY_ID,
            "xmlsec_binary": self.tool,
            "key_file": str(files["idp.pem"]),
            "cert_file": str(files["idp.crt"]),
            "metadata": {"local": [str(files["google.xml"])]},
            "service": {"idp": {
                "endpoints": {"single_sign_on_service": [("https://idp.example.test/sso", BINDING_HTTP_POST)]},
                "policy": {"default": {"lifetime": {"minutes": 15}}},
            }},
        })  # fmt: skip
        self.server = Server(config=configuration)
        files["idp.xml"].write_text(str(entity_descriptor(configuration)))
        self.metadata = files["idp.xml"]

    def pool_provider(self, name: str) -> SamlPoolProvider:
        """The pool provider that trusts this identity provider."""
        return SamlPoolProvider(name, ENTITY_ID, self.certificate)

    def response(self, subject: str, sign_response: bool) -> str:
        """Makes a Response about a subject as XML, of which the whole or the Assertion is signed."""
        return str(self.server.create_authn_response(
            {"mail": [f"{subject}@example.test"]}, in_response_to=None, destination=CONSUMER, sp_entity_id=self.audience,
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text=subject), sign_response=sign_response,
            sign_assertion=not sign_response, sign_alg=RSA_SHA256, digest_alg=SHA256,
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": ENTITY_ID},
        ))  # fmt: skip

    def accepted_by_relying_party(self, token: str) -> str:
        """The subject that the relying party of pysaml2 reads from a base64 Response. It raises an exception if it
        refuses.
        """
        configuration = SPConfig().load({
            "entityid": self.audience,
            "xmlsec_binary": self.tool,
            "metadata": {"local": [str(self.metadata)]},
            "service": {"sp": {
                "endpoints": {"assertion_consumer_service": [(CONSUMER, BINDING_HTTP_POST)]},
                "allow_unsolicited": True,
                "want_response_signed": False,
                "want_assertions_signed": False,
                "want_assertions_or_response_signed": True,
            }},
        })  # fmt: skip
        return Saml2Client(config=configuration).parse_authn_request_response(token, BINDING_HTTP_POST).get_subject().text


def encoded(xml: str) -> str:
    """Encodes XML in base64, as the HTTP-POST binding and Google's token service require."""
    return base64.b64encode(xml.encode()).decode()
