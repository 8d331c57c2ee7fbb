"""Starts a real kube-apiserver with etcd, both on loopback and unprivileged, and creates the objects that a test needs.

https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/ — RBAC authorizes requests, tokens come
from a file or from TokenRequest, and client certificates from an authority of the test. It is its own issuer, as a cluster is.
No other part of Kubernetes runs: the tests create the files that the kubelet mounts into a pod.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

import requests

from servers.authority import Authority, Certificate
from standins.gke_authenticator import GkeAuthenticator
from standins.issuer import Issuer
from standins.verify_jwt import OidcPoolProvider, fetch
from support.places import SYSTEM_PATH, need
from support.processes import free_port, serving, until
from support.signer import Signer, new_key, pem

AUDIENCE = "my-cluster"  # the audience of the tokens of `issuer`
LONGEST = 7200  # the maximum lifetime of a token of this API server, in seconds


@dataclass
class Cluster:
    """One running API server. `people` contains the users with their tokens; `admin` may do everything. `google` accepts
    access tokens. The server trusts the tokens of `issuer` for the audience `my-cluster`, and calls their user `oidc:` and
    the subject.
    """

    url: str
    authority: Authority
    people: dict[str, str]
    google: GkeAuthenticator
    issuer: Issuer
    clients: dict[str, Certificate] = field(default_factory=dict)

    @property
    def ca(self) -> Path:
        """The authority that issued the certificate of the API server and client certificates."""
        return self.authority.ca

    def call(self, method: str, path: str, body: dict | None = None, user: str = "admin") -> dict:
        """Calls the API. Raises PermissionError with the Status of the server if it refuses."""
        headers = {"Authorization": f"Bearer {self.people[user]}"}
        answer = requests.request(method, self.url + path, headers=headers, json=body, verify=str(self.ca), timeout=10)
        if not answer.ok:
            raise PermissionError(answer.text)
        return answer.json()

    def namespace(self) -> str:
        """Creates a namespace with the service account `app`."""
        name = "test-" + secrets.token_hex(4)
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self.service_account(name, "app")
        return name

    def service_account(self, namespace: str, name: str):
        """Creates a service account."""
        self.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})

    def let(self, namespace: str, subject: dict, name: str = "app"):
        """Allows a subject to create tokens of a service account, with the role and the binding on the page of the
        source.
        """
        api = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": [name]}
        self.call("POST", f"{api}/roles", {"metadata": {"name": "wif-token"}, "rules": [rule]})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "wif-token"}
        self.call("POST", f"{api}/rolebindings", {"metadata": {"name": "wif-token"}, "roleRef": role, "subjects": [subject]})

    def let_view(self, namespace: str, user: str):
        """Binds the role `view` of the cluster to a user."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        self.call("POST", path, {"metadata": {"name": "view"}, "roleRef": role, "subjects": [person(user)]})

    def token(self, namespace: str, name: str = "app", audience: str | None = None, seconds: int = 3600) -> str:
        """Requests a token as the kubelet does: for the API server, unless another audience is given."""
        spec = {"expirationSeconds": seconds} | ({"audiences": [audience]} if audience else {})
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return self.call("POST", path, {"spec": spec})["status"]["token"]

    def jwks(self) -> dict:
        """The key set to upload: `kubectl get --raw /openid/v1/jwks`."""
        return self.call("GET", "/openid/v1/jwks")

    def client(self, name: str) -> Certificate:
        """Issues a client certificate for this user."""
        if name not in self.clients:
            self.clients[name] = self.authority.client(f"client-{name}", name)
        return self.clients[name]

    def pool_provider(self, name: str) -> OidcPoolProvider:
        """Makes a pool provider that finds the keys by discovery, which the cluster allows to everyone."""
        return OidcPoolProvider(name, self.url, ca_file=str(self.ca))


def person(name: str) -> dict:
    """Formats a user as a subject of a role binding."""
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}


