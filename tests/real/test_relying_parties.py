"""The SDKs of AWS, Azure, Anthropic, Databricks and Snowflake read the token file that the program writes, across a renewal; what their
services refuse is what `check --relying-party` says beforehand.

The services are stand-ins, each with the rules that its vendor publishes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from standins.issuer import Issuer
from support.processes import until
from support.program import EXIT_STATUS
from support.relying_parties import Party, new_party
from support.signer import Signer, claims_of

NAMES = ("aws", "azure", "anthropic", "databricks", "snowflake")


@pytest.fixture
def party(request, tmp_path, program, aws, azure) -> Party:
    """The relying party with this name."""
    found = new_party(request.param, tmp_path, program, aws, azure)
    yield found
    found.close()


@pytest.mark.parametrize("party", NAMES, indirect=True)
def test_the_sdk_reads_a_file_that_keep_renews(party):
    """`keep` renews the token after some seconds, because of the margin. An hour later, the same SDK objects send the renewed token."""
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
    """A token that a party refuses: the mistake, its claims and header, the response of the party, and the result of `check`."""

    party: str
    what: str
    refusal: str
    says: str
    code: str | None = None  # of an error; a warning otherwise
    claims: dict = field(default_factory=dict)
    header: dict | None = None
    algorithm: str | None = None


PAST = {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
EXPIRED = {"aws": "ExpiredToken", "azure": "AADSTS700024", "anthropic": "invalid_grant", "databricks": "times", "snowflake": "times"}
AUDIENCE = {"aws": "Incorrect token audience", "azure": "AADSTS700212", "anthropic": "invalid_grant", "databricks": "audience",
            "snowflake": "audience"}  # fmt: skip
SIGNATURE = {"aws": "InvalidIdentityToken", "azure": "AADSTS700027", "anthropic": "invalid_grant", "databricks": "signature",
             "snowflake": "signature"}  # fmt: skip
FAULTS = [
    *(Fault(name, "expired", EXPIRED[name], "expired at", "EXPIRED", PAST) for name in NAMES),
    *(Fault(name, "for another audience", AUDIENCE[name], "the aud of the token is other", "CONFIGURATION", {"aud": "other"})
      for name in NAMES),
    *(Fault(name, "of another key", SIGNATURE[name], "do not verify the signature", "PROTOCOL") for name in NAMES),
    *(Fault(name, "of an unknown key", SIGNATURE[name].replace("signature", "key"), "does not publish the key", "PROTOCOL",
            header={"kid": "key-2"}) for name in NAMES),
    Fault("aws", "with a fraction of a second", "ExpiredToken", "not a time in whole seconds", "PROTOCOL",
          {"exp": int(time.time()) + 3000.5}),
    Fault("aws", "without iat", "ExpiredToken", "has no iat", "PROTOCOL", {"iat": None}),
    Fault("aws", "with an azp", "Incorrect token audience", "AWS uses the azp of the token, my-client", claims={"azp": "my-client"}),
    Fault("aws", "signed with PS256", "InvalidIdentityToken", "signed with PS256", "PROTOCOL", algorithm="PS256"),
    Fault("aws", "with exp as text", "ExpiredToken", "not a time in seconds", "PROTOCOL", {"exp": str(int(time.time()) + 3000)}),
    Fault("azure", "signed with RS384", "AADSTS700027", "signed with RS384, but", algorithm="RS384"),
    Fault("azure", "without sub", "AADSTS700213", "has no sub", "PROTOCOL", {"sub": None}),
    Fault("anthropic", "without kid", "invalid_grant", "has no kid", "PROTOCOL", header={"kid": None}),
    Fault("anthropic", "of two hours", "invalid_grant", "the lifetime of the token is 7200 s, but",
          claims={"iat": int(time.time()) - 60, "exp": int(time.time()) + 7140}),
    Fault("anthropic", "of three days", "invalid_grant", "configure the issuer for a lifetime of at most 176400 s", "CONFIGURATION",
          {"iat": int(time.time()) - 60, "exp": int(time.time()) + 3 * 86400}),
    Fault("databricks", "signed with RS512", "algorithm", "signed with RS512", "PROTOCOL", algorithm="RS512"),
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
def test_a_refusal_is_what_check_says(party, fault):
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


@pytest.mark.parametrize("party", NAMES, indirect=True)
def test_what_check_cannot_know(party):
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
