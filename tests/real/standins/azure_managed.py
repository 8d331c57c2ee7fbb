"""The endpoints that give tokens of managed identities: App Service, the agent of Azure Arc, the instance metadata, Service Fabric,
Machine Learning and the Cloud Shell.

https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference,
https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication,
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token,
https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#security-and-authentication,
https://learn.microsoft.com/azure/service-fabric/how-to-managed-identity-service-fabric-app-code,
https://learn.microsoft.com/azure/cloud-shell/msi-authorization. Machine Learning is documented only by azure-identity.
"""

from __future__ import annotations

import secrets
import ssl
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes

from standins.azure_tenant import Identity, Tenant, new_identity
from standins.loopback import Answer, Loopback, Request
from support.signer import certificate, certificate_pem, new_key, pem

METADATA = "/metadata/identity/oauth2/token"
KEYS = "/var/opt/azcmagent/tokens"
LIFE = 86400  # seconds
SEVERAL = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"


@dataclass
class Machine:
    """A virtual machine, server or app, and the identities it has."""

    tenant: Tenant
    system: Identity | None = field(default_factory=lambda: new_identity("system"))
    users: list[Identity] = field(default_factory=list)


def named(query: dict[str, list[str]], parameters: dict[str, str]) -> list[tuple[str, str]]:
    """The identities that a request names, as attribute and value; `parameters` maps a parameter to an attribute."""
    return [(parameters[name], value) for name, values in query.items() if name in parameters for value in values]


def find(users: list[Identity], attribute: str, value: str) -> Identity | None:
    """The identity with this ID."""
    return next((user for user in users if getattr(user, attribute).lower() == value.lower()), None)


def one(query: dict[str, list[str]], name: str) -> str:
    """The value of a parameter that may occur once."""
    values = query.get(name, [])
    return values[0] if len(values) == 1 else ""


class Endpoint:
    """The common part: it records requests; `fail_first` contains statuses that it returns before it responds normally.
    """

    def __init__(self, machine: Machine, tls: ssl.SSLContext | None = None):
        self.machine = machine
        self.fail_first: list[int] = []
        self._http = Loopback(self._first, tls)
        self.url, self.port, self.requests = self._http.url, self._http.port, self._http.requests

    def close(self):
        """Stops serving."""
        self._http.close()

    def _first(self, request: Request) -> Answer:
        probe = "metadata" not in request.headers
        return self._answer(request) if probe or not self.fail_first else Answer(self.fail_first.pop(0), "")

    def _answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def _give(self, where: str, resource: str, identity: Identity, **more: str) -> Answer:
        token = self.machine.tenant.token(where, resource, identity, "managed identity")
        # All values are text, including numbers.
        times = {"expires_on": str(int(time.time()) + LIFE), "not_before": str(int(time.time()) - 300)}
        return Answer(200, {"access_token": token, "resource": resource, "token_type": "Bearer", **times, **more})


