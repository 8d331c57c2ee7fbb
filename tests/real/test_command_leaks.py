"""No secret is shown if Google's services return everything that they received. The scan would find a secret.

Every other test of the commands is scanned too: what the stand-in gives is registered run by run. Here each server repeats the
whole request in every member that a message might be made of.
"""

from __future__ import annotations

import json

import pytest

from standins.loopback import Answer, Request
from support.commands import Commands
from support.impersonation import CREATOR, principal
from support.leaks import Ledger
from support.program import Program

TARGET = "target@example-project.iam.gserviceaccount.com"
PLACES = {"token": "/v1/token", "account": ":generateAccessToken", "id token": ":generateIdToken", "jwt": ":signJwt",
          "blob": ":signBlob", "person": "/token", "source": "/subject"}  # fmt: skip


def echo(request: Request, status: int) -> Answer:
    """A server that returns everything that it received in each member; a success lacks the requested value."""
    received = json.dumps([request.path, request.headers, request.body.decode()])
    names = ("error", "error_description", "message", "status", "expireTime", "keyId", "issued_token_type")
    nested = {"error": {"code": status, "message": received, "status": received}}
    return Answer(status, nested if "serviceAccounts" in request.path else dict.fromkeys(names, received))


@pytest.fixture
def secrets(ledger) -> dict[str, str]:
    """The secrets that the configuration contains."""
    values = {"client_secret": "client-secret-4711-0815", "header": "url-header-4711-0815"}
    return {name: ledger.secret(f"the {name}", value) for name, value in values.items()}


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("place", list(PLACES))
def test_secrets_that_a_server_repeats_are_hidden(commands, sts, issuer, audience, ledger, secrets, tmp_path, monkeypatch, place, status):
    """The run fails at every status, and neither the output nor the log contains what was sent."""
    token = ledger.token("the subject token", issuer.token("https:" + audience))
    sts.iam.policies.grant(CREATOR, on=TARGET, to=principal(audience))
    sts.delegation.people.add("ann@example.com")
    sts.delegation.authorized[TARGET] = {"https://www.googleapis.com/auth/cloud-platform"}
    (tmp_path / "payload").write_text(json.dumps({"secret": ledger.secret("a claim", "claim-to-sign-4711")}))
    real, echoed = sts._route, []

    def answer(request):
        # The token service would refuse a client for a workload pool, but the echo server does not.
        if request.path.endswith(PLACES[place]) and (request.path == "/v1/token") == (place == "token"):
            echoed.append(json.dumps([request.headers, request.body.decode()]))
            for registered in [*sts.iam.tokens, *sts.delegation.grants]:
                ledger.token("an access token", registered)
            return echo(request, status)
        return Answer(200, token) if request.path == "/subject" else real(request)

    monkeypatch.setattr(sts, "_route", answer)
    client = {"client_id": "app", "client_secret": secrets["client_secret"]} if place == "token" else {}
    commands.configure(audience, {"url": sts.url + "/subject", "headers": {"X-Key": secrets["header"]}}, TARGET, **client)
    words = {
        "token": ["access-token"], "account": ["access-token"], "source": ["access-token"],
        "id token": ["id-token", "--for=https://app.example.com"],
        "jwt": ["sign-jwt", f"--payload={tmp_path / 'payload'}"], "blob": ["sign-blob", f"--file={tmp_path / 'payload'}"],
        "person": ["access-token", "--subject=ann@example.com", f"--oauth-endpoint={sts.oauth_url}"],
    }[place]  # fmt: skip
    kept = [f"--cache-file={tmp_path / 'cache'}"] if words[0] == "access-token" else []
    run = commands.run(*words, *kept, "--timeout=4")
    assert run.status != 0 and echoed, run.described()
    known = [value for value in [*ledger.secrets.values(), *ledger.tokens.values()] if len(value) >= 8]
    assert any(value in echoed[-1] for value in known), "something secret was sent and echoed"


def test_the_scan_knows_the_tokens_of_google(tmp_path, sts, issuer, audience):
    """The scan finds the access token in the log of a program that writes it there."""
    home, ledger = tmp_path / "betrayer-home", Ledger()
    home.mkdir()
    betrayer = tmp_path / "betrayer"
    betrayer.write_text(f"""#!/bin/sh
        log=${{2#--log-file=}}
        curl -s {sts.token_url} --data-urlencode subject_token@{tmp_path}/token -d scope=https://www.googleapis.com/auth/iam \\
            -d subject_token_type=urn:ietf:params:oauth:token-type:jwt --data-urlencode audience={audience} \\
            -d requested_token_type=urn:ietf:params:oauth:token-type:access_token \\
            -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange | tee "$log"
        """)  # fmt: skip
    betrayer.chmod(0o755)
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    assert Commands(tmp_path, Program(home, ledger, betrayer), sts).run("access-token").status == 0
    assert any("access token" in line and "the log" in line for line in ledger.check())
