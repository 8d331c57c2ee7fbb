"""What goes wrong with AWS: each case has its kind, a message that names the thing to do, and gives nothing secret away.

The words asked for here are those that a user must find: an exact command, the statement of a policy, the setting to change.
All secrets of these runs are registered by the `aws` fixture, and the leak scan reads every output and log.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import pytest

from servers.faults import far_end, hang
from standins.aws_keys import ACCOUNT
from standins.aws_refused import AwsRefused
from standins.aws_sso import cache_name
from standins.loopback import Answer, Loopback
from standins.verify_aws import AwsPoolProvider, known_to, verify_aws
from support.aws_environments import PORTAL, ROLE, SSO_LEGACY, SSO_PROFILE, SSO_SESSION

FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
IDENTITY = "--mode=caller-identity"


@pytest.fixture
def run(aws, program, audience):
    """Runs the program with these endpoints; `key` goes into variables, `config` and `credentials` into the home."""

    def run(*options, key=None, config: str = "", credentials: str = "", env=None, audience=audience):
        for name, text in (("config", config), ("credentials", credentials)):
            if text:
                (program.home / ".aws").mkdir(exist_ok=True)
                (program.home / ".aws" / name).write_text(text)
        given = aws.environment() | (key.environment() if key else {}) | (env or {})
        named = [f"--audience={audience}"] if audience else []
        return program.run("aws", *named, *options, env={name: value for name, value in given.items() if value is not None})

    return run


def seconds_of(call) -> float:
    """How long it took."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


# The token


def test_the_account_has_not_opted_in(aws, run):
    """The exact command."""
    aws.sts.refuse["GetWebIdentityToken"] = AwsRefused(
        403, "OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is disabled.")  # fmt: skip
    run(key=aws.keys.user("app")).failed("DENIED", "aws iam enable-outbound-web-identity-federation")


def test_the_permission_is_missing(aws, run):
    """The statement to add, which must be one of IAM."""
    key = aws.keys.session("app")
    aws.sts.refuse["GetWebIdentityToken"] = AwsRefused(
        403, "AccessDenied", f"User: {key.arn} is not authorized to perform: sts:GetWebIdentityToken on resource: *")  # fmt: skip
    message = run(key=key).failed("DENIED", "sts:GetWebIdentityToken")
    statement = json.loads(message[message.index("{") : message.rindex("}") + 1])
    assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")
    assert statement["Action"] in ("sts:GetWebIdentityToken", ["sts:GetWebIdentityToken"])


def test_the_permission_to_tag_is_missing(aws, run):
    """Tags need a permission of their own."""
    key = aws.keys.user("app")
    aws.sts.refuse["GetWebIdentityToken"] = AwsRefused(
        403, "AccessDenied", f"User: {key.arn} is not authorized to perform: sts:TagGetWebIdentityToken on resource: *")  # fmt: skip
    run("--tag=team=a", key=key).failed("DENIED", "sts:TagGetWebIdentityToken")


def test_there_is_no_region(aws, run):
    """Neither in options, variables, profile nor instance."""
    nowhere = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None, "AWS_EC2_METADATA_DISABLED": "true"}
    for mode in ("--mode=jwt", IDENTITY):
        run(mode, key=aws.keys.user("app"), env=nowhere).failed("CONFIGURATION", "--region", "AWS_REGION")
    assert aws.sts.requests == []


def test_the_region_is_none(aws, run):
    """What would become a host name."""
    for region in ("evil.example.test/", "US-EAST-1", "us east"):
        run(IDENTITY, key=aws.keys.user("app"), env={"AWS_REGION": region}).failed("CONFIGURATION", "region")


def test_the_endpoint_is_the_global_one(aws, run):
    """It does not have the action; said before anything is sent there."""
    message = run("--sts-endpoint=https://sts.amazonaws.com", key=aws.keys.user("app")).failed("CONFIGURATION", "regional")
    assert "--sts-endpoint" in message or "--region" in message


def test_the_region_is_the_global_one(aws, run):
    """A name that some SDKs have for it."""
    run("--region=aws-global", key=aws.keys.user("app"), env={"AWS_ENDPOINT_URL_STS": None}).failed("CONFIGURATION", "--region")


def test_the_duration_is_beyond_the_session(aws, run):
    """Variables do not say when the session ends, so that only AWS knows."""
    message = run("--duration=3600", key=aws.keys.session("brief", seconds=1800)).failed("CONFIGURATION", "--duration")
    assert "session" in message


