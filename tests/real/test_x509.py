"""Configurations with a certificate: the program presents and sends what google-auth and google-auth-library present and send.

Google's services on loopback require a certificate of the authority in the TLS handshake, and the token service requires that
the subject token begins with the same certificate (standins/verify_x509.py). A token therefore proves that both match.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import jsonschema
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from servers.authority import DAY, Authority, Certificate
from standins.loopback import Request
from standins.sts import DEPLOYER, GoogleStandIn
from standins.token_exchange import GRANT, MTLS, TOKEN_TYPE
from standins.verify_x509 import X509PoolProvider
from support.gcloud import Gcloud
from support.impersonation import CREATOR, principal
from support.metadata import ACCESS, IDENTITY
from support.places import HERE, NODE_MODULES, PYTHON, need
from support.processes import free_port, listens, until
from support.softhsm import KEYS, MODULE, PIN

AUDIENCE = "https://app.example.test"
LIBRARIES = ["python", "node"]
SECRET = "hunter2-serve-4711-0815"


@pytest.fixture(scope="module")
def authorities(tmp_path_factory) -> tuple[Authority, Authority]:
    """A root, and the authority below it that issues the certificates of clients."""
    root = Authority(tmp_path_factory.mktemp("root"), "Example Root")
    return root, Authority(tmp_path_factory.mktemp("issuer"), "Example Issuer", root)


@pytest.fixture
def sts(authorities, audience, tmp_path):
    """Google over mutual TLS. Its trust store has the root and an intermediate CA."""
    root, issuer = authorities
    own = root.server("google", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own.cert, own.key)
    tls.verify_mode = ssl.CERT_REQUIRED
    # The server knows the intermediate authority, so clients need not present its certificate.
    tls.load_verify_locations(root.ca)
    tls.load_verify_locations(issuer.ca)
    found = GoogleStandIn(tls)
    found.add(X509PoolProvider(audience, (root.ca.read_bytes(),), (issuer.ca.read_bytes(),)))
    yield found
    found.close()


@dataclass
class Workload:
    """A certificate with its key, and the configuration that names them."""

    folder: Path
    pair: Certificate
    commands: object
    audience: str

    def configure(self, chain: Path | None = None, cert: Path | None = None, key: Path | None = None, default: bool = False, **more):
        """Writes both files."""
        where = self.folder / ("gcloud/certificate_config.json" if default else "certificates.json")
        where.parent.mkdir(exist_ok=True)
        paths = {"cert_path": str(cert or self.pair.cert), "key_path": str(key or self.pair.key)}
        where.write_text(json.dumps({"cert_configs": {"workload": paths}}))
        source = {"use_default_certificate_config": True} if default else {"certificate_config_location": str(where)}
        if chain:
            source["trust_chain_path"] = str(chain)
        self.commands.configure(self.audience, {"certificate": source}, token_type=MTLS, **more)

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return x509.load_pem_x509_certificate(self.pair.cert.read_bytes()).public_bytes(Encoding.DER)


@pytest.fixture
def workload(authorities, commands, audience, ledger, tmp_path) -> Workload:
    """A P-256 certificate; the program trusts the authority of the stand-in."""
    root, issuer = authorities
    commands.program.variables["SSL_CERT_FILE"] = str(root.ca)
    pair = issuer.client(f"vm-{os.getpid()}-{tmp_path.name}", "vm-7")
    ledger.private_key("the key of the workload", pair.key.read_text())
    found = Workload(tmp_path, pair, commands, audience)
    found.configure()
    return found


@pytest.fixture
def library(commands, sts, authorities, ledger, tmp_path):
    """Runs a library with application default credentials."""
    def run(name: str, **env: str) -> str:
        if name == "node":
            need("google-auth-library")
        words = {"python": [PYTHON, HERE / "clients" / "python_default.py"],
                 "node": [need("node"), HERE / "clients" / "node_default.mjs", NODE_MODULES]}[name]  # fmt: skip
        ca = str(authorities[0].ca)
        settings = {"PATH": str(tmp_path), "HOME": str(tmp_path / "home"), "GOOGLE_CLOUD_PROJECT": "example-project",
                    "NO_PROXY": "127.0.0.1", "GOOGLE_APPLICATION_CREDENTIALS": str(commands.path), "REQUESTS_CA_BUNDLE": ca,
                    "NODE_EXTRA_CA_CERTS": ca}  # fmt: skip
        done = subprocess.run([str(word) for word in [*words, sts.url]], env=settings | env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        ledger.note(f"what {name} said", done.stderr)
        assert done.returncode == 0, done.stderr
        (token,) = json.loads(done.stdout).values()
        return token

    return run


@dataclass(frozen=True)
class Asked:
    """The values of one request, without those that identify the client program and the token."""

    path: str
    certificate: bytes
    content: tuple

    @classmethod
    def of(cls, request: Request, name: str) -> Asked:
        """Reads a form or JSON. The Python library requests another scope before an impersonation."""
        if request.path != "/v1/token":
            assert request.headers["authorization"].startswith("Bearer ya29.federated-")
            content = json.loads(request.body)
            content.setdefault("lifetime", "3600s")
            content = {key: value for key, value in content.items() if value}
            return cls(request.path, request.certificate, tuple(sorted((key, str(value)) for key, value in content.items())))
        fields = {key: value for key, (value,) in parse_qs(request.body.decode(), strict_parsing=True).items()}
        fields["subject_token"] = str(json.loads(fields["subject_token"]))
        if name == "python" and fields["scope"] == "https://www.googleapis.com/auth/iam":
            fields["scope"] = "https://www.googleapis.com/auth/cloud-platform"
        assert "authorization" not in request.headers
        return cls(request.path, request.certificate, tuple(sorted(fields.items())))


def asked(sts: GoogleStandIn, name: str = "") -> list[Asked]:
    """Returns all requests since the last call, none of which may have been refused."""
    assert sts.refusals == [], sts.refusals
    found = [Asked.of(request, name) for request in sts.requests]
    sts.requests.clear()
    return found


def fetch(workload: Workload, *arguments: str, **env: str) -> str:
    """Gets a token that is not cached."""
    fresh = {"XDG_CACHE_HOME": str(workload.folder / f"cache-{len(list(workload.folder.iterdir()))}")}
    (workload.folder / fresh["XDG_CACHE_HOME"]).mkdir()
    return workload.commands.output(*(arguments or ["access-token"]), env=fresh | env)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("chain", ["none", "empty", "issuer", "issuer and root", "with the certificate first"])
def test_the_same_requests(workload, authorities, sts, library, name, chain):
    """All fields are the same, and the certificate is presented at both services, with every trust chain."""
    root, issuer = (authority.ca.read_text() for authority in authorities)
    own = workload.pair.cert.read_text()
    text = {"none": "", "empty": "", "issuer": issuer, "issuer and root": issuer + root, "with the certificate first": own + issuer}[chain]
    path = workload.folder / "chain.pem"
    path.write_text(text)
    workload.configure(chain=path if chain != "none" else None)
    assert fetch(workload) in sts.impersonated
    ours = asked(sts)
    assert library(name) in sts.impersonated
    assert ours == asked(sts, name)
    assert [request.path for request in ours] == ["/v1/token", f"/v1/projects/-/serviceAccounts/{DEPLOYER}:generateAccessToken"]
    assert {request.certificate for request in ours} == {workload.der}
    first, *rest = json.loads(dict(ours[0].content)["subject_token"].replace("'", '"'))
    assert base64.b64decode(first) == workload.der and len(rest) == text.count("BEGIN") - (own in text)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("lifetime", [None, 1200])
def test_the_same_requests_without_an_account_and_with_a_lifetime(workload, sts, library, name, lifetime):
    """The members of the configuration change the requests in the same way."""
    more = {"service_account_impersonation": {"token_lifetime_seconds": lifetime}} if lifetime else {"email": None}
    workload.configure(**more)
    fetch(workload)
    ours = asked(sts)
    library(name)
    assert ours == asked(sts, name) and len(ours) == (2 if lifetime else 1)


FORMS = {
    "P-256, SEC 1": (lambda: ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL),
    "P-384, PKCS#8": (lambda: ec.generate_private_key(ec.SECP384R1()), PrivateFormat.PKCS8),
    "P-384, SEC 1": (lambda: ec.generate_private_key(ec.SECP384R1()), PrivateFormat.TraditionalOpenSSL),
    "RSA, PKCS#8": (lambda: rsa.generate_private_key(65537, 2048), PrivateFormat.PKCS8),
    "RSA, PKCS#1": (lambda: rsa.generate_private_key(65537, 3072), PrivateFormat.TraditionalOpenSSL),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_key_that_the_libraries_accept(workload, authorities, sts, library, ledger, form):
    """The file has CRLF and Latin-1 text before the blocks. Node reads it too; Python reads a key with ASCII text."""
    make, written = FORMS[form]
    pair = authorities[1].client(f"form-{list(FORMS).index(form)}-{os.getpid()}", "vm-8", key=make())
    key = load_pem_private_key(pair.key.read_bytes(), None).private_bytes(Encoding.PEM, written, NoEncryption())
    ledger.private_key("the key", key.decode())
    for path, content in [(pair.cert, pair.cert.read_bytes()), (pair.key, key)]:
        path.write_bytes(b"Bag Attributes\r\n    friendlyName: M\xfcller\r\n" + content.replace(b"\n", b"\r\n"))
    workload.configure(cert=pair.cert, key=pair.key)
    fetch(workload)
    ours = asked(sts)
    library("node")
    assert ours == asked(sts, "node")
    pair.key.write_bytes(pair.key.read_bytes().replace(b"\xfc", b"u"))
    library("python")
    assert ours == asked(sts, "python")


@pytest.mark.parametrize("key", ["rsa", "ec", "p384"])
@pytest.mark.parametrize("form", ["uri", "proxy"])
def test_a_key_in_a_token(workload, authorities, sts, ledger, tokens, key, form):
    """key_path names the key, or the section of the Enterprise Certificate Proxy names it with its certificate."""
    _, issuer = authorities
    ledger.secret("the PIN", PIN)
    path = issuer.certify(f"token-{key}-{form}", "vm-7", tokens.public_key(KEYS[key][1]))
    der = x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    workload.configure(cert=path, key=tokens.uri(key))
    if form == "proxy":
        (workload.folder / "cert.der").write_bytes(der)
        tokens.tool("--write-object", str(workload.folder / "cert.der"), "--type", "cert", "--label", key, "--id", KEYS[key][1])
        section = {"module": str(MODULE), "slot": tokens.slot(), "label": key, "user_pin": PIN}
        (workload.folder / "certificates.json").write_text(json.dumps({"cert_configs": {"pkcs11": section}}))
    assert fetch(workload, **tokens.environment) in sts.impersonated
    assert {request.certificate for request in asked(sts)} == {der}
    if form == "uri":
        workload.configure(cert=path, key=tokens.uri("ec" if key == "rsa" else "rsa"))
        run = workload.commands.run("access-token", "--timeout=1", env=tokens.environment)
        assert run.status == 3 and "does not belong to the certificate" in run.stderr, run.described()
    if form == "proxy":
        section["user_pin"] = "hunter2-wrong"
        (workload.folder / "certificates.json").write_text(json.dumps({"cert_configs": {"pkcs11": section}}))
        run = workload.commands.run("access-token", env=tokens.environment | {"XDG_CACHE_HOME": str(workload.folder)})
        assert run.status == 5 and "user_pin" in run.stderr, run.described()


def test_certificate_and_key_in_one_file(workload, sts, library):
    """Some issuers write such a file. The certificates after the first are presented, but not sent in the request."""
    both = workload.folder / "both.pem"
    both.touch(0o600)
    both.write_bytes(workload.pair.key.read_bytes() + workload.pair.cert.read_bytes())
    workload.configure(cert=both, key=both)
    fetch(workload)
    ours = asked(sts)
    library("python")
    assert ours == asked(sts, "python")


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("place", ["GOOGLE_API_CERTIFICATE_CONFIG", "CLOUDSDK_CONFIG", "HOME"])
def test_the_same_places(workload, sts, library, authorities, name, place):
    """Each place is used, and the variable takes precedence over gcloud's folder."""
    workload.configure(default=True)
    folder = workload.folder / "gcloud"
    env = {"CLOUDSDK_CONFIG": str(folder)}
    if place == "GOOGLE_API_CERTIFICATE_CONFIG":
        other = authorities[1].client(f"other-{os.getpid()}-{name}", "vm-9")
        paths = {"cert_path": str(other.cert), "key_path": str(other.key)}
        (workload.folder / "other.json").write_text(json.dumps({"cert_configs": {"workload": paths}}))
        env[place] = str(workload.folder / "other.json")
    if place == "HOME":
        env = {}
        below = workload.commands.program.home / ".config"
        below.mkdir()
        folder.rename(below / "gcloud")
        env["HOME"] = str(workload.commands.program.home)
    fetch(workload, **env)
    ours = asked(sts)
    library(name, **env)
    assert ours == asked(sts, name)
    assert (ours[0].certificate == workload.der) == (place != "GOOGLE_API_CERTIFICATE_CONFIG")


