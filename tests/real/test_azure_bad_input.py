"""What Entra ID, the managed identities and Azure Arc refuse, and what the program tells the user to do.

The tests look for words that do not depend on how a message is worded: an option, a variable, a command of az, an error number of
Entra ID. Whole messages, and cases that need no stand-in of Azure, are in tests/scenarios/azure and tests/transcripts. The `azure`
fixture registers all secrets of these runs, and the leak scan reads every output and log.
"""

from __future__ import annotations

import re

import pytest

from standins.azure_managed import KEYS
from standins.azure_tenant import CLOSED, EXCHANGE, RESOURCE, SUBJECT, TENANT, new_identity
from support.azure import certified, with_keys

BUILD, WORKER = new_identity("build"), new_identity("worker")
SECRET = "build-secret-value-4711"
ENVIRONMENTS = ["service-principal", "workload-identity", "app-service", "arc", "imds"]


@pytest.fixture
def run(azure, program):
    """Runs the program in an environment of the stand-ins."""

    def run(*options, present=(), client=None, resource=RESOURCE, **env):
        given = azure.environment(*present, client=client) | env
        return program.run("azure", f"--resource={resource}", f"--ca-file={azure.ca}", "--timeout=8", *options, env=given)

    return run


@pytest.fixture
def build(azure, tmp_path, ledger):
    """An application with a secret, which also trusts the tokens of a pod."""
    federated = [(azure.tenant.cluster.url, SUBJECT, EXCHANGE)]
    return azure.tenant.add("build", secret=SECRET, expired_secret="0ld-secret-value-4711", federated=federated)


# Not in this environment


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_other_than_the_requested_one(azure, run, environment):
    """The program does not use an identity of another environment."""
    present = {"imds": ("app-service",)}.get(environment, ("imds",))
    message = run(f"--environment={environment}", present=present).failed("ABSENT")
    assert azure.tenant.issued == []
    assert [name for name in ENVIRONMENTS if re.search(rf"\b{name}\b", message)] == [environment]


# Refused


@pytest.mark.parametrize("secret, code, words", [
    ("wrong-secret-value-4711", "DENIED", ["AADSTS7000215", "--client-secret"]),
    ("0ld-secret-value-4711", "EXPIRED", ["AADSTS7000222", "az ad app credential reset"]),
])  # fmt: skip
def test_the_secret_is_refused(run, build, ledger, secret, code, words):
    """The secret is wrong, or has expired."""
    ledger.secret("the secret sent", secret)
    run(client=BUILD.client_id, AZURE_CLIENT_SECRET=secret).failed(code, *words)


def test_the_tenant_is_unknown(run, build):
    """The message names the option to check."""
    tenant = "--tenant-id=22222222-0000-0000-0000-000000000000"
    run(tenant, client=BUILD.client_id, AZURE_CLIENT_SECRET=SECRET).failed("CONFIGURATION", "AADSTS90002", "--tenant-id")


def test_the_client_is_unknown(run):
    """The application does not exist in this tenant."""
    run(client="nobody", AZURE_CLIENT_SECRET=SECRET).failed("CONFIGURATION", "AADSTS700016", "--client-id", "az ad app show")


@pytest.mark.parametrize("claims, code, words", [
    ({"sub": "system:serviceaccount:apps:other"}, "DENIED", ["AADSTS700213", "apps:other", "federated-credential create"]),
    ({"iss": "https://other.example.test"}, "DENIED", ["AADSTS700211", "federated-credential create"]),
    ({"aud": "other"}, "DENIED", ["AADSTS700212", "federated-credential create"]),
    ({"exp": 1}, "EXPIRED", ["AADSTS700024", "--federated-token-file"]),
])  # fmt: skip
def test_the_pod_s_token_is_refused(azure, run, build, tmp_path, claims, code, words):
    """The subject, issuer or audience is not trusted, or the token has expired."""
    path = tmp_path / "projected"
    path.write_text(azure.tenant.projected(**claims))
    run(client=BUILD.client_id, AZURE_FEDERATED_TOKEN_FILE=str(path)).failed(code, *words)