def test_the_duration_is_beyond_a_session_whose_end_is_known(aws, run):
    """The container said when."""
    aws.container.key = aws.keys.session("brief", seconds=1800)
    done = run("--duration=3600", env={FULL_URI: aws.container.url})
    assert done.status != 0 and "--duration" in done.failed(done.document["code"])


@pytest.mark.parametrize("options, words", [
    (["--duration=59"], ["--duration", "60"]),
    (["--duration=3601"], ["--duration", "3600"]),
    (["--tag=team"], ["--tag"]),
    (["--mode=saml"], ["--mode", "caller-identity"]),
    (["--profil=x"], ["--profile"]),
    (["--sts-endpoint=sts"], ["--sts-endpoint"]),
])  # fmt: skip
def test_the_command_line_is_wrong(aws, run, options, words):
    """Before anything is opened."""
    run(*options, key=aws.keys.user("app")).failed("USAGE", *words)


def test_the_tags_are_too_large(aws, run):
    """JWTPayloadSizeExceededException."""
    tags = [f"--tag=key{number}={'v' * 250}" for number in range(10)]
    done = run(*tags, key=aws.keys.user("app"))
    assert done.document["code"] in ("CONFIGURATION", "DENIED") and "--tag" in done.failed(done.document["code"])


def test_there_is_no_audience(aws, run):
    """Both modes need it."""
    for mode in ("--mode=jwt", IDENTITY):
        done = run(mode, key=aws.keys.user("app"), audience=None)
        assert done.document["code"] in ("USAGE", "CONFIGURATION")
        assert "--audience" in done.failed(done.document["code"])


def test_the_partition_is_china(aws, run):
    """Google asks no host there, which is said before the token is refused elsewhere."""
    run(IDENTITY, "--region=cn-north-1", key=aws.keys.user("app")).failed("CONFIGURATION", "--mode=jwt")


@pytest.mark.parametrize("clock", [-7200, 7200])
def test_the_clock_is_wrong(aws, run, clock):
    """AWS refuses the signature, and its own clock says why."""
    aws.sts.clock = clock
    message = run(key=aws.keys.user("app")).failed("CONFIGURATION", "clock")
    assert "7200" in message or "120" in message or "2 h" in message


def test_the_clock_is_wrong_for_google(aws, run):
    """What an instance's answer tells of the time, with the request signed here."""
    aws.sts.clock = -7200
    config = f"[default]\nrole_arn = {ROLE}app\nsource_profile = s\n"
    run(IDENTITY, config=config, credentials="[s]\n" + aws.keys.user("app").profile()).failed("CONFIGURATION", "clock")


@pytest.mark.parametrize("change, kind, word", [
    ({"id": "AKIA" + "Y" * 16}, "DENIED", "InvalidClientTokenId"),
    ({"secret": "y" * 40}, "DENIED", "SignatureDoesNotMatch"),
    ({"token": "IQoJ" + "y" * 40}, "DENIED", "InvalidClientTokenId"),
])  # fmt: skip
def test_the_keys_are_wrong(aws, run, change, kind, word):
    """AWS's code, in which one can look it up."""
    wrong = replace(aws.keys.session("app"), **change)
    run(key=wrong).failed(kind, word)


def test_the_session_is_over(aws, run):
    """Only AWS knows, since variables do not say."""
    run(key=aws.keys.session("over", seconds=-60)).failed("EXPIRED", "ExpiredToken")


def test_half_of_the_keys(aws, run):
    """The chain stops and names the variable."""
    message = run(env={"AWS_ACCESS_KEY_ID": "AKIAHALF"}, credentials="[default]\n" + aws.keys.user("file").profile())
    message.failed("CONFIGURATION", "AWS_SECRET_ACCESS_KEY")


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
def test_a_variable_ends_in_a_blank(aws, run, audience, name, end):
    """As `export X=$(cat file)` does not, but a secret store may: trimmed, or refused by its name, never signed with."""
    env = aws.keys.session("app").environment()
    done = run(IDENTITY, env=env | {name: env[name] + end})
    if done.status == 0:
        provider = AwsPoolProvider(audience, ACCOUNT, known_to(aws.keys))
        assert verify_aws(done.token, provider)
    else:
        done.failed("CONFIGURATION", name)


def test_the_audience_is_no_header(aws, run):
    """It becomes one, which Google compares with the name of its pool provider."""
    done = run(IDENTITY, key=aws.keys.user("app"), audience="//iam.googleapis.com/projects/é")
    assert done.document["code"] in ("USAGE", "CONFIGURATION") and "--audience" in done.failed(done.document["code"])


