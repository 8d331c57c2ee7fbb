"""`access-token` sends the same requests as Google's own clients for every type of configuration, and gets the same tokens.

The stand-ins verify the subject token and the policies; what they received from the program is compared with what they received
from google-auth and from gcloud.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass, replace

import pytest
from google.auth import aws as google_aws
from google.auth import identity_pool, pluggable
from google.auth.transport.requests import Request

from standins.aws_keys import ACCOUNT
from standins.loopback import Answer, Loopback
from standins.sts import DEPLOYER
from standins.verify_aws import AwsPoolProvider, known_to
from standins.verify_jwt import OidcPoolProvider
from support.clients import ALLOW
from support.commands import Received
from support.impersonation import (
    CLOUD_PLATFORM,
    CREATOR,
    FIRST,
    SECOND,
    STORAGE,
    google_impersonation,
    grant_chain,
    lead_to,
    principal,
)
from support.places import need
from support.program import JWT

AWS4_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/people/providers/idp"
TARGET = "target@example-project.iam.gserviceaccount.com"
# In seconds: longer than any pause or deadline of these tests, even on a busy machine.
FAR_TOO_LONG = 15
KINDS = ["file", "file of JSON", "url", "url of JSON", "wif-token", "executable", "output file", "aws"]


@pytest.fixture
def token(issuer, audience) -> str:
    """A token of the trusted issuer."""
    return issuer.token("https:" + audience)


@pytest.fixture
def token_server(ledger, token):
    """A server that returns the token as text and as JSON, to clients that send the secret."""
    secret = ledger.secret("the header of the configuration", "url-header-4711-0815")

    def answer(request):
        if request.headers.get("x-secret") != secret:
            return Answer(401, {"error": f"not {request.headers.get('x-secret')}"})
        return Answer(200, {"value": token} if request.path == "/json" else token)

    with Loopback(answer) as found:
        yield found, {"X-Secret": secret}


@dataclass
class Configured:
    """An installed configuration; `env` contains its variables, and `google` is the class of google-auth for it."""

    env: dict[str, str]
    google: type


@pytest.fixture
def configured(commands, sts, audience, token, token_server, tmp_path, request):
    """Writes a configuration of this kind."""
    def configure(kind: str, email: str | None, **more) -> Configured:
        (tmp_path / "token").write_text(token)
        (tmp_path / "token.json").write_text(json.dumps({"value": token}))
        server, headers = token_server
        as_json = {"type": "json", "subject_token_field_name": "value"}
        document = {"version": 1, "success": True, "token_type": JWT, "id_token": token, "expiration_time": int(time.time()) + 900}
        (tmp_path / "document").write_text(json.dumps(document))
        foreign = tmp_path / "foreign"
        foreign.write_text(f"#!/bin/sh\ncat {tmp_path}/document\n")
        foreign.chmod(0o755)
        own = f"{commands.program.path} env --name=T"
        kept = {"command": "/no/such/program", "output_file": str(tmp_path / "document")}
        source, google, env = {
            "file": ({"file": str(tmp_path / "token")}, identity_pool.Credentials, {}),
            "file of JSON": ({"file": str(tmp_path / "token.json"), "format": as_json}, identity_pool.Credentials, {}),
            "url": ({"url": server.url + "/text", "headers": headers}, identity_pool.Credentials, {}),
            "url of JSON": ({"url": server.url + "/json", "headers": headers, "format": as_json}, identity_pool.Credentials, {}),
            "wif-token": ({"executable": {"command": own}}, pluggable.Credentials, {ALLOW: "1", "T": token}),
            "executable": ({"executable": {"command": str(foreign)}}, pluggable.Credentials, {ALLOW: "1"}),
            "output file": ({"executable": kept}, pluggable.Credentials, {ALLOW: "1"}),
            "aws": ({"environment_id": "aws1", "regional_cred_verification_url":
                     "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}, google_aws.Credentials, {}),
        }[kind]  # fmt: skip
        if kind == "aws":
            aws = request.getfixturevalue("aws")
            sts.add(AwsPoolProvider(audience, ACCOUNT, known_to(aws.keys)))
            env = aws.environment() | aws.keys.session("app").environment()
        commands.configure(audience, source, email, token_type=AWS4_REQUEST if kind == "aws" else JWT, **more)
        return Configured(env, google)

    return configure


def asked_by_google(commands, sts, google: type, env: dict[str, str], monkeypatch) -> Received:
    """Gets a token with google-auth and the same configuration, and returns what was requested."""
    lead_to(sts, monkeypatch)
    for name, value in {ALLOW: "1", **env}.items():
        monkeypatch.setenv(name, value)
    credentials = google.from_file(str(commands.path), scopes=[CLOUD_PLATFORM])
    credentials.refresh(Request())
    assert credentials.token in sts.iam.tokens
    return Received.last(sts)


@pytest.mark.parametrize("email", [None, DEPLOYER])
@pytest.mark.parametrize("kind", KINDS)
def test_sends_the_same_requests_as_google_auth(commands, sts, configured, monkeypatch, kind, email):
    """The audience, token, scope, account and lifetime are the same. Before an impersonation, google-auth requests the
    scope iam in the exchange; the program and Google's other libraries request cloud-platform.
    """
    there = configured(kind, email, **({"service_account_impersonation": {"token_lifetime_seconds": 1234}} if email else {}))
    found = commands.output("access-token", env=there.env)
    assert sts.impersonated.get(found) == email and (email or found in sts.issued)
    ours = Received.last(sts)
    assert ours.scope == CLOUD_PLATFORM and (ours.lifetime, ours.account) == (("1234s", email) if email else ("", ""))
    theirs = asked_by_google(commands, sts, there.google, there.env, monkeypatch)
    assert ours == replace(theirs, scope=CLOUD_PLATFORM)
    assert theirs.scope == (CLOUD_PLATFORM if email is None else "https://www.googleapis.com/auth/iam")


@pytest.mark.parametrize("email", [None, DEPLOYER])
@pytest.mark.parametrize("kind", KINDS)
def test_sends_the_same_requests_as_gcloud(commands, clients, sts, configured, tmp_path, kind, email):
    """The requests are the same with the scopes of gcloud, except that gcloud adds its own public client ID without an
    impersonation.
    """
    there = configured(kind, email)
    outcome = clients.run("gcloud", commands.path, env=there.env)
    assert outcome.access_token in sts.iam.tokens
    theirs = Received.last(sts)
    scopes = theirs.scopes or theirs.scope.split()
    commands.output("access-token", f"--scope={','.join(scopes)}", env=there.env)
    ours = Received.last(sts)
    assert ours == replace(theirs, client="", scope=ours.scope)
    assert bool(theirs.client) == (email is None)
    assert ours.scope == (CLOUD_PLATFORM if email else theirs.scope)


def test_a_workforce_pool_request_names_the_billing_project(commands, sts, issuer, tmp_path, monkeypatch):
    """The option is that of google-auth. It is not sent with a client ID, because the client has its own project."""
    sts.add(OidcPoolProvider(WORKFORCE, issuer.url))
    sts.clients["the app"] = commands.program.ledger.secret("the client's secret", "client-secret-4711")
    (tmp_path / "token").write_text(issuer.token("https:" + WORKFORCE))
    client = {"client_id": "the app", "client_secret": "client-secret-4711"}
    for more, expected in [({}, ("", {"userProject": "123"})), (client, ("the app", {}))]:
        commands.configure(WORKFORCE, {"file": str(tmp_path / "token")}, None, workforce_pool_user_project="123", **more)
        assert commands.output("access-token") in sts.issued
        ours = Received.last(sts)
        assert (ours.client, ours.options) == expected
        assert ours == asked_by_google(commands, sts, identity_pool.Credentials, {}, monkeypatch)
    sts.clients["the app"] = "another"
    assert "(invalid_client): The OAuth client was not found; check client_id and client_secret" in commands.refused(
        "CONFIGURATION", "access-token", "--scope=devstorage.read_only"
    )


def test_the_program_does_not_run_itself(commands, sts, audience, token, tmp_path):
    """The program recognizes itself by its file, under any name. Without the opt-in, it reads neither its own command
    line nor that of another program with its name."""
    link = tmp_path / "helper"
    link.symlink_to(commands.program.path)
    commands.configure(audience, {"executable": {"command": f"{link} env --name=T"}})
    assert sts.impersonated[commands.output("access-token", env={"T": token})] == DEPLOYER
    assert ALLOW + "=1" in commands.refused("CONFIGURATION", "access-token", env={"T": token, ALLOW: ""})
    for path in ("/no/such/place/wif-token", "C:/no/such/place/wif-token.exe"):
        commands.configure(audience, {"executable": {"command": f"{path} env --name=T"}})
        assert path in commands.refused("ABSENT", "access-token", env={"T": token})


def test_no_process_is_started(commands, sts, audience, token, tmp_path):
    """A run makes only one execve system call, its own."""
    commands.configure(audience, {"executable": {"command": f"{commands.program.path} env --name=T"}})
    trace = tmp_path / "trace"
    env = commands.program.environment({"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path), ALLOW: "1", "T": token})
    words = [need("strace"), "-f", "-e", "trace=execve,fork,vfork", "-o", trace, commands.program.path, "access-token"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout in sts.impersonated
    assert [line for line in trace.read_text().splitlines() if "execve(" in line or "fork(" in line][1:] == []


def test_the_output_file_is_shared_with_the_clients(commands, clients, sts, token_server, audience, tmp_path):
    """The command uses the token that a client cached, and a client uses the one that the command cached. An expired
    token is replaced."""
    server, headers = token_server
    output = tmp_path / "out.json"
    arguments = tmp_path / "arguments"
    arguments.write_text(f"url\n--url={server.url}/text\n--header=X-Secret:env:SECRET\n")
    command = f"{commands.program.path} --args-file={arguments}"
    env = {"SECRET": headers["X-Secret"]}
    commands.configure(audience, {"executable": {"command": command, "output_file": str(output)}})
    for _ in range(2):
        clients.run("python", commands.path, env=env).access_token  # noqa: B018  it asserts
        commands.output("access-token", env=env)
    assert len(server.requests) == 1
    output.write_text("{")
    commands.output("access-token", env=env)
    clients.run("python", commands.path, env=env).access_token  # noqa: B018
    assert len(server.requests) == 2


def test_another_executable_needs_the_opt_in(commands, sts, configured):
    """The opt-in is required, as in every client. Without it, not even the output file is read."""
    for kind in ("executable", "output file"):
        configured(kind, DEPLOYER)
        assert ALLOW + "=1" in commands.refused("CONFIGURATION", "access-token", env={ALLOW: ""})
        assert ALLOW + "=1" in commands.refused("CONFIGURATION", "access-token", env={ALLOW: "true"})
    assert sts.requests == []


def test_a_header_of_the_configuration_stays_secret(commands, token_server, audience):
    """The server repeats what it received, and the leak scan knows the secret."""
    server, headers = token_server
    commands.program.ledger.secret("the wrong header", "wrong-header-4711")
    commands.configure(audience, {"url": server.url + "/text", "headers": {"X-Secret": "wrong-header-4711"}})
    assert "401: not [secret]" in commands.refused("DENIED", "access-token") and server.requests


@pytest.mark.parametrize("delegates", [(FIRST,), (FIRST, SECOND)])
def test_delegates_are_requested_as_google_auth_requests_them(commands, sts, configured, audience, tmp_path, monkeypatch, delegates):
    """The requests for chains with one and two delegates are the same."""
    configured("file", TARGET)
    grant_chain(sts, audience, *delegates, TARGET)
    options = [f"--delegate={email}" for email in delegates]
    assert sts.impersonated[commands.output("access-token", "--lifetime=900", *options)] == TARGET
    ours = Received.last(sts)
    lead_to(sts, monkeypatch)
    theirs = google_impersonation(sts, audience, tmp_path / "token", TARGET, delegates, lifetime=900)
    theirs.refresh(Request())
    assert ours == replace(Received.last(sts), scope=CLOUD_PLATFORM) and ours.delegates == delegates


@pytest.mark.parametrize("given, sent", [
    ("devstorage.read_only", (STORAGE,)),
    ("cloud-platform,bigquery", (CLOUD_PLATFORM, "https://www.googleapis.com/auth/bigquery")),
    ("openid,email,profile", ("openid", "email", "profile")),
    ("https://mail.google.com/", ("https://mail.google.com/",)),
])  # fmt: skip
def test_short_names_of_scopes(commands, sts, configured, given, sent):
    """Short names are completed, for the account and for the exchange."""
    configured("file", DEPLOYER)
    commands.output("access-token", f"--scope={given}")
    assert Received.last(sts).scopes == sent
    configured("file", None)
    commands.output("access-token", f"--scope={given}")
    assert Received.last(sts).scope == " ".join(sent)


def test_lifetimes(commands, sts, configured):
    """A lifetime of more than an hour requires that the organization policy lists the account."""
    configured("file", DEPLOYER)
    now = time.time()
    document = json.loads(commands.output("access-token", "--format=json", "--lifetime=600"))
    assert abs(document["expiration_time"] - now - 600) < 5
    message = commands.refused("CONFIGURATION", "access-token", "--lifetime=7200")
    assert "iam.allowServiceAccountCredentialLifetimeExtension" in message
    sts.iam.extended.add(DEPLOYER)
    document = json.loads(commands.output("access-token", "--format=json", "--lifetime=43200"))
    assert abs(document["expiration_time"] - now - 43200) < 10


def bind(sts, message: str) -> int:
    """Follows the fix of a refusal, as an administrator would, and returns the number of bindings."""
    commands = message.partition("; ")[2].split("gcloud iam service-accounts add-iam-policy-binding ")[1:]
    for command in commands:
        account, role, member = shlex.split(command.replace(";", " "))[:3]
        sts.iam.policies.grant(role.removeprefix("--role=roles/iam."), on=account, to=member.removeprefix("--member="))
    return len(commands)


@pytest.mark.parametrize("command", ["access-token", "id-token --for=https://app.example.com", "sign-jwt --payload={payload}",
                                     "sign-blob --file={payload}"])  # fmt: skip
@pytest.mark.parametrize("delegates", [(), (FIRST,), (FIRST, SECOND)])
def test_the_command_in_the_message_fixes_the_refusal(commands, sts, configured, tmp_path, command, delegates):
    """The request is refused, then allowed after the command in the message."""
    (tmp_path / "payload").write_text("{}")
    configured("file", TARGET)
    sts.iam.policies.accounts |= {email: {} for email in (*delegates, TARGET)}
    words = command.format(payload=tmp_path / "payload").split() + [f"--delegate={email}" for email in delegates]
    assert bind(sts, commands.refused("DENIED", *words)) == len(delegates) + 1
    assert commands.output(*words)


def test_the_command_in_the_message_for_a_token_without_claims(commands, sts, configured):
    """The program cannot read the subject of an AWS request, so the fix leaves it to the administrator."""
    there = configured("aws", TARGET)
    sts.iam.policies.accounts[TARGET] = {}
    message = commands.refused("DENIED", "access-token", env=there.env)
    assert message.count("/subject/SUBJECT") == 1 and "principalSet:" not in message
    assert bind(sts, message.replace("SUBJECT", sts.exchanges[-1].claims["sub"])) == 1
    assert commands.output("access-token", env=there.env) in sts.impersonated


PERSON = "ann@example.com"


@pytest.fixture
def domain(sts, configured, audience):
    """A user of a domain whose administrator authorized the target for reading storage."""
    configured("file", TARGET)
    sts.iam.policies.grant(CREATOR, on=TARGET, to=principal(audience))
    sts.delegation.people.add(PERSON)
    sts.delegation.authorized[TARGET] = {STORAGE}


def test_a_token_of_a_user(commands, sts, domain, audience, tmp_path, monkeypatch):
    """With domain-wide delegation, the claims are those of google-auth, except for the shorter lifetime of the
    assertion.
    """
    options = (f"--subject={PERSON}", "--scope=devstorage.read_only", f"--oauth-endpoint={sts.oauth_url}")
    ours = sts.delegation.grants[commands.output("access-token", *options)]
    lead_to(sts, monkeypatch)
    theirs = google_impersonation(sts, audience, tmp_path / "token", TARGET, subject=PERSON, target_scopes=[STORAGE])
    theirs.refresh(Request())
    theirs = sts.delegation.grants[theirs.token]
    times = {"iat": 0, "exp": 0}
    assert replace(ours, claims=ours.claims | times) == replace(theirs, claims=theirs.claims | times)
    assert ours.claims["exp"] - ours.claims["iat"] == 300


@pytest.mark.parametrize("options, words", [
    (("--subject=bob@other.example", "--scope=devstorage.read_only"), "Workspace domain"),
    ((f"--subject={PERSON}",), "Domain-wide delegation"),
])  # fmt: skip
def test_a_user_or_scope_that_is_not_delegated(commands, sts, domain, options, words):
    """Each of the two refusals of the endpoint has its own fix."""
    assert words in commands.refused("DENIED", "access-token", *options, f"--oauth-endpoint={sts.oauth_url}")


def test_the_formats_for_a_shell(commands, sts, configured, tmp_path):
    """The output is the token without a line break, or the header for curl."""
    configured("file", DEPLOYER)
    env = commands.program.environment({"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)})
    env["PATH"] = os.pathsep.join([str(commands.program.path.parent), env["PATH"]])
    with Loopback(lambda _: Answer(200, "")) as api:
        script = f"""
            curl -sf -H "Authorization: Bearer $(wif-token access-token)" {api.url}/text &&
            curl -sf -H "$(wif-token access-token --format=header)" {api.url}/header"""
        subprocess.run(["sh", "-c", script], env=env, check=True, timeout=30)
        sent = [request.headers["authorization"].removeprefix("Bearer ") for request in api.requests]
    assert len(sent) == 2 and all(sts.impersonated[found] == DEPLOYER for found in sent)


@pytest.mark.parametrize("arguments, requests", [((), 2), ((f"--subject={PERSON}", "--scope=devstorage.read_only"), 3)])
def test_one_connection_for_one_host(commands, sts, domain, arguments, requests):
    """The exchange, the impersonation and the grant go to one address here, and share a connection."""
    more = [f"--oauth-endpoint={sts.oauth_url}"] if arguments else []
    commands.output("access-token", *arguments, *more)
    assert (len(sts.requests), sts.connections) == (requests, 1)


@pytest.mark.parametrize("method", ["/v1/token", ":generateAccessToken"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_waits_for_the_requested_time(commands, sts, configured, monkeypatch, status, method):
    """After a temporary failure with Retry-After, the program waits that long and then gets the token."""
    configured("file", DEPLOYER)
    real, failed = sts._route, []

    def once(request):
        if request.path.endswith(method) and not failed:
            failed.append(request)
            return Answer(status, "busy", {"Retry-After": "1"})
        return real(request)

    monkeypatch.setattr(sts, "_route", once)
    began = time.monotonic()
    assert commands.output("access-token") in sts.impersonated
    assert len(failed) == 1 and 1 <= time.monotonic() - began < FAR_TOO_LONG


@pytest.mark.parametrize("method", ["/v1/token", ":generateAccessToken"])
def test_ends_at_its_deadline(commands, sts, configured, monkeypatch, method):
    """A server that does not respond does not extend the run."""
    configured("file", DEPLOYER)
    real = sts._route
    monkeypatch.setattr(sts, "_route", lambda request: time.sleep(FAR_TOO_LONG) if request.path.endswith(method) else real(request))
    began = time.monotonic()
    assert "--timeout" in commands.refused("UNREACHABLE", "access-token", "--timeout=2")
    assert time.monotonic() - began < FAR_TOO_LONG


# What gcloud writes, by command group and options; `{…}` is replaced.
WRITTEN = {
    "aws": ("workload-identity-pools", ["--aws"]),
    "aws with IMDSv2": ("workload-identity-pools", ["--aws", "--enable-imdsv2"]),
    "azure": ("workload-identity-pools", ["--azure", "--app-id-uri=api://app"]),
    "file": ("workload-identity-pools", ["--credential-source-file={folder}/token", "--credential-source-type=text"]),
    "file of JSON": ("workload-identity-pools", ["--credential-source-file={folder}/token.json", "--credential-source-type=json",
                                                 "--credential-source-field-name=value"]),
    "url": ("workload-identity-pools", ["--credential-source-url={server}/json", "--credential-source-type=json",
                                        "--credential-source-headers=X-Secret={secret}", "--credential-source-field-name=value"]),
    "executable": ("workload-identity-pools", ["--executable-command={program} env --name=T", "--executable-timeout-millis=30000",
                                               "--executable-output-file={folder}/out.json"]),
    "life": ("workload-identity-pools", ["--credential-source-file={folder}/token",
                                         "--service-account-token-lifetime-seconds=1200"]),
    "person's file": ("workforce-pools", ["--credential-source-file={folder}/token"]),
    "person's url": ("workforce-pools", ["--credential-source-url={server}/text", "--credential-source-headers=X-Secret={secret}"]),
    "person's executable": ("workforce-pools", ["--executable-command={program} env --name=T"]),
}  # fmt: skip


def gcloud_writes(commands, group: str, audience: str, options: list[str]) -> dict:
    """Runs gcloud to write a configuration for the deployer, and returns it."""
    path = commands.folder / "written.json"
    project = ["--workforce-pool-user-project=123"] if group == "workforce-pools" else []
    settings = {"CLOUDSDK_CONFIG": str(commands.folder / "gcloud"), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    done = subprocess.run(
        [need("gcloud"), "iam", group, "create-cred-config", audience.removeprefix("//iam.googleapis.com/"), *options, *project,
         f"--service-account={DEPLOYER}", f"--output-file={path}"],
        env=commands.program.environment(settings), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


@pytest.mark.parametrize("kind", list(WRITTEN))
def test_reads_what_gcloud_writes(commands, sts, aws, issuer, audience, token_server, tmp_path, kind):
    """Every kind of file that gcloud writes works; only its URLs are changed to those of the stand-ins."""
    group, options = WRITTEN[kind]
    name = WORKFORCE if group == "workforce-pools" else audience
    sts.add(AwsPoolProvider(name, ACCOUNT, known_to(aws.keys)) if "aws" in kind else OidcPoolProvider(name, issuer.url))
    token = issuer.token("https:" + name)
    (tmp_path / "token").write_text(token)
    (tmp_path / "token.json").write_text(json.dumps({"value": token}))

    def metadata(request):
        secret = request.headers.get("x-secret") == token_server[1]["X-Secret"]
        azure = request.headers.get("metadata") == "True" and request.query["resource"] == ["api://app"]
        if not secret and not azure:
            return Answer(400, "the header is missing")
        return Answer(200, token if request.path == "/text" else {"value": token, "access_token": token})

    with Loopback(metadata) as server:
        fill = {"folder": tmp_path, "server": server.url, "secret": token_server[1]["X-Secret"], "program": commands.program.path}
        config = gcloud_writes(commands, group, name, [option.format(**fill) for option in options])
        source = config["credential_source"]
        if kind == "azure":
            source["url"] = source["url"].replace("http://169.254.169.254", server.url)
        assert config["token_url"] == "https://sts.googleapis.com/v1/token"
        config["token_url"] = sts.token_url
        url = config["service_account_impersonation_url"]
        config["service_account_impersonation_url"] = url.replace("https://iamcredentials.googleapis.com", sts.url)
        commands.path.write_text(json.dumps(config))
        env = aws.environment() | aws.keys.session("app").environment() | {"T": token}
        assert sts.impersonated[commands.output("access-token", env=env)] == DEPLOYER
    received = Received.last(sts)
    assert received.audience == name and received.lifetime == ("1200s" if kind == "life" else "3600s")
    assert received.options == ({"userProject": "123"} if group == "workforce-pools" else {})
    assert aws.imds.requests == []
