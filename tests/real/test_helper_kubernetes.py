"""`helper kubernetes`: several versions of kubectl authenticate to a real kube-apiserver with it, which accepts Google's access
tokens as a GKE cluster does; and `check --helper=kubernetes`.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from servers.authority import Authority
from standins.iam_credentials import unique_id
from standins.loopback import Answer, Loopback
from standins.sts import DEPLOYER
from support.clients import ALLOW
from support.impersonation import principal
from support.kubernetes import kubeconfig, kubectl
from support.places import SYSTEM_PATH, need
from support.processes import free_port, serving, until

EXEC = "client.authentication.k8s.io"
PROTOCOLS = [("kubectl", "v1beta1"), ("kubectl-1.24", "v1beta1"), ("kubectl-1.24", "v1"), ("kubectl-1.33", "v1"), ("kubectl-1.37", "v1"),
             ("kubectl-1.37", "v1beta1")]  # fmt: skip
VERSIONS = ["kubectl", "kubectl-1.24", "kubectl-1.33", "kubectl-1.37"]
READER = "reader@example-project.iam.gserviceaccount.com"


@pytest.fixture
def token_file(commands, issuer, audience, tmp_path) -> Path:
    """A credential configuration that reads the subject token from this file."""
    path = tmp_path / "token"
    path.write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(path)})
    return path


@pytest.fixture
def google(cluster, sts):
    """Makes the cluster accept the access tokens of this test's Google."""
    with cluster.google.trusting(sts) as found:
        yield found


@dataclass
class Helper:
    """The program as a plugin of kubectl. Each run leaves a line in `runs`."""

    commands: object
    folder: Path

    @property
    def runs(self) -> int:
        """How often the plugin was run."""
        path = self.folder / "runs"
        return path.read_text().count("\n") if path.exists() else 0

    def user(self, version: str = "v1", *options: str, **more) -> dict:
        """The entry for a kubeconfig."""
        script = self.folder / "wif-token-counted"
        script.write_text(f'#!/bin/sh\necho run >>{self.folder / "runs"}\nexec {self.commands.program.path} "$@"\n')
        script.chmod(0o755)
        args = ["helper", "kubernetes", f"--log-file={self.folder / 'plugin.log'}", *options]
        variables = {"GOOGLE_APPLICATION_CREDENTIALS": str(self.commands.path), ALLOW: "1"}
        return {"exec": {"apiVersion": f"{EXEC}/{version}", "command": str(script), "args": args, "interactiveMode": "Never",
                         "env": [{"name": name, "value": value} for name, value in variables.items()], **more}}  # fmt: skip

    def kubectl(self, config: Path, *words, program: str = "kubectl-1.37"):
        """Runs kubectl; neither its output nor the log may contain a token."""
        done = kubectl(f"--kubeconfig={config}", *words, program=program,
                       env={"HOME": str(self.commands.program.home)})  # fmt: skip
        ledger, sts = self.commands.program.ledger, self.commands.sts
        for number, token in enumerate(sts.iam.tokens):
            ledger.token(f"access token {number}", token)
        ledger.note(f"{program} {words}", done.stdout + done.stderr)
        log = self.folder / "plugin.log"
        ledger.note("the log of the plugin", log.read_text() if log.exists() else "")
        return done


@pytest.fixture
def helper(commands, token_file, google, tmp_path) -> Helper:
    """The plugin, for a configuration of the deployer."""
    return Helper(commands, tmp_path)


@pytest.fixture
def namespace(cluster) -> str:
    """A namespace in which the deployer may read."""
    name = cluster.namespace()
    cluster.let_view(name, DEPLOYER)
    return name


@pytest.mark.parametrize("client, version", PROTOCOLS)
def test_kubectl_reads_from_the_cluster(helper, cluster, google, sts, namespace, tmp_path, client, version):
    """There is one run of the plugin and one exchange, with the two scopes that GKE expects."""
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user(version))
    done = helper.kubectl(config, "get", "serviceaccounts", "--output=name", program=client)
    assert done.returncode == 0 and "serviceaccount/app" in done.stdout, done.stderr
    assert done.stderr == "" and helper.runs == 1
    assert {google.user(token) for token in google.reviewed} == {DEPLOYER}
    (call,) = sts.iam.calls
    assert call.body["scope"] == [f"https://www.googleapis.com/auth/{name}" for name in ("cloud-platform", "userinfo.email")]


