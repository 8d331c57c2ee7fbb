"""A relying party with its SDK or its command line, and the program that writes the token file between them."""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from standins.aws import Aws
from standins.aws_keys import ACCOUNT
from standins.azure import Azure
from standins.azure_tenant import EXCHANGE, RESOURCE, TENANT
from standins.federation import Trust
from standins.issuer import Issuer
from standins.relying_parties import ACCOUNT as SERVICE_ACCOUNT
from standins.relying_parties import CLIENT, ORGANIZATION, RULE, Anthropic, Databricks, OpenAi, RelyingParty, Snowflake
from support.kubernetes import AUDIENCE as CLUSTER
from support.kubernetes import Cluster, kubeconfig
from support.openbao import OpenBao, binary
from support.places import HERE, PARTIES_PYTHON, PYTHON, need
from support.program import Program, Run
from support.signer import Signer

SUBJECT = "my-app"
RS_AND_ES = tuple(family + size for family in ("RS", "ES") for size in ("256", "384", "512"))


@dataclass
class Party:
    """A relying party: its name, the audience that it expects, its issuer, and the variables that lead the SDK to it."""

    name: str
    audience: str
    issuer: Issuer
    env: dict[str, str]
    file: Path
    program: Program
    accepted: list[str]
    closing: list = field(default_factory=list)
    options: tuple[str, ...] = ()  # the options of `check`
    is_real: bool = False  # a server that does not tell which tokens it has accepted

    def token(self, header: dict | None = None, **claims) -> str:
        """Signs a token that the party trusts, apart from these claims. The token has no jti, because a jti can limit
        it to one use."""
        made = self.issuer.token(self.audience, header, **{"sub": SUBJECT, "jti": None, "exp": int(time.time()) + 3000, **claims})
        return self.program.ledger.token(f"token {len(self.program.ledger.tokens)}", made)

    def source(self, token: str) -> tuple[str, ...]:
        """The words of a source that returns this token."""
        path = self.file.with_name("token-of-the-source")
        path.write_text(token)
        return ("file", f"--path={path}", f"--audience={self.audience}")

    def write(self, token: str):
        """Writes the token file as the pages describe."""
        run = self.program.run(*self.source(token), "--format=text", f"--output-file={self.file}")
        assert (run.status, run.stdout, run.stderr) == (0, "", ""), run.described()
        assert self.file.read_text() == token and self.file.stat().st_mode & 0o777 == 0o600

    def check(self, *source: str) -> Run:
        """Runs `check`, whose output must not contain the token."""
        run = self.program.run("check", f"--relying-party={self.name}", *source, *self.options)
        self.program.ledger.note("the report", run.stdout + run.stderr)
        return run

    def sdk(self) -> Sdk:
        """Starts a program with the SDK."""
        return Sdk(self)

    def close(self):
        """Stops the servers."""
        for service in self.closing:
            service.close()


class Sdk:
    """A running program with the SDK. It is killed after a minute."""

    def __init__(self, party: Party):
        need("the SDKs of relying parties")
        self.party = party
        python = PYTHON if party.name in ("aws", "azure") else PARTIES_PYTHON
        words = [python, "-B", HERE / "clients" / "relying_party.py", party.name]
        self.child = subprocess.Popen(
            [str(word) for word in words], env=party.program.environment(party.env), cwd=party.program.home, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._killer = threading.Timer(60, self.child.kill)

    def __enter__(self) -> Sdk:
        self._killer.start()
        return self

    def __exit__(self, *_):
        self._killer.cancel()
        self.child.kill()
        self.child.wait()

    def use(self, ahead: int | None = None) -> dict:
        """Uses the service once, with a clock that is `ahead` seconds ahead."""
        self.child.stdin.write(f"{'' if ahead is None else ahead}\n")
        self.child.stdin.flush()
        used = json.loads(self.child.stdout.readline())
        if self.party.is_real and "ok" in used:
            self.party.accepted.append(self.party.file.read_text())
        return used


def new_party(name: str, folder: Path, program: Program, aws: Aws, azure: Azure) -> Party:
    """Creates a relying party that trusts the subject of its issuer."""
    file = folder / "identity-token"
    if name == "azure":
        application = azure.tenant.add("build", federated=[(azure.tenant.cluster.url, SUBJECT, EXCHANGE)])
        env = {"AZURE_FEDERATED_TOKEN_FILE": str(file), "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": application.identity.client_id,
               "AZURE_AUTHORITY_HOST": azure.entra.url, "CA_FILE": str(azure.ca), "RESOURCE": RESOURCE}  # fmt: skip
        return Party(name, EXCHANGE, azure.tenant.cluster, env, file, program, Accepted(azure))
    issuer = Issuer(Signer("RS256", "key-1"))
    if name == "aws":
        audience = "sts.amazonaws.com"
        trust = Trust(issuer.url, (audience,), SUBJECT, RS_AND_ES, required=("exp", "iat"), whole_seconds=True,
                      prefers_azp=True)  # fmt: skip
        aws.sts.federated, aws.sts.seconds_left = trust, 60
        env = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/deploy", "AWS_MAX_ATTEMPTS": "1",
               "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": aws.sts.url, "AWS_DEFAULT_REGION": aws.sts.region}  # fmt: skip
        return Party(name, audience, issuer, env, file, program, trust.accepted, [issuer])
    make, audience, rules, env_of = OTHERS[name]
    service = make(Trust(issuer.url, (audience,), SUBJECT, **rules))
    return Party(name, audience, issuer, env_of(service, str(file)), file, program, service.trust.accepted, [service, issuer])


