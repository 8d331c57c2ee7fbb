"""The `oidc` source with a TLS client certificate, against npm oidc-provider on https (RFC 8705).

The issuer itself terminates TLS and reads the certificate from the handshake: tls_client_auth checks its chain and
subject, self_signed_tls_client_auth its thumbprint against the registered key set.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from servers.authority import Authority, Certificate, self_signed
from standins.verify_jwt import OidcPoolProvider
from support.oidc_provider import client, oidc_provider
from support.places import need
from support.processes import until


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    """One CA for this file."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def bearers(authority) -> dict[str, Certificate]:
    """The client certificates of the workload, of another subject, and a self-signed one."""
    return {
        "workload": authority.client("workload", "workload-7"),
        "stranger": authority.client("stranger", "workload-8"),
        "other": self_signed(authority.folder, "workload-7"),
    }


def der(certificate: Certificate) -> bytes:
    """The certificate as DER."""
    return x509.load_pem_x509_certificate(certificate.cert.read_bytes()).public_bytes(Encoding.DER)


def registered(certificate: Certificate) -> dict:
    """The key set that registers a self-signed certificate: its public key with x5c."""
    key = x509.load_pem_x509_certificate(certificate.cert.read_bytes()).public_key()
    jwk = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(key))
    return {"keys": [jwk | {"use": "sig", "x5c": [base64.b64encode(der(certificate)).decode()]}]}


@pytest.fixture(scope="module", params=["token endpoint", "alias"])
def server(request, tmp_path_factory, authority, bearers):
    """An issuer on https that requests client certificates: at its token endpoint, or at the mTLS endpoint alias that it
    announces.
    """
    clients = [
        client("by-ca", "tls_client_auth", tls_client_auth_subject_dn="CN=workload-7"),
        client("by-thumbprint", "self_signed_tls_client_auth", jwks=registered(bearers["other"])),
    ]
    own = authority.server("issuer", "127.0.0.1")
    tls = {"key": own.key, "certificate": own.cert, "ca": authority.ca}
    with oidc_provider(tmp_path_factory.mktemp("oidc-provider"), clients, tls, request.param == "alias") as found:
        yield found


@pytest.fixture
def arguments(server, authority, bearers, audience, ledger):
    """The arguments for a client with a certificate."""
    for name, found in bearers.items():
        ledger.private_key(f"the key of {name}", found.key.read_text())

    def make(identifier: str, name: str) -> list[str]:
        return ["oidc", f"--issuer={server.issuer}", f"--client-id={identifier}", "--auth=mtls",
                f"--client-cert={bearers[name].cert}", f"--client-key={bearers[name].key}",
                f"--ca-file={authority.ca}", f"--resource=https:{audience}"]  # fmt: skip

    return make


@pytest.mark.parametrize("identifier, name", [("by-ca", "workload"), ("by-thumbprint", "other")])
def test_a_client_certificate_authenticates(clients, sts, server, authority, bearers, audience, arguments, identifier, name):
    """A real Google client runs the program. The issuer saw exactly this certificate and nothing else."""
    sts.add(OidcPoolProvider(audience, server.issuer, ca_file=str(authority.ca)))
    before = len(server.token_requests)
    assert clients.run("python", clients.configuration(audience, *arguments(identifier, name))).access_token in sts.issued
    assert sts.exchanges[0].claims["sub"] == identifier
    (request,) = until(lambda: server.token_requests[before:], "the request is logged")
    assert (request["auth"], request["certificate"]) == ("certificate", hashlib.sha256(der(bearers[name])).hexdigest())
    assert "client_id" in request["fields"] and not {"client_secret", "client_assertion"} & set(request["fields"])


@pytest.mark.parametrize("identifier, name", [("by-ca", "stranger"), ("by-ca", "other"), ("by-thumbprint", "workload")])
def test_another_certificate_is_denied(program, server, audience, arguments, identifier, name):
    """The certificate is for another subject of the same CA, by another CA, or not registered."""
    program.run(*arguments(identifier, name), f"--audience={audience}").failed("DENIED", "invalid_client")
    assert server.token_requests[-1]["auth"] == "certificate" and server.token_requests[-1]["status"] in (400, 401)


def test_a_key_that_is_not_the_certificate_s(program, server, audience, bearers, arguments):
    """The run fails before it sends anything."""
    mixed = [word.replace(str(bearers["workload"].key), str(bearers["stranger"].key)) for word in arguments("by-ca", "workload")]
    before = len(server.token_requests)
    program.run(*mixed, f"--audience={audience}").failed("CONFIGURATION", "--client-")
    assert len(server.token_requests) == before


def test_without_the_ca_the_issuer_is_not_trusted(program, audience, arguments):
    """The message names the option."""
    without = [word for word in arguments("by-ca", "workload") if not word.startswith("--ca-file")]
    program.run(*without, f"--audience={audience}").failed("CONFIGURATION", "--ca-file")


@pytest.mark.parametrize("identifier, name", [("by-ca", "workload"), ("by-thumbprint", "other")])
def test_the_issuer_requires_the_certificate(server, authority, bearers, identifier, name):
    """This control shows that the tests above can fail: curl is refused without a certificate, and accepted with it."""
    curl = [need("curl"), "-sS", "--noproxy", "*", "--cacert", authority.ca]
    metadata = json.loads(output([*curl, server.issuer + "/.well-known/openid-configuration"]))
    endpoint = metadata.get("mtls_endpoint_aliases", metadata)["token_endpoint"]
    ask = [*curl, "-d", "grant_type=client_credentials", "-d", f"client_id={identifier}"]
    bearing = ["--cert", bearers[name].cert, "--key", bearers[name].key]
    assert "invalid_client" in output([*ask, endpoint])
    assert "access_token" in output([*ask, *bearing, endpoint])
    if endpoint != metadata["token_endpoint"]:
        assert "invalid_client" in output([*ask, *bearing, metadata["token_endpoint"]]), "only the alias requests a certificate"


def output(command: list) -> str:
    """Runs a command, which must succeed, and returns its output."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout
