"""The front of AD FS on loopback: which requests it passes on to Windows authentication, and which it refuses.

It is behind a server with TLS and Negotiate (servers/apache.py, servers/acceptor.py), which verifies the ticket and names its
owner in `X-Remote-User`. This file contains what AD FS decides before and after that:

- Negotiate is offered to listed User-Agents only (`Set-AdfsProperties -WIASupportedUserAgents`, matched as substrings):
  https://learn.microsoft.com/windows-server/identity/ad-fs/operations/configure-ad-fs-browser-wia
- endpoints may be disabled (`Enable-AdfsEndpoint`), and requests sometimes fail without a reason: `faults`.

What each endpoint requires is in adfs_oauth.py, adfs_saml.py and adfs_ws_trust.py. No AD FS was available to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from standins.adfs_oauth import OAuthClient, discovery, token
from standins.adfs_page import no_such_path
from standins.adfs_saml import sign_in
from standins.adfs_ws_trust import issue
from standins.loopback import Answer, Loopback, Request
from support.signer import Signer

LISTED = ("MSAuthHost/1.0/In-Domain", "MSIE 6.0", "MSIE 7.0", "MSIE 8.0", "MSIE 9.0", "MSIE 10.0", "Trident/7.0", "MSIPC",
          "Windows Rights Management Client", "Microsoft SkyDrive")  # fmt: skip
TRUST = "/adfs/services/trust/13/"


@dataclass
class RelyingParty:
    """A relying party trust of SAML and WS-Trust; `acs` contains its assertion consumer services, and `certificate`
    verifies its requests.
    """

    identifier: str
    acs: tuple[str, ...] = ("https://sts.googleapis.com/v1/token",)
    certificate: str | None = None
    signature_required: bool = False


@dataclass
class Adfs:
    """One farm. `public` is the address at which clients reach it; `response` and `assertion` make XML from (user,
    identifier).
    """

    response: Callable[[str, str], str] | None = None
    assertion: Callable[[str, str], str] | None = None
    public: str = ""
    clients: dict[str, OAuthClient] = field(default_factory=dict)
    resources: set[str] = field(default_factory=set)
    relying_parties: dict[str, RelyingParty] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)  # PEM of a client certificate -> account
    listed: tuple[str, ...] = LISTED
    disabled: dict[str, int] = field(default_factory=dict)  # path -> HTTP status
    faults: list[Answer] = field(default_factory=list)  # returned first, once each
    errors_as_html: bool = False
    windows_authentication: bool = True
    redirects_to_wia: bool = False
    spelled: Callable[[str], str] = lambda value: value.replace("+", "&#43;").replace("=", "&#x3D;")  # encodes base64 as HTML
    signer: Signer = field(default_factory=lambda: Signer("RS256", "adfs-signing"))
    issued: list[str] = field(default_factory=list)  # subject tokens as they were sent: a JWT, or XML
    requests: list = field(default_factory=list)  # what an endpoint decoded, oldest first

    def __post_init__(self):
        self._http = Loopback(self._answer)
        self.url, self.port, self.received = self._http.url, self._http.port, self._http.requests

    @property
    def issuer(self) -> str:
        """The `iss` of the tokens; users type it with a slash at the end."""
        return self.public + "/adfs"

    def close(self):
        """Stops serving."""
        self._http.close()

    def negotiates_with(self, request: Request) -> bool:
        """Whether this User-Agent is offered Windows authentication."""
        return self.windows_authentication and any(name in request.headers.get("user-agent", "") for name in self.listed)

    def user(self, request: Request) -> str | None:
        """The owner of the ticket that the server in front has accepted, such as `alice@EXAMPLE.TEST`."""
        return request.headers.get("x-remote-user") or None

    def _answer(self, request: Request) -> Answer:
        if request.path in self.disabled:
            return Answer(self.disabled[request.path], "Service Unavailable")
        if request.path == "/adfs/.well-known/openid-configuration":
            return Answer(200, discovery(self))
        if request.path == "/adfs/discovery/keys":
            return Answer(200, self.signer.jwks())
        authenticated = self.user(request) or "x-remote-certificate" in request.headers
        if self.faults and (authenticated or "authorization" not in request.headers):
            return self.faults.pop(0)
        if request.path in ("/adfs/oauth2/token", "/adfs/oauth2/token/") and request.method == "POST":
            return token(self, request)
        if request.path in ("/adfs/ls", "/adfs/ls/", "/adfs/ls/wia") and request.method == "GET":
            return sign_in(self, request)
        if request.path.startswith(TRUST):
            return issue(self, request, request.path.removeprefix(TRUST))
        return no_such_path(request.path)