def at_vault(folder: Path, program: Program, bao: OpenBao) -> Party:
    """Creates OpenBao with a separate auth method, as the page describes."""
    file, issuer, mount = folder / "identity-token", Issuer(Signer("RS256", "key-1")), "jwt-" + secrets.token_hex(4)
    bao.call("POST", f"sys/auth/{mount}", type="jwt")
    bao.call("POST", f"auth/{mount}/config", oidc_discovery_url=issuer.url, bound_issuer=issuer.url)
    bao.call("POST", f"auth/{mount}/role/my-app", role_type="jwt", bound_audiences=["vault"], bound_subject=SUBJECT, user_claim="sub",
             token_policies=["default"])  # fmt: skip
    env = {"BAO": str(binary()), "BAO_ADDR": bao.url, "LOGIN": f"auth/{mount}/login", "TOKEN_FILE": str(file)}
    return Party("vault", "vault", issuer, env, file, program, [], [issuer], is_real=True)


def at_kubernetes(folder: Path, program: Program, cluster: Cluster) -> Party:
    """The API server, in which the subject may read a namespace."""
    file, namespace = folder / "identity-token", cluster.namespace()
    cluster.let_view(namespace, f"oidc:{SUBJECT}")
    cluster.issuer.signers = (Signer("RS256", "key-" + secrets.token_hex(4)),)
    config = kubeconfig(folder / "kubeconfig", cluster, namespace, {"tokenFile": str(file)})
    env = {"KUBECTL": str(need("kubectl")), "KUBECONFIG": str(config)}
    return Party("kubernetes", CLUSTER, cluster.issuer, env, file, program, [], options=(f"--ca-file={cluster.ca}",), is_real=True)


class Accepted(list):
    """The federated tokens that Entra ID has accepted, exactly as they were sent."""

    def __init__(self, azure: Azure):
        super().__init__()
        self.azure = azure

    def __eq__(self, other) -> bool:
        accepted = sum(len(application.assertions) for application in self.azure.tenant.applications.values())
        sent = [form["client_assertion"] for form in self.azure.entra.token_requests]
        return accepted == len(other) and sent[-accepted:] == other if accepted else other == []


def of_anthropic(service: RelyingParty, file: str) -> dict[str, str]:
    """The variables of the Anthropic SDK."""
    return {"ANTHROPIC_BASE_URL": service.url, "ANTHROPIC_IDENTITY_TOKEN_FILE": file, "ANTHROPIC_FEDERATION_RULE_ID": RULE,
            "ANTHROPIC_ORGANIZATION_ID": ORGANIZATION, "ANTHROPIC_SERVICE_ACCOUNT_ID": SERVICE_ACCOUNT}  # fmt: skip


def of_databricks(service: RelyingParty, file: str) -> dict[str, str]:
    """The variables of the Databricks SDK."""
    return {"DATABRICKS_HOST": service.url, "DATABRICKS_AUTH_TYPE": "file-oidc", "DATABRICKS_OIDC_TOKEN_FILEPATH": file,
            "DATABRICKS_CLIENT_ID": CLIENT}  # fmt: skip


def of_openai(service: RelyingParty, file: str) -> dict[str, str]:
    """The arguments of the client. The SDK has no variable for the URL of the exchange."""
    return {"TOKEN_FILE": file, "OPENAI_BASE_URL": service.url + "/v1", "EXCHANGE_URL": service.url + "/oauth/token", "PROVIDER": RULE,
            "ACCOUNT": SERVICE_ACCOUNT}  # fmt: skip


def of_snowflake(service: RelyingParty, file: str) -> dict[str, str]:
    """The parameters of the connection. The driver sends a token only to hosts of Snowflake."""
    return {"TOKEN_FILE": file, "PORT": str(service.port), "SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES": "127.0.0.1"}


OTHERS = {
    "anthropic": (Anthropic, "https://api.anthropic.com",
                  {"required": ("exp", "iat"), "needs_kid": True, "longest_life": 3600, "once": True}, of_anthropic),
    "databricks": (Databricks, "databricks", {"algorithms": ("RS256", "ES256")}, of_databricks),
    "openai": (OpenAi, "https://api.openai.com/v1", {}, of_openai),
    "snowflake": (Snowflake, "snowflakecomputing.com", {"every_audience": True}, of_snowflake),
}  # fmt: skip
