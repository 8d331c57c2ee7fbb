"""The addresses that Azure's platforms really have: 169.254.169.254, the agent of Arc at 127.0.0.1:40342, and the private and
link-local ones of App Service, inside a network namespace that has them. azure-identity runs in the same place.

The variables name a proxy that does not exist, because no request may use one. The stand-ins listen outside of the namespace;
socat forwards the connections to them, over sockets in the file system.
"""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from servers.namespace import NAMES, namespace
from standins.azure_tenant import RESOURCE
from support.azure import reference, with_keys
from support.places import need
from support.processes import until

PROXY = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"), "http://proxy.example.test:1")
PRIVATE = NAMES["other.example.test"]
IMDS = "169.254.169.254"


@pytest.fixture
def inside():
    """The namespace, which has the address of the instance metadata."""
    with namespace() as space:
        for address in (IMDS, "169.254.131.2"):
            subprocess.run([*space.prefix, "ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
        yield space


@contextlib.contextmanager
def carried(folder, space, address: str, port: int, to: int):
    """Forwards the connections to an address inside to a port outside."""
    path = folder / f"{address}.sock"
    within = [*space.prefix, need("socat"), f"TCP-LISTEN:{port},bind={address},fork,reuseaddr", f"UNIX-CONNECT:{path}"]
    outside = [need("socat"), f"UNIX-LISTEN:{path},fork", f"TCP:127.0.0.1:{to}"]
    children = [subprocess.Popen([str(word) for word in words]) for words in (outside, within)]
    probe = [*space.prefix, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"]
    try:
        until(path.exists, f"{path} listens")
        until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0, f"{address}:{port} listens")
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def without_host(env: dict[str, str]) -> dict[str, str]:
    """Removes the variable that names a host other than 169.254.169.254."""
    return {name: value for name, value in env.items() if name != "AZURE_POD_IDENTITY_AUTHORITY_HOST"}


def test_the_instance_metadata_at_its_own_address(azure, program, inside, tmp_path):
    """No variable names the address. azure-identity would use the proxies, so it runs without them."""
    with carried(tmp_path, inside, IMDS, 80, azure.imds.port):
        theirs = reference(azure, program, "DefaultAzureCredential", {}, prefix=inside.prefix)
        assert theirs["token"] == azure.tenant.issued[-1].token
        run = program.behind(*inside.prefix).run("azure", f"--resource={RESOURCE}", env=PROXY)
    assert run.token == azure.tenant.issued[-1].token and azure.tenant.issued[-1].where == "imds"
    assert all(request.headers["host"] == IMDS for request in azure.imds.requests)


def test_no_server_responds_at_the_metadata_address(program, inside):
    """The program finds no identity, and does not wait long."""
    run = program.behind(*inside.prefix).run("azure", f"--resource={RESOURCE}", env=PROXY, timeout=5)
    run.failed("ABSENT", "imds", "http://169.254.169.254")


@pytest.mark.parametrize("address", [PRIVATE, "169.254.131.2"])
def test_app_service_at_a_private_address(azure, program, inside, tmp_path, address):
    """Plain http to a private address works without a proxy and without --allow-http."""
    env = without_host(azure.environment("app-service")) | PROXY | {"IDENTITY_ENDPOINT": f"http://{address}:8081/msi/token"}
    with carried(tmp_path, inside, address, 8081, azure.app_service.port):
        run = program.behind(*inside.prefix).run("azure", f"--resource={RESOURCE}", env=env)
    assert run.token == azure.tenant.issued[-1].token and azure.tenant.issued[-1].where == "app-service"


def test_app_service_elsewhere_requires_https(azure, program, inside, tmp_path):
    """A host name is not an address of the platform, even if it is the name of this host: the header would cross a network
    unencrypted.
    """
    env = without_host(azure.environment("app-service")) | {"IDENTITY_ENDPOINT": "http://other.example.test:8081/msi/token"}
    with carried(tmp_path, inside, PRIVATE, 8081, azure.app_service.port):
        run = program.behind(*inside.prefix).run("azure", f"--resource={RESOURCE}", env=env)
    run.failed("CONFIGURATION", "IDENTITY_ENDPOINT", "https")
    assert [request for request in azure.app_service.requests if request.headers.get("x-identity-header")] == []


def test_an_installed_agent_needs_no_variables(azure, program, inside, tmp_path):
    """The program of the agent shows that it is installed; it listens on its usual port."""
    prefix = (*inside.prefix, *with_keys(azure.keys, agent=True))
    with carried(tmp_path, inside, "127.0.0.1", 40342, azure.arc.port):
        run = program.behind(*prefix).run("azure", f"--resource={RESOURCE}", "--environment=arc", env=PROXY)
    assert run.token == azure.tenant.issued[-1].token and azure.tenant.issued[-1].where == "arc"