def test_every_command(workload, sts, tmp_path):
    """Each command presents the certificate at both services."""
    (tmp_path / "claims.json").write_text('{"sub": "vm-7"}')
    (tmp_path / "claims.json").chmod(0o600)
    sts.iam.policies.grant(CREATOR, on=DEPLOYER, to=principal(workload.audience, "vm-7"))
    for arguments, method in [
        (["access-token", "--lifetime=900"], "generateAccessToken"),
        (["id-token", f"--for={AUDIENCE}"], "generateIdToken"),
        (["sign-jwt", f"--payload={tmp_path}/claims.json"], "signJwt"),
        (["sign-blob", f"--file={tmp_path}/claims.json"], "signBlob"),
    ]:
        fetch(workload, *arguments)
        assert sts.refusals == []
        assert [request.path.rpartition(":")[2] for request in sts.requests] == ["/v1/token", method]
        assert {request.certificate for request in sts.requests} == {workload.der}
        sts.requests.clear()


def test_a_helper(workload, sts, program):
    """The helper is that of docker."""
    env = program.environment({"GOOGLE_APPLICATION_CREDENTIALS": str(workload.commands.path)})
    done = subprocess.run([program.path, "helper", "docker", "get"], input="https://europe-docker.pkg.dev", env=env,
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    token = json.loads(done.stdout)["Secret"]
    assert sts.impersonated[token] == DEPLOYER and {request.certificate for request in sts.requests} == {workload.der}


@pytest.mark.parametrize("client", ["python", "node"])
def test_exec(workload, sts, client):
    """A client without a credential file gets a token."""
    run = workload.commands.run("exec", "--", *ACCESS[client]("access"))
    assert run.status == 0, run.described()
    assert sts.impersonated[json.loads(run.stdout)["access_token"]] == DEPLOYER
    run = workload.commands.run("exec", "--", *IDENTITY[client]("identity", AUDIENCE))
    assert run.status == 0, run.described()
    assert sts.refusals == [] and {request.certificate for request in sts.requests} == {workload.der}


def test_serve(workload, sts, program, tmp_path):
    """The server gives tokens to its clients, but not the subject token, which only the client with the certificate can
    exchange.
    """
    port, log = free_port(), tmp_path / "serve.log"
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(workload.commands.path), "SECRET": SECRET}
    server = program.start("serve", f"--listen=127.0.0.1:{port}", f"--log-file={log}", "--token=env:SECRET", env=env)
    try:
        until(lambda: listens(port), "the server listens")
        base = f"http://127.0.0.1:{port}"
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        answer = requests.get(base + path, headers={"Metadata-Flavor": "Google"}, timeout=30)
        assert sts.impersonated[answer.json()["access_token"]] == DEPLOYER
        answer = requests.get(base + "/subject-token", headers={"Authorization": f"Bearer {SECRET}"}, timeout=30)
        assert answer.status_code >= 400 and "is a certificate, which clients must present themselves" in answer.text
    finally:
        server.terminate()
        program.finish(server, log=log)
    assert {request.certificate for request in sts.requests} == {workload.der}


