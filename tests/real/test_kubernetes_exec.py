"""`exec`: kubectl with the plugin for GKE, which has no credentials of its own, reads from a real kube-apiserver."""

from __future__ import annotations

import pytest

from standins.sts import DEPLOYER
from support.impersonation import CLOUD_PLATFORM
from support.kubernetes import kubeconfig
from support.places import need


@pytest.mark.parametrize("arguments, options", [([], ["--scope=cloud-platform,userinfo.email"]),
                                                (["--use_application_default_credentials"], [])], ids=["gcloud", "go"])  # fmt: skip
def test_the_plugin_for_gke_gets_a_token(cluster, commands, issuer, audience, sts, tmp_path, arguments, options):
    """The plugin uses gcloud, which does not name scopes, or the Go library. The cluster knows the service account by
    its address.
    """
    path = tmp_path / "token"
    path.write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(path)})
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": str(need("gke-gcloud-auth-plugin")), "args": arguments,
              "interactiveMode": "Never", "provideClusterInfo": True}  # fmt: skip
    namespace = cluster.namespace()
    cluster.let_view(namespace, DEPLOYER)
    config = kubeconfig(tmp_path / "config", cluster, namespace, {"exec": plugin})
    with cluster.google.trusting(sts) as google:
        kubectl = (need("kubectl-1.37"), f"--kubeconfig={config}", "get", "serviceaccounts", "--output=name")
        run = commands.run("exec", *options, "--", *kubectl)
        assert run.status == 0 and "serviceaccount/app" in run.stdout, run.described()
        assert {google.user(token) for token in google.reviewed} == {DEPLOYER}
    assert all(CLOUD_PLATFORM in sts.iam.tokens[token].scopes for token in google.reviewed)
