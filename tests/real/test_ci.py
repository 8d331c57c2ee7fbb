"""The `ci` source in a job of each CI system, which its variables alone identify; Google's clients exchange the tokens.
GitHub and Azure Pipelines also have separate files; messages are in tests/transcripts/ci.txt."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

from standins.actions_token import ActionsTokenService
from standins.azure_pipelines import AUDIENCE as OF_ENTRA
from standins.azure_pipelines import AzureDevOps
from standins.ci_commands import CiCommands
from standins.codefresh import PLATFORM, Codefresh
from standins.fly import ORGANIZATION as OF_FLY
from standins.fly import FlyMachine
from standins.verify_jwt import OidcPoolProvider
from support.clients import CLIENTS, Clients
from support.places import SYSTEM_PATH, need
from support.signer import claims_of

ORGANIZATION = "organization-1"  # the audience of CircleCI's variable
SYSTEMS = ["github", "forgejo", "azure-pipelines", "buildkite", "circleci", "circleci without its command", "gitlab", "bitbucket",
           "terraform-cloud", "spacelift", "semaphore", "env0", "codefresh", "vercel", "modal"]  # fmt: skip
GIVEN = {
    "gitlab": ("GITLAB_CI", "GITLAB_OIDC_TOKEN"),
    "bitbucket": ("BITBUCKET_BUILD_NUMBER", "BITBUCKET_STEP_OIDC_TOKEN"),
    "circleci without its command": ("CIRCLECI", "CIRCLE_OIDC_TOKEN_V2"),
    "terraform-cloud": ("TFC_RUN_ID", "TFC_WORKLOAD_IDENTITY_TOKEN"),
    "spacelift": ("TF_VAR_spacelift_run_id", "SPACELIFT_OIDC_TOKEN"),
    "semaphore": ("SEMAPHORE", "SEMAPHORE_OIDC_TOKEN"),
    "env0": ("ENV0_ENVIRONMENT_ID", "ENV0_OIDC_TOKEN"),
    "vercel": ("VERCEL", "VERCEL_OIDC_TOKEN"),
    "modal": ("MODAL_IDENTITY_TOKEN", "MODAL_IDENTITY_TOKEN"),
}
BUILD_TOKEN = "codefresh-request-token-4711"


@pytest.fixture
def commands(tmp_path, issuer, ledger):
    """Scripts in place of `buildkite-agent` and `circleci`."""
    found = CiCommands(tmp_path / "bin", issuer, ledger.secret("the agent's access token", "agent-access-token-4711"))
    yield found
    found.close()


@pytest.fixture
def codefresh(issuer, ledger):
    """The token endpoint of one Codefresh build."""
    found = Codefresh(issuer, ledger.secret("the request token of Codefresh", BUILD_TOKEN))
    yield found
    found.close()


@pytest.fixture
def machine(tmp_path, issuer):
    """A Fly Machine."""
    found = FlyMachine(tmp_path / "fly", issuer)
    yield found
    found.close()


@pytest.fixture
def job(issuer, sts, audience, ledger, commands, codefresh):
    """The variables of a job of each system, by its name. The pool provider allows the audiences of all these tokens."""
    sts.add(OidcPoolProvider(audience, issuer.url, allowed_audiences=("https:" + audience, OF_ENTRA, ORGANIZATION)))
    actions = ActionsTokenService(issuer, ledger.secret("the request token", "actions-request-token-4711"))
    devops = AzureDevOps(issuer, ledger.secret("the access token", "system-access-token-4711"))
    path = {"PATH": os.pathsep.join([str(commands.folder), SYSTEM_PATH])}
    over = issuer.token(ORGANIZATION, exp=int(time.time()) - 60)
    found = {
        "github": actions.environment(),
        "forgejo": actions.environment() | {"GITEA_ACTIONS": "true", "FORGEJO_ACTIONS": "true"},
        "azure-pipelines": devops.environment(),
        "buildkite": path | {"BUILDKITE": "true", "BUILDKITE_JOB_ID": "job-1", "BUILDKITE_AGENT_ACCESS_TOKEN": commands.agent_token},
        "codefresh": codefresh.environment(),
        "circleci": path | {"CIRCLECI": "true", "CIRCLE_OIDC_TOKEN_V2": over},
        **{name: {mark: "true", variable: issuer.token(ORGANIZATION if "circleci" in name else "https:" + audience)}
           for name, (mark, variable) in GIVEN.items()},
    }  # fmt: skip
    yield found
    actions.close()
    devops.close()


@pytest.mark.parametrize("system", SYSTEMS)
def test_one_command_for_every_system(clients, sts, job, audience, system):
    """The same configuration works in every system."""
    configuration = clients.configuration(audience, "ci", f"--audience=https:{audience}")
    assert clients.run("python", configuration, env=job[system]).access_token in sts.issued
    given = {"azure-pipelines": OF_ENTRA, "circleci without its command": ORGANIZATION}.get(system, "https:" + audience)
    assert sts.exchanges[0].claims["aud"] == given
    noted = ORGANIZATION in clients.log.read_text()
    assert noted == (system == "circleci without its command")


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("system", ["buildkite", "circleci", "gitlab"])
def test_each_google_client(clients, sts, job, audience, client, system):
    """Each client uses a token of a command and a token of a variable. What a command prints to stderr is not shown."""
    configuration = clients.configuration(audience, "ci", f"--audience=https:{audience}")
    assert clients.run(client, configuration, env=job[system]).access_token in sts.issued


@pytest.mark.parametrize("client", list(CLIENTS))
def test_outside_of_any_job(clients, audience, client):
    """The message lists every variable that was looked for, if the client shows it completely."""
    outcome = clients.run(client, clients.configuration(audience, "ci"))
    assert outcome.status != 0 and all(mark in outcome.complaint for mark, _ in GIVEN.values())


@pytest.mark.parametrize("words, status", [
    ("buildkite-agent oidc request-token --audience a", 0),
    ("buildkite-agent oidc request-token --aud a", 2),
    ("buildkite-agent oidc token --audience a", 2),
    ("buildkite-agent oidc request-token --agent-access-token x", 1),
    ("buildkite-agent oidc request-token --job other", 1),
    ('circleci run oidc get --claims {"aud":"a"}', 0),
    ('circleci run oidc get --claims {"sub":"a"}', 1),
    ("circleci run oidc get --claims a", 2),
    ("circleci oidc get", 2),
])  # fmt: skip
def test_the_commands_refuse(job, commands, words, status):
    """The scripts refuse options that the vendors do not document."""
    name, *rest = words.split()
    env = {**job["buildkite"], "CIRCLECI": "true"}
    done = subprocess.run([commands.folder / name, *rest], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    assert (claims_of(done.stdout.strip())["aud"] == "a") if status == 0 else done.stdout == ""


def test_codefresh_issues_each_token_for_its_audience(program, codefresh, audience):
    """The endpoint issues tokens while the build runs. A failure after the end of the build contains no secret."""
    ask = ("ci", f"--audience=https:{audience}")
    assert claims_of(program.run(*ask, env=codefresh.environment()).token)["aud"] == "https:" + audience
    codefresh.build_runs = False
    program.run(*ask, env=codefresh.environment()).failed("DENIED", "while the build runs")


@pytest.mark.parametrize("query, token, status", [("", BUILD_TOKEN, 200), ("", "Bearer " + BUILD_TOKEN, 401), ("", "other", 401),
                                                  ("/other", BUILD_TOKEN, 404)])  # fmt: skip
def test_codefresh_refuses(codefresh, query, token, status):
    """The endpoint refuses a request that Codefresh's own step does not send."""
    words = [need("curl"), "-s", "-w", "\n%{http_code}", "-H", f"Authorization: {token}", codefresh.url + query]
    body, _, code = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout.rpartition("\n")
    assert int(code) == status
    assert status != 200 or claims_of(json.loads(body)["id_token"])["aud"] == PLATFORM


