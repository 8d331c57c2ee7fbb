"""The `kubernetes` source in a pod: the files that the kubelet mounts, in a separate mount namespace, and the real API server.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from servers.authority import Authority
from servers.namespace import own_mounts
from standins.verify_jwt import verify_jwt
from support.clients import Clients
from support.kubernetes import account, commands_in, kubeconfig, kubectl
from support.places import SYSTEM_PATH, need
from support.program import Program

# /var/run is a link to /run, so a private /run contains what the kubelet mounts into a pod.
INSIDE = """mount -t tmpfs tmpfs /run
mkdir -p /run/secrets/kubernetes.io
cp -r {} /run/secrets/kubernetes.io/serviceaccount"""


class Pod:
    """A pod with the service account `app`; `mounted` is the folder of the service account."""

    def __init__(self, cluster, program: Program, folder: Path):
        self.cluster, self.namespace = cluster, cluster.namespace()
        self.mounted = folder / "mounted"
        self.mounted.mkdir()
        (self.mounted / "ca.crt").write_bytes(cluster.ca.read_bytes())
        (self.mounted / "namespace").write_text(self.namespace)
        self.mount(program.ledger.secret("the pod's token", cluster.token(self.namespace)))
        self.program = program.behind(*own_mounts(INSIDE.format(self.mounted)))
        port = cluster.url.rpartition(":")[2]
        self.env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}

    def mount(self, token: str):
        """Puts another token into the folder."""
        (self.mounted / "token").write_text(token)

    def run(self, *words, **env):
        """Runs the program in the pod."""
        return self.program.run("kubernetes", *words, env=self.env | env)

    def verified(self, run, audience) -> dict:
        """The claims of the token that a run printed."""
        return verify_jwt(run.token, self.cluster.pool_provider(audience))


@pytest.fixture
def pod(cluster, program, tmp_path) -> Pod:
    """A pod that may create tokens of its own service account."""
    found = Pod(cluster, program, tmp_path)
    cluster.let(found.namespace, account(found.namespace))
    return found


def test_the_service_account_of_the_pod(pod, audience):
    """No option is needed. The audience is that of the pool provider."""
    run = pod.run(**pod.program.request(audience))
    claims = pod.verified(run, audience)
    assert (claims["sub"], claims["aud"]) == (f"system:serviceaccount:{pod.namespace}:app", ["https:" + audience])


@pytest.mark.parametrize("client", ["python", "node", "rust"])
def test_clients(pod, sts, audience, tmp_path, client):
    """The clients work in a pod as elsewhere."""
    sts.add(pod.cluster.pool_provider(audience))
    clients = Clients(tmp_path / "clients", pod.program, sts)
    outcome = clients.run(client, clients.configuration(audience, "kubernetes"), env=pod.env)
    assert outcome.access_token in sts.issued


def test_another_service_account(pod, audience):
    """The account is in the same namespace or in another one, and the permission was granted."""
    pod.cluster.service_account(pod.namespace, "other")
    words = (f"--audience={audience}", "--account=other")
    pod.run(*words).failed("DENIED", f'User "system:serviceaccount:{pod.namespace}:app" cannot create')
    elsewhere = pod.cluster.namespace()
    pod.cluster.let(elsewhere, account(pod.namespace))
    run = pod.run(f"--audience={audience}", "--account=app", f"--namespace={elsewhere}")
    assert pod.verified(run, audience)["sub"] == f"system:serviceaccount:{elsewhere}:app"


def test_the_commands_in_the_message_fix_the_failure(cluster, program, pod, audience, tmp_path):
    """The pod has no role; the kubectl commands in the message grant it."""
    (tmp_path / "bare").mkdir()
    bare = Pod(cluster, program, tmp_path / "bare")
    admin = kubeconfig(tmp_path / "admin", cluster, "default", {"token": cluster.people["admin"]})
    message = bare.run(f"--audience={audience}").failed("DENIED", "403", "serviceaccounts/token", "--path")
    for command in commands_in(message):
        done = kubectl(*shlex.split(command)[1:], f"--kubeconfig={admin}")
        assert done.returncode == 0, done.stderr
    assert bare.verified(bare.run(f"--audience={audience}"), audience)


def test_a_projected_token(pod, sts, audience, tmp_path):
    """The program reads the token of a volume with this audience, and the one that replaces it, without a request or a
    role.
    """
    sts.add(pod.cluster.pool_provider(audience))
    clients, path = Clients(tmp_path / "clients", pod.program, sts), tmp_path / "projected"
    configuration = clients.configuration(audience, "kubernetes", f"--path={path}")
    for _ in range(2):
        path.write_text(pod.cluster.token(pod.namespace, audience="https:" + audience))
        assert clients.run("python", configuration).access_token in sts.issued
        assert sts.exchanges[-1].subject_token == path.read_text()
    path.write_text((pod.mounted / "token").read_text())
    assert clients.run("python", configuration).status != 0  # the usual token of the pod is only for the API server
    assert "audience" in str(sts.refusals[-1])


def test_the_token_is_read_each_time(pod, ledger, audience):
    """The token is rotated, and the API server refuses a wrong one."""
    pod.mount(ledger.token("a token of nobody", pod.cluster.token(pod.namespace)[:-20] + "A" * 20))
    pod.run(f"--audience={audience}").failed("DENIED", "401: Unauthorized")
    pod.mount(ledger.secret("the next token", pod.cluster.token(pod.namespace)) + "\n")
    assert pod.run(f"--audience={audience}").token


def test_only_the_authority_of_the_pod_is_trusted(pod, audience, tmp_path):
    """--ca-file and the authorities of the platform are not used."""
    (pod.mounted / "ca.crt").write_bytes(Authority(tmp_path / "other").ca.read_bytes())
    for more in ((), (f"--ca-file={pod.cluster.ca}",)):
        pod.run(f"--audience={audience}", *more).failed(
            "CONFIGURATION", "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
        )
    (pod.mounted / "ca.crt").unlink()
    pod.run(f"--audience={audience}").failed("ABSENT", "serviceaccount/ca.crt")


def test_a_pod_without_a_token(pod, audience):
    """The pod has automountServiceAccountToken: false."""
    (pod.mounted / "token").unlink()
    pod.run(f"--audience={audience}").failed("ABSENT", "automountServiceAccountToken")
    pod.mount("no token at all, hunter2")
    message = pod.run(f"--audience={audience}").failed("CONFIGURATION", "serviceaccount/token")
    assert "hunter2" not in message


def test_a_kubeconfig_takes_precedence(pod, cluster, audience):
    """kubectl makes the same choice in this environment."""
    (pod.program.home / ".kube").mkdir()
    kubeconfig(pod.program.home / ".kube" / "config", cluster, pod.namespace, {"token": cluster.people["jane"]})
    pod.run(f"--audience={audience}", "--account=app").failed("DENIED", 'User "jane"')


def test_a_kubeconfig_that_defines_nothing_is_ignored(pod, audience):
    """kubectl also uses the service account of the pod."""
    config = pod.program.home / ".kube" / "config"
    config.parent.mkdir()
    config.write_text("apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: ''\nusers: null\n")
    config.chmod(0o600)
    claims = pod.verified(pod.run(f"--audience={audience}"), audience)
    assert claims["sub"] == f"system:serviceaccount:{pod.namespace}:app"
    words = (*own_mounts(INSIDE.format(pod.mounted)), need("kubectl"), "auth", "can-i", "create", "serviceaccounts/app",
             "--subresource=token")  # fmt: skip
    env = {"PATH": SYSTEM_PATH, "HOME": str(pod.program.home), **pod.env}
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "yes", done.stderr