# The far end


@pytest.mark.parametrize("variable, files", [
    ("AWS_ENDPOINT_URL_STS", {}),
    (FULL_URI, {}),
    ("AWS_ENDPOINT_URL_SSO", {"config": "[default]\nsso_session = corp\n" + SSO_PROFILE + SSO_SESSION}),
    ("AWS_ENDPOINT_URL_SSO_OIDC", {"config": "[default]\nsso_session = corp\n" + SSO_PROFILE + SSO_SESSION}),
])  # fmt: skip
def test_a_far_end_never_answers(aws, run, program, variable, files):
    """The run ends by its own deadline, whichever service it is that hangs."""
    sign_in(aws, program, True, seconds=3600 if variable != "AWS_ENDPOINT_URL_SSO_OIDC" else -60, refresh=True)
    with far_end(hang) as far:
        key = aws.keys.user("app") if variable == "AWS_ENDPOINT_URL_STS" else None
        runs: list = []
        took = seconds_of(
            lambda: runs.append(run("--timeout=1", key=key, env={variable: far.url.removesuffix("/token")}, **files))
        )
        assert far.requests, "it was asked"
    assert took < 30, "the far end would keep it for a minute"
    runs[0].failed("UNREACHABLE", "--timeout")


@pytest.mark.parametrize("status, body, kind", [
    (200, "<html>Please log in</html>", "PROTOCOL"),
    (200, "", "PROTOCOL"),
    (200, '<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"/>', "PROTOCOL"),
    (200, "<a><WebIdentityToken>b0gus-4711</WebIdentityToken><Expiration>2099-01-01T00:00:00Z</Expiration></a>", "PROTOCOL"),
    (503, "busy", "UNREACHABLE"),
    (500, "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>", "UNREACHABLE"),
    (307, "", "CONFIGURATION"),
])  # fmt: skip
def test_sts_answers_something_else(aws, run, status, body, kind):
    """A portal, a proxy, a bad day; a redirect would carry the signature elsewhere."""
    with Loopback(lambda request: Answer(status, body, {"Location": aws.sts.url, "Content-Type": "text/xml"})) as other:
        done = run("--timeout=6", f"--sts-endpoint={other.url}", key=aws.keys.user("app"))
        message = done.failed(kind)
    assert aws.sts.requests == [] and "log in" not in message and "b0gus" not in message


def test_sts_is_not_there(aws, run):
    """Refused connection; plain http to another host is refused before it is tried."""
    with Loopback(lambda request: Answer(200, "")) as gone:
        url = gone.url
    run("--timeout=3", f"--sts-endpoint={url}", key=aws.keys.user("app")).failed("UNREACHABLE", url.removeprefix("http://"))
    run("--sts-endpoint=http://sts.example.test", key=aws.keys.user("app")).failed("CONFIGURATION", "http")


def test_a_throttled_call_is_made_again(aws, run):
    """Once is enough here."""
    aws.sts.fail_first["GetWebIdentityToken"] = AwsRefused(400, "Throttling", "Rate exceeded")
    done = run(key=aws.keys.user("app"))
    assert done.status == 0 or "again" in done.failed("UNREACHABLE")


# Web identity


def web(home, **more) -> dict[str, str]:
    """The variables of a pod."""
    return {"AWS_ROLE_ARN": ROLE + "pod", "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "web-token"), **more}


@pytest.mark.parametrize("content", [None, "", "\n", "directory"])
def test_the_token_file_is_missing_or_empty(aws, run, program, content):
    """Its variable and its path."""
    path = program.home / "web-token"
    if content == "directory":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    done = run(env=web(program.home), credentials="[default]\n" + aws.keys.user("file").profile())
    assert done.document["code"] in ("ABSENT", "CONFIGURATION"), done.described()
    message = done.failed(done.document["code"], "AWS_WEB_IDENTITY_TOKEN_FILE")
    assert str(path) in message or content == "\n" or content == ""


def test_web_identity_without_a_role(aws, run, program):
    """The other variable is named."""
    (program.home / "web-token").write_text("a.b.c")
    env = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(program.home / "web-token")}
    run(env=env).failed("CONFIGURATION", "AWS_ROLE_ARN")