def test_one_more_service_account(workload, sts):
    """`--service-account` uses the same service with the same certificate."""
    target = "target@example-project.iam.gserviceaccount.com"
    sts.iam.policies.accounts[target] = {}
    sts.iam.policies.grant(CREATOR, on=target, to=f"serviceAccount:{DEPLOYER}")
    assert sts.impersonated[fetch(workload, "access-token", f"--service-account={target}")] == target
    assert len(sts.requests) == 3 and {request.certificate for request in sts.requests} == {workload.der}


def test_a_certificate_of_another_authority(workload, tmp_path, ledger):
    """The handshake fails, and the message says so."""
    other = Authority(tmp_path / "another", "Another CA").client("stranger", "vm-7")
    ledger.private_key("the key of a stranger", other.key.read_text())
    workload.configure(cert=other.cert, key=other.key)
    said = workload.commands.refused("DENIED", "access-token")
    assert "requires a valid client certificate" in said and "certificates.json" in said, said


@pytest.mark.parametrize("fault, words", [
    ("expired", "expired at"),
    ("soon", "for less than 10 days"),
    ("mismatch", "does not belong to the certificate"),
])  # fmt: skip
def test_check(workload, authorities, sts, fault, words):
    """`check` reports a certificate that expires soon, and another key."""
    issuer = authorities[1]
    days = {"expired": datetime.timedelta(hours=-1), "soon": 9.5 * DAY}.get(fault, 20 * DAY)
    pair = issuer.client(f"{fault}-{os.getpid()}", "vm-7", ends=days)
    workload.configure(cert=pair.cert, key=workload.pair.key if fault == "mismatch" else pair.key, chain=issuer.ca)
    run = workload.commands.run("check", "--timeout=10")
    lines = [line for line in run.stdout.splitlines() if words in line]
    assert len(lines) == 1, run.described()
    assert lines[0].startswith({"soon": "warning  certificate", "expired": "error    certificate", "mismatch": "error    key"}[fault])
    assert run.status == {"soon": 0, "expired": 8, "mismatch": 3}[fault], run.described()
    assert bool(sts.exchanges) == (fault == "soon")
    report = json.loads(workload.commands.run("check", "--timeout=10", "--offline", "--format=json").stdout)
    jsonschema.validate(report, json.loads((HERE.parent / "check.schema.json").read_text()))