@pytest.mark.parametrize("client", VERSIONS)
def test_kubectl_shows_why_it_has_no_token(helper, cluster, sts, namespace, tmp_path, client):
    """kubectl shows one line for each run of the plugin, which it repeats, and then the exit status."""
    sts.iam.policies.accounts[DEPLOYER].clear()
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user("v1beta1"))
    done = helper.kubectl(config, "get", "pods", program=client)
    ours = [line for line in done.stderr.splitlines() if "add-iam-policy-binding" in line]
    assert done.returncode != 0 and 1 <= len(ours) == helper.runs <= 10, done.stderr
    assert len(set(ours)) == 1 and ours[0].startswith(sts.url) and "roles/iam.workloadIdentityUser" in ours[0]
    assert re.search(r"failed with exit code 5\b", done.stderr), done.stderr


@pytest.mark.parametrize("client", ["kubectl-1.33", "kubectl-1.37"])
def test_the_cluster_is_passed_to_the_plugin(helper, cluster, namespace, tmp_path, client):
    """The kubeconfig names both the server and the helper, so every server gets a token, except one whose certificate is
    not verified.
    """
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user(provideClusterInfo=True))
    done = helper.kubectl(config, "get", "pods", program=client)
    assert done.returncode == 0 and helper.runs == 1, done.stderr
    insecure = kubeconfig(tmp_path / "insecure", cluster, namespace, helper.user(provideClusterInfo=True),
                          certificate_authority=None, insecure_skip_tls_verify=True)  # fmt: skip
    done = helper.kubectl(insecure, "get", "pods", program=client)
    assert "insecure-skip-tls-verify is set for the cluster" in done.stderr
    assert re.search(r"failed with exit code 3\b", done.stderr), done.stderr


def test_plain_http_gets_no_token(helper, sts, tmp_path, cluster):
    """kubectl itself does not run a plugin then. The page of the helper relies on this."""
    with Loopback(lambda request: Answer(403, {})) as server:
        config = kubeconfig(tmp_path / "config", cluster, "default", helper.user(), server=server.url)
        for client in VERSIONS[1:]:
            helper.kubectl(config, "get", "pods", program=client)
        assert server.requests and not any("authorization" in request.headers for request in server.requests)
    assert helper.runs == 0 and sts.requests == []


@pytest.mark.parametrize("client", ["kubectl-1.37"])
def test_another_authority_gets_no_token(helper, cluster, google, namespace, tmp_path, client):
    """kubectl starts the plugin, but does not send its token."""
    authority = Authority(tmp_path / "stranger")
    shown = authority.server("api", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(shown.cert, shown.key)
    with Loopback(lambda request: Answer(200, {}), tls) as server:
        config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user(), server=server.url)
        done = helper.kubectl(config, "get", "pods", program=client)
        assert done.returncode != 0 and "certificate" in done.stderr
        assert server.requests == []


def test_without_the_scope_of_the_address(helper, cluster, namespace, tmp_path):
    """The cluster then knows only the number of the service account, which no role binding names."""
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user("v1", "--scope=cloud-platform"))
    done = helper.kubectl(config, "get", "pods")
    assert done.returncode != 0 and f'User "{unique_id(DEPLOYER)}" cannot list' in done.stderr, done.stderr


def test_another_service_account_is_another_user(helper, cluster, sts, namespace, audience, tmp_path, issuer, commands):
    """The service account of the configuration determines what the roles of the cluster allow."""
    sts.iam.policies.grant("workloadIdentityUser", on=READER, to=principal(audience))
    commands.configure(audience, {"file": str(tmp_path / "token")}, READER)
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user())
    done = helper.kubectl(config, "get", "pods")
    assert done.returncode != 0 and f'User "{READER}" cannot list' in done.stderr, done.stderr


