"""Debian's oidc-agent as the program of the source `command`, by the recipe in docs/sources/command.md.

The issuer is a stand-in, because the agent serves users, who sign in with a browser once: it has the endpoint that the agent
refreshes tokens at. https://indigo-dc.gitbook.io/oidc-agent/user/oidc-token
"""

from __future__ import annotations

import json
import re
import subprocess
from urllib.parse import parse_qsl

import pytest

from standins.loopback import Answer, Loopback, Request
from support.pages import ROOT
from support.places import SYSTEM_PATH, need

SECRETS = {"refresh token": "hunter2-refresh-4711", "client secret": "hunter2-client-4711", "password": "hunter2-password-4711"}


class Refreshing:
    """The metadata of an issuer, and its token endpoint, which issues tokens for the requested audience."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.http = Loopback(self.answer)

    def answer(self, request: Request) -> Answer:
        """Responds to the discovery and to the grant refresh_token."""
        form = dict(parse_qsl(request.body.decode()))
        if request.path == "/.well-known/openid-configuration":
            endpoints = {f"{name}_endpoint": f"{self.http.url}/{name}" for name in ("authorization", "token", "registration")}
            return Answer(200, {"issuer": self.http.url, **endpoints, "scopes_supported": ["openid", "offline_access"]})
        if (request.path, form.get("grant_type"), form.get("refresh_token")) != ("/token", "refresh_token", SECRETS["refresh token"]):
            return Answer(400, {"error": "invalid_grant"})
        token = self.issuer.token(form.get("audience", "https://nobody.example"))
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})


@pytest.fixture
def agent(issuer, tmp_path, ledger):
    """The environment of a user whose agent has the account `my-account`."""
    need("oidc-agent"), need("oidc-gen"), need("oidc-token")
    for name, secret in SECRETS.items():
        ledger.secret(f"the {name}", secret)
    home = tmp_path / "agent"
    (home / ".oidc-agent").mkdir(parents=True)
    env = {"PATH": SYSTEM_PATH, "HOME": str(home), "TMPDIR": str(home), "OIDC_ENCRYPTION_PW": SECRETS["password"],
           "OIDC_REFRESH_TOKEN": SECRETS["refresh token"]}  # fmt: skip
    refreshing = Refreshing(issuer)
    started = json.loads(subprocess.run(["oidc-agent", "--json"], env=env, capture_output=True, check=True, timeout=20).stdout)
    env |= {"OIDC_SOCK": started["socket"], "OIDCD_PID": started["dpid"]}
    try:
        account = ["oidc-gen", "my-account", "--manual", f"--issuer={refreshing.http.url}", "--client-id=robot", "--flow=refresh",
                   f"--client-secret={SECRETS['client secret']}", "--scope=openid offline_access", "--redirect-uri=http://localhost:4242",
                   "--rt-env", "--pw-env", "--prompt=none", "--confirm-yes"]  # fmt: skip
        done = subprocess.run(account, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield {"OIDC_SOCK": env["OIDC_SOCK"]}
    finally:
        subprocess.run(["oidc-agent", "--kill"], env=env, capture_output=True, check=True, timeout=20)
        refreshing.http.close()


def test_google_accepts_its_tokens(clients, agent, program, sts, audience):
    """Google's Python client exchanges the token that `oidc-token` prints. Without the agent, the failure names the program."""
    page = (ROOT / "docs" / "sources" / "command.md").read_text()
    (recipe,) = re.findall(r"`(command -- /usr/bin/oidc-token .*?)`", page)
    source = recipe.replace("AUDIENCE", "https:" + audience).replace("ACCOUNT", "my-account").split()
    assert clients.run("python", clients.configuration(audience, *source), env=agent).access_token in sts.issued
    assert sts.exchanges[0].claims["aud"] == "https:" + audience
    program.run(*source[:1], f"--audience={audience}", *source[1:]).failed("UNREACHABLE", "/usr/bin/oidc-token", "exit status")