@pytest.mark.parametrize("code, status, kind", [
    ("AccessDenied", 403, "DENIED"), ("InvalidIdentityToken", 400, "DENIED"), ("ExpiredTokenException", 400, "EXPIRED"),
])  # fmt: skip
def test_web_identity_is_refused(aws, run, program, ledger, code, status, kind):
    """The pod's token is not in the message."""
    (program.home / "web-token").write_text(ledger.secret("the pod's token", "eyJpod.token-of-the.pod-4711"))
    aws.sts.refuse["AssumeRoleWithWebIdentity"] = AwsRefused(status, code, "Not authorized: eyJpod.token-of-the.pod-4711")
    run(env=web(program.home)).failed(kind, code)


def test_web_identity_is_tried_again_when_aws_did_not_reach_the_issuer(aws, run, program):
    """IDPCommunicationError is the one error that AWS's documentation calls worth a retry."""
    (program.home / "web-token").write_text("a.b.c")
    aws.sts.fail_first["AssumeRoleWithWebIdentity"] = AwsRefused(400, "IDPCommunicationError", "could not reach the IdP")
    assert run(IDENTITY, env=web(program.home)).token
    aws.sts.refuse["AssumeRoleWithWebIdentity"] = AwsRefused(400, "IDPCommunicationError", "could not reach the IdP")
    run(IDENTITY, env=web(program.home)).failed("UNREACHABLE", "IDPCommunicationError")


# Profiles


def test_the_profile_is_unknown(aws, run):
    """The known are listed."""
    files = {"config": "[profile alpha]\nregion = x\n[default]\n", "credentials": "[beta]\n" + aws.keys.user("file").profile()}
    for how in ({"env": {"AWS_PROFILE": "gamma"}}, {}):
        run(*(() if how else ("--profile=gamma",)), **files, **how).failed("CONFIGURATION", "gamma", "alpha", "beta", "default")


def test_the_source_profile_is_unknown(aws, run):
    """The known are listed here too."""
    config = f"[profile a]\nrole_arn = {ROLE}a\nsource_profile = gamma\n"
    run("--profile=a", config=config, credentials="[beta]\n" + aws.keys.user("file").profile()).failed(
        "CONFIGURATION", "gamma", "beta"
    )


def test_the_source_profiles_go_round(aws, run):
    """All of the loop is named."""
    config = "".join(
        f"[profile {name}]\nrole_arn = {ROLE}{name}\nsource_profile = {source}\n" for name, source in ("ab", "bc", "ca")
    )
    run("--profile=a", config=config).failed("CONFIGURATION", "source_profile", "a", "b", "c")


def test_the_profile_wants_a_code(aws, run):
    """Nobody can be asked for it."""
    config = f"[default]\nrole_arn = {ROLE}a\nsource_profile = s\nmfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\n"
    run(config=config, credentials="[s]\n" + aws.keys.user("file").profile()).failed("CONFIGURATION", "MFA", "mfa_serial")


def test_the_role_does_not_trust_the_caller(aws, run):
    """The role is named."""
    aws.sts.external_ids[ROLE + "a"] = "x-4711"
    config = f"[default]\nrole_arn = {ROLE}a\nsource_profile = s\n"
    run(config=config, credentials="[s]\n" + aws.keys.user("file").profile()).failed("DENIED", ROLE + "a")


# Programs


def process(line: str) -> dict[str, str]:
    """A profile with this credential_process."""
    return {"config": f"[default]\ncredential_process = {line}\n"}


@pytest.mark.parametrize("line, kind, words", [
    ("@home@/tool fail", "DENIED CONFIGURATION ABSENT UNREACHABLE", ["credential_process"]),
    ("@home@/no-such-tool", "CONFIGURATION ABSENT", ["credential_process", "no-such-tool"]),
    ("@home@/tool garbage", "PROTOCOL", ["credential_process"]),
    ("@home@/tool empty", "PROTOCOL", ["credential_process"]),
    ("@home@/tool version", "PROTOCOL", ["credential_process", "version"]),
    ("@home@/tool half", "PROTOCOL", ["credential_process", "SecretAccessKey"]),
    ("@home@/tool over", "EXPIRED", ["profile"]),
    ("@home@/tool hang", "UNREACHABLE", ["credential_process", "--timeout"]),
    ("@home@/tool lines", "PROTOCOL CONFIGURATION", ["credential_process"]),
])  # fmt: skip
def test_the_program_is_no_use(run, program, ledger, line, kind, words):
    """It fails, is not there, prints what it should not, or never ends; nothing that it printed shows."""
    secret = ledger.secret("what the tool printed", "tool-printed-secret-4711")
    tool = program.home / "tool"
    tool.write_text(f"""#!/bin/sh
case $1 in
fail) echo '{secret}' >&2; echo '{secret}'; exit 3 ;;
garbage) echo '{secret}' ;;
empty) ;;
version) echo '{{"Version": 2, "AccessKeyId": "A", "SecretAccessKey": "{secret}"}}' ;;
half) echo '{{"Version": 1, "AccessKeyId": "A", "SessionToken": "{secret}"}}' ;;
over) echo '{{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "{secret}", "Expiration": "2020-01-01T00:00:00Z"}}' ;;
hang) exec sleep 60 ;;
lines) printf '%s' '{{"Version": 1, "AccessKeyId": "AKIAX", "SecretAccessKey": "{secret}", "SessionToken": "{secret}\\ntwo"}}' ;;
esac
""")
    tool.chmod(0o755)
    words_of_line = process(line.replace("@home@", str(program.home)))
    done = run(IDENTITY, "--timeout=2", **words_of_line)
    assert done.document["code"] in kind.split(), done.described()
    done.failed(done.document["code"], *words)


