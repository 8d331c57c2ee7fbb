"""TLS and HTTP responses with nginx and a private CA: which servers are trusted, and the messages for the others. The access log of the
server shows that a refused run sent nothing.
"""

import json
import os
import socket
import ssl
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.hashes import SHA512

from servers.authority import DAY, Authority, self_signed
from servers.namespace import own_mounts
from servers.nginx import answers, nginx, server
from support.places import missing
from support.processes import free_ports
from support.signer import some_token

TOKEN = some_token()
LIMIT = 1024 * 1024


def longest_token() -> str:
    """Makes a token of the largest length that is read; most of it is the signature."""
    return "eyJhbGciOiJSUzI1NiJ9.e30.".ljust(LIMIT, "a")


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """One nginx with a block for each TLS setting; the token is at `far.url("good")`, and `far.ca` is the authority."""
    folder = tmp_path_factory.mktemp("nginx")
    ours, strangers = Authority(folder / "ours"), Authority(folder / "strangers", "another CA")
    good = ours.server("good", "127.0.0.1", "localhost")
    names = ("good", "sha512", "wrong_host", "self_signed", "expired", "tls12", "tls10", "client_cert", "plain", "target")
    port = dict(zip(names, free_ports(len(names)), strict=True))
    token = answers("/token", TOKEN)
    issuer = f"https://127.0.0.1:{port['client_cert']}"
    discovery = json.dumps({"issuer": issuer, "token_endpoint": f"{issuer}/oauth/token",
                            "token_endpoint_auth_methods_supported": ["tls_client_auth"]})
    granted = json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})
    guarded = ("location = /oauth/token { if ($ssl_client_verify != SUCCESS) "
               "{ return 401 '{\"error\":\"invalid_client\",\"error_description\":\"no client certificate\"}'; } "
               f"return 200 '{granted}'; }}\n")
    (folder / "www").mkdir()
    (folder / "www/at-limit").write_text(longest_token())
    (folder / "www/above-limit").write_text(longest_token() + "a")
    target = f"https://127.0.0.1:{port['target']}/token"
    wanted = "".join(f"location = /{code} {{ return {code} 'no'; }}\n" for code in (401, 403, 404, 429, 500, 502, 503))
    moved = "".join(f"location = /{code} {{ return {code} {target}; }}\n" for code in (301, 302, 307, 308))
    closed = "location = /closed { return 444; }\n"
    html = "location = /html { default_type text/html; return 200 '<html><body>Sign in</body></html>'; }\n"
    blocks = [
        server(port["good"], token + wanted + moved + closed + html + f"root {folder}/www;", good),
        server(port["sha512"], token, ours.server("sha512", "127.0.0.1", digest=SHA512())),
        server(port["wrong_host"], token, ours.server("wrong", "wrong.example.test")),
        server(port["self_signed"], token, self_signed(folder, "127.0.0.1")),
        server(port["expired"], token, ours.server("old", "127.0.0.1", begins=-3 * DAY, ends=-1 * DAY)),
        server(port["tls12"], token, good, tls="TLSv1.2"),
        server(port["tls10"], token, good, tls="TLSv1 TLSv1.1", ciphers="DEFAULT@SECLEVEL=0"),
        server(port["client_cert"], answers("/.well-known/openid-configuration", discovery) + guarded
               + f"ssl_verify_client optional; ssl_client_certificate {ours.ca};", good),
        server(port["plain"], token),
        server(port["target"], token, good),
    ]
    with nginx(folder, blocks, port.values()) as running:
        yield SimpleNamespace(nginx=running, ca=ours.ca, folder=folder, issuer=issuer, port=port,
                              robot=ours.client("robot", "robot"), stranger=strangers.client("robot", "robot"),
                              url=lambda name, path="/token", host="127.0.0.1":
                                  f"https://{host}:{port[name]}{path}")


@pytest.fixture
def fetch(far, asked):
    """Runs the program, which trusts the authority."""
    def run(name, path="/token", *options, env=None):
        return asked.run("url", f"--url={far.url(name, path)}", f"--ca-file={far.ca}", *options, env=env)

    return run


# Trust

def test_a_private_ca_is_trusted_when_named(far, asked, fetch):
    assert fetch("good").token == TOKEN
    assert asked.run("url", f"--url={far.url('good', host='localhost')}", f"--ca-file={far.ca}").token == TOKEN


def test_a_private_ca_is_refused_when_not_named(far, asked):
    message = asked.run("url", f"--url={far.url('good', '/token?untrusted')}").failed("CONFIGURATION")
    assert "--ca-file" in message and "certificate" in message, message
    assert not any("untrusted" in line for line in far.nginx.requests(far.port["good"]))


@pytest.mark.parametrize("kind", ["wrong_host", "self_signed", "expired", "sha512"])
def test_an_unusable_certificate_is_refused(far, fetch, kind):
    message = fetch(kind).failed("CONFIGURATION")
    assert "certificate" in message and far.nginx.requests(far.port[kind]) == [], message
    word = {"wrong_host": "name", "self_signed": "--ca-file", "expired": "expired", "sha512": "SHA-384"}[kind]
    assert word in message, message