@pytest.mark.parametrize("options, gcloud", [
    ([], []),
    ([f"--service-account={DEPLOYER}", "--service-account-lifetime=1200"],
     [f"--service-account={DEPLOYER}", "--service-account-token-lifetime-seconds=1200"]),
    (["--trust-chain-path=/chain.pem"], ["--credential-cert-trust-chain-path=/chain.pem"]),
    (["--certificate-config-output={folder}/there.json"], ["--credential-cert-configuration-output-file={folder}/there.json"]),
])  # fmt: skip
def test_config_writes_what_gcloud_writes(program, tmp_path, audience, options, gcloud):
    """All members of both files are the same, in the same order."""
    def filled(words: list[str]) -> list[str]:
        return [word.replace("{folder}", str(tmp_path)) for word in words]

    place = tmp_path / "there.json" if "there" in str(options) else tmp_path / "gcloud" / "certificate_config.json"
    reference = Gcloud(tmp_path).credential_config(
        audience, "--credential-cert-path=/cert.pem", "--credential-cert-private-key-path=/key.pem", *filled(gcloud)
    )
    certificates = json.loads(place.read_text())
    place.unlink()
    run = program.run("config", "certificate", "--cert-path=/cert.pem", "--key-path=/key.pem", f"--pool-provider={audience}",
                      *filled(options), logs=False, env={"CLOUDSDK_CONFIG": str(tmp_path / "gcloud")})  # fmt: skip
    assert (run.status, run.stderr) == (0, ""), run.described()
    assert json.dumps(json.loads(run.stdout)) == json.dumps(reference)
    assert json.dumps(json.loads(place.read_text())) == json.dumps(certificates)


