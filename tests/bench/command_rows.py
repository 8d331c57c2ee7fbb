"""The rows of `access-token`: a subject token from a URL, the exchange and the impersonation, nothing cached, against the three
`curl` calls it replaces and against google-auth, all from the same server.
"""

import json
import shlex

from aws_rows import python_with
from far_end import ACCOUNT
from measure import Command
from rows import AUDIENCE, ENV, Row

GOOGLE_AUTH = """
import sys
from google.auth import identity_pool
from google.auth.transport.requests import Request
found = identity_pool.Credentials.from_file(sys.argv[1], scopes=["https://www.googleapis.com/auth/cloud-platform"])
found.refresh(Request())
print(found.token)
"""
EXCHANGE = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": AUDIENCE,
            "scope": "https://www.googleapis.com/auth/cloud-platform", "subject_token": "x",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}


def command_rows(path, far, folder):
    """Returns both rows; the one with google-auth only if it is installed, and none without the server."""
    if not far:
        return []
    config, account = folder / "credentials.json", f"{far.issuer}{ACCOUNT}"
    config.write_text(json.dumps({
        "type": "external_account", "audience": AUDIENCE, "subject_token_type": EXCHANGE["subject_token_type"],
        "token_url": f"{far.issuer}/v1/token", "service_account_impersonation_url": account,
        "credential_source": {"url": f"{far.issuer}/subject"}}))
    ours = Command([path, "access-token", f"--credentials={config}", f"--ca-file={far.ca}"], ENV)
    curl = ["curl", "-sSf", "--cacert", str(far.ca)]
    fields = [word for field in EXCHANGE.items() for word in ("--data-urlencode", "=".join(field))]
    calls = [[*curl, f"{far.issuer}/subject"], [*curl, *fields, f"{far.issuer}/v1/token"],
             [*curl, "-H", "Authorization: Bearer x", "--json", json.dumps({"scope": [EXCHANGE["scope"]]}), account]]
    peer = Command(["sh", "-c", " && ".join(map(shlex.join, calls))], ENV)
    assert ours.output() in peer.output()
    made = [Row("access-token, own CA : three curl calls", "wall", 1.05, ours, peer)]
    if python := python_with("google.auth"):
        google = Command([python, "-c", GOOGLE_AUTH, str(config)], ENV | {"REQUESTS_CA_BUNDLE": str(far.ca)})
        assert google.output().strip() == ours.output()
        made.append(Row("access-token, own CA : google-auth", "wall", 0.1, ours, google))
    return made
