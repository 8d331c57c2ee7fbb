"""AD FS for the tests: a Kerberos realm, Apache with Negotiate and TLS, and the front of AD FS behind it.

    run = adfs.run(ccache=adfs.kdc.ticket("alice"))
    assert run.token == adfs.front.issued[-1]
"""

from __future__ import annotations

import base64
import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from lxml import etree

from servers.apache import Apache, apache
from servers.authority import Authority
from servers.kdc import REALM, Kdc, realm
from standins.adfs import Adfs, RelyingParty
from standins.adfs_oauth import OAuthClient
from standins.verify_jwt import OidcPoolProvider
from standins.verify_saml import NAMES
from support.leaks import Ledger
from support.places import need
from support.processes import free_port
from support.program import JWT, SAML2, Program, Run
from support.pysaml2_idp import IdentityProvider

CLIENT = "c7d1e0a8-workload"
ALICE, MALLORY = f"alice@{REALM}", f"mallory@{REALM}"
PASSWORDS = {"alice": "pw-of-alice+7&9%", "mallory": "pw-of-mallory-8"}
DISCOVERY = ("/adfs/.well-known/openid-configuration", "/adfs/discovery/keys")
SERVICE = "HTTP/localhost"


@contextlib.contextmanager
def kerberos(folder: Path) -> Iterator[Kdc]:
    """Creates a realm with two users and the service of this host, and starts its KDC."""
    made = realm(folder)
    for name, password in PASSWORDS.items():
        made.add(name, password)
    made.add(SERVICE)
    made.keytab("http.keytab", SERVICE)
    made.keytab("alice.keytab", "alice")
    with made.serving():
        yield made


@dataclass
class Farm:
    """AD FS for one test. `run` and `options` use alice, to whom the server application CLIENT is bound."""

    kdc: Kdc
    front: Adfs
    apache: Apache
    authority: Authority
    program: Program
    audience: str
    token_type: str = JWT
    given: dict[str, str] = field(default_factory=dict)

    @property
    def relying_party(self) -> str:
        """The identifier of the Web API and of the relying party trust: the audience that Google expects, never
        normalized.
        """
        return "https:" + self.audience

    def pool_provider(self) -> OidcPoolProvider:
        """The pool provider that trusts this AD FS."""
        return OidcPoolProvider(self.audience, self.front.issuer, ca_file=str(self.authority.ca))

    def options(self, **changes: str | None) -> list[str]:
        """The command line; `changes` replaces options by name or, with None, leaves one out."""
        found = {"issuer": self.front.issuer + "/", "relying-party": self.relying_party, "ca-file": str(self.authority.ca)}
        found |= self.given | {name.replace("_", "-"): value for name, value in changes.items()}
        return [f"--{name}={value}" for name, value in found.items() if value is not None]

    def run(self, *more: str, ccache: Path | None = None, env: dict[str, str] | None = None, **changes: str | None) -> Run:
        """Runs the program in this realm with the tickets of `ccache`; the leak scan knows what it sent."""
        request = self.program.request(self.audience, self.token_type) | self.kdc.env(ccache) | (env or {})
        run = self.program.run("adfs", *self.options(**changes), *more, env=request)
        self.register_tickets()
        return run

    def register_tickets(self):
        """Registers Negotiate tokens, which are as valuable as passwords for a few minutes."""
        for number, received in enumerate(self.front.received):
            sent = received.headers.get("authorization", "").partition(" ")[2]
            if sent:
                self.program.ledger.secret(f"Negotiate token {number}", sent)

    def legs(self) -> list[dict[str, str]]:
        """The headers of the requests that the front received, without discovery and keys."""
        return [received.headers for received in self.front.received if received.path not in DISCOVERY]


def register(ledger: Ledger, kdc: Kdc):
    """Registers the secrets of the realm: passwords, and the keys in the keytab."""
    for name, password in PASSWORDS.items():
        ledger.secret(f"the password of {name}", password)
    for number, key in enumerate(re.findall(r"\(0x([0-9a-f]+)\)", kdc.run(need("klist"), "-k", "-K", str(kdc.folder / "alice.keytab")))):
        ledger.secret(f"key {number} of the keytab", key)
        ledger.secrets[f"key {number} of the keytab (binary)"] = base64.b64encode(bytes.fromhex(key)).decode().rstrip("=")


@contextlib.contextmanager
def farm(folder: Path, kdc: Kdc, program: Program, audience: str, tls: bool = True, **server) -> Iterator[Farm]:
    """Runs AD FS behind Apache until the block ends, with OIDC unless `given` and `token_type` say otherwise."""
    authority = Authority(folder / "authority")
    front, port = Adfs(), free_port()
    front.public = f"{'https' if tls else 'http'}://localhost:{port}"
    front.resources = {"https:" + audience}
    front.clients[CLIENT] = OAuthClient({ALICE}, set(front.resources))
    certificate = authority.server("adfs", "localhost")
    server = {"tls": tls, "keytab": kdc.folder / "http.keytab", "env": kdc.env()} | server
    try:
        with apache(certificate, port, front.port, **server) as running:
            yield Farm(kdc, front, running, authority, program, audience, given={"client-id": CLIENT})
    finally:
        front.close()


def issues_saml(made: Farm, idp: IdentityProvider, protocol: str, sign_response: bool = True) -> Farm:
    """Makes a farm issue SAML: pysaml2 makes the assertions, and xmlsec1 signs them."""
    made.front.response = lambda user, identifier: idp.response(user, sign_response)
    made.front.assertion = lambda user, identifier: bare(idp.response(user, sign_response=False))
    made.front.relying_parties[made.relying_party] = RelyingParty(made.relying_party)
    made.front.passwords = {ALICE: PASSWORDS["alice"]}
    made.token_type, made.given = SAML2, {"protocol": protocol}
    return made


def bare(response: str) -> str:
    """The Assertion alone, with the namespaces that it needs; its exclusive canonical form does not change."""
    return etree.tostring(etree.fromstring(response.encode()).find("a:Assertion", NAMES), with_tail=False).decode()
