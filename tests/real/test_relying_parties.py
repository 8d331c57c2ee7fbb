"""The SDKs and command lines of other relying parties read the token file that the program writes, across a renewal; `check
--relying-party` predicts what their services refuse.

OpenBao and the Kubernetes API server are real. The others are stand-ins, each with the rules that its vendor publishes.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field

import pytest

from standins.issuer import Issuer
from support.openbao import binary, openbao, openbao_agent
from support.pages import blocks, commands
from support.processes import until
from support.program import EXIT_STATUS
from support.relying_parties import Party, at_kubernetes, at_vault, new_party
from support.signer import Signer, claims_of

NAMES = ("aws", "azure", "anthropic", "databricks", "openai", "snowflake", "vault", "kubernetes")


@pytest.fixture(scope="module")
def bao(tmp_path_factory):
    """A server for all tests of this file."""
    with openbao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def party(request, tmp_path, program, aws, azure) -> Party:
    """The relying party with this name."""
    real = {"vault": (at_vault, "bao"), "kubernetes": (at_kubernetes, "cluster")}
    if request.param in real:
        make, server = real[request.param]
        found = make(tmp_path, program, request.getfixturevalue(server))
    else:
        found = new_party(request.param, tmp_path, program, aws, azure)
    yield found
    found.close()


@pytest.mark.parametrize("party", NAMES, indirect=True)
def test_the_sdk_reads_a_file_that_keep_renews(party):
    """`keep` renews the token after a few seconds, because of the margin. An hour later, the same SDK objects send the renewed token."""
    first = party.token(iat=int(time.time()) - 20)
    words = (*party.source(first), f"--output-file={party.file}", "--expiry-margin=2990")
    keep = party.program.start("keep", *words)
    try:
        until(party.file.exists, "the first token")
        with party.sdk() as sdk:
            assert "ok" in (used := sdk.use()), used
            assert party.accepted == [first]
            second = party.token(iat=int(time.time()) - 10, exp=int(time.time()) + 3500)
            party.source(second)
            until(lambda: party.file.read_text() == second, "the renewed token")
            assert "ok" in (used := sdk.use(ahead=3700)), used
        assert party.accepted == [first, second]
    finally:
        keep.terminate()
        done = party.program.finish(keep)
    assert (done.status, done.stdout, done.stderr) == (0, "", ""), done.described()


@pytest.mark.parametrize("party", NAMES, indirect=True)
def test_the_sdk_reads_a_renewed_file(party):
    """The first exchange sends the first token. An hour later, the same SDK objects send the renewed token."""
    first, second = (party.token(iat=int(time.time()) - age) for age in (20, 10))
    run = party.check(*party.source(first))
    assert run.status == 0 and "warning" not in run.stdout and "error" not in run.stdout, run.described()
    party.write(first)
    with party.sdk() as sdk:
        assert "ok" in (used := sdk.use()), used
        assert party.accepted == [first]
        party.write(second)
        assert "ok" in (used := sdk.use(ahead=3700)), used
    assert party.accepted == [first, second]


@dataclass(frozen=True)
class Fault:
    """A token that a party refuses: the mistake, its claims and header, the response of the party, and the result of
    `check`.
    """

    party: str
    what: str
    refusal: str
    says: str
    code: str | None = None  # the code of an error; None for a warning
    claims: dict = field(default_factory=dict)
    header: dict | None = None
    algorithm: str | None = None


PAST = {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
EXPIRED = {"aws": "ExpiredToken", "azure": "AADSTS700024", "anthropic": "invalid_grant", "databricks": "times", "openai": "times",
           "snowflake": "times", "vault": "token is expired", "kubernetes": "must be logged in"}  # fmt: skip
AUDIENCE = {"aws": "Incorrect token audience", "azure": "AADSTS700212", "anthropic": "invalid_grant", "databricks": "audience",
            "openai": "audience", "snowflake": "audience", "vault": "audience claim does not match any expected audience",
            "kubernetes": "must be logged in"}  # fmt: skip
SIGNATURE = {"aws": "InvalidIdentityToken", "azure": "AADSTS700027", "anthropic": "invalid_grant", "databricks": "signature",
             "openai": "signature", "snowflake": "signature", "vault": "verify", "kubernetes": "must be logged in"}  # fmt: skip
FAULTS = [
    *(Fault(name, "expired", EXPIRED[name], "expired at", "EXPIRED", PAST) for name in NAMES),
    *(Fault(name, "for another audience", AUDIENCE[name], "the aud of the token is other", "CONFIGURATION", {"aud": "other"})
      for name in NAMES),
    *(Fault(name, "of another key", SIGNATURE[name], "do not verify the signature", "PROTOCOL") for name in NAMES),
    *(Fault(name, "of an unknown key", SIGNATURE[name].replace("signature", "key"), "does not publish the key", "PROTOCOL",
            header={"kid": "key-2"}) for name in NAMES),
    Fault("aws", "with a fraction of a second", "ExpiredToken", "not a whole number of seconds", "PROTOCOL",
          {"exp": int(time.time()) + 3000.5}),
    Fault("aws", "without iat", "ExpiredToken", "has no iat", "PROTOCOL", {"iat": None}),
    Fault("aws", "with an azp", "Incorrect token audience", "AWS uses the azp of the token, my-client", claims={"azp": "my-client"}),
    Fault("aws", "signed with PS256", "InvalidIdentityToken", "signed with PS256", "PROTOCOL", algorithm="PS256"),
    Fault("aws", "with exp as text", "ExpiredToken", "exp of the token is a string", "PROTOCOL", {"exp": str(int(time.time()) + 3000)}),
    Fault("azure", "signed with RS384", "AADSTS700027", "signed with RS384, but", algorithm="RS384"),
    Fault("azure", "without sub", "AADSTS700213", "has no sub", "PROTOCOL", {"sub": None}),
    Fault("anthropic", "without kid", "invalid_grant", "has no kid", "PROTOCOL", header={"kid": None}),
    Fault("anthropic", "of two hours", "invalid_grant", "the lifetime of the token is 7200 s, but",
          claims={"iat": int(time.time()) - 60, "exp": int(time.time()) + 7140}),
    Fault("anthropic", "of three days", "invalid_grant", "configure the issuer for a lifetime of at most 176400 s", "CONFIGURATION",
          {"iat": int(time.time()) - 60, "exp": int(time.time()) + 3 * 86400}),
    Fault("databricks", "signed with RS512", "algorithm", "signed with RS512", "PROTOCOL", algorithm="RS512"),
    Fault("vault", "without iss", "invalid issuer", "has no iss", claims={"iss": None}),
    Fault("kubernetes", "signed with RS384", "must be logged in", "accepts only RS256 by default", algorithm="RS384"),
    Fault("snowflake", "with another audience too", "audience", "but Snowflake expects",
          claims={"aud": ["snowflakecomputing.com", "other"]}),
]  # fmt: skip


def broken(fault: Fault, party: Party) -> str:
    """The token with this fault."""
    if fault.algorithm:
        signer = party.issuer.signers[0]
        signer.algorithm = fault.algorithm
    token = party.token(fault.header, **fault.claims)
    if fault.what != "of another key":
        return token
    return Signer("RS256", party.issuer.signers[0].kid).token(claims_of(token))


@pytest.mark.parametrize(
    "party, fault", [(fault.party, fault) for fault in FAULTS], indirect=["party"], ids=lambda fault: getattr(fault, "what", None)
)
def test_check_reports_each_refusal(party, fault):
    """The SDK shows the refusal of the service. `check` names the rule and a fix."""
    token = broken(fault, party)
    party.file.write_text(token)
    with party.sdk() as sdk:
        used = sdk.use()
    assert fault.refusal in used.get("refused", ""), used
    assert party.accepted == []
    run = party.check("file", f"--path={party.file}", f"--audience={party.audience}")
    status = "error" if fault.code else "warning"
    line = next((line for line in run.stdout.splitlines() if line.startswith(status)), "")
    assert fault.says in line and "; " in line, run.described()
    assert run.status == (EXIT_STATUS[fault.code] if fault.code else 0), run.described()


@pytest.mark.parametrize("party", ["anthropic"], indirect=True)
def test_a_token_with_a_jti_is_accepted_once(party):
    """The service refuses the second exchange of the same token."""
    token = party.token(jti="hunter2-jti")
    party.write(token)
    with party.sdk() as sdk:
        assert "ok" in sdk.use()
        assert "invalid_grant" in sdk.use(ahead=3700)["refused"]
    assert party.accepted == [token]
    assert "accepts it only once by default" in party.check("file", f"--path={party.file}").stdout


@pytest.mark.parametrize("party", ["vault"], indirect=True)
def test_the_agent_of_vault_logs_in_with_the_renewed_token(party, tmp_path, bao):
    """The commands of the page prepare the login. Its agent reads the file, leaves it there, and logs in again when it must."""
    page, sink = "docs/relying-parties/vault.md", tmp_path / "vault-token"
    names = {"https://idp.example.com": party.issuer.url, "/run/my-app/vault-jwt": str(party.file), "/run/my-app/vault-token": str(sink),
             "https://vault.example.com:8200": bao.url}  # fmt: skip

    def here(text: str) -> str:
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    def run(words: list[str], **more: str) -> str:
        env = party.program.environment({"BAO_ADDR": bao.url, **more})
        return subprocess.run([binary(), *map(here, words)], env=env, check=True, capture_output=True, text=True, timeout=30).stdout

    *setup, login = [words for at, words in commands("vault") if at == page]
    for words in (*setup, [*setup[-1], "token_max_ttl=5s"]):
        run(words, BAO_TOKEN=bao.root_token)
    first, second = (party.token(jti=jti) for jti in ("1", "2"))
    party.write(first)
    assert run(["token", "lookup"], BAO_TOKEN=run(login))
    (configuration,) = [block.text for block in blocks("hcl") if block.page == page]
    with openbao_agent(tmp_path, here(configuration), [sink]):
        logged_in = sink.read_text()
        assert party.file.read_text() == first
        bao.call("POST", "auth/jwt/role/my-app", role_type="jwt", bound_audiences=["vault"], user_claim="sub", bound_claims={"jti": "2"})
        party.write(second)
        until(lambda: sink.read_text() not in ("", logged_in), "another login")


@pytest.mark.parametrize("party", NAMES, indirect=True)
def test_a_mistake_that_check_cannot_find(party):
    """The party trusts another issuer. `check` passes, and lists the claims for a comparison."""
    other = Issuer(Signer("RS256", "key-1"))
    try:
        token = other.token(party.audience, sub="my-app", jti=None)
        party.file.write_text(party.program.ledger.token("the token of another issuer", token))
        with party.sdk() as sdk:
            assert "refused" in sdk.use()
        run = party.check("file", f"--path={party.file}", f"--audience={party.audience}")
        assert run.status == 0 and f'claims.iss = "{other.url}"' in run.stdout, run.described()
    finally:
        other.close()
