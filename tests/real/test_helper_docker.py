"""`helper docker` under the tools that start it: docker, skopeo, podman and buildah, against a registry that verifies the token.

The registry is a stand-in on loopback that has the names of Google's and of another registry (support/containers.py), and the
docker command has a stand-in of its engine: no engine runs here.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading

import pytest

from servers.authority import Authority
from standins.loopback import Answer, Loopback, at_own_address
from standins.registry import PRIVATE, PUBLIC, USER, Engine, Registry
from standins.sts import DEPLOYER
from support.containers import TOOLS, Containers
from support.places import need

GOOGLE, GCR, OTHER = "europe-docker.pkg.dev", "gcr.io", "registry.example.test"
CROWD = 50


@pytest.fixture
def credentials(commands, issuer, audience, tmp_path):
    """A file-sourced configuration that impersonates the deployer."""
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    return commands.configure(audience, {"file": str(tmp_path / "token")})


@pytest.fixture
def authority(tmp_path):
    """The authority of the certificates of all registries."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def registry(sts, authority):
    """A registry under these names; see `containers`."""
    found = authority.server("registry", GOOGLE, GCR, OTHER, "localhost", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(found.cert, found.key)
    address, running = at_own_address(lambda address: Registry(sts.iam, tls, address))
    running.address = address
    yield running
    running.close()


@pytest.fixture
def containers(tmp_path, commands, credentials, registry, authority):
    """The tools; Google's registries and another one use the helper."""
    hosts = dict.fromkeys((GOOGLE, GCR, OTHER), registry.address)
    found = Containers(tmp_path / "containers", commands, hosts, authority.ca)
    found.configure(credHelpers=dict.fromkeys(hosts, "wif-token"))
    yield found
    found.close()


def asked(containers, *arguments, server: str = GOOGLE, env: dict | None = None):
    """Runs the helper for a server, and returns its output."""
    (containers.folder / "server").write_text(server)
    given = containers.environment() | (env or {})
    with (containers.folder / "server").open() as stdin:
        done = subprocess.run([containers.bin / "docker-credential-wif-token", *(arguments or ("get",))], env=given, stdin=stdin,
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    containers.program.ledger.note("the stdout of the helper", done.stdout, may_hold_token=done.returncode == 0)
    containers.note("the stderr of the helper", done.stderr)
    return done


@pytest.mark.parametrize("host", [GOOGLE, GCR])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_private_image(containers, registry, tool, host):
    """The tool sends the access token of the service account, without further settings."""
    outcome = containers.read(tool, f"{host}/{PRIVATE}:1")
    assert outcome.status == 0, outcome.said
    assert registry.readers == [DEPLOYER] and "wif-token" not in outcome.said
    assert registry.refusals == ["UNAUTHORIZED"], "the first request alone is without credentials"


@pytest.mark.parametrize("tool", TOOLS)
def test_another_registry_gets_nothing(containers, registry, sts, tool):
    """The tool continues without credentials, and no token is requested from Google."""
    outcome = containers.read(tool, f"{OTHER}/{PUBLIC}:1")
    assert outcome.status == 0, outcome.said
    assert registry.readers == [None] and "wif-token" not in outcome.said and "credentials not found" not in outcome.said
    assert all("basic" not in request.headers.get("authorization", "").lower() for request in registry.requests)
    assert sts.requests == []


@pytest.mark.parametrize("tool", TOOLS)
def test_for_every_registry(containers, registry, sts, tool):
    """Each tool has a setting that uses the helper for all hosts."""
    containers.configure(**({"credsStore": "wif-token"} if tool == "docker" else {}))
    settings = containers.program.home / ".config" / "containers" / "registries.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text('credential-helpers = ["wif-token"]\n')
    assert containers.read(tool, f"{OTHER}/{PUBLIC}:1").status == 0
    assert (registry.readers, sts.requests) == ([None], [])
    outcome = containers.read(tool, f"{GOOGLE}/{PRIVATE}:1")
    assert outcome.status == 0 and registry.readers == [None, DEPLOYER], outcome.said


@pytest.mark.parametrize("tool", TOOLS)
def test_a_failure(containers, registry, commands, audience, tool):
    """Each tool shows one line. docker runs the helper twice and continues without credentials; the others stop."""
    commands.configure(audience, {"file": "/nonexistent/token"})
    outcome = containers.read(tool, f"{GOOGLE}/{PRIVATE}:1")
    message = "/nonexistent/token does not exist; "
    assert outcome.status != 0 and registry.readers == []
    assert outcome.stderr.splitlines()[0 if tool in ("docker", "skopeo") else 1].startswith(message), outcome.said
    if tool == "docker":
        assert outcome.said.count(message) == 2 and "Unauthenticated request" in outcome.said, outcome.said
    else:
        assert f"error getting credentials - err: exit status 1, out: `{message}" in outcome.stderr, outcome.said


@pytest.mark.parametrize("tool", TOOLS)
def test_refused_by_google(containers, sts, tool):
    """The message contains Google's reason and a fix."""
    sts.iam.policies.accounts.clear()
    outcome = containers.read(tool, f"{GOOGLE}/{PRIVATE}:1")
    assert outcome.status != 0
    assert "Permission 'iam.serviceAccounts.getAccessToken' denied" in outcome.stderr and "gcloud" in outcome.stderr, outcome.said


@pytest.mark.parametrize("tool", TOOLS)
def test_an_allowed_host_on_another_port(containers, registry, authority, sts, tool):
    """A program docker-credential-NAME of two lines has an arguments file; without it, the same registry gets no token.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found = authority.server("other-port", OTHER)
    tls.load_cert_chain(found.cert, found.key)
    mirror = Registry(sts.iam, tls, (registry.address, 0))
    try:
        host = f"{OTHER}:{mirror.port}"
        containers.configure(credHelpers={host: "wif-token"})
        assert containers.read(tool, f"{host}/{PRIVATE}:1").status != 0
        arguments = containers.folder / "docker.args"
        arguments.write_text(f"# options of wif-token helper docker\n--allow-host={OTHER}\n--log-file={containers.folder}/log\n")
        containers.configure(credHelpers={host: containers.helper("mirror", f"--args-file={arguments}")})
        outcome = containers.read(tool, f"{host}/{PRIVATE}:1")
        assert outcome.status == 0 and mirror.readers == [DEPLOYER], outcome.said
        containers.note("the log", (containers.folder / "log").read_text())
    finally:
        mirror.close()


def test_docker_login_pull_and_logout(containers, registry):
    """The engine is used: `login` requires no user name and no password, and stores nothing."""
    before = json.loads(containers.login_file.read_text())
    engine = Engine(registry)
    env = {"DOCKER_HOST": engine.host}
    try:
        outcome = containers.run("docker", "login", GOOGLE, env=env)
        assert outcome.status == 0 and "Login Succeeded" in outcome.stdout, outcome.said
        outcome = containers.run("docker", "pull", f"{GOOGLE}/{PRIVATE}:1", env=env)
        assert outcome.status == 0 and registry.readers == [DEPLOYER], outcome.said
        outcome = containers.run("docker", "pull", f"{OTHER}/{PRIVATE}:1", env=env)
        assert outcome.status != 0 and registry.readers == [DEPLOYER] and outcome.stderr.count("\n") == 1, outcome.said
        outcome = containers.run("docker", "logout", GOOGLE, env=env)
        assert (outcome.status, outcome.stderr) == (0, ""), outcome.said
    finally:
        engine.close()
    assert json.loads(containers.login_file.read_text()) == before | {"auths": {}}


@pytest.mark.parametrize("tool", ["podman", "buildah", "skopeo"])
def test_login_and_logout(containers, tool):
    """The credentials of the helper are used and stay in place, except that `--all` removes the setting itself."""
    login = f"--authfile={containers.login_file}"
    outcome = containers.run(tool, "login", login, GOOGLE)
    assert outcome.status == 0 and "Existing credentials are valid" in outcome.stdout, outcome.said
    assert containers.run(tool, "login", "--get-login", login, GOOGLE).stdout.strip() == USER
    assert containers.run(tool, "login", "--get-login", login, OTHER).status != 0
    outcome = containers.run(tool, "logout", login, GOOGLE)
    assert outcome.status == 0, outcome.said
    assert containers.run(tool, "login", "--get-login", login, GOOGLE).stdout.strip() == USER
    outcome = containers.run(tool, "logout", "--all", login)
    assert (outcome.status, json.loads(containers.login_file.read_text())) == (0, {"auths": {}}), outcome.said


def test_every_action(containers, sts):
    """Each action behaves as docker-credential-helpers documents it."""
    listed = asked(containers, "list")
    assert json.loads(listed.stdout) == {"https://gcr.io": USER}
    stored = {"ServerURL": GOOGLE, "Username": "somebody", "Secret": containers.program.ledger.secret("stored", "hunter2-stored")}
    assert asked(containers, "store", server=json.dumps(stored)).returncode == 0
    assert asked(containers, "erase").returncode == 0
    assert sts.requests == []
    found = json.loads(asked(containers).stdout)
    assert set(found) == {"ServerURL", "Username", "Secret"} and (found["ServerURL"], found["Username"]) == (GOOGLE, USER)
    assert sts.impersonated[found["Secret"]] == DEPLOYER


@pytest.mark.parametrize("server", [
    f"{GOOGLE}.example.test", f"{GOOGLE}@{OTHER}", f"https://{OTHER}#{GOOGLE}", f"https://{OTHER}\\@{GOOGLE}", f"{GOOGLE}:8443",
    f"http://{GOOGLE}", f"{OTHER}\n{GOOGLE}", "https://index.docker.io/v1/", "127.0.0.1", "[::1]:443", "x" * 65536,
])  # fmt: skip
def test_hosts_that_only_look_like_those_of_google(containers, sts, server):
    """The output is exactly the text after which a tool continues without credentials, and no request is sent."""
    answer = asked(containers, server=server)
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "credentials not found in native keychain\n", "")
    assert sts.requests == []


@pytest.mark.parametrize("server", ["", "\n", f"{GOOGLE}\0", f"{GOOGLE}\x1b[2J", "x" * 65537])
def test_invalid_requests(containers, sts, server):
    """There is one line on both outputs, which does not repeat the input."""
    answer = asked(containers, server=server)
    assert answer.returncode == 1 and answer.stdout == answer.stderr and answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("standard input ") and "pkg.dev\x1b" not in answer.stderr and sts.requests == []


def test_a_token_is_renewed_before_it_could_expire_during_a_push(containers, registry, sts):
    """A token of one hour is used until it is valid for less than 55 minutes."""
    for helper, calls in [("wif-token", 1), (containers.helper("soon", "faketime", "-f", "+4m"), 1),
                          (containers.helper("later", "faketime", "-f", "+6m"), 2)]:  # fmt: skip
        need("faketime")
        containers.configure(credHelpers={GOOGLE: helper})
        outcome = containers.read("skopeo", f"{GOOGLE}/{PRIVATE}:1")
        assert outcome.status == 0, outcome.said
        assert len(sts.iam.calls) == calls, helper
    assert registry.readers == [DEPLOYER] * 3 and registry.refusals == ["UNAUTHORIZED"] * 3


def test_concurrent_runs_cause_one_exchange(containers, commands, issuer, audience, sts):
    """docker compose starts the helper for all images at once."""
    opened, started = threading.Event(), []

    def held(_):
        opened.wait(60)
        return Answer(200, issuer.token("https:" + audience))

    with Loopback(held) as server, open(os.devnull) as nothing:
        commands.configure(audience, {"url": server.url})
        for _ in range(CROWD):
            child = subprocess.Popen([containers.bin / "docker-credential-wif-token", "get"], env=containers.environment(),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=nothing, text=True)  # fmt: skip
            child.stdin.write(GOOGLE)
            child.stdin.close()
            child.stdin = None
            started.append(child)
        opened.set()
        answers = {child.communicate(timeout=90)[0] for child in started}
        assert len(server.requests) == 1
    assert [child.returncode for child in started] == [0] * CROWD
    assert len(answers) == 1 and (len(sts.exchanges), len(sts.iam.calls)) == (1, 1)