def test_the_certificate_is_refused(run, build, tmp_path, ledger):
    """The certificate is not registered for the application."""
    path, _ = certified(tmp_path, ledger)
    refused = run(client=BUILD.client_id, AZURE_CLIENT_CERTIFICATE_PATH=str(path))
    refused.failed("DENIED", "AADSTS700027", "--client-cert", "az ad app credential reset")


def test_the_header_of_app_service_is_old(run):
    """The message names its variable."""
    run(present=("app-service",), IDENTITY_HEADER="0123456789abcdef").failed("DENIED", "401", "IDENTITY_HEADER")


# Wrong resource


def test_the_resource_is_unknown(azure, run, build):
    """Entra ID and the instance metadata say that the resource is unknown; App Service does not give a reason."""
    other = {"resource": "api://other"}
    words = ("--resource", "application ID URI", "az ad sp create")
    run(client=BUILD.client_id, AZURE_CLIENT_SECRET=SECRET, **other).failed("CONFIGURATION", "AADSTS500011", *words)
    run(present=("imds",), **other).failed("CONFIGURATION", "AADSTS500011", *words)
    run(present=("app-service",), **other).failed("UNREACHABLE", "500", "--resource")


def test_the_resource_is_a_scope(run, build):
    """The user wrote the resource in the form that SDKs expect."""
    scope = RESOURCE + "/.default"
    run(client=BUILD.client_id, AZURE_CLIENT_SECRET=SECRET, resource=scope).failed("USAGE", "/.default", "--resource")
    run(present=("imds",), resource=scope).failed("USAGE", "/.default", "--resource")


def test_the_resource_requires_an_assignment(run, build):
    """The identity must be assigned to the application."""
    run(client=BUILD.client_id, AZURE_CLIENT_SECRET=SECRET, resource=CLOSED).failed("DENIED", "AADSTS501051", "app role")


# Identity not found


@pytest.mark.parametrize("where", ["imds", "app-service"])
def test_the_identity_is_not_assigned(azure, run, where):
    """The identity is that of an option, that of a variable, or that of the machine."""
    for option in ("--client-id", "--object-id", "--identity-resource-id"):
        run(f"{option}=x", present=(where,)).failed("CONFIGURATION", "identity assign", option)
    run(present=(where,), client="x").failed("CONFIGURATION", "AZURE_CLIENT_ID")
    azure.machine.system = None
    run(present=(where,)).failed("ABSENT", "identity assign", "--client-id")


def test_there_are_several_identities(azure, run):
    """The message names the option that selects one."""
    azure.machine.system = None
    azure.machine.users += [WORKER, BUILD]
    run(present=("imds",)).failed("CONFIGURATION", "Multiple user assigned identities", "--client-id")


# Temporary failures


def test_temporary_errors_are_retried(azure, run, build):
    """Entra ID is busy, or the instance metadata are being updated. Both requests are repeated, with a new assertion for
    Entra ID.
    """
    azure.entra.fail_first, azure.imds.fail_first = [503, 429], [404, 410, 500]
    assert run(client=BUILD.client_id, AZURE_CLIENT_SECRET=SECRET).token
    assert run(present=("imds",)).token
    azure.imds.fail_first = [410] * 9
    run(present=("imds",)).failed("UNREACHABLE", "410")


def test_each_attempt_has_a_new_assertion(azure, run, build, tmp_path, ledger):
    """Entra ID accepts only the second attempt."""
    path, certificate = certified(tmp_path, ledger)
    build.certificates.append(certificate)
    azure.entra.fail_first = [503]
    assert run(client=BUILD.client_id, AZURE_CLIENT_CERTIFICATE_PATH=str(path)).token
    first, second = (fields["client_assertion"] for fields in azure.entra.token_requests)
    assert first != second and build.assertions[0]["claims"]["aud"] == f"{azure.entra.url}/{TENANT}/oauth2/v2.0/token"


