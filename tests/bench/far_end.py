"""The server of the https rows: nginx on loopback with a certificate of a CA that openssl creates here. It responds to discovery, the
token request, the exchange and the impersonation with fixed answers, and two actions of AWS with fixed XML."""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/far.crt; ssl_certificate_key {folder}/far.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /.well-known/openid-configuration {{ return 200 '{discovery}'; }}
    location = /token {{ return 200 '{granted}'; }}
    location = / {{ return 200 '{aws}'; }}
    location = /assume {{ return 200 '{assumed}'; }}
    location = /subject {{ return 200 '{subject}'; }}
    location = /v1/token {{ return 200 '{exchanged}'; }}
    location = {account} {{ return 200 '{impersonated}'; }}
    location = {id_token} {{ return 200 '{identity}'; }}
  }}
}}
"""

ACCOUNT = "/v1/projects/-/serviceAccounts/app@example-project.iam.gserviceaccount.com:generateAccessToken"
ID_TOKEN = ACCOUNT.replace("AccessToken", "IdToken")

AWS = """<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetWebIdentityTokenResult>
<WebIdentityToken>{token}</WebIdentityToken><Expiration>2099-01-01T00:00:00Z</Expiration></GetWebIdentityTokenResult>
</GetWebIdentityTokenResponse>"""


ASSUMED = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>ASIABENCH</AccessKeyId><SecretAccessKey>impersonated</SecretAccessKey><SessionToken>{token}</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


class FarEnd:
    """`issuer` and `token_endpoint` URLs; `ca` and `bundle` (the system's CAs and this one) as PEM paths."""

    def __init__(self, folder, port):
        self.issuer = f"https://127.0.0.1:{port}"
        self.token_endpoint = f"{self.issuer}/token"
        self.ca = folder / "ca.crt"
        self.bundle = folder / "bundle.crt"


def jwt():
    """Makes a JWT of the usual size; nothing in these rows verifies it."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = int(time.time())
    return ".".join((part({"alg": "RS256", "kid": "bench"}), part({
        "iss": "https://idp.example.test", "sub": "bench", "aud": "https://iam.googleapis.com/projects/1/locations/"
        "global/workloadIdentityPools/pool/providers/idp", "iat": now, "exp": now + 36000}), "c2ln" * 86))


def certificates(folder):
    """Creates a CA, a server certificate that it signed, and the system's bundle with the CA added."""
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-days", 2, "-subj", "/CN=bench CA", "-keyout", folder / "ca.key", "-out",
            folder / "ca.crt")
    openssl("req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", folder / "far.key", "-out", folder / "far.csr")
    (folder / "far.ext").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", folder / "far.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
            "-days", 2, "-set_serial", 1, "-extfile", folder / "far.ext", "-out", folder / "far.crt")
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    known = system.read_text() if system.exists() else ""
    (folder / "bundle.crt").write_text(known + (folder / "ca.crt").read_text())


@contextlib.contextmanager
def far_end(folder):
    """Runs the server until the block ends; yields None if a program that the https rows need is not installed."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not program or not all(map(shutil.which, ("openssl", "curl", "jq"))):
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    certificates(folder)
    far = FarEnd(folder, port)
    (folder / "nginx.conf").write_text(CONFIG.format(
        folder=folder, port=port, aws=AWS.format(token=jwt()), assumed=ASSUMED.format(token=jwt()), id_token=ID_TOKEN,
        identity=json.dumps({"token": jwt()}), subject=jwt(), account=ACCOUNT,
        exchanged=json.dumps({"access_token": "ya29.federated", "token_type": "Bearer", "expires_in": 3599}),
        impersonated=json.dumps({"accessToken": "ya29.impersonated", "expireTime": "2099-01-01T00:00:00Z"}),
        discovery=json.dumps({"issuer": far.issuer, "token_endpoint": far.token_endpoint}),
        granted=json.dumps({"access_token": jwt(), "token_type": "Bearer", "expires_in": 3600})))
    child = subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if child.poll() is not None or probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield far
    finally:
        child.kill()
        child.wait()