FLY = {"FLY_MACHINE_ID": "148e21ea7e46e8"}


@pytest.mark.parametrize("body, path, status, given", [
    ('{"aud":"a"}', "/v1/tokens/oidc", 200, "a"), ("", "/v1/tokens/oidc", 200, OF_FLY), ("{", "/v1/tokens/oidc", 400, None),
    ("{}", "/v1/tokens", 404, None),
])  # fmt: skip
def test_curl_in_a_fly_machine(machine, body, path, status, given):
    """The stand-in accepts the curl command in the documentation of Fly.io, and refuses other requests."""
    words = [*machine.inside(), need("curl"), "-s", "-w", "\n%{http_code}", "--unix-socket", "/.fly/api", "-X", "POST",
             f"http://localhost{path}", "--data", body]  # fmt: skip
    text, _, code = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout.rpartition("\n")
    assert int(code) == status
    assert given is None or claims_of(text)["aud"] == given


@pytest.mark.parametrize("client", ["python", "node"])
def test_a_fly_machine_through_a_google_client(tmp_path, program, sts, audience, machine, client):
    """The request is the same as that of curl, and its audience is that of the pool provider."""
    clients = Clients(tmp_path / "inside", program.behind(*machine.inside()), sts)
    configuration = clients.configuration(audience, "ci", f"--audience=https:{audience}")
    assert clients.run(client, configuration, env=FLY).access_token in sts.issued
    ((method, path, headers, body),) = machine.requests
    assert (method, path, headers["host"]) == ("POST", "/v1/tokens/oidc", "localhost")
    assert json.loads(body) == {"aud": f"https:{audience}"}


@pytest.mark.parametrize("answer, code, words", [
    ((500, '{"error":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}'), "UNREACHABLE", "status 500"),
    ((403, '{"error":"no"}'), "DENIED", "status 403"),
    ((200, ""), "PROTOCOL", "/.fly/api is not a token"),
    ((200, "<html>"), "PROTOCOL", "/.fly/api"),
    ((200, "x" * 2_000_000), "PROTOCOL", "larger than"),
])  # fmt: skip
def test_a_fly_machine_that_fails(program, audience, machine, answer, code, words):
    """Each failure has its own message."""
    machine.answer = answer
    inside = program.behind(*machine.inside())
    inside.run("ci", f"--audience=https:{audience}", "--timeout=3", env=FLY).failed(code, words)


def test_a_fly_machine_that_is_silent_or_gone(program, audience, machine):
    """The wait ends at the deadline. A socket without a listener and a missing socket have different messages."""
    ask = ("ci", f"--audience=https:{audience}", "--timeout=2")
    inside = program.behind(*machine.inside())
    machine.silent.clear()
    run = inside.run(*ask, env=FLY)
    run.failed("UNREACHABLE", "did not respond")
    assert run.seconds < 3
    machine.close()
    inside.run(*ask, env=FLY).failed("UNREACHABLE", "/.fly/api")
    (machine.folder / "api").unlink()
    inside.run(*ask, env=FLY).failed("ABSENT", "the socket /.fly/api does not exist")
