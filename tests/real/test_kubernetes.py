"""The `kubernetes` source outside of a cluster: a real kube-apiserver with a kubeconfig, and kubectl for comparison.

The token service verifies each token by the API server's own discovery document or by its uploaded keys.
"""

from __future__ import annotations

import base64
import json
import shlex

import pytest

from servers.authority import Authority
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.clients import CLIENTS
from support.kubernetes import LONGEST, commands_in, kubeconfig, kubectl, person
from support.places import SYSTEM_PATH, need
from support.processes import free_port, serving
from support.program import has_default_margin

EXEC = "client.authentication.k8s.io"


@pytest.fixture
def namespace(cluster) -> str:
    """A namespace with the service account `app`, for which jane may create tokens."""
    name = cluster.namespace()
    cluster.let(name, person("jane"))
    return name


@pytest.fixture
def config(cluster, namespace, tmp_path):
    """The kubeconfig of jane, with her token."""
    return kubeconfig(tmp_path / "config", cluster, namespace, {"token": cluster.people["jane"]})


def source(config, audience, *more) -> tuple:
    """The words of the source for a token of `app`."""
    return ("kubernetes", "--account=app", f"--kubeconfig={config}", f"--audience={audience}", *more)


def by_kubectl(config, namespace, audience) -> str:
    """The token that kubectl gets with a kubeconfig."""
    request = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience]}})
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/app/token"
    done = kubectl("create", f"--kubeconfig={config}", "--raw", path, "-f", "-", given=request)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["status"]["token"]


def encoded(path) -> str:
    """Encodes a file in the form of the `-data` members."""
    return base64.b64encode(path.read_bytes()).decode()


def plugin(folder, version: str, **status) -> dict:
    """Writes an exec plugin that exits with this status if it gets the cluster, and fails otherwise."""
    script = folder / "plugin"
    answer = json.dumps({"apiVersion": f"{EXEC}/{version}", "kind": "ExecCredential", "status": status})
    (folder / "answer.json").write_text(answer)
    script.write_text('#!/bin/sh\necho noise >&2\ncase "$KUBERNETES_EXEC_INFO" in *\'"server":"https://\'*) cat "$1";; *) exit 3;; esac\n')
    script.chmod(0o700)
    return {"exec": {"apiVersion": f"{EXEC}/{version}", "command": "./plugin", "args": [str(folder / "answer.json")],
                     "interactiveMode": "Never", "provideClusterInfo": True}}  # fmt: skip


def token(cluster, folder):
    """The token is in the kubeconfig itself."""
    return {"token": cluster.people["jane"]}


def token_file(cluster, folder):
    """The token is in a file next to the kubeconfig, with a relative path."""
    (folder / "jane.token").write_text(cluster.people["jane"] + "\n")
    return {"tokenFile": "jane.token"}


def token_beside_a_missing_file(cluster, folder):
    """The token is used, because the file cannot be read."""
    return {"token": cluster.people["jane"], "tokenFile": "none"}


def certificate(cluster, folder):
    """The paths of a client certificate and its key."""
    found = cluster.client("jane")
    return {"client-certificate": str(found.cert), "client-key": str(found.key)}


def certificate_data(cluster, folder):
    """The client certificate is in the kubeconfig itself."""
    found = cluster.client("jane")
    return {"client-certificate-data": encoded(found.cert), "client-key-data": encoded(found.key)}


def exec_token(cluster, folder):
    """A program that prints a token."""
    return plugin(folder, "v1beta1", token=cluster.people["jane"])


def exec_certificate(cluster, folder):
    """A program that prints a client certificate."""
    found = cluster.client("jane")
    return plugin(folder, "v1beta1", clientCertificateData=found.cert.read_text(), clientKeyData=found.key.read_text())


def exec_v1(cluster, folder):
    """A program that prints a token in version `v1` of the protocol, which kubectl supports since 1.22."""
    return plugin(folder, "v1", token=cluster.people["jane"])


@pytest.mark.parametrize("user", [token, token_file, token_beside_a_missing_file, certificate, certificate_data, exec_token,
                                  exec_certificate, exec_v1])  # fmt: skip
