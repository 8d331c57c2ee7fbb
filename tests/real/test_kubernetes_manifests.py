"""The manifests in packaging/kubernetes: kubectl renders them, the API server and the schemas accept them, and they work."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from support.kubernetes import kubeconfig, kubectl
from support.places import HERE
from support.pod_security import violations
from support.processes import free_port, listens, until

MANIFESTS = HERE.parent.parent / "packaging" / "kubernetes"
KINDS = {"init-container": "Deployment", "sidecar": "Deployment", "daemonset": "DaemonSet"}
CLIENT = "kubectl-1.37"


def rendered(folder: Path, client: str = CLIENT) -> str:
    """The output of `kubectl kustomize` for a folder."""
    done = kubectl("kustomize", folder, program=client)
    assert done.returncode == 0, done.stderr
    return done.stdout


def workload(text: str) -> dict:
    """The only object that is not a ConfigMap."""
    (found,) = [part for part in yaml.safe_load_all(text) if part["kind"] != "ConfigMap"]
    return found


def pod(text: str) -> dict:
    """The spec of the pod in the workload."""
    return workload(text)["spec"]["template"]["spec"]


def configuration(text: str) -> dict[str, str]:
    """The files of the ConfigMap. It must be the one that the pod mounts."""
    (found,) = [part for part in yaml.safe_load_all(text) if part["kind"] == "ConfigMap"]
    volumes = {volume["name"]: volume for volume in pod(text)["volumes"]}
    assert volumes["wif-token-configuration"]["configMap"]["name"] == found["metadata"]["name"]
    return found["data"]


@pytest.mark.parametrize("form, kind", KINDS.items())
def test_every_kubectl_renders_the_same(form, kind):
    """Both versions of kubectl print the same objects."""
    text = rendered(MANIFESTS / form)
    assert workload(text)["kind"] == kind
    for client in ("kubectl-1.24", "kubectl-1.33"):
        assert rendered(MANIFESTS / form, client) == text


@pytest.mark.parametrize("form", KINDS)
def test_the_api_server_accepts_the_manifests(cluster, tmp_path, form):
    """The server accepts the manifests, first in a dry run. It refuses a mount whose volume does not exist."""
    namespace = cluster.namespace()
    admin = kubeconfig(tmp_path / "admin", cluster, namespace, {"token": cluster.people["admin"]})
    # This server is older than native sidecars, so it does not know restartPolicy. The schemas do.
    common = (f"--kubeconfig={admin}", "--output=name", "--validate=" + str(form == "init-container").lower())
    for dry_run in ("--dry-run=server", "--dry-run=none"):
        done = kubectl("apply", "-k", MANIFESTS / form, dry_run, *common, program=CLIENT)
        assert done.returncode == 0, done.stderr
        assert f"{KINDS[form].lower()}.apps/my-app" in done.stdout.split()
    kind = KINDS[form].lower() + "s"
    stored = cluster.call("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind}/my-app")["spec"]["template"]["spec"]
    asked = pod(rendered(MANIFESTS / form))
    for container in asked["initContainers"]:
        container.pop("restartPolicy", None)
    for name in ("initContainers", "containers"):
        assert [set(one) <= set(kept) for one, kept in zip(asked[name], stored[name], strict=True)] == [True]
    wrong = rendered(MANIFESTS / form).replace("name: wif-token-cache\n", "name: wif-token-none\n", 1)
    done = kubectl("apply", "-f", "-", "--dry-run=server", *common, program=CLIENT, given=wrong)
    assert done.returncode != 0 and "Not found" in done.stderr, done.stderr


@pytest.mark.parametrize("form", KINDS)
def test_the_schemas_of_the_newest_kubernetes(tmp_path, form):
    """The schemas accept the manifests, and refuse a field that Kubernetes does not have."""
    path = tmp_path / "all.yaml"
    for text, passes in [(rendered(MANIFESTS / form), True), (rendered(MANIFESTS / form).replace("runAsNonRoot", "runAsNoRoot"), False)]:
        path.write_text(text)
        words = [Path(sys.executable).parent / "kubernetes-validate", "--strict", path]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == passes, done.stdout + done.stderr


@pytest.mark.parametrize("form", KINDS)
def test_pod_security_restricted(form):
    """No container breaks the standard. Broken copies show that `violations` notices each kind of violation."""
    good = pod(rendered(MANIFESTS / form))
    assert violations(good) == []

    def broken(change) -> list[str]:
        bad = copy.deepcopy(good)
        change(bad, bad["initContainers"][0])
        return violations(bad)

    assert broken(lambda bad, one: bad.update(hostNetwork=True)) == ["hostNetwork"]
    assert broken(lambda bad, one: bad["volumes"].append({"name": "run", "hostPath": {"path": "/run"}})) == ["volume run"]
    assert broken(lambda bad, one: one.update(ports=[{"containerPort": 8080, "hostPort": 8080}])) == ["wif-token: hostPort"]
    assert len(broken(lambda bad, one: one.pop("securityContext"))) == 2
    assert len(broken(lambda bad, one: bad.pop("securityContext"))) == 4


@pytest.mark.parametrize("form", KINDS)
def test_the_paths_agree(form):
    """The command, arguments, secret and output file of the configuration are in volumes of the container that runs wif-token."""
    text = rendered(MANIFESTS / form)
    files, spec = configuration(text), pod(text)
    executable = json.loads(files["credentials.json"])["credential_source"]["executable"]
    runs = spec["containers"][0] if form == "init-container" else spec["initContainers"][0]
    mounts = {mount["mountPath"]: mount for mount in runs["volumeMounts"]}
    program, arguments = executable["command"].split(" ")
    if form == "init-container":
        copied = spec["initContainers"][0]["command"][-1]
        assert mounts[program]["subPath"] == Path(copied).name
        assert mounts[program]["name"] == spec["initContainers"][0]["volumeMounts"][0]["name"]
    else:
        assert runs["command"][0] == program
        assert "volumeMounts" not in spec["containers"][0], "the workload gets neither the program nor the secret"
    assert mounts[str(Path(arguments.removeprefix("--args-file=")).parent)]["name"] == "wif-token-configuration"
    assert mounts[str(Path(executable["output_file"]).parent)]["name"] == "wif-token-cache"
    assert "file:/etc/wif-token-client/" in files["wif-token.args"] and "/etc/wif-token-client" in mounts
    assert {volume["name"] for volume in spec["volumes"]} == {mount["name"] for mount in mounts.values()}


def test_the_component_is_for_any_workload(tmp_path):
    """A StatefulSet with its own configuration and image works, as the guide describes."""
    shutil.copytree(MANIFESTS, tmp_path / "kubernetes")
    base = tmp_path / "kubernetes" / "base"
    (tmp_path / "my-app.yaml").write_text((base / "deployment.yaml").read_text().replace("kind: Deployment", "kind: StatefulSet"))
    shutil.copy(base / "credentials.json", tmp_path)
    (tmp_path / "wif-token.args").write_text("github\n")
    (tmp_path / "kustomization.yaml").write_text(own_kustomization())
    text = rendered(tmp_path)
    assert workload(text)["kind"] == "StatefulSet" and configuration(text)["wif-token.args"] == "github\n"
    assert [one["name"] for one in pod(text)["initContainers"]] == ["wif-token"]


def own_kustomization() -> str:
    """The kustomization in the guide."""
    page = (HERE.parent.parent / "docs" / "guides" / "kubernetes-on-premises.md").read_text()
    (found,) = [block for block in page.split("```") if block.startswith("yaml\n") and "components:" in block]
    return found.removeprefix("yaml\n")


def test_the_sidecar_gives_tokens(commands, issuer, audience, ledger, sts, tmp_path):
    """The command and the configuration of the sidecar run below another root, with a token file as the source."""
    text = rendered(MANIFESTS / "sidecar")
    spec, port = pod(text), free_port()
    folders = {mount["mountPath"]: tmp_path / "root" / mount["name"] for mount in spec["initContainers"][0]["volumeMounts"]}
    for folder in folders.values():
        folder.mkdir(parents=True, mode=0o700)

    def moved(words: str) -> str:
        words = words.replace("/wif-token ", f"{commands.program.path} ", 1) if words.startswith("/wif-token ") else words
        for path in sorted(folders, key=len, reverse=True):
            words = words.replace(path + "/", f"{folders[path]}/")
        return words

    commands.configure(audience, {"executable": {}})
    shown, made = json.loads(configuration(text)["credentials.json"]), json.loads(commands.path.read_text())
    executable = shown["credential_source"]["executable"]
    made["credential_source"]["executable"] = executable | {name: moved(executable[name]) for name in ("command", "output_file")}
    (folders["/etc/wif-token"] / "credentials.json").write_text(json.dumps(made))
    (folders["/etc/wif-token"] / "wif-token.args").write_text(moved("file\n--path=/etc/wif-token-client/token\n"))
    (folders["/etc/wif-token-client"] / "token").write_text(ledger.token("the subject token", issuer.token("https:" + audience)))
    words = [moved(word).replace("127.0.0.1:8080", f"127.0.0.1:{port}") for word in spec["initContainers"][0]["command"][1:]]
    env = {one["name"]: one["value"] for one in spec["initContainers"][0]["env"]}
    server = commands.program.start(*words, env=env)
    try:
        until(lambda: listens(port), "the server listens")
        url = f"http://127.0.0.1:{port}/computeMetadata/v1/instance/service-accounts/default/token"
        answer = requests.get(url, headers={"Metadata-Flavor": "Google"}, timeout=30)
        assert answer.status_code == 200, answer.text
        assert ledger.secret("the access token", answer.json()["access_token"])
        assert [one.claims["sub"] for one in sts.exchanges]
        assert (folders["/run/wif-token"] / "subject-token.json").is_file()
    finally:
        server.terminate()
        commands.program.finish(server)
