"""No secret is shown if the services of Azure return everything that they received.

Every other Azure test is scanned too (the `azure` fixture registers secrets, keys and tokens); here each server echoes the whole
request, credentials included, in every member that a message might be made of. That the scan finds what leaks is in test_leaks.py.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qs, unquote_plus

import pytest

from standins.azure_managed import KEYS
from standins.azure_tenant import RESOURCE
from standins.loopback import Answer, Loopback, Request
from support.azure import certified, with_keys

SECRETS = {name: f"{name}-secret-4711-0815" for name in ("client", "header", "agent")}


def echo(status: int):
    """A server that responds with what it received; the Arc agent first sends its challenge."""

    def answer(request: Request) -> Answer:
        if "imds" in request.path and "authorization" not in request.headers:
            return Answer(401, "", {"WWW-Authenticate": f"Basic realm={KEYS}/echo.key"})
        # Messages are short: the secret comes first, alone and as it was sent.
        headers = [request.headers[name] for name in ("authorization", "x-identity-header", "secret") if name in request.headers]
        fields = [value for values in parse_qs(request.body.decode()).values() for value in values]
        secret = (headers + fields)[-1] if headers or fields else ""
        received = " ".join([secret.rpartition(" ")[2], secret, request.body.decode(), json.dumps(request.headers)])
        names = ("message", "error", "error_description", "access_token")
        return Answer(status, dict.fromkeys(names, received))

    return answer


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("source", ["secret", "certificate", "federated", "app-service", "arc", "service-fabric", "machine-learning"])
def test_secrets_that_a_server_repeats_are_hidden(azure, program, ledger, tmp_path, source, status):
    """The run fails at every status, and neither the output nor the log contains what was sent."""
    for name, secret in SECRETS.items():
        ledger.secret(f"the secret of {name}", secret)
    (azure.keys / "echo.key").write_text(SECRETS["agent"])
    projected = tmp_path / "projected"
    projected.write_text(azure.tenant.projected())
    with Loopback(echo(status), azure.service_fabric.tls if source == "service-fabric" else None) as far:
        env = {
            "secret": {"AZURE_CLIENT_SECRET": SECRETS["client"]},
            "certificate": {"AZURE_CLIENT_CERTIFICATE_PATH": str(certified(tmp_path, ledger)[0])},
            "federated": {"AZURE_FEDERATED_TOKEN_FILE": str(projected)},
            "app-service": {"IDENTITY_ENDPOINT": far.url, "IDENTITY_HEADER": SECRETS["header"]},
            "service-fabric": {"IDENTITY_ENDPOINT": far.url, "IDENTITY_HEADER": SECRETS["header"], "AZURE_CLIENT_ID": "",
                               "IDENTITY_SERVER_THUMBPRINT": azure.service_fabric.thumbprint},
            "machine-learning": {"MSI_ENDPOINT": far.url, "MSI_SECRET": SECRETS["header"]},
            "arc": {"IDENTITY_ENDPOINT": far.url + "/imds", "IMDS_ENDPOINT": far.url},
        }[source]
        given = azure.environment(client="build") | {"AZURE_AUTHORITY_HOST": far.url} | env
        beside = program.behind(*with_keys(azure.keys))
        run = beside.run("azure", f"--resource={RESOURCE}", "--timeout=4", env=given)
        sent = [(request.headers, request.body.decode()) for request in far.requests]
    run.failed(run.document["code"])
    assertions = [unquote_plus(body.partition("client_assertion=")[2]) for _, body in sent if "client_assertion=" in body]
    for assertion in assertions:
        signature = assertion.rpartition(".")[2]
        assert len(signature) > 99 and signature not in run.stdout + run.stderr + run.log, "an assertion is shown"
    assert assertions or any(secret in str(sent) for secret in SECRETS.values()), "something secret was sent and echoed"
