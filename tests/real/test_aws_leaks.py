"""No secret is shown if the services of AWS return everything that they received. The scan would find a secret.

Every other AWS test is scanned too (the `aws` fixture registers keys and tokens); here each server echoes the whole request,
credentials included, in every member that a message might be made of.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from standins.aws_keys import AwsKeys
from standins.aws_sso import cache_name
from standins.loopback import Answer, Loopback, Request
from support.aws_environments import PORTAL, ROLE, SSO_PROFILE, SSO_SESSION
from support.leaks import Ledger
from support.program import Program

TOKENS = {name: f"{name}-secret-4711-0815" for name in ("container", "imds")}
TOKENS["web"] = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhcHAifQ.d2ViLXNlY3JldC00NzExLTA4MTU"
SSO = {".aws/config": f"[default]\nsso_session = corp\n{SSO_PROFILE}{SSO_SESSION}"}
WEB = {"AWS_ROLE_ARN": ROLE + "pod", "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/web-token"}


def echo(status: int):
    """A server that responds with what it received; for IMDS, it first returns a session token."""
    def answer(request: Request) -> Answer:
        if request.path == "/latest/api/token":
            return Answer(200, TOKENS["imds"])
        received = json.dumps([request.path, request.raw_query, request.headers, request.body.decode()])
        received += " " + " ".join(request.headers.values())
        names = ("message", "Message", "code", "Code", "error", "error_description", "__type")
        if "form" in request.headers.get("content-type", ""):
            text = escape(received)
            return Answer(status, f"<ErrorResponse><Error><Code>{text}</Code><Message>{text}</Message></Error></ErrorResponse>")
        return Answer(status, dict.fromkeys(names, received))

    return answer


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("source", ["variables", "web identity", "role", "sso", "sso refresh", "container", "instance"])
def test_secrets_that_a_server_repeats_are_hidden(aws, program, ledger, audience, source, status):
    """The run fails at every status, and neither the output nor the log contains what was sent."""
    session, user = aws.keys.session("app"), aws.keys.user("app")
    for name, token in TOKENS.items():
        ledger.secret(f"the token of {name}", token)
    cached = aws.sso.cached(PORTAL, seconds=-60 if source == "sso refresh" else 3600, refresh=True)
    env, files = {
        "variables": (session.environment(), {}),
        "web identity": (WEB, {"web-token": TOKENS["web"]}),
        "role": ({}, {".aws/config": f"[default]\nrole_arn = {ROLE}a\nsource_profile = s\n[profile s]\n{user.profile()}"}),
        "sso": ({}, SSO | {cache_name("corp"): cached}),
        "sso refresh": ({}, SSO | {cache_name("corp"): cached}),
        "container": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{echo}/c", "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKENS["container"]}, {}),
        "instance": ({}, {}),
    }[source]  # fmt: skip
    for name, text in files.items():
        (program.home / name).parent.mkdir(parents=True, exist_ok=True)
        (program.home / name).write_text(text)
    with Loopback(echo(status)) as far:
        given = {name: far.url if value.startswith("http:") else value for name, value in aws.environment().items()}
        given |= {name: value.format(home=program.home, echo=far.url) for name, value in env.items()}
        run = program.run("aws", f"--audience={audience}", "--timeout=4", env=given)
        sent = json.dumps([(request.headers, request.body.decode()) for request in far.requests])
    assert run.status != 0, run.described()
    run.failed(run.document["code"])
    secrets = [*ledger.secrets.values(), *ledger.tokens.values()]
    assert source == "role" or any(secret in sent for secret in secrets if len(secret) > 8), "something secret was sent and echoed"
    authorization = [request.headers["authorization"] for request in far.requests if "authorization" in request.headers]
    signatures = [value.rpartition("Signature=")[2] for value in authorization]
    assert not any(signature in run.stdout + run.stderr + run.log for signature in signatures), "a signature is shown"


@pytest.mark.parametrize("text", ["{secret}", "{quoted}", "{base64}", "{token}", "{quoted_token}"])
def test_the_scan_knows_the_keys(tmp_path, text):
    """The scan finds each key in the log of a program that writes the key there."""
    home, ledger = tmp_path / "betrayer-home", Ledger()
    home.mkdir()
    key = AwsKeys(ledger).session("app")
    text = text.format(secret=key.secret, quoted=quote(key.secret, safe=""), token=key.token, quoted_token=quote(key.token, safe=""),
                       base64=base64.b64encode(key.secret.encode()).decode())  # fmt: skip
    betrayer = tmp_path / "betrayer"
    betrayer.write_text('#!/bin/sh\nprintf %s "$TEXT" >"${2#--log-file=}"\n')
    betrayer.chmod(0o755)
    Program(home, ledger, betrayer).run("aws", env={"TEXT": text})
    assert ledger.check()