@pytest.mark.parametrize("client", ["kubectl-1.24", "kubectl-1.37"])
def test_a_token_is_renewed_before_it_expires(helper, cluster, sts, google, audience, tmp_path, monkeypatch, client):
    """`kubectl proxy` keeps running with tokens that are valid for ten seconds. It runs the plugin again in time, and no
    request is refused.
    """
    namespace, lifetime = cluster.namespace(), 10
    cluster.let_view(namespace, principal(audience))
    helper.commands.configure(audience, {"file": str(tmp_path / "token")}, None)
    real = sts._exchange

    def short(request):
        answer = real(request)
        google.expiry[answer.body["access_token"]] = time.time() + lifetime
        return Answer(200, answer.body | {"expires_in": lifetime})

    monkeypatch.setattr(sts, "_exchange", short)
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user())
    port, log = free_port(), tmp_path / "proxy.log"
    command = [need(client), "proxy", f"--port={port}", f"--kubeconfig={config}"]
    env = {"PATH": SYSTEM_PATH, "HOME": str(helper.commands.program.home)}
    with serving(command, log, env, lambda: "Starting" in log.read_text()):

        def renewed() -> bool:
            answer = requests.get(f"http://127.0.0.1:{port}/api/v1/namespaces/{namespace}/pods", timeout=10)
            assert answer.status_code == 200, answer.text
            time.sleep(0.2)
            return helper.runs == 2

        until(renewed, "the plugin ran for the second time", 3 * lifetime)
    assert len(sts.exchanges) == len(set(google.reviewed)) == 2


def test_fifty_concurrent_runs_cause_one_exchange(helper, commands, sts):
    """Many clients start at once, and all get the token of the first."""
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path), ALLOW: "1"}
    runs = [commands.program.start("helper", "kubernetes", env=env, stdin=subprocess.DEVNULL) for _ in range(50)]
    outputs = {run.communicate(timeout=60) for run in runs}
    assert {run.returncode for run in runs} == {0}
    ((output, error),) = outputs
    assert error == b"" and json.loads(output)["status"]["token"] in sts.impersonated
    assert len(sts.exchanges) == len(sts.iam.calls) == 1


@pytest.mark.parametrize("client", VERSIONS[1:])  # Debian's kubectl crashes when it writes an exec entry
def test_the_commands_of_the_page(helper, cluster, commands, namespace, tmp_path, client):
    """`kubectl config` writes a kubeconfig that works, with each version."""
    config, path = tmp_path / "config", f"{commands.program.path.parent}:{SYSTEM_PATH}"
    certificate = base64.b64encode(cluster.ca.read_bytes()).decode()
    for words in (
        f"set-credentials my-cluster --exec-api-version={EXEC}/v1beta1 --exec-command=wif-token --exec-arg=helper --exec-arg=kubernetes",
        f"set-cluster my-cluster --server={cluster.url}",
        f"set clusters.my-cluster.certificate-authority-data {certificate}",
        f"set-context my-cluster --cluster=my-cluster --user=my-cluster --namespace={namespace}",
    ):
        done = kubectl("config", *words.split(), f"--kubeconfig={config}", program=client)
        assert done.returncode == 0, done.stderr
    env = {"PATH": path, "HOME": str(commands.program.home), "GOOGLE_APPLICATION_CREDENTIALS": str(commands.path), ALLOW: "1"}
    done = kubectl("--context=my-cluster", "get", "serviceaccounts", f"--kubeconfig={config}", env=env, program=client)
    assert done.returncode == 0 and "app" in done.stdout, done.stderr


@pytest.mark.parametrize("change, said", [
    ({"command": "/nonexistent/wif-token"}, "wif-token"),
    ({"interactiveMode": None}, "interactiveMode must be specified"),
    ({"command": "wif-token-of-nobody"}, "executable wif-token-of-nobody not found"),
])  # fmt: skip
def test_what_kubectl_says_about_a_wrong_entry(helper, cluster, sts, tmp_path, change, said):
    """The page quotes these messages; the program is not run."""
    user = helper.user()
    user["exec"] = {name: value for name, value in (user["exec"] | change).items() if value is not None}
    done = helper.kubectl(kubeconfig(tmp_path / "config", cluster, "default", user), "get", "pods")
    assert done.returncode != 0 and said in done.stderr, done.stderr
    assert helper.runs == 0 and sts.requests == []


@dataclass
class Check:
    """Runs of `check --helper=kubernetes`."""

    commands: object

    def run(self, config: Path, *options: str):
        """Runs `check`. Returns the line about the cluster and the exit status; no report may contain a token."""
        run = self.commands.run("check", "--helper=kubernetes", f"--kubeconfig={config}", *options)
        self.commands.program.ledger.note("the report", run.stdout)
        assert run.stderr == "", run.described()
        return next(line for line in run.stdout.splitlines() if line[9:].startswith("cluster ")), run.status


@pytest.fixture
def check(commands, helper) -> Check:
    """The command, with the configuration of the deployer."""
    return Check(commands)


