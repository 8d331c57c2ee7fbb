"""The program finds the identity that azure-identity finds: the same environment, the same loopback endpoints.

azure-identity, Microsoft's own client library, is the reference, and shows that the stand-ins are not made only for the program. The
tokens that the stand-ins issued show which identity was used, where, and how it authenticated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

import pytest

from standins.azure import Azure
from standins.azure_tenant import EXCHANGE, RESOURCE, SUBJECT, TENANT, new_identity
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.azure import certified, reference, with_keys

APP, WORKER, OTHER = new_identity("build"), new_identity("worker"), new_identity("other")
FILES = {"certificate": "AZURE_CLIENT_CERTIFICATE_PATH", "federated": "AZURE_FEDERATED_TOKEN_FILE"}
EVERY = ("app-service", "arc", "imds")


@dataclass(frozen=True)
class Case:
    """One environment: its credentials and endpoints, and the expected token (None: no identity). If `ours` differs,
    `because` gives the reason.
    """

    name: str
    expect: tuple[str, str, str] | None
    credentials: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    client: str | None = None
    env: dict[str, str | None] = field(default_factory=dict)
    prepare: Callable[[Azure], None] = lambda azure: None
    ours: tuple[str, str, str] | None = None
    because: str = ""


def system(where: str) -> tuple[str, str, str]:
    """The identity of the machine."""
    return (where, new_identity("system").client_id, "managed identity")


def user(where: str, identity=WORKER) -> tuple[str, str, str]:
    """A user-assigned identity."""
    return (where, identity.client_id, "managed identity")


def principal(proof: str) -> tuple[str, str, str]:
    """The application."""
    return ("entra", APP.client_id, proof)


def no_system(azure: Azure):
    """A machine without its own identity."""
    azure.machine.system = None


def legacy(azure: Azure):
    """An agent that ignores which identity is asked for."""
    azure.arc.legacy = True


CASES = [
    Case("a secret", principal("secret"), ("secret",), client=APP.client_id),
    Case("a certificate", principal("certificate"), ("certificate",), client=APP.client_id),
    Case("a federated token", principal("federated"), ("federated",), client=APP.client_id),
    Case("all credentials", principal("secret"), ("secret", "certificate", "federated"), EVERY, APP.client_id),
    Case("certificate and federated token", principal("certificate"), ("certificate", "federated"), EVERY, APP.client_id),
    Case("federated token and endpoints", principal("federated"), ("federated",), EVERY, APP.client_id),
    Case("a secret without its tenant", user("imds"), ("secret",), ("imds",), WORKER.client_id, {"AZURE_TENANT_ID": None}),
    Case("a secret without its client", system("imds"), ("secret",), ("imds",), APP.client_id, {"AZURE_CLIENT_ID": None}),
    Case("a federated token without its client", None, ("federated",), ("imds",), None, {"AZURE_TENANT_ID": TENANT}),
    Case("a federated token without its client and tenant", system("imds"), ("federated",), ("imds",),
         because="azure-identity passes over the token file, and gets the identity of the node"),
    Case("an empty secret beside a federated token", None, ("federated",), ("imds",), APP.client_id, {"AZURE_CLIENT_SECRET": ""},
         ours=principal("federated"), because="an empty variable is not set; azure-identity fails"),
    Case("App Service", system("app-service"), (), ("app-service",)),
    Case("App Service, user-assigned", user("app-service"), (), ("app-service",), WORKER.client_id),
    Case("App Service beside the instance metadata", system("app-service"), (), ("app-service", "imds")),
    Case("App Service without that identity", None, (), ("app-service",), "nobody"),
    Case("App Service without its own identity", None, (), ("app-service",), prepare=no_system),
    Case("an endpoint without its header", None, (), ("app-service", "imds"), None, {"IDENTITY_HEADER": None}),
    Case("Arc", system("arc"), (), ("arc",)),
    Case("Arc beside the instance metadata", system("arc"), (), ("arc", "imds")),
    Case("Arc, user-assigned", user("arc"), (), ("arc",), WORKER.client_id),
    Case("Arc, an agent of old", None, (), ("arc",), WORKER.client_id, prepare=legacy),
    Case("Arc without that identity", None, (), ("arc",), "nobody"),
    Case("instance metadata", system("imds"), (), ("imds",)),
    Case("instance metadata, user-assigned", user("imds"), (), ("imds",), WORKER.client_id),
    Case("instance metadata without that identity", None, (), ("imds",), "nobody"),
    Case("instance metadata of several identities", None, (), ("imds",), prepare=no_system),
    Case("instance metadata of one identity", user("imds"), (), ("imds",),
         prepare=lambda azure: (no_system(azure), azure.machine.users.remove(OTHER)) and None),
    Case("nothing", None),
    # Platforms whose identity is never replaced by that of the machine.
    Case("Service Fabric", system("service-fabric"), (), ("service-fabric", "imds")),
    Case("Service Fabric, user-assigned", None, (), ("service-fabric", "imds"), WORKER.client_id),
    Case("Service Fabric, another certificate", None, (), ("service-fabric", "imds"), None, {"IDENTITY_SERVER_THUMBPRINT": "00" * 20}),
    Case("Service Fabric, no thumbprint", None, (), ("service-fabric", "imds"), None, {"IDENTITY_SERVER_THUMBPRINT": "AB"}),
    Case("Service Fabric, no https", None, (), ("service-fabric", "imds"), None, {"IDENTITY_ENDPOINT": "http://127.0.0.1:1"}),
    Case("Service Fabric without its own identity", None, (), ("service-fabric", "imds"), prepare=no_system),
    Case("Machine Learning", system("machine-learning"), (), ("machine-learning", "imds")),
    Case("Machine Learning, user-assigned", user("machine-learning"), (), ("machine-learning", "imds"), WORKER.client_id),
    Case("Machine Learning without that identity", None, (), ("machine-learning", "imds"), "nobody"),
    Case("Machine Learning, another secret", None, (), ("machine-learning", "imds"), None, {"MSI_SECRET": "s"}),
    Case("Cloud Shell", system("cloud-shell"), (), ("cloud-shell", "imds")),
    Case("Cloud Shell, user-assigned", system("cloud-shell"), (), ("cloud-shell", "imds"), WORKER.client_id,
         because="azure-identity sends an ID that the Cloud Shell ignores, and gets the token of another identity"),
    Case("Arc and the variables of the Cloud Shell", system("arc"), (), ("arc", "cloud-shell")),
    Case("Service Fabric and the variables of Machine Learning", system("service-fabric"), (), ("service-fabric", "machine-learning")),
    Case("App Service and its former variables", system("app-service"), (), ("app-service", "imds"), None,
         {"MSI_ENDPOINT": "http://127.0.0.1:1", "MSI_SECRET": "s"}),
    # AZURE_TOKEN_CREDENTIALS.
    *(Case(f"AZURE_TOKEN_CREDENTIALS={value!r}", expect, ("secret", "federated"), ("imds",), APP.client_id,
           {"AZURE_TOKEN_CREDENTIALS": value})
      for value, expect in [
          ("", principal("secret")), ("prod", principal("secret")), (" PROD ", principal("secret")),
          ("EnvironmentCredential", principal("secret")), ("workloadidentitycredential", principal("federated")),
          ("dev", None), ("AzureCliCredential", None), ("AzurePowerShellCredential", None), ("nonsense", None)]),
    Case("AZURE_TOKEN_CREDENTIALS of a managed identity", user("imds"), ("secret",), ("imds",), WORKER.client_id,
         {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}),
    Case("AZURE_TOKEN_CREDENTIALS of credentials that are not there", None, (), ("imds",), None,
         {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}),
]  # fmt: skip


def settle(case: Case, azure: Azure, folder, ledger) -> dict[str, str]:
    """Sets up the environment of a case, and returns its variables."""
    path, certificate = certified(folder, ledger)
    azure.tenant.add("build", secret="build-secret-value-4711", certificates=[certificate],
                     federated=[(azure.tenant.cluster.url, SUBJECT, EXCHANGE)])  # fmt: skip
    azure.machine.users += [WORKER, OTHER]
    (folder / "projected").write_text(azure.tenant.projected())
    values = {"AZURE_CLIENT_SECRET": "build-secret-value-4711", FILES["certificate"]: str(path),
              FILES["federated"]: str(folder / "projected")}  # fmt: skip
    chosen = [FILES.get(name, "AZURE_CLIENT_SECRET") for name in case.credentials]
    env = azure.environment(*case.endpoints, client=case.client) | {name: values[name] for name in chosen} | case.env
    case.prepare(azure)
    return {name: value for name, value in env.items() if value is not None}


def last(azure: Azure, token: str | None) -> tuple[str, str, str] | None:
    """The place, the identity and the proof of this token, which must be the last one that was issued."""
    if token is None:
        return None
    issued = azure.tenant.issued[-1]
    assert issued.token == token
    return issued.where, issued.client_id, issued.proof


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_identity(case, azure, program, audience, tmp_path, ledger):
    """The environment, the identity and its proof are the same; or both find none, or both fail. Google's rules accept
    the token.
    """
    env, prefix = settle(case, azure, tmp_path, ledger), with_keys(azure.keys)
    theirs = reference(azure, program, "DefaultAzureCredential", env, prefix=prefix, retry_total=0)
    assert last(azure, theirs.get("token")) == case.expect, theirs
    run = program.behind(*prefix).run("azure", f"--resource={RESOURCE}", f"--ca-file={azure.ca}", env=env)
    expect = case.ours if case.because else case.expect
    if expect is None:
        run.failed(run.document["code"])
        assert run.document["code"] in ("ABSENT", "CONFIGURATION", "DENIED"), run.described()
    else:
        assert last(azure, run.token) == expect
        trusted = OidcPoolProvider(audience, azure.tenant.issuer.url, allowed_audiences=(RESOURCE,))
        assert verify_jwt(run.token, trusted)["oid"]


def sent(request) -> tuple:
    """The parts of a request that must be equal. The user agent is not one of them."""
    headers = {name: request.headers[name] for name in ("secret", "metadata", "x-identity-header") if name in request.headers}
    return request.method, request.path, request.query, headers, request.body


@pytest.mark.parametrize("where", ["service-fabric", "machine-learning", "cloud-shell"])
def test_the_same_request(azure, program, where):
    """The program and azure-identity send the same method, path, parameters and headers."""
    service = getattr(azure, where.replace("-", "_"))
    assert "token" in reference(azure, program, "ManagedIdentityCredential", azure.environment(where))
    assert program.run("azure", f"--resource={RESOURCE}", env=azure.environment(where)).token
    theirs, ours = service.requests
    assert sent(ours) == sent(theirs)


@pytest.mark.parametrize("by", ["client_id", "object_id", "resource_id"])
@pytest.mark.parametrize("where", [*EVERY, "machine-learning"])
def test_an_identity_by_each_of_its_ids(azure, program, where, by):
    """The option overrides AZURE_CLIENT_ID."""
    azure.machine.users += [WORKER, OTHER]
    prefix = with_keys(azure.keys)
    theirs = reference(azure, program, "ManagedIdentityCredential", azure.environment(where), prefix=prefix,
                       identity_config={by: getattr(WORKER, by)})  # fmt: skip
    assert last(azure, theirs.get("token")) == user(where), theirs
    option = {"client_id": "--client-id", "object_id": "--object-id", "resource_id": "--identity-resource-id"}[by]
    env = azure.environment(where, client=OTHER.client_id)
    run = program.behind(*prefix).run("azure", f"--resource={RESOURCE}", f"{option}={getattr(WORKER, by)}", env=env)
    assert last(azure, run.token) == user(where)


def test_options_instead_of_variables(azure, program, tmp_path, ledger):
    """The SDK gets arguments and the program options, while the variables name another identity."""
    path, certificate = certified(tmp_path, ledger)
    azure.tenant.add("build", secret="build-secret-value-4711", certificates=[certificate],
                     federated=[(azure.tenant.cluster.url, SUBJECT, EXCHANGE)])  # fmt: skip
    projected = tmp_path / "projected"
    projected.write_text(azure.tenant.projected())
    account = {"tenant_id": TENANT, "client_id": APP.client_id, "authority": azure.entra.url}
    wrong = {"AZURE_TENANT_ID": "wrong", "AZURE_CLIENT_ID": "wrong", "AZURE_CLIENT_SECRET": "wrong",
             "AZURE_AUTHORITY_HOST": "wrong.invalid", "SECRET": "build-secret-value-4711"}  # fmt: skip
    options = [f"--tenant-id={TENANT}", f"--client-id={APP.client_id}", f"--authority-host={azure.entra.url}", f"--ca-file={azure.ca}"]
    for credential, arguments, option, proof in (
        ("ClientSecretCredential", {"client_secret": "build-secret-value-4711"}, "--client-secret=env:SECRET", "secret"),
        ("CertificateCredential", {"certificate_path": str(path)}, f"--client-cert={path}", "certificate"),
        ("WorkloadIdentityCredential", {"token_file_path": str(projected)}, f"--federated-token-file={projected}", "federated"),
    ):
        theirs = reference(azure, program, credential, {}, **account, **arguments)
        assert last(azure, theirs.get("token")) == principal(proof), theirs
        run = program.run("azure", f"--resource={RESOURCE}", *options, option, env=wrong)
        assert last(azure, run.token) == principal(proof)
    header = azure.tenant.applications[APP.client_id].assertions[1]["header"]
    assert header["alg"] == "PS256" and "x5t#S256" in header, "as Entra ID documents it"


def test_the_token_file_is_read_each_time(azure, program, tmp_path):
    """Kubernetes renews it within the hour."""
    azure.tenant.add("build", federated=[(azure.tenant.cluster.url, SUBJECT, EXCHANGE)])
    projected = tmp_path / "projected"
    env = azure.environment(client=APP.client_id, AZURE_FEDERATED_TOKEN_FILE=str(projected))
    source = ("azure", f"--resource={RESOURCE}", f"--ca-file={azure.ca}")
    projected.write_text(azure.tenant.projected(exp=1))
    program.run(*source, env=env).failed("EXPIRED", "AADSTS700024", "--federated-token-file")
    projected.write_text(azure.tenant.projected())
    assert program.run(*source, env=env).token
    assert azure.entra.token_requests[-1]["client_assertion"] == projected.read_text()
