"""The `vault` source against OpenBao: every login, namespaces, TLS, a proxy, and permissions.

The tokens go through Google's clients to the token service stand-in, which verifies them by OpenBao's own discovery document
and keys. hvac, Vault's client library, must get the same claims from the same server. Only the `kubernetes` login needs a
stand-in: OpenBao calls the TokenReview API of standins/token_review.py.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import hvac
import pytest
import requests

from servers.namespace import own_mounts
from standins.token_review import PATH, TokenReviewApi
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.clients import CLIENTS
from support.oidc_provider import client, oidc_provider
from support.openbao import PASSWORD, binary, openbao, openbao_agent, openbao_proxy
from support.pages import blocks
from support.places import HERE
from support.processes import until
from support.signer import certificate, certificate_pem, claims_of, new_key


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for this file."""
    with openbao(tmp_path_factory.mktemp("openbao")) as found:
        yield found


@dataclass
class Bao:
    """The server of this test with its users and roles; its secrets are registered for the leak scan."""

    server: object
    token: str
    role_id: str
    secret_id: str

    def accessors(self) -> set[str]:
        """The accessor of every service token that exists."""
        return set(self.server.call("LIST", "auth/token/accessors")["data"]["keys"])


@pytest.fixture(scope="module")
def prepared(server):
    """Sets up userpass, AppRole and the role `google` once."""
    audience = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool/providers/ci"
    token = server.issue_for(audience)
    return server, token, *approle(server)


@pytest.fixture
def bao(prepared, ledger, sts, audience) -> Bao:
    """The server, as an issuer that the token service trusts."""
    server, token, role_id, secret_id = prepared
    sts.add(OidcPoolProvider(audience, server.issuer))
    for name, secret in {"token": token, "SecretID": secret_id, "password": PASSWORD, "root token": server.root_token}.items():
        ledger.secret(f"the {name}", secret)
    return Bao(server, token, role_id, secret_id)


def approle(server, mount: str = "approle", **role) -> tuple[str, str]:
    """Creates an AppRole that may read the tokens, and returns its RoleID and SecretID."""
    server.call("POST", f"sys/auth/{mount}", type="approle")
    server.call("POST", f"auth/{mount}/role/app", **({"token_policies": ["tokens"]} | role))
    role_id = server.call("GET", f"auth/{mount}/role/app/role-id")["data"]["role_id"]
    return role_id, server.call("POST", f"auth/{mount}/role/app/secret-id")["data"]["secret_id"]


@pytest.mark.parametrize("name", list(CLIENTS))
def test_clients(clients, bao, sts, audience, name):
    """Every Google client works with AppRole; a variable contains the SecretID."""
    source = ("vault", "--role=google", f"--address={bao.server.url}", "--login=approle", f"--role-id={bao.role_id}",
              "--secret-id=env:SECRET_ID")  # fmt: skip
    outcome = clients.run(name, clients.configuration(audience, *source), env={"SECRET_ID": bao.secret_id})
    assert outcome.access_token in sts.issued
    assert sts.exchanges[-1].claims["aud"] == audience and sts.exchanges[-1].claims["iss"] == bao.server.issuer


@pytest.mark.parametrize("names", ["VAULT", "BAO"])
def test_the_variables_and_the_file_of_the_vault_command_line(program, bao, audience, names):
    """`bao login` writes ~/.vault-token; after that, only the address is required."""
    env = {f"{names}_ADDR": bao.server.url}
    login = [binary(), "login", "-no-print", "-method=userpass", "username=workload", f"password={PASSWORD}"]
    subprocess.run(login, env=program.environment(env), check=True, stdin=subprocess.DEVNULL)
    program.ledger.secret("the token of the file", (program.home / ".vault-token").read_text())
    by_file = program.run("vault", "--role=google", f"--audience={audience}", env=env).token
    (program.home / ".vault-token").unlink()
    by_variable = program.run("vault", "--role=google", env=env | {f"{names}_TOKEN": bao.token}).token
    (program.home / "token").write_text(bao.token + "\n")
    by_option = program.run("vault", "--role=google", f"--token=file:{program.home}/token", env=env).token
    assert claims_of(by_file)["sub"] == claims_of(by_variable)["sub"] == claims_of(by_option)["sub"]
    program.run("vault", "--role=google", env=env).failed("ABSENT", "bao login", "VAULT_TOKEN")


