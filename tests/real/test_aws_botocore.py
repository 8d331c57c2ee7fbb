"""The program finds the credentials that botocore finds: the same environment, the same files, the same loopback endpoints.

botocore, under the AWS CLI and boto3, is the reference; support/aws_environments.py lists the environments, with
the reason for each intended difference. The request that the program signs shows which credentials it used.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from standins.aws_sso import cache_name
from support.aws import CallerIdentity
from support.aws_environments import CASES, FAILURE, NOTHING, PORTAL, WEB_FILE, Case, expand, variable_value
from support.places import HERE, PYTHON
from support.program import Program

AUTOMATIC = ("botocore-session-", "wif-token")  # default session names


def settle(case: Case, aws, home):
    """Writes the files of a case into a home, and returns its variables."""
    case.prepare(aws)
    texts = {".aws/config": case.config, ".aws/credentials": case.credentials, **case.files}
    for name, text in texts.items():
        if text or name in case.files:
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.startswith(".aws/sso/cache"):
                text = aws.sso.cached(PORTAL, **json.loads(text))
            path.write_bytes(expand(text, aws, home).encode())
    return {name: variable_value(name, expand(value, aws, home)) for name, value in (aws.environment() | case.env).items()}


def by_botocore(case: Case, aws, home) -> str | tuple:
    """Runs botocore, and returns what it finds: (key ID, session token), NOTHING or FAILURE."""
    env = Program(home, None).environment(settle(case, aws, home))
    words = [PYTHON, "-B", HERE / "clients" / "botocore_credentials.py", *([case.profile] if case.profile else [])]
    done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    answer = json.loads(done.stdout)
    return tuple(answer["found"]) if "found" in answer else next(iter(answer))


def by_program(case: Case, aws, program, audience) -> str | tuple:
    """Runs the program, and returns what it finds, in the same form as `by_botocore`. If it finds nothing, it must name
    every place that it searched."""
    options = [f"--profile={case.profile}"] if case.profile else []
    for name in ("container-token-1", "container-token-2", *WEB_FILE.values()):
        program.ledger.secret(name, name)
    run = program.run("aws", "--mode=caller-identity", f"--audience={audience}", *options, env=settle(case, aws, program.home))
    if run.status == 0:
        return CallerIdentity(run.token).used
    assert run.document["code"] in ("ABSENT", "CONFIGURATION", "DENIED", "EXPIRED", "PROTOCOL", "UNREACHABLE"), run.described()
    message = run.failed(run.document["code"])
    everywhere = all(place in message for place in ("environment", "web identity", "profile", "container", "EC2"))
    return NOTHING if run.document["code"] == "ABSENT" and everywhere else FAILURE


def verdict(found: str | tuple) -> str:
    """The part of a key ID that a case names, or NOTHING or FAILURE."""
    return found if isinstance(found, str) else found[0][4:]


def calls(aws) -> list[tuple]:
    """The roles that were assumed since the last call, without what either side sends by default."""
    found = []
    for call in aws.sts.calls:
        asked = call.parameters
        name = None if asked["RoleSessionName"].startswith(AUTOMATIC) else asked["RoleSessionName"]
        duration = None if asked.get("DurationSeconds") == "3600" else asked.get("DurationSeconds")
        found.append((call.action, call.caller and call.caller.id, asked["RoleArn"], asked.get("ExternalId"), name, duration))
    aws.sts.calls.clear()
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_credentials(case, aws, program, audience, tmp_path):
    """The key, the session token and the assumed roles are the same; or both find nothing, or both fail."""
    home = tmp_path / "home-of-botocore"
    home.mkdir()
    reference, assumed = by_botocore(case, aws, home), calls(aws)
    assert verdict(reference).startswith(case.expect), "botocore does not find what the case expects"
    ours, ours_assumed = by_program(case, aws, program, audience), calls(aws)
    if case.ours is None:
        assert (ours, ours_assumed) == (reference, assumed)
    else:
        assert case.because and verdict(ours).startswith(case.ours) and ours != reference


def test_botocore_and_the_program_use_a_renewed_sign_in(aws, program, audience):
    """botocore then uses the token that the program stored in the cache of the CLI, without renewing it again."""
    (case,) = (case for case in CASES if case.name == "an SSO session that is renewed")
    assert verdict(by_program(case, aws, program, audience)).startswith(case.expect)
    cache = program.home / cache_name("corp")
    kept = json.loads(cache.read_text())
    assert kept["accessToken"] == "sso-access-token-refreshed-2" and kept["refreshToken"] == "sso-refresh-token-1"
    asked = len([request for request in aws.sso.requests if request.path == "/token"])
    words = [PYTHON, "-B", HERE / "clients" / "botocore_credentials.py"]
    done = subprocess.run(
        words, env=program.environment(aws.environment()), capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout)["found"][0] == aws.sso.allow("Reader").id
    assert len([request for request in aws.sso.requests if request.path == "/token"]) == asked == 1


def test_there_are_enough_cases():
    """There are at least forty cases in which both must agree."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert sum(case.ours is None for case in CASES) >= 40
