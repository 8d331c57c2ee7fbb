"""`exec`: real Google clients get access tokens and ID tokens without any credential file of their own.

The stand-ins verify the subject token, so that a token that a client prints means that client, metadata server and exchange fit
together.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from standins.loopback import Answer, Loopback
from standins.sts import DEPLOYER
from support.clients import ALLOW
from support.metadata import ACCESS, IDENTITY, go, python
from support.processes import alive, until
from support.signer import claims_of

AUDIENCE = "https://app.example.test"
TEMPORARY = "wif-token-"


@pytest.fixture(autouse=True)
def configured(commands, issuer, audience, tmp_path, monkeypatch) -> Path:
    """A configuration whose subject token is in a file. The temporary files of the program are in a folder of the test."""
    path = tmp_path / "token"
    path.write_text(issuer.token("https:" + audience))
    (tmp_path / "tmp").mkdir()
    commands.program.variables["TMPDIR"] = str(tmp_path / "tmp")
    return commands.configure(audience, {"file": str(path)})


def printed(commands, client: list, **env: str) -> dict | str:
    """Runs a client under `exec`, and returns what it prints. No temporary file may remain."""
    run = commands.run("exec", "--", *client, env=env)
    assert run.status == 0, run.described()
    assert not [name for name in os.listdir(commands.folder / "tmp") if name.startswith(TEMPORARY)]
    return json.loads(run.stdout) if run.stdout.startswith("{") else run.stdout.strip()


@pytest.mark.parametrize("client", list(ACCESS))
def test_a_client_gets_an_access_token(commands, sts, client):
    """An access token of the service account, with one exchange."""
    found = printed(commands, ACCESS[client]("access"))
    token = found["access_token"] if isinstance(found, dict) else found
    assert sts.impersonated[token] == DEPLOYER and len(sts.exchanges) == 1
    if client == "python":
        assert (found["email"], found["project"]) == (DEPLOYER, "example-project")


@pytest.mark.parametrize("client", list(IDENTITY))
def test_a_client_gets_an_id_token(commands, sts, client):
    """No library gets an ID token from a credential configuration."""
    found = printed(commands, IDENTITY[client]("identity", AUDIENCE))
    token = found["id_token"] if isinstance(found, dict) else found
    assert claims_of(token)["aud"] == AUDIENCE
    # Node and gcloud also ask for a token for gcloud.
    (call,) = [call for call in sts.iam.calls if call.body.get("audience") == AUDIENCE]
    assert (call.account, call.answer["token"]) == (DEPLOYER, token)


def test_go_reads_the_values_of_its_host(commands):
    """The functions of its metadata package send no request if the variables are set."""
    scopes = "[https://www.googleapis.com/auth/cloud-platform]"
    expected = {"on": "true", "project": "example-project", "number": "123456789012", "email": DEPLOYER, "scopes": scopes}
    assert printed(commands, go("values")) == expected


def test_an_authorized_session_calls_an_api(commands, sts):
    """The session of google-auth sends the token of the server in a header."""
    with Loopback(lambda _: Answer(200, "opened")) as api:
        assert printed(commands, python("session", api.url)) == {"body": "opened"}
        (request,) = api.requests
    assert sts.impersonated[request.headers["authorization"].removeprefix("Bearer ")] == DEPLOYER


@pytest.mark.parametrize("client", list(ACCESS))
def test_no_proxy_is_used(commands, sts, client):
    """Clients use no proxy for the metadata server; the no_proxy variables of the caller keep their hosts."""
    with Loopback(lambda _: Answer(502, "")) as proxy:
        env = {"http_proxy": proxy.url, "HTTP_PROXY": proxy.url, "no_proxy": "a.example.test", "NO_PROXY": "127.0.0.2,b.example.test"}
        found = printed(commands, ACCESS[client]("access"), **env)
        assert proxy.requests == []
    assert (found["access_token"] if isinstance(found, dict) else found) in sts.impersonated


def test_many_first_requests_share_one_exchange(commands, sts):
    """There are 200 requests at once, which is more than the connection limit of the server."""
    tokens = printed(commands, python("many", "200"))["tokens"]
    assert len(tokens) == 200 and len(set(tokens)) == 1 and sts.impersonated[tokens[0]] == DEPLOYER
    assert len(sts.exchanges) == 1 and len(sts.iam.calls) == 1


def test_a_client_shows_why_there_is_no_token(commands, sts, issuer, tmp_path):
    """The client shows the message of the program, here after a refusal by Google, and does not retry."""
    (tmp_path / "token").write_text(issuer.token("https://other.example.test"))
    run = commands.run("exec", "--", *python("access"))
    assert run.status == 1 and "refused the token exchange" in run.stderr, run.described()
    assert len(sts.refusals) == 1, sts.refusals


def test_check_first_fails_before_the_command_starts(commands, tmp_path):
    """`exec` exits with the status and the message of the failure."""
    (tmp_path / "token").write_text("hunter2-not-a-jwt")
    mark = tmp_path / "started"
    run = commands.run("exec", "--check-first", "--", "touch", mark)
    assert run.status not in (0, 1) and run.stderr.count("\n") == 1 and not mark.exists(), run.described()


def test_an_executable_needs_the_opt_in(commands, sts, audience, tmp_path):
    """The opt-in is required even if the executable is the program itself. With it, a client gets a token."""
    commands.configure(audience, {"executable": {"command": f"{commands.program.path} file --path={tmp_path / 'token'}"}})
    assert commands.run("exec", "--check-first", "--", "true", env={ALLOW: ""}).status == 3 and sts.requests == []
    assert printed(commands, python("access"))["access_token"] in sts.impersonated


def test_the_command_gets_credentials_only_from_the_server(commands):
    """The variables that clients prefer are removed, and gcloud's folder is empty."""
    script = 'env; ls -A "$CLOUDSDK_CONFIG"; stat -c %a "$CLOUDSDK_CONFIG"'
    env = {"NO_GCE_CHECK": "true", "CLOUDSDK_CONFIG": str(commands.folder), "no_proxy": "a.example.test"}
    lines = printed(commands, ["sh", "-c", script], **env).splitlines()
    seen = dict(line.split("=", 1) for line in lines if "=" in line)
    assert lines[-1] == "700" and "=" in lines[-2], "the folder is empty and private"
    assert not {"NO_GCE_CHECK", "GOOGLE_APPLICATION_CREDENTIALS"} & seen.keys() and seen[ALLOW] == "1"
    assert seen["METADATA_SERVER_DETECTION"] == "assume-present" and seen["CLOUDSDK_CONFIG"] != str(commands.folder)
    (address,) = {seen[name] for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")}
    assert address.startswith("127.0.0.1:") and seen["no_proxy"] == seen["NO_PROXY"] == "a.example.test,127.0.0.1"


@pytest.mark.parametrize("words, status", [(["true"], 0), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -TERM $$"], 143),
                                           (["wif-token-missing"], 127), (["/dev/null"], 126)])  # fmt: skip
def test_the_exit_status_is_that_of_the_command(commands, sts, words, status):
    """The exit status is that of the command, or that of a shell if the command does not start. Nothing is fetched."""
    run = commands.run("exec", "--", *words)
    assert (run.status, run.stdout, run.stderr.count("\n")) == (status, "", status in (126, 127)), run.described()
    assert sts.requests == []


def test_a_signal_reaches_the_command(commands, tmp_path):
    """The command handles the signal, and no server remains."""
    mark = tmp_path / "pid"
    script = f"trap 'exit 7' TERM; echo $$ >{mark}.new; mv {mark}.new {mark}; while :; do sleep 0.1; done"
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)}
    run = commands.program.start("exec", "--", "sh", "-c", script, env=env)
    try:
        until(mark.exists, "the command runs")
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) == 7 and not alive(int(mark.read_text()))
    finally:
        run.kill()
        run.communicate()