# IAM Identity Center


def sign_in(aws, program, session: bool, **how):
    """Leaves a token of `aws sso login` in the home."""
    path = program.home / cache_name("corp" if session else PORTAL)
    path.parent.mkdir(parents=True)
    path.write_text(aws.sso.cached(PORTAL, **how))


SSO = {True: f"[profile dev]\nsso_session = corp\n{SSO_PROFILE}{SSO_SESSION}", False: f"[profile dev]\n{SSO_LEGACY}"}


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize("how", [None, {"seconds": -60}, {"token": "unknown-sso-token-4711"}])
def test_the_sign_in_is_over(aws, run, program, ledger, session, how):
    """Never made, over by its own word, or by the portal's."""
    ledger.secret("the stale token", "unknown-sso-token-4711")
    aws.sso.allow("Reader")
    if how is not None:
        sign_in(aws, program, session, **how)
    done = run("--profile=dev", config=SSO[session])
    assert done.document["code"] in (("ABSENT", "CONFIGURATION", "EXPIRED") if how is None else ("EXPIRED",)), done.described()
    done.failed(done.document["code"], "aws sso login --profile dev")


def test_the_sign_in_cannot_be_renewed(aws, run, program):
    """The refresh token is refused."""
    aws.sso.allow("Reader")
    aws.sso.refresh_tokens.clear()
    sign_in(aws, program, True, seconds=-60, refresh=True)
    run("--profile=dev", config=SSO[True]).failed("EXPIRED", "aws sso login --profile dev")


def test_the_role_is_not_assigned(aws, run, program):
    """Signed in, but not for this."""
    sign_in(aws, program, True)
    run("--profile=dev", config=SSO[True]).failed("DENIED", "sso_role_name", "dev")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"accessToken": 1}', '{"accessToken": "sso-access-token-fresh-1"}'])
def test_the_cache_is_broken(aws, run, program, content):
    """The same advice."""
    path = program.home / cache_name("corp")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    done = run("--profile=dev", config=SSO[True])
    assert done.status != 0, done.described()
    done.failed(done.document["code"], "aws sso login --profile dev")


def test_the_session_section_is_missing(aws, run):
    """Its name, and where it belongs."""
    run("--profile=dev", config=f"[profile dev]\nsso_session = corp\n{SSO_PROFILE}").failed(
        "CONFIGURATION", "corp", "sso-session"
    )


# Containers and instances


@pytest.mark.parametrize("uri", ["http://192.0.2.1/c", "http://metadata.example.test/c", "http://169.254.170.3/c",
                                 "http://127.0.0.1.example.test/c", "http://user@192.0.2.1/c",
                                 "file:///etc/passwd", "not a uri"])  # fmt: skip
def test_the_container_s_host_is_forbidden(aws, run, ledger, uri):
    """The variable is named; the token goes nowhere."""
    ledger.secret("the container's token", "container-token-4711")
    run(IDENTITY, env={FULL_URI: uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token-4711"}).failed(
        "CONFIGURATION", FULL_URI
    )


def test_the_relative_uri_is_none(run):
    """It must not name a host of its own: every request in the log goes to the container's address."""
    for uri in ("//192.0.2.1/c", "http://192.0.2.1/c", "@192.0.2.1/c", ":80@192.0.2.1/c", ".example.test/c"):
        done = run(IDENTITY, "--timeout=2", env={"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": uri})
        asked = re.findall(r"GET (\S+)", done.log)
        assert done.status != 0 and all(url.startswith("http://169.254.170.2/") for url in asked), done.described()


@pytest.mark.parametrize("token", ["two\nlines-4711", "cr\rlf-token-4711"])
def test_the_container_s_token_is_none(run, ledger, token, aws, program):
    """It becomes a header."""
    ledger.secret("the container's token", token)
    (program.home / "t").write_bytes(token.encode())
    for env, name in (
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN": token}, "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(program.home / "t")}, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    ):
        run(IDENTITY, env={FULL_URI: aws.container.url, **env}).failed("CONFIGURATION", name)
    assert aws.container.requests == []


