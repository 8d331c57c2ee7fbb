"""Proves that the stand-ins of Azure refuse a request that breaks one rule. That they accept Microsoft's own client library is
in test_azure_sdk.py."""

from __future__ import annotations

import base64
import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import hashes

from standins.azure_entra import ASSERTION
from standins.azure_tenant import CLOSED, EXCHANGE, RESOURCE, SUBJECT, TENANT, new_identity
from support.signer import certificate, claims_of, new_key

GRANT = {"grant_type": "client_credentials", "scope": RESOURCE + "/.default"}
KEY, OTHER_KEY = new_key("RSA"), new_key("RSA")
CERTIFICATE = certificate(KEY, "build")


@pytest.fixture
def build(azure):
    """An application with every type of credential."""
    federated = [(azure.tenant.cluster.url, SUBJECT, EXCHANGE)]
    return azure.tenant.add("build", secret="s3cret-value-4711", expired_secret="0ld-secret-4711", certificates=[CERTIFICATE],
                            federated=federated)  # fmt: skip


def post(azure, fields, tenant: str = TENANT) -> requests.Response:
    """Sends a token request."""
    return requests.post(f"{azure.entra.url}/{tenant}/oauth2/v2.0/token", fields, verify=azure.ca, timeout=10)


def refused(azure, fields, tenant: str = TENANT) -> int:
    """The error number of a refusal."""
    answer = post(azure, {name: value for name, value in fields.items() if value is not None}, tenant)
    assert answer.status_code in (400, 401) and answer.json()["error"] and "access_token" not in answer.json()
    (number,) = answer.json()["error_codes"]
    assert f"AADSTS{number}: " in answer.json()["error_description"]
    return number


def thumbprint(digest=hashes.SHA256()) -> str:
    """The thumbprint in the form of `x5t#S256` and `x5t`."""
    return base64.urlsafe_b64encode(CERTIFICATE.fingerprint(digest)).decode().rstrip("=")


def assertion(azure, build, key=KEY, algorithm="PS256", header=None, **changes) -> dict:
    """The fields of a valid assertion, apart from the changes."""
    now, client = int(time.time()), build.identity.client_id
    claims = {"iss": client, "sub": client, "aud": f"{azure.entra.url}/{TENANT}/oauth2/v2.0/token", "nbf": now, "exp": now + 300} | changes
    signed = jwt.encode(claims, key, algorithm, header or {"x5t#S256": thumbprint()})
    return GRANT | {"client_id": client, "client_assertion_type": ASSERTION, "client_assertion": signed}


def test_entra_accepts_each_credential(azure, build):
    """This control shows that the stand-in accepts valid requests. The token names the application, the resource and
    the type of the proof."""
    client = {"client_id": build.identity.client_id}
    old = {"algorithm": "RS256", "header": {"x5t": thumbprint(hashes.SHA1())}}
    federated = {"client_assertion_type": ASSERTION, "client_assertion": azure.tenant.projected()}
    for fields in (GRANT | client | {"client_secret": build.secret}, assertion(azure, build), assertion(azure, build, **old),
                   GRANT | client | federated):  # fmt: skip
        answer = post(azure, fields)
        assert answer.status_code == 200, answer.text
        claims = claims_of(answer.json()["access_token"])
        assert (claims["aud"], claims["appid"], claims["tid"]) == (RESOURCE, build.identity.client_id, TENANT)
    assert [issued.proof for issued in azure.tenant.issued] == ["secret", "certificate", "certificate", "federated"]


@pytest.mark.parametrize("changes, number", [
    ({"client_secret": "wrong"}, 7000215), ({"client_secret": "0ld-secret-4711"}, 7000222), ({"client_secret": None}, 7000216),
    ({"client_id": "nobody"}, 700016), ({"client_id": None}, 900144), ({"grant_type": "password"}, 70003), ({"scope": None}, 900144),
    ({"scope": RESOURCE}, 1002012), ({"scope": f"{RESOURCE}/.default openid"}, 1002012), ({"scope": "api://other/.default"}, 500011),
    ({"scope": CLOSED + "/.default"}, 501051), ({"client_assertion": "a.b.c"}, 7000216),
], ids=str)  # fmt: skip
def test_entra_refuses_a_request_that_breaks_a_rule(azure, build, changes, number):
    """Each case breaks one rule."""
    good = GRANT | {"client_id": build.identity.client_id, "client_secret": build.secret}
    assert refused(azure, good | changes) == number


