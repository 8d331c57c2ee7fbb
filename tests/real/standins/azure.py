"""Azure on loopback: one tenant, and the endpoints that issue its tokens, each on its own port.

    azure = Azure(folder, ledger)
    azure.tenant.add("build", secret="…")
    azure.machine.users.append(new_identity("worker"))
    …a program runs with azure.environment("imds")…
    azure.tenant.issued[-1].proof

Azure cannot run here. The stand-ins refuse what the real endpoints are documented or reported to refuse, and must accept
azure-identity, Microsoft's own client library (test_azure_sdk.py).
"""

from __future__ import annotations

import ssl
from pathlib import Path

from servers.authority import Authority
from standins.azure_entra import Entra
from standins.azure_managed import AppService, ArcAgent, CloudShell, Imds, Machine, MachineLearning, ServiceFabric
from standins.azure_tenant import TENANT, Tenant


class Azure:
    """One running tenant with one machine; a test makes its own."""

    def __init__(self, folder: Path, ledger=None):
        authority = Authority(folder / "authority")
        certificate = authority.server("entra", "127.0.0.1")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.cert, certificate.key)
        self.ca = authority.ca
        self.keys = folder / "keys"  # the folder in which the Arc agent writes; see support/azure.py
        self.keys.mkdir()
        self.tenant = Tenant(ledger)
        self.machine = Machine(self.tenant)
        self.entra = Entra(self.tenant, tls)
        self.app_service = AppService(self.machine)
        self.arc = ArcAgent(self.machine, self.keys)
        self.imds = Imds(self.machine)
        self.service_fabric = ServiceFabric(self.machine, folder)
        self.machine_learning = MachineLearning(self.machine)
        self.cloud_shell = CloudShell(self.machine)

    def environment(self, *present: str, client: str | None = None, **more: str) -> dict[str, str]:
        """The variables of these environments. Without the instance metadata among them, no server responds at that
        address.
        """
        found = {"AZURE_AUTHORITY_HOST": self.entra.url, "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}
        if client:
            found |= {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": client}
        if "app-service" in present:
            found |= {"IDENTITY_ENDPOINT": self.app_service.url + "/msi/token", "IDENTITY_HEADER": self.app_service.header}
        if "arc" in present:
            found |= {"IDENTITY_ENDPOINT": self.arc.url + "/metadata/identity/oauth2/token", "IMDS_ENDPOINT": self.arc.url}
        if "service-fabric" in present:
            found |= {"IDENTITY_ENDPOINT": self.service_fabric.url + "/token", "IDENTITY_HEADER": self.service_fabric.header,
                      "IDENTITY_SERVER_THUMBPRINT": self.service_fabric.thumbprint}  # fmt: skip
        if "machine-learning" in present:
            found |= {"MSI_ENDPOINT": self.machine_learning.url + "/msi/token", "MSI_SECRET": self.machine_learning.header}
        if "cloud-shell" in present:
            found["MSI_ENDPOINT"] = self.cloud_shell.url + "/oauth2/token"
        if "imds" in present:
            found["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = self.imds.url
        return found | more

    def close(self):
        """Stops all servers."""
        managed = (self.app_service, self.arc, self.imds, self.service_fabric, self.machine_learning, self.cloud_shell)
        for service in (self.entra, *managed, self.tenant.issuer, self.tenant.cluster):
            service.close()