def test_each_credential_is_used_as_kubectl_uses_it(program, cluster, ledger, namespace, audience, tmp_path, user):
    """The API server allows jane to create the token. kubectl with the same file gets a token of the same service
    account.
    """
    ledger.private_key("jane's key", cluster.client("jane").key.read_text())
    config = kubeconfig(tmp_path / "config", cluster, namespace, user(cluster, tmp_path))
    run = program.run(*source(config, audience))
    claims = verify_jwt(run.token, cluster.pool_provider(audience))
    assert (claims["sub"], claims["aud"]) == (f"system:serviceaccount:{namespace}:app", [audience])
    if user is not exec_v1:
        theirs = verify_jwt(by_kubectl(config, namespace, audience), cluster.pool_provider(audience))
        assert theirs["sub"] == claims["sub"]


@pytest.mark.parametrize("client", list(CLIENTS))
def test_every_client(clients, cluster, sts, namespace, config, audience, client):
    """The variables of a client, or its command line, contain the audience. The keys are found by discovery."""
    sts.add(cluster.pool_provider(audience))
    words = ("kubernetes", "--account=app", f"--kubeconfig={config}")
    outcome = clients.run(client, clients.configuration(audience, *words))
    assert outcome.access_token in sts.issued
    assert sts.exchanges[0].claims["sub"] == f"system:serviceaccount:{namespace}:app"


def test_with_uploaded_keys(asked, cluster, namespace, config, audience):
    """Google cannot reach this cluster. The requested audience is the variable's with `https:`."""
    words = ("kubernetes", "--account=app", f"--kubeconfig={config}")
    run = asked.run(*words)
    claims = verify_jwt(run.token, OidcPoolProvider(audience, cluster.url, jwks=cluster.jwks()))
    assert claims["aud"] == ["https:" + audience]


@pytest.mark.parametrize("asked, given", [(600, 600), (None, 3600), (86400, LONGEST)])
def test_the_lifetime_is_that_of_the_server(program, cluster, namespace, config, audience, asked, given):
    """The lifetime can be shorter than requested; the reported expiry is that of the token."""
    run = program.run(*source(config, audience, *([f"--token-lifetime={asked}"] if asked else [])))
    claims = verify_jwt(run.token, cluster.pool_provider(audience))
    assert claims["exp"] - claims["iat"] == given
    assert has_default_margin(run.document["expiration_time"], claims["exp"], given)


def test_a_missing_permission_is_reported_with_the_commands_that_grant_it(program, cluster, ledger, audience, tmp_path):
    """The message contains that of the API server, and the kubectl commands in the fix work."""
    namespace = cluster.namespace()
    config = kubeconfig(tmp_path / "config", cluster, namespace, {"token": cluster.people["jane"]})
    admin = kubeconfig(tmp_path / "admin", cluster, "default", {"token": cluster.people["admin"]})
    message = program.run(*source(config, audience)).failed(
        "DENIED", "403", 'User "jane" cannot create resource "serviceaccounts/token"', f'namespace "{namespace}"', "--path"
    )
    role, binding = commands_in(message)
    for command in (role, binding.replace("--user=NAME", "--user=jane")):
        done = kubectl(*shlex.split(command)[1:], f"--kubeconfig={admin}")
        assert done.returncode == 0, done.stderr
    assert program.run(*source(config, audience)).token
    cluster.service_account(namespace, "other")
    program.run(*source(config, audience), "--account=other").failed("DENIED", "403")  # resourceNames allows no other account


def test_unknown_names(program, cluster, audience, tmp_path):
    """The service account or the namespace does not exist."""
    config = kubeconfig(tmp_path / "config", cluster, "default", {"token": cluster.people["admin"]})
    words = ("kubernetes", f"--kubeconfig={config}", f"--audience={audience}")
    program.run(*words, "--account=nobody").failed(
        "CONFIGURATION", '404: serviceaccounts "nobody" not found', "--account=nobody", "--namespace=default"
    )
    program.run(*words, "--account=app", "--namespace=nowhere").failed("CONFIGURATION", "404", "--namespace=nowhere")


def test_an_expired_token(program, cluster, ledger, audience, tmp_path, namespace):
    """The token has expired, or was never valid."""
    wrong = ledger.secret("a token of nobody", "nobody-4711-4711-4711")
    config = kubeconfig(tmp_path / "config", cluster, namespace, {"token": wrong})
    program.run(*source(config, audience)).failed("DENIED", "401: Unauthorized", 'user "user"', str(config))