def test_the_files_of_an_agent(program, bao, audience, ledger, tmp_path):
    """The agent of docs/sources/vault.md writes a Vault token to the sink, and with the template a subject token, which
    it renews.
    """
    (shown,) = (block.text for block in blocks("hcl") if block.page == "docs/sources/vault.md")
    sink, rendered = tmp_path / "vault-token", tmp_path / "token"
    for old, new in {"https://vault.example.com:8200": bao.server.url, '"5m"': '"1s"', "/etc/my-app": str(tmp_path),
                     "/run/my-app": str(tmp_path)}.items():  # fmt: skip
        assert old in shown
        shown = shown.replace(old, new)
    (tmp_path / "role-id").write_text(bao.role_id)
    (tmp_path / "secret-id").write_text(bao.secret_id)
    with openbao_agent(tmp_path, shown, [sink, rendered]):
        ledger.secret("the Vault token of the sink", sink.read_text())
        by_sink = program.run("vault", "--role=google", f"--address={bao.server.url}", f"--token=file:{sink}", f"--audience={audience}")
        by_file = program.run("file", f"--path={rendered}", f"--audience={audience}")
        assert claims_of(by_sink.token)["sub"] == claims_of(by_file.token)["sub"]
        assert claims_of(by_file.token)["aud"] == audience and rendered.stat().st_mode & 0o777 == 0o600
        until(lambda: claims_of(rendered.read_text())["iat"] > claims_of(by_file.token)["iat"], "the agent renews the file")
        assert program.run("file", f"--path={rendered}", f"--audience={audience}").token != by_file.token
        program.run("file", f"--path={sink}", f"--audience={audience}").failed("PROTOCOL", "opaque token")


def test_the_token_is_the_one_that_hvac_gets(program, bao, audience):
    """The claims are the same except for the times, even after the same login."""
    env = {"VAULT_ADDR": bao.server.url, "VAULT_TOKEN": bao.token, "SECRET_ID": bao.secret_id}
    theirs = hvac.Client(url=bao.server.url, token=bao.token)
    times = ("iat", "exp", "nbf", "jti")
    for options in ([], ["--login=approle", f"--role-id={bao.role_id}", "--secret-id=env:SECRET_ID"]):
        if options:
            theirs.auth.approle.login(role_id=bao.role_id, secret_id=bao.secret_id)
        expected = claims_of(theirs.secrets.identity.generate_signed_id_token("google")["data"]["token"])
        found = claims_of(program.run("vault", "--role=google", f"--audience={audience}", *options, env=env).token)
        assert {k: v for k, v in found.items() if k not in times} == {k: v for k, v in expected.items() if k not in times}
        assert found["exp"] - found["iat"] == expected["exp"] - expected["iat"] == 600