def test_entra_refuses_another_tenant(azure, build):
    """Entra ID checks the tenant before the client."""
    assert refused(azure, GRANT | {"client_id": build.identity.client_id}, "22222222-0000-0000-0000-000000000000") == 90002


@pytest.mark.parametrize("changes, number", [
    pytest.param({"key": OTHER_KEY}, 700027, id="another key"), ({"algorithm": "PS512"}, 700027),
    pytest.param({"header": {"x5t": thumbprint()}}, 700027, id="another certificate"), ({"header": {"x5t#S256": "unknown"}}, 700027),
    ({"iss": "another"}, 700021), ({"sub": "another"}, 700021),
    ({"aud": "https://other"}, 700023), ({"exp": 1}, 700024), ({"nbf": 4102444800}, 700024),
], ids=str)  # fmt: skip
def test_entra_refuses_a_broken_assertion(azure, build, changes, number):
    """The signature, the name of the certificate, or one claim is wrong."""
    assert refused(azure, assertion(azure, build, **changes)) == number


@pytest.mark.parametrize("changes, number", [
    ({"iss": "https://other.example.test"}, 700211), ({"sub": "system:serviceaccount:apps:other"}, 700213), ({"aud": "other"}, 700212),
    ({"exp": 1}, 700024),
], ids=str)  # fmt: skip
def test_entra_refuses_a_foreign_token(azure, build, changes, number):
    """No federated credential matches the Kubernetes token."""
    fields = GRANT | {"client_id": build.identity.client_id, "client_assertion_type": ASSERTION}
    assert refused(azure, fields | {"client_assertion": azure.tenant.projected(**changes)}) == number
    unsigned, signature = azure.tenant.projected().rpartition(".")[0], azure.tenant.projected().rpartition(".")[2]
    assert refused(azure, fields | {"client_assertion": f"{unsigned}.{signature}"}) == 700027, "another token's signature"
    build.federated.clear()
    assert refused(azure, fields | {"client_assertion": azure.tenant.projected()}) == 70025


def get(url: str, version: str, headers: dict, verify: bool = True, **query) -> requests.Response:
    """Sends a request for a token of a managed identity."""
    parameters = {"api-version": version, "resource": RESOURCE} | query
    given = {name: value for name, value in parameters.items() if value is not None}
    return requests.get(url, given, headers=headers, timeout=10, verify=verify)


IMDS = {"version": "2018-02-01", "headers": {"Metadata": "true"}}