def test_after_a_kill_no_server_stays(commands, tmp_path):
    """The server ends with the program, although the command may continue."""
    mark = tmp_path / "address"
    script = f"trap : TERM; echo $GCE_METADATA_HOST >{mark}.new; mv {mark}.new {mark}; sleep 1"
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)}
    run = commands.program.start("exec", "--", "sh", "-c", script, env=env)
    until(mark.exists, "the command runs")
    run.kill()
    run.communicate()
    done = subprocess.run(["curl", "-sS", f"http://{mark.read_text().strip()}/"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 7, done.stdout + done.stderr


def test_runs_one_after_another_leave_the_cache_alone(commands, sts):
    """A hundred runs cause one exchange, and leave the same files in the home directory as one run."""
    home = commands.program.home
    first = printed(commands, python("access"))["access_token"]
    before = sorted(str(path) for path in home.rglob("*"))
    for _ in range(100):
        printed(commands, ["true"])
    assert printed(commands, python("access"))["access_token"] == first and len(sts.exchanges) == 1
    assert sorted(str(path) for path in home.rglob("*")) == before


def test_the_start_takes_milliseconds(commands):
    """`true` with and without the program, the best of twenty; the bound allows for a busy machine and a debug build."""
    env = commands.program.environment({"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)})

    def best(*words) -> float:
        def once() -> float:
            began = time.monotonic()
            subprocess.run([str(word) for word in words], env=env, check=True, timeout=30)
            return time.monotonic() - began

        return min(once() for _ in range(20))

    assert best(commands.program.path, "exec", "--", "true") - best("true") < 0.1