def test_a_certificate_of_another_authority(program, cluster, audience, tmp_path, namespace):
    """The API server treats such a client as anonymous."""
    stranger = Authority(tmp_path / "stranger").client("jane", "jane")
    user = {"client-certificate": str(stranger.cert), "client-key": str(stranger.key)}
    config = kubeconfig(tmp_path / "config", cluster, namespace, user)
    program.run(*source(config, audience)).failed("DENIED", 'user "user"')


def test_only_the_authority_of_the_cluster_is_trusted(program, cluster, audience, tmp_path, namespace):
    """The authority can be given as a path. Another one is not trusted, and --ca-file does not replace that of the
    cluster.
    """
    user, other = {"token": cluster.people["jane"]}, Authority(tmp_path / "other").ca
    by_path = kubeconfig(tmp_path / "by-path", cluster, namespace, user, certificate_authority="authority.pem")
    (tmp_path / "authority.pem").write_bytes(cluster.ca.read_bytes())
    assert program.run(*source(by_path, audience)).token
    (tmp_path / "authority.pem").write_bytes(other.read_bytes())
    for more in ((), (f"--ca-file={cluster.ca}",)):
        program.run(*source(by_path, audience, *more)).failed(
            "CONFIGURATION", "certificate-authority", 'cluster "cluster"'
        )
    without = kubeconfig(tmp_path / "without", cluster, namespace, user, certificate_authority=None)
    program.run(*source(without, audience)).failed("CONFIGURATION", "--ca-file=PEM")
    assert program.run(*source(without, audience, f"--ca-file={cluster.ca}")).token


def test_the_name_in_the_certificate(program, cluster, audience, tmp_path, namespace):
    """`tls-server-name` is used for an address that the certificate does not contain."""
    user, url = {"token": cluster.people["jane"]}, cluster.url.replace("127.0.0.1", "localhost")
    config = kubeconfig(tmp_path / "config", cluster, namespace, user, server=url)
    program.run(*source(config, audience)).failed("CONFIGURATION", "host name", "kubeconfig")
    config = kubeconfig(tmp_path / "config", cluster, namespace, user, server=url, tls_server_name="kubernetes.default.svc")
    assert program.run(*source(config, audience)).token
    config = kubeconfig(tmp_path / "config", cluster, namespace, user, tls_server_name="other.default.svc")
    program.run(*source(config, audience)).failed("CONFIGURATION", "host name", "kubeconfig")


def test_files_merged_as_kubectl_merges_them(program, cluster, audience, tmp_path, namespace):
    """The first entry of a name is used. kubectl prints the user, and the token shows the user of the program."""
    jane = kubeconfig(tmp_path / "jane", cluster, namespace, {"token": cluster.people["jane"]})
    nobody = kubeconfig(tmp_path / "nobody", cluster, "default", {"token": "nobody-4711-4711-4711"})
    words = ("kubernetes", "--account=app", f"--audience={audience}")
    for files, works in (([jane, nobody], True), ([nobody, jane], False), ([tmp_path / "none", jane], True)):
        env = {"KUBECONFIG": ":".join(map(str, files))}
        allowed = kubectl("auth", "can-i", "create", "serviceaccounts/app", "--subresource=token", env=env)
        run = program.run(*words, env=env)
        assert (allowed.stdout.strip() == "yes", run.status == 0) == (works, works), allowed.stderr + run.described()


def test_a_cached_token_is_used_without_the_api_server(program, cluster, namespace, config, audience, tmp_path):
    """The second run prints the same token, and needs only the file."""
    words = source(config, audience, f"--output-file={tmp_path / 'out.json'}")
    first = program.run(*words).token
    config.unlink()
    assert program.run(*words).token == first


def test_an_id_token_of_an_auth_provider(program, cluster, audience, tmp_path):
    """kubectl still supports the provider oidc: while the token is valid, both use it; then only kubectl renews it."""
    namespace = cluster.namespace()
    cluster.service_account(namespace, "maker")
    cluster.let(namespace, {"kind": "ServiceAccount", "name": "maker", "namespace": namespace})
    token = cluster.token(namespace, "maker")
    settings = {"idp-issuer-url": "https://idp.example", "client-id": "kubectl", "id-token": token}
    user = {"auth-provider": {"name": "oidc", "config": settings}}
    config = kubeconfig(tmp_path / "config", cluster, namespace, user)
    claims = verify_jwt(program.run(*source(config, audience)).token, cluster.pool_provider(audience))
    assert claims["sub"] == f"system:serviceaccount:{namespace}:app"
    assert verify_jwt(by_kubectl(config, namespace, audience), cluster.pool_provider(audience))["sub"] == claims["sub"]