def test_the_container_s_token_file_is_missing(run, program, aws):
    """Its variable."""
    env = {FULL_URI: aws.container.url, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(program.home / "absent")}
    done = run(IDENTITY, env=env)
    assert done.document["code"] in ("ABSENT", "CONFIGURATION")
    done.failed(done.document["code"], "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")


@pytest.mark.parametrize("status, document, kind", [
    (401, {"code": "AccessDenied"}, "DENIED"),
    (403, {"code": "AccessDenied"}, "DENIED"),
    (404, {"code": "NoSuchCredential"}, "ABSENT CONFIGURATION PROTOCOL"),
    (500, None, "UNREACHABLE"),
    (200, {"Token": "container-session-token-4711"}, "PROTOCOL"),
    (200, {"AccessKeyId": "ASIAX", "SecretAccessKey": "s", "Token": "container-session-token-4711\nX-Header: x"}, "PROTOCOL"),
    (200, "<html/>", "PROTOCOL"),
])  # fmt: skip
def test_the_container_gives_nothing(aws, run, ledger, status, document, kind):
    """The chain stops there, although an instance has a role."""
    ledger.secret("the answer", "container-session-token-4711")
    aws.imds.key = aws.keys.session("instance")
    aws.container.status, aws.container.document = status, document
    done = run(IDENTITY, "--timeout=6", env={FULL_URI: aws.container.url + "/c"})
    assert done.document["code"] in kind.split(), done.described()
    assert aws.imds.requests == []
    done.failed(done.document["code"])


def test_the_hop_limit_keeps_the_container_out(aws, run):
    """The PUT hangs: one second, and the name of the thing."""
    aws.imds.faults = {"put": "hang"}
    messages: list[str] = []
    took = seconds_of(lambda: messages.append(run(IDENTITY).failed("ABSENT", "hop limit")))
    assert took < 15, "the PUT has one second, the run has 25"
    assert "http-put-response-hop-limit" in messages[0]


@pytest.mark.parametrize("faults, kind, words", [
    ({"put": 403}, "ABSENT", ["403"]),
    ({"put": 404}, "ABSENT", ["404"]),
    ({"put": 401}, "ABSENT DENIED", ["401"]),
    ({"list": 401}, "DENIED", ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "401"]),
    ({"list": 404}, "ABSENT", ["role"]),
    ({"role": 401}, "DENIED", ["401"]),
    ({"role": 403}, "DENIED", ["403"]),
    ({"role": 404}, "ABSENT DENIED PROTOCOL CONFIGURATION", ["404"]),
    ({"role": 500}, "UNREACHABLE", ["500"]),
])  # fmt: skip
def test_the_instance_says_no(aws, run, faults, kind, words):
    """At each of its three steps."""
    aws.imds.key, aws.imds.faults = aws.keys.session("instance"), faults
    done = run(IDENTITY, "--timeout=6")
    assert done.document["code"] in kind.split(), done.described()
    done.failed(done.document["code"], *words)


def test_the_instance_s_role_gives_nothing(aws, run):
    """Its own code."""
    aws.imds.key, aws.imds.document = (
        aws.keys.session("instance"),
        {"Code": "AssumeRoleUnauthorizedAccess", "Message": "cannot be assumed"},
    )
    run(IDENTITY).failed("DENIED", "AssumeRoleUnauthorizedAccess", "instance-role")


def test_there_is_nothing_at_all(run):
    """Every place that was looked at, and why it did not do."""
    places = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
              "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_DISABLED")  # fmt: skip
    run(env={"AWS_EC2_METADATA_DISABLED": "true"}).failed("ABSENT", *places)


def test_an_explicit_profile_says_so(run):
    """The environment was not looked at, and that is said."""
    env = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}
    run("--profile=x", config="[profile x]\nregion = us-east-1\n", env=env).failed("ABSENT", "--profile")