class AppService(Endpoint):
    """App Service, Functions and Container Apps."""

    def __init__(self, machine: Machine):
        super().__init__(machine)
        ledger = machine.tenant.ledger
        self.header = secrets.token_hex(16)
        if ledger:
            ledger.secret("the header of App Service", self.header)

    def _answer(self, request: Request) -> Answer:
        def refuse(status: int, message: str) -> Answer:
            return Answer(status, {"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())})

        query, resource = request.query, one(request.query, "resource")
        if request.method != "GET" or request.path.rstrip("/") != "/msi/token":
            return Answer(404, "")
        if request.headers.get("x-identity-header") != self.header:
            return refuse(401, "The header X-IDENTITY-HEADER is missing or wrong.")
        if one(query, "api-version") != "2019-08-01":
            return refuse(400, "The api-version is missing or not supported.")
        ids = {"client_id": "client_id", "principal_id": "object_id", "object_id": "object_id", "mi_res_id": "resource_id"}
        wanted = named(query, ids)
        if not resource or len(wanted) > 1:
            return refuse(400, "The resource is missing, or more than one identity is named.")
        identity = find(self.machine.users, *wanted[0]) if wanted else self.machine.system
        if identity is None:
            return refuse(400, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
                          if wanted else "Unable to load requested managed identity.")  # fmt: skip
        if resource not in self.machine.tenant.resources:
            return refuse(500, "An unexpected error occured while fetching the AAD Token.")
        return self._give("app-service", resource, identity, client_id=identity.client_id.upper())


class Metadata(Endpoint):
    """The common part of the instance metadata and of the Arc agent, which imitates them."""

    versions: set[str] = set()
    ids = {"client_id": "client_id", "object_id": "object_id", "msi_res_id": "resource_id"}

    def _malformed(self, request: Request) -> Answer | None:
        def refuse(text: str) -> Answer:
            return Answer(400, {"error": "invalid_request", "error_description": text})

        if (request.method, request.path) != ("GET", METADATA):
            return Answer(404, "")
        if request.headers.get("metadata", "").lower() != "true":
            return refuse("Required metadata header not specified")
        if {"x-forwarded-for", "forwarded", "via"} & request.headers.keys():
            return refuse("The request was forwarded by a proxy")
        if one(request.query, "api-version") not in self.versions:
            return Answer(400, {"error": "Bad request. api-version is invalid or was not specified in the request."})
        if not one(request.query, "resource"):
            return refuse("'resource' is missing or given twice")
        if len(named(request.query, self.ids)) > 1:
            return refuse("More than one identity is named")
        return None

    def _unknown_resource(self, resource: str) -> Answer | None:
        if resource in self.machine.tenant.resources:
            return None
        text = f"AADSTS500011: The resource principal named {resource} was not found in the tenant named Example."
        return Answer(400, {"error": "invalid_resource", "error_description": text})


class Imds(Metadata):
    """The instance metadata service."""

    versions = {"2018-02-01"}

    def _answer(self, request: Request) -> Answer:
        if malformed := self._malformed(request):
            return malformed
        wanted, machine, resource = named(request.query, self.ids), self.machine, one(request.query, "resource")
        if wanted:
            identity = find(machine.users, *wanted[0])
        else:
            identity = machine.system or (machine.users[0] if len(machine.users) == 1 else None)
        if identity is None:
            text = SEVERAL if not wanted and machine.users else "Identity not found"
            return Answer(400, {"error": "invalid_request", "error_description": text})
        life = {"expires_in": str(LIFE), "ext_expires_in": str(LIFE), "client_id": identity.client_id}
        return self._unknown_resource(resource) or self._give("imds", resource, identity, **life)


class ArcAgent(Metadata):
    """The agent of Azure Arc. It writes its keys into `folder`, and announces them in KEYS. `legacy` is an agent
    that does not know user-assigned identities; `realm` and `content` replace the name of the file and its content.
    """

    versions = {"2019-11-01", "2020-06-01"}

    def __init__(self, machine: Machine, folder: Path):
        self.folder = folder
        self.legacy = False
        self.realm: str | None = None
        self.content: str | None = None
        self._keys: set[str] = set()
        super().__init__(machine)

    def _answer(self, request: Request) -> Answer:
        if malformed := self._malformed(request):
            return malformed
        if "authorization" not in request.headers:
            return Answer(401, "", {"WWW-Authenticate": f"Basic realm={self._challenge()}"})
        scheme, _, key = request.headers["authorization"].partition(" ")
        if scheme != "Basic" or key not in self._keys:
            return Answer(401, {"error": "unauthorized_client", "error_description": "The key is wrong, or was used before"})
        self._keys.discard(key)
        resource, wanted = one(request.query, "resource"), [] if self.legacy else named(request.query, self.ids)
        identity = find(self.machine.users, *wanted[0]) if wanted else self.machine.system
        if identity is None:
            return Answer(404, {"error": "not_found", "error_description": "The identity is not assigned to this machine"})
        # The response contains the ID with which a user-assigned identity was requested.
        names = {attribute: name for name, attribute in self.ids.items()}
        echo = {names[attribute]: getattr(identity, attribute) for attribute, _ in wanted}
        return self._unknown_resource(resource) or self._give("arc", resource, identity, expires_in=str(LIFE), **echo)

    def _challenge(self) -> str:
        key, name = self.content or secrets.token_hex(32), f"{uuid.uuid4()}.key"
        if self.machine.tenant.ledger:
            self.machine.tenant.ledger.secret(f"the key of the agent {name}", key)
        self._keys.add(key)
        (self.folder / name).write_text(key)
        return self.realm or f"{KEYS}/{name}"


class WithSecret(Endpoint):
    """Endpoints that require a secret of the platform in a header, and report an error as a nested object."""

    header_name = ""
    where = ""
    version = ""
    ids: dict[str, str] = {}
    codes = {"secret": "UserError", "argument": "UserError", "identity": "UserError"}

    def __init__(self, machine: Machine, tls: ssl.SSLContext | None = None):
        super().__init__(machine, tls)
        self.header = secrets.token_hex(16)
        if machine.tenant.ledger:
            machine.tenant.ledger.secret(f"the header of {self.where}", self.header)

    def _answer(self, request: Request) -> Answer:
        def refuse(status: int, reason: str, message: str) -> Answer:
            return Answer(status, {"error": {"correlationId": str(uuid.uuid4()), "code": self.codes[reason], "message": message}})

        query, resource = request.query, one(request.query, "resource")
        if request.method != "GET":
            return Answer(405, "")
        if request.headers.get(self.header_name) != self.header:
            return refuse(401, "secret", "The secret is missing or wrong.")
        if one(query, "api-version") != self.version or not resource or resource not in self.machine.tenant.resources:
            return refuse(400, "argument", "The parameter api-version or resource is missing or wrong.")
        if set(query) - {"api-version", "resource", *self.ids}:
            return refuse(400, "argument", "A parameter is not known.")
        wanted = named(query, self.ids)
        identity = find(self.machine.users, *wanted[0]) if wanted else self.machine.system
        if identity is None:
            return refuse(404, "identity", "No managed identity found.")
        return self._give(self.where, resource, identity)


class ServiceFabric(WithSecret):
    """A cluster with one identity for the application. No authority has issued its certificate."""

    header_name, where, version = "secret", "service-fabric", "2019-07-01-preview"
    codes = {"secret": "SecretHeaderNotFound", "argument": "ArgumentNullOrEmpty", "identity": "ManagedIdentityNotFound"}

    def __init__(self, machine: Machine, folder: Path):
        key = new_key("EC")
        found = certificate(key, "node")
        path = folder / "node.pem"
        path.write_text(pem(key) + certificate_pem(found))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(path)
        self.thumbprint = found.fingerprint(hashes.SHA1()).hex().upper()
        super().__init__(machine, self.tls)


class MachineLearning(WithSecret):
    """A compute instance of Azure Machine Learning."""

    header_name, where, version = "secret", "machine-learning", "2017-09-01"
    ids = {"clientid": "client_id", "object_id": "object_id", "msi_res_id": "resource_id"}


class CloudShell(Endpoint):
    """The Cloud Shell of a user, who is the `system` identity."""

    def _answer(self, request: Request) -> Answer:
        form = parse_qs(request.body.decode())
        resource = one(form, "resource")
        if request.method != "POST" or request.headers.get("metadata", "").lower() != "true":
            return Answer(400, {"error": {"code": "InvalidRequest", "message": "Required metadata header not specified"}})
        if resource not in self.machine.tenant.resources:
            text = f"Audience {resource} is not a supported MSI token audience."
            return Answer(400, {"error": {"code": "AudienceNotSupported", "message": text}})
        return self._give("cloud-shell", resource, self.machine.system, expires_in="3600")