# The keys of Azure Arc


@pytest.fixture
def arc(azure, program):
    """Runs the program with the agent."""
    beside = program.behind(*with_keys(azure.keys))
    return lambda *options: beside.run("azure", f"--resource={RESOURCE}", *options, env=azure.environment("arc"))


@pytest.mark.parametrize("realm", [
    "{elsewhere}", KEYS + "/../../../..{elsewhere}", KEYS + "/sub/x.key", KEYS + "/x.txt", KEYS + "/x", KEYS + "/.key", KEYS, KEYS + "/",
    "x.key", "file://" + KEYS + "/x.key", "", KEYS.upper() + "/x.key",
])  # fmt: skip
def test_the_agent_names_another_file(azure, arc, tmp_path, ledger, realm):
    """The file is not read, and nothing of it is sent (CVE-2024-35255)."""
    secret = ledger.secret("a secret of somebody else", "somebody-else-s-secret-4711")
    elsewhere = tmp_path / "elsewhere.key"
    elsewhere.write_text(secret)
    (azure.keys / "sub").mkdir()
    for path in (azure.keys / "sub" / "x.key", azure.keys / "x.txt", azure.keys / "x", azure.keys / ".key"):
        path.write_text(secret)
    azure.arc.realm = realm.format(elsewhere=elsewhere) or " "
    arc().failed("PROTOCOL", "IDENTITY_ENDPOINT")
    assert len(azure.arc.requests) == 1


def test_the_agent_s_key_is_a_link(azure, arc, tmp_path, ledger):
    """The link is in the folder of the agent, but leads out of it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(ledger.secret("a secret of somebody else", "somebody-else-s-secret-4711"))
    (azure.keys / "link.key").symlink_to(elsewhere)
    azure.arc.realm = KEYS + "/link.key"
    arc().failed("CONFIGURATION", "link.key", "himds")
    assert len(azure.arc.requests) == 1


@pytest.mark.parametrize("size, code", [(4096, None), (4097, "CONFIGURATION")])
def test_the_agent_s_key_is_large(azure, arc, size, code):
    """The key may have at most 4096 bytes."""
    azure.arc.content = "k" * size
    run = arc()
    if code:
        run.failed(code, "4096")
    else:
        assert run.token


def test_the_agent_s_key_is_missing_or_empty(azure, arc, ledger):
    """The message names the group that may read the keys. A key that cannot be a header is refused too."""
    azure.arc.realm = KEYS + "/absent.key"
    arc().failed("CONFIGURATION", "absent.key", "himds")
    (azure.keys / "absent.key").write_bytes(b"\xff\xfe")
    arc().failed("CONFIGURATION", "UTF-8")
    (azure.keys / "absent.key").write_text(ledger.secret("a key", "two\nlines-of-a-key-4711"))
    arc().failed("CONFIGURATION", "control characters")


def test_the_agent_refuses_its_key(azure, arc):
    """The file contains another key."""
    azure.arc.realm = KEYS + "/other.key"
    (azure.keys / "other.key").write_text("another-key-4711")
    arc().failed("DENIED", "401", "azcmagent show")


def test_an_old_agent_returns_another_identity(azure, arc):
    """The agent returns the token of the server instead of the requested one, so the program refuses the token."""
    azure.arc.legacy = True
    azure.machine.users.append(WORKER)
    for option in (f"--client-id={WORKER.client_id}", f"--object-id={WORKER.object_id}", f"--identity-resource-id={WORKER.resource_id}"):
        arc(option).failed("CONFIGURATION", option.partition("=")[0], "Azure Connected Machine agent")
    assert arc().token == azure.tenant.issued[-1].token
