"""The `ci` source in a job of each CI system, told apart by their own variables alone, through Google's clients to the token
service. GitHub and Azure Pipelines also have separate files; messages are in tests/transcripts/ci.txt."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from standins.actions_token import ActionsTokenService
from standins.azure_pipelines import AUDIENCE as OF_ENTRA
from standins.azure_pipelines import AzureDevOps
from standins.ci_commands import CiCommands
from standins.verify_jwt import OidcPoolProvider
from support.clients import CLIENTS
from support.places import SYSTEM_PATH
from support.signer import claims_of

ORGANIZATION = "organization-1"  # the audience of CircleCI's variable
SYSTEMS = ["github", "forgejo", "azure-pipelines", "buildkite", "circleci", "circleci without its command", "gitlab", "bitbucket",
           "terraform-cloud"]  # fmt: skip
GIVEN = {
    "gitlab": ("GITLAB_CI", "GITLAB_OIDC_TOKEN"),
    "bitbucket": ("BITBUCKET_BUILD_NUMBER", "BITBUCKET_STEP_OIDC_TOKEN"),
    "circleci without its command": ("CIRCLECI", "CIRCLE_OIDC_TOKEN_V2"),
    "terraform-cloud": ("TFC_RUN_ID", "TFC_WORKLOAD_IDENTITY_TOKEN"),
}


@pytest.fixture
def commands(tmp_path, issuer, ledger):
    """`buildkite-agent` and `circleci`."""
    found = CiCommands(tmp_path / "bin", issuer, ledger.secret("the agent's access token", "agent-access-token-4711"))
    yield found
    found.close()


@pytest.fixture
def job(issuer, sts, audience, ledger, commands):
    """By name: the variables of a job of each system. The pool provider allows every audience that they bring."""
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
        "circleci": path | {"CIRCLECI": "true", "CIRCLE_OIDC_TOKEN_V2": over},
        **{name: {mark: "true", variable: issuer.token(ORGANIZATION if "circleci" in name else "https:" + audience)}
           for name, (mark, variable) in GIVEN.items()},
    }  # fmt: skip
    yield found
    actions.close()
    devops.close()


@pytest.mark.parametrize("system", SYSTEMS)
def test_one_command_for_every_system(clients, sts, job, audience, system):
    """The same configuration everywhere."""
    configuration = clients.configuration(audience, "ci", f"--audience=https:{audience}")
    assert clients.run("python", configuration, env=job[system]).access_token in sts.issued
    given = {"azure-pipelines": OF_ENTRA, "circleci without its command": ORGANIZATION}.get(system, "https:" + audience)
    assert sts.exchanges[0].claims["aud"] == given
    noted = ORGANIZATION in clients.log.read_text()
    assert noted == (system == "circleci without its command")


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("system", ["buildkite", "circleci", "gitlab"])
def test_each_google_client(clients, sts, job, audience, client, system):
    """A command and a variable through each; what a command says on stderr stays there."""
    configuration = clients.configuration(audience, "ci", f"--audience=https:{audience}")
    assert clients.run(client, configuration, env=job[system]).access_token in sts.issued


@pytest.mark.parametrize("client", list(CLIENTS))
def test_outside_of_any_job(clients, audience, client):
    """Every variable that was looked for, as far as the client shows it."""
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
    """What their documents do not know."""
    name, *rest = words.split()
    env = {**job["buildkite"], "CIRCLECI": "true"}
    done = subprocess.run([commands.folder / name, *rest], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    assert (claims_of(done.stdout.strip())["aud"] == "a") if status == 0 else done.stdout == ""
