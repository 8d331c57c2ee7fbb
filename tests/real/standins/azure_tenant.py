"""A tenant of Microsoft Entra ID: its applications, and the tokens that it signs.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference — version 1 tokens, the
default: `aud` is the application ID URI, `appid` the caller, and `appidacr` how the caller authenticated. The
issuer publishes its keys on loopback, where Google's token service stand-in fetches them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from cryptography import x509

from standins.issuer import Issuer
from support.signer import Signer, good_claims

TENANT = "11111111-2222-3333-4444-555555555555"
RESOURCE = "api://wif-token.example.test"
CLOSED = "api://closed.example.test"  # requires that its callers are assigned
EXCHANGE = "api://AzureADTokenExchange"
SUBJECT = "system:serviceaccount:apps:build"


def new_id(name: str) -> str:
    """Makes a GUID from a name; the same name always gives the same GUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


@dataclass(frozen=True)
class Identity:
    """What Entra ID knows about an application or managed identity."""

    client_id: str
    object_id: str
    resource_id: str


def new_identity(name: str) -> Identity:
    """Creates a managed identity with this name."""
    group = "/subscriptions/0f0f/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
    return Identity(new_id(name + "-client"), new_id(name + "-object"), group + name)


@dataclass
class Application:
    """An application with its credentials; `federated` contains triples of issuer, subject and audience."""

    identity: Identity
    secret: str | None = None
    expired_secret: str | None = None
    certificates: list[x509.Certificate] = field(default_factory=list)
    federated: list[tuple[str, str, str]] = field(default_factory=list)
    assertions: list[dict] = field(default_factory=list)  # the headers and claims of its assertions


@dataclass(frozen=True)
class Issued:
    """One token: the place and the identity of the request, and its proof."""

    where: str
    client_id: str
    proof: str
    token: str


class Tenant:
    """One tenant; `cluster` is a Kubernetes issuer that an application may trust."""

    def __init__(self, ledger=None):
        self.ledger = ledger
        self.issuer = Issuer(Signer("RS256", "entra-key"))
        self.cluster = Issuer(Signer("RS256", "cluster-key"))
        self.resources = {RESOURCE, CLOSED}
        self.applications: dict[str, Application] = {}
        self.issued: list[Issued] = []

    def add(self, name: str, **credentials) -> Application:
        """Registers an application."""
        found = Application(new_identity(name), **credentials)
        for secret in (found.secret, found.expired_secret):
            if secret and self.ledger:
                self.ledger.secret(f"the secret of {name}", secret)
        self.applications[found.identity.client_id] = found
        return found

    def token(self, where: str, resource: str, identity: Identity, proof: str) -> str:
        """Signs a token; `proof` is secret, certificate, federated or managed identity."""
        claims = good_claims(
            self.issuer.url, resource, sub=identity.object_id, oid=identity.object_id, tid=TENANT, appid=identity.client_id,
            appidacr="1" if proof == "secret" else "2", idp=self.issuer.url, idtyp="app", ver="1.0")  # fmt: skip
        made = self.issuer.signers[0].token(claims)
        if self.ledger:
            self.ledger.token(f"the token of {where} {len(self.issued)}", made)
        self.issued.append(Issued(where, identity.client_id, proof, made))
        return made

    def projected(self, **claims) -> str:
        """The token that Kubernetes writes to AZURE_FEDERATED_TOKEN_FILE, apart from these claims."""
        made = self.cluster.token(EXCHANGE, **{"sub": SUBJECT, **claims})
        return self.ledger.token(f"the projected token {len(self.ledger.tokens)}", made) if self.ledger else made