def test_userpass(clients, bao, sts, audience, tmp_path):
    """The password in the file contains all special characters."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    source = ("vault", "--role=google", f"--address={bao.server.url}", "--login=userpass", "--user=workload",
              f"--password=file:{tmp_path}/password")  # fmt: skip
    assert clients.run("python", clients.configuration(audience, *source)).access_token in sts.issued


@pytest.mark.parametrize("by_default", [True, False])
def test_jwt(clients, bao, sts, ledger, audience, tmp_path, by_default):
    """OpenBao verifies a token of npm oidc-provider by discovery. The role may be the default role of the mount."""
    mount = f"jwt-{by_default}"
    with oidc_provider(tmp_path, [client("public", "none")]) as issuer:
        role = {"default_role": "google"} if by_default else {}
        bound = {"oidc_discovery_url": issuer.issuer, "bound_issuer": issuer.issuer}
        bao.server.trust(mount, "https://vault.example.test", "tokens", **bound, **role)
        fields = {"grant_type": "client_credentials", "client_id": "public", "resource": "https://vault.example.test"}
        token = requests.post(issuer.issuer + "/token", data=fields, timeout=10).json()["access_token"]
        ledger.secret("the JWT", token)
        source = ["vault", "--role=google", f"--address={bao.server.url}", "--login=jwt", f"--login-mount={mount}", "--jwt=env:ID"]
        source += [] if by_default else ["--login-role=google"]
        assert clients.run("python", clients.configuration(audience, *source), env={"ID": token}).access_token in sts.issued
        run = clients.program.run(*source[:5], "--jwt=env:ID", "--login-role=stranger", env={"ID": token})
        run.failed("DENIED", "stranger", "--login-role")


@pytest.fixture
def kubernetes():
    """The API server that OpenBao calls."""
    found = TokenReviewApi()
    yield found
    found.close()


def kubernetes_login(server, mount: str, api: TokenReviewApi) -> list[str]:
    """Mounts the login for the service account `app` of `prod`. Returns the command line that uses it."""
    server.call("POST", f"sys/auth/{mount}", type="kubernetes")
    unused = certificate_pem(certificate(new_key(), "kubernetes"))  # the API uses plain http here
    server.call("POST", f"auth/{mount}/config", kubernetes_host=api.url, token_reviewer_jwt=api.reviewer,
                kubernetes_ca_cert=unused, disable_local_ca_jwt=True)  # fmt: skip
    server.call("POST", f"auth/{mount}/role/pod", bound_service_account_names=["app"], bound_service_account_namespaces=["prod"],
                token_policies=["tokens"])  # fmt: skip
    return ["vault", "--role=google", f"--address={server.url}", "--login=kubernetes", f"--login-mount={mount}", "--login-role=pod"]


def test_kubernetes(clients, bao, sts, ledger, audience, kubernetes, tmp_path):
    """OpenBao has the token of a pod reviewed. Another service account and a forged token are refused."""
    options = kubernetes_login(bao.server, "team/kubernetes", kubernetes)
    path = tmp_path / "pod-token"
    source = [*options, f"--jwt=file:{path}"]
    path.write_text(ledger.secret("the pod's token", kubernetes.token("prod", "app")))
    assert clients.run("python", clients.configuration(audience, *source)).access_token in sts.issued
    assert [request.path for request in kubernetes.requests] == [PATH]
    for token in (kubernetes.token("prod", "other"), kubernetes.token("prod", "app")[:-8] + "AAAAAAAA"):
        path.write_text(ledger.secret("another token", token))
        clients.program.run(*source).failed("DENIED", "--login-role", "service account")


def test_a_pod_has_its_token_at_the_usual_place(program, bao, kubernetes):
    """--jwt is not set. The file is put at that place in a mount namespace, because this is not a pod."""
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    token = program.ledger.secret("the pod's token", kubernetes.token("prod", "app"))
    (program.home / "pod-token").write_text(token)
    mounts = f'mount -t tmpfs tmpfs /var/run\nmkdir -p {place}\ncp "$HOME/pod-token" {place}/token'
    assert program.behind(*own_mounts(mounts)).run(*kubernetes_login(bao.server, "k8s", kubernetes)).token


def test_a_proxy_adds_its_own_token(clients, bao, sts, audience, tmp_path_factory):
    """With --login=none, OpenBao's proxy logs in itself. It requires a header, which the program sends."""
    with openbao_proxy(tmp_path_factory.mktemp("proxy"), bao.server, bao.role_id, bao.secret_id) as url:
        assert requests.get(f"{url}/v1/identity/oidc/token/google", timeout=10).status_code == 412
        source = ("vault", "--role=google", f"--address={url}", "--login=none")
        assert clients.run("python", clients.configuration(audience, *source)).access_token in sts.issued
    clients.program.run(*source[:2], f"--address={bao.server.url}", "--login=none").failed("DENIED", "policy")


def test_a_namespace(clients, bao, sts, ledger, audience):
    """The namespace has its own users, roles and issuer. The option and both variables select it."""
    team = bao.server.within("team")
    token = ledger.secret("the token of the namespace", team.issue_for(audience))
    sts.add(OidcPoolProvider(audience, team.issuer))
    env = {"VAULT_ADDR": team.url, "VAULT_TOKEN": token}
    source = ("vault", "--role=google", "--namespace=team")
    assert clients.run("python", clients.configuration(audience, *source), env=env).access_token in sts.issued
    assert sts.exchanges[-1].claims["iss"] == f"{bao.server.url}/v1/team/identity/oidc"
    program = clients.program
    for name in ("VAULT_NAMESPACE", "BAO_NAMESPACE"):
        assert claims_of(program.run("vault", "--role=google", env=env | {name: "team/"}).token)["iss"] == team.issuer
    program.run("vault", "--role=google", env=env).failed("DENIED", "403")
    program.run("vault", "--role=google", "--namespace=nowhere", env=env).failed("CONFIGURATION", "namespace not found", "--namespace")


def test_tls(program, audience, tmp_path_factory):
    """VAULT_CACERT or BAO_CACERT name the authority, and --ca-file overrides them. Another authority is not trusted."""
    with openbao(tmp_path_factory.mktemp("tls"), tls=True) as server, openbao(tmp_path_factory.mktemp("other"), tls=True) as other:
        token = program.ledger.secret("the token", server.issue_for(audience))
        env = {"VAULT_ADDR": server.url, "VAULT_TOKEN": token}
        for name in ("VAULT_CACERT", "BAO_CACERT"):
            assert program.run("vault", "--role=google", env=env | {name: server.ca_file}).token
            message = program.run("vault", "--role=google", env=env | {name: other.ca_file}).failed("CONFIGURATION", name)
            assert other.ca_file in message
        wrong = env | {"VAULT_CACERT": other.ca_file}
        assert program.run("vault", "--role=google", f"--ca-file={server.ca_file}", env=wrong).token
        program.run("vault", "--role=google", env=env).failed("CONFIGURATION", "--ca-file")


