"""`buildkite-agent` and `circleci` in the PATH of a job, with their token service.

https://buildkite.com/docs/agent/v3/cli-oidc and https://circleci.com/docs/oidc-tokens-with-custom-claims/ — no registry of
these tests has them, so scripts that know the documented words, and refuse all others, replace them. They report errors on
stderr, as both do. The script for Buildkite sends the agent's access token, as https://github.com/buildkite/agent (api/oidc.go) does.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from standins.issuer import Issuer
from standins.loopback import Answer, Loopback, Request

COMMON = """#!{python} -I
import argparse, json, os, sys, urllib.error, urllib.request

def ask(url, headers, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), headers | {{"Content-Type": "application/json"}})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(request) as answer:
            print(json.load(answer)["token"])
    except urllib.error.HTTPError as refusal:
        sys.exit(f"fatal: {{refusal.code}} with {{headers}}")
"""

BUILDKITE_AGENT = """
parser = argparse.ArgumentParser(allow_abbrev=False)
commands = parser.add_subparsers(required=True)
request_token = commands.add_parser("oidc").add_subparsers(required=True).add_parser("request-token", allow_abbrev=False)
request_token.add_argument("--audience", default="")
request_token.add_argument("--lifetime", type=int, default=0)
request_token.add_argument("--job", default=os.environ.get("BUILDKITE_JOB_ID"))
request_token.add_argument("--agent-access-token", default=os.environ.get("BUILDKITE_AGENT_ACCESS_TOKEN"))
request_token.add_argument("--endpoint", default="{url}")
given = parser.parse_args()
if not given.job or not given.agent_access_token:
    sys.exit("fatal: Missing job or agent-access-token. See: `buildkite-agent request-token --help`")
print("noise of the agent", file=sys.stderr)
headers = {{"Authorization": "Token " + given.agent_access_token}}
ask(f"{{given.endpoint}}/jobs/{{given.job}}/oidc/tokens", headers, {{"audience": given.audience}})
"""

CIRCLECI = """
parser = argparse.ArgumentParser(allow_abbrev=False)
commands = parser.add_subparsers(required=True)
oidc = commands.add_parser("run").add_subparsers(required=True).add_parser("oidc")
get = oidc.add_subparsers(required=True).add_parser("get", allow_abbrev=False)
get.add_argument("--claims", type=json.loads, default={{}})
given = parser.parse_args()
if os.environ.get("CIRCLECI") != "true":
    sys.exit("Error: not in a job")
if set(given.claims) - {{"aud"}}:
    sys.exit("Error: only the aud claim is customizable")
ask("{url}/circleci", {{}}, given.claims)
"""


class CiCommands:
    """Both commands in `folder`; they print tokens of `issuer` that are valid for five minutes."""

    def __init__(self, folder: Path, issuer: Issuer, agent_token: str):
        self.folder, self.issuer, self.agent_token = folder, issuer, agent_token
        self.issued: list[str] = []
        self._http = Loopback(self._answer)
        folder.mkdir()
        for name, script in {"buildkite-agent": BUILDKITE_AGENT, "circleci": CIRCLECI}.items():
            path = folder / name
            path.write_text((COMMON + script).format(python=sys.executable, url=self._http.url))
            path.chmod(0o755)

    def close(self):
        """Stops serving."""
        self._http.close()

    def _answer(self, request: Request) -> Answer:
        if request.path == "/circleci":
            audience = json.loads(request.body).get("aud", "organization-1")
        elif request.path != "/jobs/job-1/oidc/tokens":
            return Answer(404, {"message": "Not found"})
        elif request.headers.get("authorization") != f"Token {self.agent_token}":
            return Answer(401, {"message": "Invalid access token"})
        else:
            audience = json.loads(request.body)["audience"] or "https://buildkite.com/example"
        self.issued.append(self.issuer.token(audience, exp=int(time.time()) + 300))
        return Answer(200, {"token": self.issued[-1]})