def account(namespace: str, name: str = "app") -> dict:
    """Formats a service account as a subject of a role binding."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def kubeconfig(path: Path, cluster: Cluster, namespace: str, user: dict, **more) -> Path:
    """Writes a kubeconfig with one context, as kubectl does; `more` has members of the cluster, with `_` for `-`."""
    server = {"server": cluster.url} | {name.replace("_", "-"): value for name, value in more.items()}
    if "certificate-authority" not in server:
        server["certificate-authority-data"] = base64.b64encode(cluster.ca.read_bytes()).decode()
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "cluster", "user": "user", "namespace": namespace}}],
        "clusters": [{"name": "cluster", "cluster": server}],
        "users": [{"name": "user", "user": user}],
    }))  # fmt: skip
    path.chmod(0o600)
    return path


def commands_in(message: str) -> list[str]:
    """The commands in a message that create a role and its binding."""
    found = re.findall(r"kubectl -n \S+ create (?:role|rolebinding) \S+(?: --[\w-]+=[^\s,;]+)+", message)
    assert len(found) == 2, message
    return found


def kubectl(*words, env: dict[str, str] | None = None, given: str = "", program: str = "kubectl") -> subprocess.CompletedProcess:
    """Runs kubectl with its own environment."""
    return subprocess.run([str(word) for word in [need(program), *words]], input=given, capture_output=True, text=True,
                          env={"PATH": SYSTEM_PATH, "HOME": "/nonexistent", **(env or {})}, timeout=60, check=False)  # fmt: skip


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Starts an API server with the users admin and jane."""
    authority, port = Authority(folder / "authority", "cluster CA"), free_port()
    people = {name: f"{name}-{secrets.token_hex(16)}" for name in ("admin", "jane")}
    (folder / "tokens.csv").write_text("".join(
        f'{token},{name},{name},"{"system:masters" if name == "admin" else ""}"\n' for name, token in people.items()
    ))  # fmt: skip
    (folder / "issuer.key").write_text(pem(new_key("RSA"), "traditional"))
    shown = authority.server("api", "127.0.0.1", "kubernetes.default.svc")
    google, issuer = GkeAuthenticator(), https_issuer(authority)
    found = Cluster(f"https://127.0.0.1:{port}", authority, people, google, issuer)
    with contextlib.closing(issuer), etcd(folder) as store, google.serving(folder / "webhook.json") as webhook:
        command = [
            need("kube-apiserver"), f"--etcd-servers={store}", "--bind-address=127.0.0.1", f"--secure-port={port}",
            "--advertise-address=127.0.0.1", f"--cert-dir={folder}", f"--tls-cert-file={shown.cert}",
            f"--tls-private-key-file={shown.key}", f"--client-ca-file={authority.ca}",
            f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC",
            f"--authentication-token-webhook-config-file={webhook}", "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=0",
            f"--oidc-issuer-url={issuer.url}", f"--oidc-ca-file={authority.ca}", f"--oidc-client-id={AUDIENCE}",
            "--oidc-username-prefix=oidc:",
            f"--service-account-issuer={found.url}", f"--service-account-signing-key-file={folder / 'issuer.key'}",
            f"--service-account-key-file={folder / 'issuer.key'}", f"--service-account-jwks-uri={found.url}/openid/v1/jwks",
            f"--service-account-max-token-expiration={LONGEST}s", "--service-cluster-ip-range=10.96.0.0/16",
        ]  # fmt: skip
        env = {"PATH": SYSTEM_PATH, "HOME": str(folder)}

        def ready() -> bool:
            headers = {"Authorization": f"Bearer {people['admin']}"}
            return requests.get(found.url + "/readyz", headers=headers, verify=str(authority.ca), timeout=2).ok

        with serving(command, folder / "kube-apiserver.log", env, ready, seconds=60):
            publish(found)
            aggregate(found)
            until(lambda: knows_keys(found), "the keys of the issuer in the API server")
            yield found


def https_issuer(authority: Authority) -> Issuer:
    """Starts an issuer on https, because the API server refuses others."""
    certificate = authority.server("issuer", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.cert, certificate.key)
    return Issuer(Signer("RS256", "key-1"), tls=tls)


def knows_keys(found: Cluster) -> bool:
    """Whether the API server has read the keys of the issuer, which it does a few seconds after its start."""
    headers = {"Authorization": f"Bearer {found.issuer.token(AUDIENCE)}"}
    return requests.get(found.url + "/api", headers=headers, verify=str(found.ca), timeout=2).status_code != 401


def publish(found: Cluster):
    """Allows everyone to read the keys of the issuer, which a cluster shows only to service accounts by default."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:service-account-issuer-discovery"}
    everybody = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:unauthenticated"}
    binding = {"metadata": {"name": "discovery"}, "roleRef": role, "subjects": [everybody]}
    found.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    assert fetch(found.url + "/.well-known/openid-configuration", found.pool_provider("any"))["issuer"] == found.url


def aggregate(found: Cluster):
    """Fills the role `view`, as the controller manager does, which is not part of this server."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/"
    rules = found.call("GET", path + "system:aggregate-to-view")["rules"]
    found.call("PUT", path + "view", found.call("GET", path + "view") | {"rules": rules})


@contextlib.contextmanager
def etcd(folder: Path) -> Iterator[str]:
    """The store of the API server."""
    url, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [need("etcd"), f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
               f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
               f"--initial-cluster=default={peers}"]  # fmt: skip
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder)}
    with serving(command, folder / "etcd.log", env, lambda: requests.get(url + "/health", timeout=2).ok):
        yield url