def exchange(sts: GoogleStandIn, workload: Workload, authorities, audience: str, token: str, pair: Certificate | None = None):
    """Sends an exchange without the program."""
    pair = pair or workload.pair
    fields = {"grant_type": GRANT, "requested_token_type": TOKEN_TYPE + "access_token", "audience": audience, "subject_token": token,
              "scope": "https://www.googleapis.com/auth/cloud-platform", "subject_token_type": MTLS}  # fmt: skip
    return requests.post(sts.token_url, data=fields, cert=(str(pair.cert), str(pair.key)), verify=str(authorities[0].ca), timeout=10)


def test_the_stand_in_refuses(sts, workload, authorities, audience):
    """Without these refusals, a successful exchange would prove nothing."""
    def encoded(*certificates: bytes) -> str:
        return json.dumps([base64.b64encode(der).decode() for der in certificates])

    own, issuer = workload.der, x509.load_pem_x509_certificate(authorities[1].ca.read_bytes()).public_bytes(Encoding.DER)
    assert exchange(sts, workload, authorities, audience, encoded(own)).status_code == 200
    other = authorities[1].client(f"refused-{os.getpid()}", "vm-7")
    for token, pair, words in [
        (encoded(own), other, "is not the first certificate"),
        (encoded(issuer, own), None, "is not the first certificate"),
        (encoded(own, issuer, own), None, "is not valid"),
        ("[]", None, "not a list of certificates"),
        ("no JSON", None, "not a list of certificates"),
        (encoded(own).replace('["', '["_'), None, "not a list of certificates"),
    ]:
        answer = exchange(sts, workload, authorities, audience, token, pair)
        assert answer.status_code == 400 and words in answer.json()["error_description"], answer.text
    with pytest.raises(requests.exceptions.SSLError):
        requests.post(sts.token_url, verify=str(authorities[0].ca), timeout=10)