def test_check_of_a_good_set_up(check, helper, cluster, google, namespace, tmp_path):
    """`check` sends one request with one token, and does not run the plugin of the kubeconfig."""
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user())
    line, status = check.run(config)
    assert line == f"ok       cluster         {cluster.url}/ accepts the token and lists pods in {namespace}" and status == 0
    assert len(google.reviewed) == 1 and helper.runs == 0
    assert helper.kubectl(config, "get", "pods").returncode == 0


def test_check_names_the_role_that_is_missing(check, helper, cluster, tmp_path):
    """The command in the message, run by an administrator, grants the missing role."""
    namespace = cluster.namespace()
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user())
    admin = kubeconfig(tmp_path / "admin", cluster, "default", {"token": cluster.people["admin"]})
    line, status = check.run(config)
    assert line.startswith(f"warning  cluster         {cluster.url}/ accepts the token, but {DEPLOYER} is not allowed") and status == 0
    command = re.search(r"kubectl (create rolebinding .*?), or", line)[1]
    done = kubectl(*shlex.split(command), f"--kubeconfig={admin}", program="kubectl-1.37")
    assert done.returncode == 0, done.stderr
    line, _ = check.run(config)
    assert line.startswith("ok "), line
    assert helper.kubectl(config, "get", "pods").returncode == 0


def test_check_of_a_federated_identity(check, helper, commands, cluster, audience, tmp_path):
    """The user is its principal, and the command quotes it."""
    namespace = cluster.namespace()
    commands.configure(audience, {"file": str(tmp_path / "token")}, None)
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user())
    line, _ = check.run(config)
    assert f"accepts the token, but {principal(audience)} is not allowed to list pods" in line
    cluster.let_view(namespace, principal(audience))
    assert check.run(config)[0].startswith("ok ")


def test_check_of_a_cluster_that_is_not_google_s(check, helper, cluster, google, namespace, tmp_path):
    """The cluster responds with 401, for which kubectl shows no reason."""
    google.sts = None
    config = kubeconfig(tmp_path / "config", cluster, namespace, helper.user())
    line, status = check.run(config)
    assert "status 401: Unauthorized; check that the context" in line and "points to a GKE cluster" in line and status == 5
    assert "You must be logged in" in helper.kubectl(config, "get", "pods").stderr


def test_check_of_the_trust(check, helper, cluster, namespace, tmp_path):
    """The cases are another authority, no authority, which --ca-file does not replace for kubectl, and a name that is
    not in the certificate.
    """
    other = Authority(tmp_path / "other").ca
    by_path = kubeconfig(tmp_path / "by-path", cluster, namespace, helper.user(), certificate_authority=str(other))
    line, status = check.run(by_path)
    assert "unknown authority" in line and status == 3
    assert "; add the certificate of that authority to certificate-authority of the cluster" in line
    without = kubeconfig(tmp_path / "without", cluster, namespace, helper.user(), certificate_authority=None)
    line, status = check.run(without, f"--ca-file={cluster.ca}")
    assert "unknown authority" in line and "; set certificate-authority-data of the cluster" in line and status == 3
    assert "certificate signed by unknown authority" in helper.kubectl(without, "get", "pods").stderr
    url = cluster.url.replace("127.0.0.1", "localhost")
    line, status = check.run(kubeconfig(tmp_path / "name", cluster, namespace, helper.user(), server=url))
    assert "it is for a different host name (kubernetes.default.svc); check the host in the kubeconfig" in line and status == 3
    named = kubeconfig(tmp_path / "named", cluster, namespace, helper.user(), server=url, tls_server_name="kubernetes.default.svc")
    assert check.run(named)[0].startswith("ok ")


def test_check_of_a_server_that_does_not_run(check, helper, cluster, tmp_path):
    """The usual causes are the network and the authorized networks of the cluster."""
    config = kubeconfig(tmp_path / "config", cluster, "default", helper.user(), server=f"https://127.0.0.1:{free_port()}")
    line, status = check.run(config)
    assert "Connection refused" in line and "authorized networks" in line and status == 6


def test_check_uses_the_named_context(check, helper, cluster, namespace, tmp_path):
    """`--context` selects the context, as in kubectl."""
    config = kubeconfig(tmp_path / "config", cluster, "default", helper.user())
    content = json.loads(config.read_text())
    content["contexts"].append({"name": "named", "context": {"cluster": "cluster", "user": "user", "namespace": namespace}})
    config.write_text(json.dumps(content))
    assert check.run(config)[0].startswith("warning ")
    assert check.run(config, "--context=named")[0].endswith(f"lists pods in {namespace}")
    assert helper.kubectl(config, "--context=named", "get", "pods").returncode == 0