@pytest.mark.parametrize("changes", [
    {"headers": {}}, {"headers": {"Metadata": "false"}}, {"headers": {"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}},
    {"headers": {"Metadata": "true", "Via": "1.1 proxy"}}, {"version": "2019-08-01"}, {"version": None}, {"resource": None},
    {"resource": "api://other"}, {"client_id": "nobody"}, {"mi_res_id": "x", "client_id": "y", "object_id": "z"},
], ids=str)  # fmt: skip
def test_the_instance_metadata_refuse(azure, changes):
    """Each request differs from a valid one in one point; without the change, it gets a token."""
    url = azure.imds.url + "/metadata/identity/oauth2/token"
    assert get(url, **IMDS).json()["access_token"]
    answer = get(url, **IMDS | changes)
    assert answer.status_code == 400 and answer.json()["error"], answer.text
    assert len(azure.tenant.issued) == 1


def test_the_instance_metadata_choose_no_identity(azure):
    """The only user-assigned identity is used; if there are several, the request must name one."""
    url, machine = azure.imds.url + "/metadata/identity/oauth2/token", azure.machine
    machine.system = None
    assert get(url, **IMDS).json()["error_description"] == "Identity not found"
    machine.users.append(new_identity("a"))
    assert get(url, **IMDS).json()["client_id"] == machine.users[0].client_id
    machine.users.append(new_identity("b"))
    assert "Multiple user assigned identities" in get(url, **IMDS).json()["error_description"]
    for query in ({"client_id": machine.users[1].client_id}, {"object_id": machine.users[1].object_id},
                  {"msi_res_id": machine.users[1].resource_id}):  # fmt: skip
        assert get(url, **IMDS, **query).json()["client_id"] == machine.users[1].client_id


@pytest.mark.parametrize("changes, status", [
    ({"headers": {}}, 401), ({"headers": {"X-IDENTITY-HEADER": "wrong"}}, 401), ({"version": "2017-09-01"}, 400), ({"resource": None}, 400),
    ({"resource": "api://other"}, 500), ({"client_id": "nobody"}, 400), ({"client_id": "a", "mi_res_id": "b"}, 400),
], ids=str)  # fmt: skip
def test_app_service_refuses(azure, changes, status):
    """Each case breaks one rule; the error text is that of App Service."""
    url = azure.app_service.url + "/msi/token"
    good = {"version": "2019-08-01", "headers": {"X-IDENTITY-HEADER": azure.app_service.header}}
    assert get(url, **good).json()["access_token"]
    answer = get(url, **good | changes)
    assert (answer.status_code, answer.json()["statusCode"]) == (status, status), answer.text


@pytest.mark.parametrize("changes, status", [
    ({"headers": {}}, 401), ({"headers": {"Secret": "wrong"}}, 401), ({"version": "2018-02-01"}, 400), ({"resource": None}, 400),
    ({"resource": "api://other"}, 400), ({"unknown": "1"}, 400), ({"client_id": "nobody"}, 400),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("where", ["service_fabric", "machine_learning"])
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_endpoints_with_a_secret_refuse(azure, where, changes, status):
    """These endpoints refuse a request that breaks one of their rules."""
    service = getattr(azure, where)
    good = {"version": service.version, "headers": {"Secret": service.header}}
    assert get(service.url + "/", **good, verify=False).json()["access_token"]
    answer = get(service.url + "/", **good | changes, verify=False)
    assert answer.status_code == status and answer.json()["error"]["code"], answer.text


@pytest.mark.parametrize("headers, form", [({}, {"resource": RESOURCE}), ({"Metadata": "true"}, {"resource": "api://other"}),
                                           ({"Metadata": "true"}, {})])  # fmt: skip
def test_the_cloud_shell_refuses(azure, headers, form):
    """The Cloud Shell refuses a request that breaks one of its rules."""
    url = azure.cloud_shell.url + "/oauth2/token"
    assert requests.post(url, {"resource": RESOURCE}, headers={"Metadata": "true"}, timeout=10).json()["access_token"]
    assert requests.post(url, form, headers=headers, timeout=10).status_code == 400


def test_the_arc_agent_accepts_its_key_once(azure):
    """Each request needs a new challenge and the content of the file that it names."""
    url, agent = azure.arc.url + "/metadata/identity/oauth2/token", {"version": "2020-06-01"}

    def key() -> str:
        answer = get(url, **agent, headers={"Metadata": "true"})
        realm = answer.headers["WWW-Authenticate"].removeprefix("Basic realm=")
        assert answer.status_code == 401 and realm.startswith("/var/opt/azcmagent/tokens/") and realm.endswith(".key")
        return (azure.keys / realm.rpartition("/")[2]).read_text()

    def ask(proof: str, **more) -> requests.Response:
        return get(url, **agent | more, headers={"Metadata": "true", "Authorization": f"Basic {proof}"})

    first = key()
    assert ask(first).json()["access_token"] and ask(first).status_code == 401
    assert ask("wrong").status_code == 401
    assert get(url, **agent, headers={}).status_code == 400
    assert get(url, "2018-02-01", {"Metadata": "true"}).status_code == 400
    assert ask(key(), client_id="nobody").status_code == 404
    azure.machine.users.append(user := new_identity("a"))
    assert ask(key(), client_id=user.client_id).json()["client_id"] == user.client_id
    azure.arc.legacy = True
    silent = ask(key(), client_id=user.client_id).json()
    assert silent["access_token"] and "client_id" not in silent
    assert azure.tenant.issued[-1].client_id == azure.machine.system.client_id