def test_a_ca_file_without_certificates_is_refused(far, asked, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "key.pem").write_text(far.robot.key.read_text())
    for name in ("absent.pem", "empty.pem", "key.pem"):
        message = asked.run("url", f"--url={far.url('good')}", f"--ca-file={tmp_path / name}").failed("CONFIGURATION")
        assert "--ca-file" in message, message


def test_the_system_trust_store_is_read(far, asked):
    """The store is that of the variable that overrides it, or Debian's."""
    url = f"--url={far.url('good')}"
    assert asked.run("url", url, env={"SSL_CERT_FILE": str(far.ca)}).token == TOKEN
    store = "/etc/ssl/certs/ca-certificates.crt"
    if not os.path.exists(store):
        missing("the system's trust store can be replaced for one process only on Debian's layout")
    assert asked.behind(*own_mounts(f"mount --bind {far.ca} {store}")).run("url", url).token == TOKEN


# TLS versions

def test_tls_1_2_is_enough(far, fetch):
    assert fetch("tls12").token == TOKEN
    far.nginx.wait_for(far.port["tls12"], "tls=TLSv1.2")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_1_0_and_1_1_are_refused(far, fetch):
    old = ssl.create_default_context(cafile=far.ca)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", far.port["tls10"])) as raw, \
            old.wrap_socket(raw, server_hostname="127.0.0.1") as spoken:
        assert spoken.version() == "TLSv1.1"  # the control: this server supports it
    assert "TLS" in fetch("tls10").failed("PROTOCOL")
    assert far.nginx.requests(far.port["tls10"]) == []


def test_https_to_a_plain_http_port_is_refused(far, asked):
    asked.run("url", f"--url={far.url('plain')}", f"--ca-file={far.ca}").failed("PROTOCOL")
    assert not any(" /token " in line for line in far.nginx.requests(far.port["plain"]))


# Client certificates

@pytest.fixture
def oidc(far, asked):
    """Runs the program with the issuer that requests client certificates."""
    return lambda *options: asked.run("oidc", f"--issuer={far.issuer}", "--client-id=robot", f"--ca-file={far.ca}", *options)


def test_a_client_certificate_is_presented(far, oidc):
    done = oidc("--auth=mtls", f"--client-cert={far.robot.cert}", f"--client-key={far.robot.key}")
    assert done.token == TOKEN
    far.nginx.wait_for(far.port["client_cert"], "POST /oauth/token host=127.0.0.1 cert=SUCCESS")


def test_without_a_client_certificate_the_server_refuses(far, oidc):
    assert "invalid_client" in oidc("--auth=none").failed("DENIED")
    far.nginx.wait_for(far.port["client_cert"], "POST /oauth/token host=127.0.0.1 cert=NONE")


def test_a_client_certificate_of_another_ca_is_refused(far, oidc):
    """nginx responds with 400 and an HTML page."""
    oidc("--auth=mtls", f"--client-cert={far.stranger.cert}", f"--client-key={far.stranger.key}").failed("DENIED")
    far.nginx.wait_for(far.port["client_cert"], "cert=FAILED")


def test_a_client_key_of_another_certificate_is_refused_before_anything_is_sent(far, asked):
    done = asked.run("oidc", f"--issuer={far.issuer.replace('127.0.0.1', 'localhost')}", "--client-id=robot", "--auth=mtls",
                     f"--ca-file={far.ca}", f"--client-cert={far.robot.cert}", f"--client-key={far.stranger.key}")
    assert "--client-key" in done.failed("CONFIGURATION")
    assert not any("host=localhost" in line for line in far.nginx.requests(far.port["client_cert"]))


# Responses

@pytest.mark.parametrize("code, kind", [(401, "DENIED"), (403, "DENIED"), (404, "CONFIGURATION"), (429, "UNREACHABLE"),
                                        (500, "UNREACHABLE"), (502, "UNREACHABLE"), (503, "UNREACHABLE")])
def test_an_http_error_has_its_kind(fetch, code, kind):
    assert str(code) in fetch("good", f"/{code}").failed(kind)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_not_followed(far, fetch, code):
    message = fetch("good", f"/{code}", "--header=Authorization:Bearer env:S",
                    env={"S": "fixture-secret"}).failed("CONFIGURATION")
    assert "redirect" in message and "fixture-secret" not in message, message
    assert far.nginx.requests(far.port["target"]) == []


def test_the_redirect_target_would_have_been_seen(far, fetch):
    """This control of the test above must come after it."""
    assert fetch("target").token == TOKEN
    far.nginx.wait_for(far.port["target"], "GET /token")


def test_a_connection_closed_without_a_response_is_unreachable(far, fetch):
    fetch("good", "/closed").failed("UNREACHABLE")
    far.nginx.wait_for(far.port["good"], "/closed")


def test_html_instead_of_json(fetch):
    assert "Sign in" not in fetch("good", "/html", "--field=id_token").failed("PROTOCOL")


def test_a_body_above_one_mebibyte_is_refused(fetch):
    assert fetch("good", "/at-limit").token == longest_token()
    assert "1 MiB" in fetch("good", "/above-limit").failed("PROTOCOL")
