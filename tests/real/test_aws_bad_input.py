"""Runs with AWS that fail and whose outcome depends on what the stand-in judges (signatures, clocks, sessions) or on time.

The messages of the other failures are in tests/scenarios/aws and tests/transcripts/aws.txt. All secrets of these runs are
registered by the `aws` fixture, and the leak scan reads every output and log.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from servers.faults import far_end, hang
from standins.aws_keys import ACCOUNT
from standins.aws_sso import cache_name
from standins.verify_aws import AwsPoolProvider, known_to, verify_aws
from support.aws_environments import PORTAL, ROLE, SSO_PROFILE, SSO_SESSION

FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
IDENTITY = "--mode=caller-identity"


@pytest.fixture
def run(aws, program, audience):
    """Runs the program with these endpoints; `key` becomes variables, and `config` and `credentials` become files in the
    home.
    """

    def run(*options, key=None, config: str = "", credentials: str = "", env=None):
        for name, text in (("config", config), ("credentials", credentials)):
            if text:
                (program.home / ".aws").mkdir(exist_ok=True)
                (program.home / ".aws" / name).write_text(text)
        given = aws.environment() | (key.environment() if key else {}) | (env or {})
        return program.run("aws", f"--audience={audience}", *options, env=given)

    return run


def seconds_of(call) -> float:
    """The duration of a run in seconds."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_the_duration_exceeds_the_session(aws, run):
    """Variables do not say when the session expires, so only AWS knows."""
    message = run("--duration=3600", key=aws.keys.session("brief", seconds=1800)).failed("CONFIGURATION", "--duration")
    assert "session" in message


def test_the_duration_exceeds_a_session_with_a_known_expiry(aws, run):
    """The container endpoint returned the expiry of the session."""
    aws.container.key = aws.keys.session("brief", seconds=1800)
    done = run("--duration=3600", env={FULL_URI: aws.container.url})
    assert done.status != 0 and "--duration" in done.failed(done.document["code"])


def test_the_tags_are_too_large(aws, run):
    """AWS responds with JWTPayloadSizeExceededException."""
    tags = [f"--tag=key{number}={'v' * 250}" for number in range(10)]
    done = run(*tags, key=aws.keys.user("app"))
    assert done.document["code"] in ("CONFIGURATION", "DENIED") and "--tag" in done.failed(done.document["code"])


@pytest.mark.parametrize("clock", [-7200, 7200])
def test_the_clock_is_wrong(aws, run, clock):
    """AWS refuses the signature, and its response shows the correct time."""
    aws.sts.clock = clock
    message = run(key=aws.keys.user("app")).failed("CONFIGURATION", "clock")
    assert "7200" in message or "120" in message or "2 h" in message


def test_the_clock_is_wrong_for_google(aws, run):
    """The response of the instance shows the correct time; the request is signed without AWS."""
    aws.sts.clock = -7200
    config = f"[default]\nrole_arn = {ROLE}app\nsource_profile = s\n"
    run(IDENTITY, config=config, credentials="[s]\n" + aws.keys.user("app").profile()).failed("CONFIGURATION", "clock")


@pytest.mark.parametrize("change, kind, word", [
    ({"id": "AKIA" + "Y" * 16}, "DENIED", "InvalidClientTokenId"),
    ({"secret": "y" * 40}, "DENIED", "SignatureDoesNotMatch"),
    ({"token": "IQoJ" + "y" * 40}, "DENIED", "InvalidClientTokenId"),
])  # fmt: skip
def test_the_keys_are_wrong(aws, run, change, kind, word):
    """The message contains AWS's code."""
    wrong = replace(aws.keys.session("app"), **change)
    run(key=wrong).failed(kind, word)


def test_the_session_has_expired(aws, run):
    """Only AWS knows, because variables do not contain the expiry."""
    run(key=aws.keys.session("over", seconds=-60)).failed("EXPIRED", "ExpiredToken")


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
def test_a_variable_ends_with_a_space(aws, run, audience, name, end):
    """A secret store may add a space, although `export X=$(cat file)` does not. The program trims the value, or refuses
    it with a message that names the variable, but never uses the space."""
    env = aws.keys.session("app").environment()
    done = run(IDENTITY, env=env | {name: env[name] + end})
    if done.status == 0:
        provider = AwsPoolProvider(audience, ACCOUNT, known_to(aws.keys))
        assert verify_aws(done.token, provider)
    else:
        done.failed("CONFIGURATION", name)


def sign_in(aws, program, **how):
    """Writes a token of `aws sso login` into the home."""
    path = program.home / cache_name("corp")
    path.parent.mkdir(parents=True)
    path.write_text(aws.sso.cached(PORTAL, **how))


@pytest.mark.parametrize("variable, files", [
    ("AWS_ENDPOINT_URL_STS", {}),
    (FULL_URI, {}),
    ("AWS_ENDPOINT_URL_SSO", {"config": "[default]\nsso_session = corp\n" + SSO_PROFILE + SSO_SESSION}),
    ("AWS_ENDPOINT_URL_SSO_OIDC", {"config": "[default]\nsso_session = corp\n" + SSO_PROFILE + SSO_SESSION}),
])  # fmt: skip
def test_a_server_never_responds(aws, run, program, variable, files):
    """The run ends at its own deadline, whichever service does not respond."""
    sign_in(aws, program, seconds=3600 if variable != "AWS_ENDPOINT_URL_SSO_OIDC" else -60, refresh=True)
    with far_end(hang) as far:
        key = aws.keys.user("app") if variable == "AWS_ENDPOINT_URL_STS" else None
        runs: list = []
        took = seconds_of(
            lambda: runs.append(run("--timeout=1", key=key, env={variable: far.url.removesuffix("/token")}, **files))
        )
        assert far.requests, "the server received a request"
    assert took < 30, "the server would delay the run for a minute"
    runs[0].failed("UNREACHABLE", "--timeout")


def test_the_role_does_not_trust_the_caller(aws, run):
    """The message names the role."""
    aws.sts.external_ids[ROLE + "a"] = "x-4711"
    config = f"[default]\nrole_arn = {ROLE}a\nsource_profile = s\n"
    run(config=config, credentials="[s]\n" + aws.keys.user("file").profile()).failed("DENIED", ROLE + "a")


def test_the_relative_uri_is_not_a_path(run):
    """The URI must not name a host: every request in the log goes to the address of the container endpoint."""
    for uri in ("//192.0.2.1/c", "http://192.0.2.1/c", "@192.0.2.1/c", ":80@192.0.2.1/c", ".example.test/c"):
        done = run(IDENTITY, "--timeout=2", env={"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": uri})
        asked = re.findall(r"GET (\S+)", done.log)
        assert done.status != 0 and all(url.startswith("http://169.254.170.2/") for url in asked), done.described()


@pytest.mark.parametrize("token", ["two\nlines-4711", "cr\rlf-token-4711"])
def test_the_container_s_token_has_a_line_break(run, ledger, token, aws):
    """The variable becomes a header. For a token in a file, see tests/scenarios/aws."""
    env = {FULL_URI: aws.container.url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": ledger.secret("the container's token", token)}
    run(IDENTITY, env=env).failed("CONFIGURATION", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    assert aws.container.requests == []


def test_the_hop_limit_excludes_the_container(aws, run):
    """The PUT request gets no response. The run waits one second, and names the hop limit."""
    aws.imds.faults = {"put": "hang"}
    done = run(IDENTITY)
    done.failed("ABSENT", "hop limit")
    assert done.seconds < 15, "the PUT request may take one second, the run 25"
    assert "http-put-response-hop-limit" in done.log
