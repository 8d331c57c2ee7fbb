"""No secret is shown if the server of the `vault` source returns everything that it received.

Every other Vault test is scanned too; here each answer echoes the whole request in the texts that a message is made of.
"""

from __future__ import annotations

import json

import pytest

from standins.loopback import Answer, Loopback, Request

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhcHAifQ.c2VjcmV0LTQ3MTE"
GRANTED = "hvs.granted-by-the-login-4711"
LOGINS = {
    "token": [],
    "approle": ["--role-id=env:ROLE_ID", "--secret-id=env:SECRET"],
    "kubernetes": ["--login-role=r", "--jwt=env:SECRET"],
    "jwt": ["--jwt=env:SECRET"],
    "userpass": ["--user=u", "--password=env:SECRET"],
}


def echo(status: int, grants: bool):
    """A server that responds with what it received, as errors and as data; with `grants`, logins succeed first."""
    def answer(request: Request) -> Answer:
        received = " ".join([request.path, json.dumps(request.headers), *request.headers.values(), request.body.decode()])
        if grants and "/login" in request.path:
            return Answer(200, {"auth": {"client_token": GRANTED, "token_type": "service"}})
        data = {"token": received, "client_id": "c"}
        return Answer(status, {"errors": [received, "no entity"], "error": received, "message": received, "data": data})

    return answer


@pytest.mark.parametrize("status", [200, 400, 403, 404, 412, 503])
@pytest.mark.parametrize("login", list(LOGINS))
@pytest.mark.parametrize("grants", [True, False])
def test_secrets_that_a_server_repeats_are_hidden(program, ledger, audience, status, login, grants):
    """The run fails at every status, and neither the output nor the log contains what was sent."""
    secrets = {"VAULT_TOKEN": "hvs.the-token-at-hand-4711", "SECRET": "p+a/s%s w\"o\\rd-4711", "ROLE_ID": "role-id-4711"}
    if login in ("kubernetes", "jwt"):
        secrets["SECRET"] = JWT
    for name, secret in secrets.items():
        ledger.secret(name, secret)
    ledger.secret("the token of the login", GRANTED)
    with Loopback(echo(status, grants)) as far:
        options = ["--role=google", f"--address={far.url}", f"--login={login}", f"--audience={audience}", "--timeout=4"]
        run = program.run("vault", *options, *LOGINS[login], env=secrets)
        sent = [json.dumps([request.headers, request.body.decode()]) for request in far.requests]
    assert run.status != 0, run.described()
    run.failed(run.document["code"])
    expected = secrets["VAULT_TOKEN"] if login == "token" else json.dumps(json.dumps(secrets["SECRET"]))[1:-1]
    assert expected in sent[0], "the secret was sent, and echoed"
    assert login == "token" or not grants or any(GRANTED in text for text in sent[1:])