@pytest.mark.parametrize("kind", ["service", "batch"])
def test_no_run_leaves_a_vault_token(program, bao, kind):
    """The token of a login is revoked at the end of the run. A batch token has no lease, so it is not revoked."""
    role_id, secret_id = approle(bao.server, f"approle-{kind}", token_type=kind)
    program.ledger.secret("the SecretID", secret_id)
    options = ["--role=google", f"--address={bao.server.url}", "--login=approle", f"--login-mount=approle-{kind}",
               f"--role-id={role_id}", "--secret-id=env:SECRET_ID"]  # fmt: skip
    before = bao.accessors()
    runs = [program.run("vault", *options, env={"SECRET_ID": secret_id}) for _ in range(3)]
    assert all(run.token for run in runs) and bao.accessors() == before
    assert all(("revoke-self" in run.log) == (kind == "service") for run in runs)
    failed = program.run("vault", "--role=nobody", *options[1:], env={"SECRET_ID": secret_id})
    failed.failed("CONFIGURATION", "nobody")
    assert bao.accessors() == before, "a failed run leaves no token either"


def test_a_vault_token_that_may_not_revoke_itself(program, bao):
    """The default policy is missing. The subject token is printed, and the log says which token remains."""
    role_id, secret_id = approle(bao.server, "bare", token_no_default_policy=True)
    program.ledger.secret("the SecretID", secret_id)
    options = ["--role=google", f"--address={bao.server.url}", "--login=approle", "--login-mount=bare", f"--role-id={role_id}"]
    run = program.run("vault", *options, "--secret-id=env:SECRET_ID", env={"SECRET_ID": secret_id})
    assert run.token and "not revoked" in run.log and "TTL" in run.log


def test_another_client_id_is_logged_and_can_be_allowed(clients, bao, sts, audience):
    """The server chose the client ID of the role: Google refuses its `aud` until the pool provider allows it."""
    bao.server.call("POST", "identity/oidc/role/unnamed", key="wif", ttl="10m")
    client_id = bao.server.call("GET", "identity/oidc/role/unnamed")["data"]["client_id"]
    configuration = clients.configuration(audience, "vault", "--role=unnamed")
    env = {"VAULT_ADDR": bao.server.url, "VAULT_TOKEN": bao.token}
    refused = clients.run("python", configuration, env=env)
    assert refused.status != 0 and f"[{client_id}] does not match" in refused.complaint
    assert f"the audience of the token is {client_id}" in clients.log.read_text()
    sts.add(OidcPoolProvider(audience, bao.server.issuer, allowed_audiences=(client_id,)))
    assert clients.run("python", configuration, env=env).access_token in sts.issued


def test_the_keys_may_be_uploaded(clients, bao, sts, audience):
    """Google cannot reach this server."""
    keys = requests.get(bao.server.issuer + "/.well-known/keys", timeout=10).json()
    sts.add(OidcPoolProvider(audience, bao.server.issuer, jwks=keys))
    env = {"VAULT_ADDR": bao.server.url, "VAULT_TOKEN": bao.token}
    assert clients.run("python", clients.configuration(audience, "vault", "--role=google"), env=env).access_token in sts.issued


def test_the_commands_of_the_page(program, sts, audience, tmp_path, tmp_path_factory):
    """OpenBao's command line runs them unchanged, and the source works with the result."""
    page = (HERE.parent.parent / "docs" / "sources" / "vault.md").read_text()
    (commands,) = [block for block in page.split("```") if "identity/oidc/config" in block]
    script = commands.removeprefix("sh\n")
    (tmp_path / "vault").symlink_to(binary())
    with openbao(tmp_path_factory.mktemp("page")) as server:
        server.call("POST", "sys/auth/approle", type="approle")
        script = script.replace("https://vault.example.com:8200", server.url)
        env = program.environment({"VAULT_ADDR": server.url, "VAULT_TOKEN": server.root_token})
        env["PATH"] = f"{tmp_path}:{env['PATH']}"
        subprocess.run(["bash", "-euc", script], env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        role_id = server.call("GET", "auth/approle/role/my-app/role-id")["data"]["role_id"]
        secret_id = program.ledger.secret("the SecretID", server.call("POST", "auth/approle/role/my-app/secret-id")["data"]["secret_id"])
        options = ["--role=google", f"--address={server.url}", "--login=approle", f"--role-id={role_id}", "--secret-id=env:SECRET_ID"]
        token = program.run("vault", *options, env={"SECRET_ID": secret_id}).token
        name = script.partition("AUDIENCE=")[2].splitlines()[0]
        assert verify_jwt(token, OidcPoolProvider(name, server.issuer))["aud"] == name
