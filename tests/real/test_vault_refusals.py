"""What a real OpenBao refuses, and the messages of the `vault` source; and what the TokenReview stand-in refuses."""

from __future__ import annotations

import pytest
import requests

from standins.token_review import PATH, TokenReviewApi
from support.openbao import PASSWORD, openbao
from support.processes import until

POLICY = 'path "identity/oidc/token/google" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for this file."""
    with openbao(tmp_path_factory.mktemp("openbao")) as found:
        found.issue_for("//iam.googleapis.com/example")
        yield found


@pytest.fixture
def ask(program, server):
    """Runs the source with a token of this user, or with this token."""
    def run(user: str | None, *options, token: str = ""):
        token = program.ledger.secret("the Vault token", token or server.user_token(user))
        return program.run("vault", *(options or ["--role=google"]), env={"BAO_ADDR": server.url, "BAO_TOKEN": token})

    return run


def test_a_user_without_the_policy(ask, server):
    """The message contains the policy to add; with the policy, the request is allowed."""
    server.call("POST", "auth/userpass/users/poor", password=PASSWORD)
    ask("poor").failed("DENIED", "403", POLICY)
    server.call("PUT", "sys/policies/acl/written", policy=POLICY)
    server.call("POST", "auth/userpass/users/poor", password=PASSWORD, token_policies=["written"])
    assert ask("poor").token


def test_an_expired_token(ask, server):
    """The token was valid for a second."""
    server.call("POST", "auth/userpass/users/brief", password=PASSWORD, token_policies=["tokens"], token_ttl="1s")
    token = server.user_token("brief")
    assert ask("", token=token).token

    def over() -> bool:
        headers = {"X-Vault-Token": token}
        return requests.get(server.url + "/v1/auth/token/lookup-self", headers=headers, timeout=5).status_code == 403

    until(over, "the token has expired")
    ask("", token=token).failed("DENIED", "403", "permission denied")


def test_a_token_that_the_server_did_not_issue(ask):
    """The server did not issue the token."""
    ask("", token="s.madeUpTokenOfNobody1234567").failed("DENIED", "403", "permission denied")


def test_the_root_token_has_no_entity(ask, server):
    """The root token may do everything else."""
    ask("", token=server.root_token).failed("CONFIGURATION", "no entity", "--login")
    child = server.call("POST", "auth/token/create", policies=["tokens"])["auth"]["client_token"]
    ask("", token=child).failed("CONFIGURATION", "no entity", "--token")


def test_roles(ask, server):
    """The role does not exist, or its key does not allow its client_id."""
    ask("workload", "--role=none").failed("CONFIGURATION", '"none" not found', "identity/oidc/role/none")
    ask("workload", "--role=a/../b c").failed("CONFIGURATION", "--role")
    server.call("POST", "identity/oidc/key/narrow", allowed_client_ids=["other"])
    server.call("POST", "identity/oidc/role/narrow", key="narrow", client_id="c")
    ask("workload", "--role=narrow").failed("DENIED", "allowed_client_ids")


@pytest.mark.parametrize("options, words", [
    (["--login=approle", "--role-id=r", "--secret-id=env:WRONG"], ["403: permission denied", "--login-mount"]),
    (["--login=approle", "--login-mount=app", "--role-id=r", "--secret-id=env:WRONG"], ["invalid role or secret", "--secret-id"]),
    (["--login=approle", "--login-mount=app", "--role-id=env:KNOWN"], ["missing secret_id", "--secret-id"]),
    (["--login=userpass", "--user=workload", "--password=env:WRONG"], ["invalid username or password", "--password"]),
    (["--login=jwt", "--login-mount=nobody", "--login-role=r", "--jwt=env:FORGED"], ["could not load configuration", "--jwt"]),
    (["--login=kubernetes", "--login-mount=k8s", "--login-role=r", "--jwt=env:FORGED"], ["invalid role name", "--login-role"]),
])  # fmt: skip
def test_logins(program, server, options, words):
    """The message contains that of the login method, and the options to check."""
    for mount, kind in {"app": "approle", "nobody": "jwt", "k8s": "kubernetes"}.items():
        if f"{mount}/" not in server.call("GET", "sys/auth")["data"]:
            server.call("POST", f"sys/auth/{mount}", type=kind)
    server.call("POST", "auth/app/role/app", token_policies=["tokens"])
    known = server.call("GET", "auth/app/role/app/role-id")["data"]["role_id"]
    wrong = program.ledger.secret("the wrong secret", "wrong-secret-4711")
    forged = program.ledger.secret("the forged token", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhcHAifQ.Zm9yZ2VkLTQ3MTE")
    env = {"WRONG": wrong, "FORGED": forged, "KNOWN": known}
    run = program.run("vault", "--role=google", f"--address={server.url}", *options, env=env)
    run.failed("DENIED", *words)


@pytest.mark.parametrize("login", [[], ["--login=userpass", "--user=workload", "--password=env:PASSWORD"]])
def test_a_sealed_server(program, audience, tmp_path_factory, login):
    """The server responds with 503 to every request; a retry can help, and an operator must unseal it."""
    with openbao(tmp_path_factory.mktemp("sealed")) as server:
        env = {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.issue_for(audience), "PASSWORD": PASSWORD}
        program.ledger.secret("the Vault token", env["VAULT_TOKEN"])
        assert program.run("vault", "--role=google", *login, env=env).token
        server.call("PUT", "sys/seal")
        program.run("vault", "--role=google", *login, env=env).failed("UNREACHABLE", "sealed", "operator unseal")


@pytest.mark.parametrize("change, status", [
    ({}, 201),
    ({"path": "/apis/authentication.k8s.io/v1/selfsubjectreviews"}, 404),
    ({"method": "GET"}, 405),
    ({"bearer": ""}, 401),
    ({"bearer": "forged"}, 401),
    ({"bearer": "pod"}, 403),
    ({"json": {"kind": "TokenReview", "apiVersion": "v1", "spec": {"token": "x"}}}, 400),
    ({"json": {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}}, 400),
    ({"json": []}, 400),
])  # fmt: skip
def test_the_token_review_stand_in_refuses(change, status):
    """The stand-in refuses what the API server refuses. A wrong token gets a valid response, not an error."""
    api = TokenReviewApi()
    try:
        pod = api.token("prod", "app")
        bearers = {"": None, "forged": api.reviewer[:-8] + "AAAAAAAA", "pod": pod, None: api.reviewer}
        bearer = bearers[change.get("bearer")]
        body = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": pod}}

        def review(json):
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            url = api.url + change.get("path", PATH)
            return requests.request(change.get("method", "POST"), url, json=json, headers=headers, timeout=5)

        answer = review(change.get("json", body))
        assert answer.status_code == status
        if status == 201:
            assert answer.json()["status"]["user"]["username"] == "system:serviceaccount:prod:app"
            for token in (pod[:-8] + "AAAAAAAA", api.token("prod", "app", "https://elsewhere.example.test"),
                          api.token("prod", "app", exp=1)):  # fmt: skip
                assert review(body | {"spec": {"token": token}}).json()["status"]["authenticated"] is False
    finally:
        api.close()