def test_a_context_without_a_user(program, cluster, audience, tmp_path):
    """`kubectl proxy` requires no authentication. Without it, the API server refuses an anonymous user."""
    namespace, port = cluster.namespace(), free_port()
    admin = kubeconfig(tmp_path / "admin", cluster, "default", {"token": cluster.people["admin"]})
    config = kubeconfig(tmp_path / "config", cluster, namespace, {})
    content = json.loads(config.read_text())
    content["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
    for users in ([{"name": "user", "user": {}}], []):
        content["users"] = users
        if not users:
            del content["contexts"][0]["context"]["user"]
        config.write_text(json.dumps(content))
        command = [need("kubectl"), "proxy", f"--port={port}", f"--kubeconfig={admin}"]
        env = {"PATH": SYSTEM_PATH, "HOME": "/nonexistent"}
        with serving(command, tmp_path / "proxy.log", env, lambda: "Starting" in (tmp_path / "proxy.log").read_text()):
            run = program.run(*source(config, audience))
            assert verify_jwt(run.token, cluster.pool_provider(audience))["sub"] == f"system:serviceaccount:{namespace}:app"
            assert by_kubectl(config, namespace, audience)


def test_aliases_are_read(program, cluster, namespace, config, audience):
    """The context of the file is another context with another cluster."""
    content = json.loads(config.read_text())
    context = content["contexts"][0]["context"] | {"cluster": "none"}
    config.write_text(f"""
apiVersion: v1
kind: Config
current-context: test
contexts:
- name: other
  context: &context {json.dumps(context)}
- name: test
  context: {{<<: *context, cluster: cluster}}
clusters: &clusters {json.dumps(content["clusters"])}
users: {json.dumps(content["users"])}
x-clusters: *clusters
""")
    assert verify_jwt(program.run(*source(config, audience)).token, cluster.pool_provider(audience))
    assert by_kubectl(config, namespace, audience)


@pytest.mark.parametrize("member, value", [
    ("args", "--json"), ("args", [1]), ("env", [{"name": "PORT", "value": 8080}]), ("env", [{"value": "x"}]),
    ("provideClusterInfo", "true"),
])  # fmt: skip
def test_a_plugin_that_kubectl_refuses(program, cluster, namespace, audience, tmp_path, member, value):
    """Neither kubectl nor the program runs the plugin without all settings of the kubeconfig."""
    user = plugin(tmp_path, "v1beta1", token=cluster.people["jane"])
    user["exec"][member] = value
    config = kubeconfig(tmp_path / "config", cluster, namespace, user)
    assert kubectl("get", f"--kubeconfig={config}", "--raw", "/api").returncode != 0
    program.run(*source(config, audience)).failed("CONFIGURATION", member, "config")


def test_two_users_with_one_name(program, cluster, namespace, config, audience):
    """kubectl refuses the file too."""
    content = json.loads(config.read_text())
    content["users"].append({"name": "user", "user": {"token": "nobody-4711-4711-4711"}})
    config.write_text(json.dumps(content))
    assert "duplicate name" in kubectl("get", f"--kubeconfig={config}", "--raw", "/api").stderr
    program.run(*source(config, audience)).failed("CONFIGURATION", 'two users "user"')


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_data_with_line_breaks(program, cluster, namespace, audience, tmp_path, end):
    """Other programs wrap base64 text, which kubectl accepts."""
    config = kubeconfig(tmp_path / "config", cluster, namespace, {"token": cluster.people["jane"]})
    content = json.loads(config.read_text())
    data = content["clusters"][0]["cluster"]["certificate-authority-data"]
    wrapped = end.join(data[start : start + 64] for start in range(0, len(data), 64)) + end
    content["clusters"][0]["cluster"]["certificate-authority-data"] = wrapped
    config.write_text(json.dumps(content))
    assert verify_jwt(program.run(*source(config, audience)).token, cluster.pool_provider(audience))
    assert by_kubectl(config, namespace, audience)
