"""The AWS CLI and boto3 run the helper `aws` as the credential_process of a profile, and use the credentials that it prints.

AWS STS is a stand-in that verifies Google's ID token and the trust policy of the role, and the signature of the later requests of the
tools. Google is the stand-in whose keys sign the ID token.
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.etree import ElementTree

import pytest

from standins.aws import Aws
from standins.aws_keys import ACCOUNT
from standins.aws_refused import AwsRefused
from standins.aws_trust import policy_in, trust_policy
from standins.iam_credentials import unique_id
from standins.sts import DEPLOYER
from support.commands import Commands
from support.leaks import Ledger
from support.places import HERE, PYTHON, VENV_BIN
from support.program import EXIT_STATUS
from support.signer import tampered

ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/deploy"
SUBJECT = unique_id(DEPLOYER)
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/wif-token"


@dataclass(frozen=True)
class Done:
    """The result of a tool."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Tools:
    """A profile `google` in the AWS config file of the program's home, whose credential_process is the helper."""

    commands: Commands
    aws: Aws
    ledger: Ledger

    @property
    def env(self) -> dict[str, str]:
        """The variables that lead an SDK to the stand-in, without credentials."""
        found = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": self.aws.sts.url, "AWS_MAX_ATTEMPTS": "1"}
        return self.commands.program.environment(found)

    def profile(self, *options: str):
        """Writes the profile."""
        words = [self.commands.program.path, "helper", "aws", f"--role-arn={ROLE}", f"--credentials={self.commands.path}", *options]
        line = " ".join(map(str, words))
        path = self.commands.program.home / ".aws" / "config"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[profile google]\nregion = {self.aws.sts.region}\ncredential_process = {line}\n")

    def run(self, *words, env: dict[str, str] | None = None) -> Done:
        """Runs a tool. Its output is scanned for secrets."""
        command = [str(word) for word in words]
        env = self.env | (env or {})
        done = subprocess.run(
            command, env=env, cwd=self.commands.program.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        for number, call in enumerate(self.commands.sts.iam.calls):
            self.ledger.token(f"ID token {number}", call.answer["token"])
        self.ledger.note(f"the stdout of {command[0]}", done.stdout)
        self.ledger.note(f"the stderr of {command[0]}", done.stderr)
        return Done(done.returncode, done.stdout, done.stderr)

    def cli(self) -> Done:
        """Runs the AWS CLI."""
        return self.run(VENV_BIN / "aws", "--profile", "google", "sts", "get-caller-identity")

    def boto3(self, times: int = 1, profile: str = "google", env: dict[str, str] | None = None) -> dict:
        """Runs a program with boto3 that calls GetCallerIdentity this many times."""
        done = self.run(PYTHON, "-B", HERE / "clients" / "boto3_identity.py", profile, times, env=env)
        assert done.status == 0, done
        return json.loads(done.stdout)

    def exchanges(self) -> list[dict[str, str]]:
        """The parameters of each exchange of an ID token that succeeded."""
        return [call.parameters for call in self.aws.sts.calls if call.action == "AssumeRoleWithWebIdentity"]


@pytest.fixture
def tools(commands, aws, sts, issuer, audience, ledger, tmp_path) -> Tools:
    """A role that trusts the deployer, and the profile."""
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")})
    aws.sts.google_keys = sts.iam.keys.signer("google").jwks
    aws.sts.trust[ROLE] = trust_policy(SUBJECT)
    found = Tools(commands, aws, ledger)
    found.profile(f"--region={aws.sts.region}")
    return found


def helper(tools: Tools, *options: str):
    """Runs the helper directly."""
    return tools.commands.run("helper", "aws", f"--role-arn={ROLE}", f"--sts-endpoint={tools.aws.sts.url}", *options)


def failed(run, code: str) -> str:
    """The line of a failure."""
    assert (run.status, run.stdout, run.stderr.count("\n")) == (EXIT_STATUS[code], "", 1), run.described()
    return run.stderr


def test_the_output_is_that_of_a_credential_process(tools):
    """The output has exactly the members of the contract. The request to AWS is unsigned and has the given parameters.
    """
    run = helper(tools, "--session-name=deployer@my-app", "--duration=900")
    assert (run.status, run.stderr) == (0, ""), run.described()
    (sent,) = tools.exchanges()
    assert (sent["RoleSessionName"], sent["DurationSeconds"]) == ("deployer@my-app", "900")
    found = json.loads(run.stdout)
    key = tools.aws.keys.find(found["AccessKeyId"])
    early = datetime.fromisoformat(key.expiration) - datetime.fromisoformat(found.pop("Expiration"))
    assert timedelta() <= early <= timedelta(seconds=30), "a tenth of the time for which the credentials are used"
    assert found == {"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token, "AccountId": ACCOUNT}


def test_the_id_token_goes_only_to_aws(tools):
    """Google does not get the ID token back, and AWS gets no other token of Google."""
    assert helper(tools).status == 0
    (call,) = tools.commands.sts.iam.calls
    assert (call.method, call.body["audience"]) == ("generateIdToken", "sts.amazonaws.com")
    (request,) = tools.aws.sts.requests
    assert call.answer["token"] in request.body.decode()
    for asked in tools.commands.sts.requests:
        assert call.answer["token"] not in asked.body.decode() + str(asked.headers)
    for token in (*tools.commands.sts.iam.tokens, tools.commands.sts.exchanges[0].subject_token):
        assert token not in request.body.decode() + str(request.headers)


def test_the_cli_uses_the_helper(tools):
    """The CLI calls AWS with the credentials of the role, which the stand-in verifies."""
    done = tools.cli()
    assert (done.status, done.stderr) == (0, ""), done
    assert json.loads(done.stdout)["Arn"] == SESSION


def test_boto3_uses_the_helper(tools):
    """Many calls cause one run of the helper."""
    assert tools.boto3(times=3) == {"arns": [SESSION] * 3, "account": ACCOUNT}
    assert len(tools.exchanges()) == 1


def test_boto3_runs_the_helper_again_when_the_credentials_are_about_to_expire(tools):
    """If less than ten minutes remain, botocore gets new credentials before it signs."""
    tools.aws.sts.seconds_left = 8 * 60
    assert tools.boto3(times=2)["arns"] == [SESSION] * 2
    assert len(tools.exchanges()) >= 3


@pytest.mark.parametrize("duration, left, renewed", [(3600, 14 * 60, 1), (3600, 20 * 60, 0), (900, 11 * 60, 0), (900, 9 * 60, 1)])
def test_cached_credentials_outlast_the_window_in_which_boto3_asks_again(tools, duration, left, renewed):
    """boto3 runs the helper at every call if less than 15 minutes remain, which is always the case for short sessions."""
    tools.profile(f"--region={tools.aws.sts.region}", f"--duration={duration}", "--min-life=0")
    tools.aws.sts.seconds_left = left
    tools.boto3()
    tools.aws.sts.seconds_left = None
    tools.profile(f"--region={tools.aws.sts.region}", f"--duration={duration}")
    tools.boto3(times=3)
    assert len(tools.exchanges()) == 1 + renewed


def test_fifty_at_once_use_one_session(tools):
    """A script can start this many AWS CLIs."""
    with ThreadPoolExecutor(50) as threads:
        runs = list(threads.map(lambda _: helper(tools), range(50)))
    assert {(run.status, run.stderr) for run in runs} == {(0, "")}, runs[0].described()
    assert len({run.stdout for run in runs}) == len(tools.exchanges()) == len(tools.commands.sts.iam.calls) == 1


def test_another_audience_and_session(tools):
    """`accounts.google.com:oaud` is the audience."""
    tools.aws.sts.trust[ROLE] = trust_policy(SUBJECT, "https://aws.example.test")
    tools.profile("--audience=https://aws.example.test", "--session-name=my-app", f"--sts-endpoint={tools.aws.sts.url}")
    assert tools.boto3()["arns"] == [f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/my-app"]
    tools.profile("--audience=https://other.example.test")
    assert "AccessDenied" in tools.boto3()["message"]


def test_the_trust_policy_in_the_message_fixes_the_refusal(tools):
    """The CLI shows the message. With the policy in the message, this account, and no other, can assume the role."""
    del tools.aws.sts.trust[ROLE]
    done = tools.cli()
    line = done.stderr.strip()
    assert done.status == 255 and done.stdout == "" and "AWS STS refused AssumeRoleWithWebIdentity (AccessDenied)" in line
    tools.aws.sts.trust[ROLE] = policy_in(line)
    assert tools.aws.sts.trust[ROLE] == trust_policy(SUBJECT)
    assert tools.cli().status == 0


@pytest.mark.parametrize("code, message, expected", [
    ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", f"in the trust policy of {ROLE}"),
    ("InvalidIdentityToken", "No OpenIDConnect provider found in your account", "to accounts.google.com"),
    ("ExpiredTokenException", "Token expired", "the clock of this host"),
    ("IDPRejectedClaim", "The claim was revoked", "the service account is enabled"),
    ("IDPCommunicationError", "Google could not be reached", "try again later"),
    ("MalformedPolicyDocument", "Syntax errors in policy.", "correct the policies of the role"),
    ("RegionDisabledException", "STS is not activated in this region", "activate AWS STS in us-east-1"),
    ("Throttling", "Rate exceeded", "try again later"),
])  # fmt: skip
def test_both_tools_show_a_failure(tools, code, message, expected):
    """The tools show the complete line of the helper, with AWS's code and the fix."""
    tools.aws.sts.refuse["AssumeRoleWithWebIdentity"] = AwsRefused(403 if code == "AccessDenied" else 400, code, message)
    shown = tools.boto3()
    assert shown["error"] == "CredentialRetrievalError"
    done = tools.cli()
    assert done.status == 255 and done.stdout == ""
    for text in (shown["message"], done.stderr):
        assert "custom-process" in text
        assert f"AWS STS refused AssumeRoleWithWebIdentity ({code}): {message.rstrip('.')}; " in text and expected in text


def test_a_lifetime_beyond_that_of_the_role(tools):
    """AWS refuses the duration, and accepts it after the maximum is raised."""
    message = failed(helper(tools, "--duration=7200"), "CONFIGURATION")
    assert "exceeds the MaxSessionDuration" in message and "lower --duration" in message
    tools.aws.sts.longest = 43200
    assert helper(tools, "--duration=43200").status == 0


def test_a_failure_at_google_is_shown_too(tools):
    """The command in the message grants the missing role."""
    tools.commands.sts.iam.policies.accounts[DEPLOYER].clear()
    done = tools.cli()
    assert done.status == 255 and "gcloud iam service-accounts add-iam-policy-binding" in done.stderr
    assert tools.aws.sts.requests == []


def test_expired_credentials_are_not_returned(tools):
    """The helper refuses credentials that have expired, and the tool shows the message."""
    tools.aws.sts.seconds_left = -60
    assert "expired at" in failed(helper(tools), "EXPIRED")
    assert "expired at" in tools.boto3()["message"]


def test_a_wrong_clock_is_named(tools):
    """The response of AWS shows the time. With a wrong clock, a cached ID token can have expired."""
    tools.aws.sts.clock = 7200
    tools.aws.sts.refuse["AssumeRoleWithWebIdentity"] = AwsRefused(400, "ExpiredTokenException", "Token expired")
    assert "correct this host's clock" in failed(helper(tools), "EXPIRED")


def test_the_sdks_read_a_token_file_without_the_helper(tools, tmp_path):
    """The SDKs read the output of `id-token` from AWS_WEB_IDENTITY_TOKEN_FILE."""
    path = tmp_path / "id-token"
    path.write_text(tools.commands.output("id-token", "--for=sts.amazonaws.com"))
    env = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "wif-token",
           "AWS_REGION": tools.aws.sts.region, "AWS_DEFAULT_REGION": tools.aws.sts.region}  # fmt: skip
    assert tools.boto3(times=2, profile="", env=env)["arns"] == [SESSION] * 2
    done = tools.run(VENV_BIN / "aws", "sts", "get-caller-identity", env=env)
    assert json.loads(done.stdout)["Arn"] == SESSION


def test_a_profile_cannot_run_the_helper_for_its_own_credentials(tools, audience):
    """The Google credentials come from an AWS profile whose credential_process is this helper. There is one nested run,
    and not hundreds.
    """
    source = f"{tools.commands.program.path} aws --mode=jwt --region={tools.aws.sts.region}"
    tools.commands.configure(audience, {"executable": {"command": source}})
    env = {"AWS_PROFILE": "google", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
    shown = tools.boto3(env=env)
    assert "set --profile in executable.command of the credential configuration" in shown["message"]
    assert tools.aws.sts.requests == [] and tools.commands.sts.requests == []


def refused_by_aws(tools: Tools, token: str, headers: dict[str, str] | None = None, **more: str) -> str:
    """The code of the refusal of this token by the stand-in; empty if it is accepted."""
    fields = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "wif-token",
              "WebIdentityToken": token, **more}  # fmt: skip
    request = urllib.request.Request(tools.aws.sts.url + "/", urllib.parse.urlencode(fields).encode(), headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10):
            return ""
    except urllib.error.HTTPError as error:
        return ElementTree.fromstring(error.read()).find(".//{*}Code").text


@pytest.mark.parametrize("change, code", [
    ({}, ""),
    ({"azp": "100000000000000000009"}, "AccessDenied"),
    ({"aud": "sts.example.test"}, "AccessDenied"),
    ({"sub": "100000000000000000009"}, "AccessDenied"),
    ({"azp": None}, "AccessDenied"),
    ({"exp": 1_700_000_000}, "ExpiredTokenException"),
    ({"iss": "https://issuer.example.test"}, "InvalidIdentityToken"),
])  # fmt: skip
def test_the_stand_in_refuses_another_token(tools, change, code):
    """Each claim that the trust policy compares, and those that AWS itself checks, must match."""
    good = {"iss": "https://accounts.google.com", "aud": "sts.amazonaws.com", "azp": SUBJECT, "sub": SUBJECT, "exp": 4_000_000_000}
    google = tools.commands.sts.iam.keys.signer("google")
    assert refused_by_aws(tools, google.token(good | change)) == code
    if not code:
        token = google.token(good)
        assert refused_by_aws(tools, tampered(token)) == "InvalidIdentityToken"
        assert refused_by_aws(tools, tools.commands.sts.iam.keys.signer("other").token(good)) == "InvalidIdentityToken"
        assert refused_by_aws(tools, token, {"Authorization": "AWS4-HMAC-SHA256 x"}) == "ValidationError"
        assert refused_by_aws(tools, token, ProviderId="accounts.google.com") == "ValidationError"
