"""Broken set-ups: each row breaks one part of a valid set-up. `check` must report that check first, and exit with the status of its code.

What an administrator reads is in `check/broken/`, the whole report of each row; `UPDATE=1 pytest test_check_broken.py` rewrites it.
The good set-ups are in test_check_good.py. `{dir}` is the folder of the set-up, `{sts}` Google on loopback, `{issuer}` the issuer.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Callable
from urllib.parse import quote, unquote

import pytest

from standins.aws_keys import ACCOUNT, AwsKeys
from standins.loopback import Answer
from standins.sts import DEPLOYER
from standins.verify_aws import AwsPoolProvider, known_to
from standins.verify_jwt import OidcPoolProvider
from standins.verify_saml import SamlPoolProvider
from support.aws import AWS4_REQUEST, CREDENTIAL_SOURCE, google_token
from support.clients import ALLOW
from support.impersonation import FIRST, SECOND
from support.places import HERE
from support.program import EXIT_STATUS, SAML2
from support.saml import IDP, SamlSigner, at, confirmation, restriction, statement
from support.setups import Setup, Setups, copy
from support.signer import Signer, claims_of
from support.snapshots import slug, snapshot

Make = Callable[[Setups], Setup]


@dataclass(frozen=True)
class Row:
    """What is broken and how, the code of the first error, its check, and names that its line contains."""

    what: str
    make: Make
    code: str
    link: str
    names: tuple[str, ...]


def row(what: str, make: Make, code: str, link: str, *names: str) -> Row:
    """Makes a row. The names are options, variables, paths and claims, not the wording."""
    return Row(what, make, code, link, names)


# --- how one thing is broken


def config(make: Make | None = None, **members) -> Make:
    """Changes these members of the configuration; `None` removes one."""

    def made(setups: Setups) -> Setup:
        setup = (make or Setups.ours)(setups)
        for name, value in members.items():
            value = setup.filled(value) if isinstance(value, str) else value
            setup.config[name] = value
            if value is None:
                del setup.config[name]
        return setup

    return made


def source(**found) -> Make:
    """Sets another credential source."""
    return lambda setups: setups.of(json.loads(json.dumps(found).replace("{dir}", str(setups.folder))), setups.jwt())


def executable(**members) -> Make:
    """Changes these members of the executable."""

    def made(setups: Setups) -> Setup:
        setup = setups.ours()
        for name, value in members.items():
            setup.executable[name] = setup.filled(value) if isinstance(value, str) else value
        return setup

    return made


def ours(*arguments: str) -> Make:
    """Runs this program with these arguments."""
    return lambda setups: setups.ours(*[word.replace("{dir}", str(setups.folder)) for word in arguments])


def foreign(**document) -> Make:
    """Runs another program whose document has these members."""
    return lambda setups: setups.foreign(**document)


def claims(header: dict | None = None, **changed) -> Make:
    """Runs another program whose token has these claims, or this header. wif-token itself would refuse to pass on some
    of these tokens."""

    def made(setups: Setups) -> Setup:
        token = setups.issuer.token("https:" + setups.audience, header, **changed)
        return setups.foreign(token)

    return made


def raw(token: str) -> Make:
    """Runs another program that returns this as the token."""
    return lambda setups: setups.foreign(token)


def saml(**parts) -> Make:
    """Changes one part of an assertion."""

    def made(setups: Setups) -> Setup:
        signer = SamlSigner()
        setups.sts.add(SamlPoolProvider(setups.audience, IDP, signer.certificate))
        token = parts["token"] if "token" in parts else signer.response("https:" + setups.audience, **parts)
        return setups.foreign(token, SAML2)

    return made


def aws(edit: Callable[[dict], None] = lambda request: None, account: str = ACCOUNT, **more) -> Make:
    """Makes one change in a signed request."""

    def made(setups: Setups) -> Setup:
        keys = AwsKeys()
        setups.sts.add(AwsPoolProvider(setups.audience, account, known_to(keys)))
        target = more.pop("target", setups.audience)
        request = json.loads(unquote(google_token(keys.user("alice"), target, **more)))
        edit(request)
        return setups.foreign(quote(json.dumps(request), safe=""), AWS4_REQUEST)

    return made


def document(setup: Setup, edit: Callable[[str], str]):
    """Changes the token in the document of another program."""
    path = setup.folder / "document.json"
    found = json.loads(path.read_text())
    found["id_token"] = edit(found["id_token"])
    path.write_text(json.dumps(found))


def set_header(name: str, value: str | None) -> Callable[[dict], None]:
    """Changes a header of a signed request, or removes it."""

    def edit(request: dict):
        request["headers"] = [h for h in request["headers"] if h["key"].lower() != name]
        if value:
            request["headers"].append({"key": name, "value": value})

    return edit


def sign_only(*names: str) -> Callable[[dict], None]:
    """Keeps only these names in SignedHeaders."""

    def edit(request: dict):
        for header in request["headers"]:
            if header["key"].lower() == "authorization":
                header["value"] = re.sub("SignedHeaders=[^,]*", "SignedHeaders=" + ";".join(names), header["value"])

    return edit


def with_(make: Make, do: Callable[[Setup], object]) -> Make:
    """Makes one more change in a set-up."""

    def made(setups: Setups) -> Setup:
        setup = make(setups)
        do(setup)
        return setup

    return made


def options(*more: str, make: Make | None = None) -> Make:
    """Runs `check` with these options."""
    return with_(make or Setups.ours, lambda setup: setup.options.extend(more))


def provider(**changed) -> Make:
    """Changes the pool provider at Google, so that it differs from the one that the token is for."""

    def made(setups: Setups) -> Setup:
        setup = setups.ours()
        setups.sts.add(OidcPoolProvider(setups.audience, **{"issuer": setups.issuer.url} | changed))
        return setup

    return made


def chain(*roles: tuple[str, str, str | None]) -> Make:
    """Puts two delegates before the service account, and grants these roles: (role, on, to whom or the workload)."""

    def made(setups: Setups) -> Setup:
        setup = setups.ours()
        setups.sts.iam.policies.accounts.pop(DEPLOYER)
        for email in (FIRST, SECOND, DEPLOYER):
            setups.sts.iam.policies.accounts.setdefault(email, {})
        for role, on, to in roles:
            setups.grant(role, on, to)
        setup.options += [f"--delegate={FIRST}", f"--delegate={SECOND}"]
        return setup

    return made


def server(answer: Answer) -> Make:
    """Sets a source `url` whose server returns this answer."""

    def made(setups: Setups) -> Setup:
        setup = setups.url(lambda _: answer)
        setup.config["credential_source"] = {"url": setup.server + "/token"}
        return setup

    return made


def nobody(setup: Setup):
    """Removes every role on the service account."""
    setup.sts.iam.policies.accounts[DEPLOYER] = {}


def without_account(setup: Setup):
    """Removes the service account."""
    setup.sts.iam.policies.accounts.pop(DEPLOYER)


def another_key(setups: Setups) -> Setup:
    """Signs the token with another key; the issuer and the key ID in the token are those of the issuer."""
    return setups.foreign(Signer().token(claims_of(setups.jwt())))


def hmac(setups: Setups) -> Setup:
    """Sets the algorithm in the header of the token to HS256."""
    header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode()
    return setups.foreign(f"{header}.{setups.jwt().partition('.')[2]}")


PROVIDER = ("projects/123456789012/locations/global/workloadIdentityPools/pool/providers/ci")
POOL = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool"
# Rows are made when tests are collected, long before they run.
NINE_HOURS = f'NotOnOrAfter="{at(hours=9)}"'

ROWS = [
    # --- the file
    row("no file", options("--credentials=/nowhere/c.json"), "CONFIGURATION", "configuration", "/nowhere/c.json"),
    row("no JSON", with_(Setups.ours, lambda s: setattr(s, "text", "{")), "CONFIGURATION", "configuration", "JSON"),
    row("a service account key", config(type="service_account"), "CONFIGURATION", "configuration", "service account key"),
    row("a person's sign-in", config(type="authorized_user"), "CONFIGURATION", "configuration", "client_id is missing"),
    row("no type", config(type=None), "CONFIGURATION", "configuration", "type is not set"),
    row("no audience", config(audience=None), "CONFIGURATION", "configuration", "audience"),
    row("no token_url", config(token_url=None), "CONFIGURATION", "configuration", "token_url"),
    row("no credential_source", config(credential_source=None), "CONFIGURATION", "configuration", "credential_source"),
    row("an empty credential_source", config(credential_source={}), "CONFIGURATION", "configuration", "credential_source"),
    row("an unknown token type", config(subject_token_type="jwt"), "CONFIGURATION", "configuration", "subject_token_type"),
    row("a number for text", config(audience=1), "CONFIGURATION", "configuration", "audience"),
    row("no dash for the project", config(service_account_impersonation_url=
        "{sts}/v1/projects/my-project/serviceAccounts/{email}:generateAccessToken"),
        "CONFIGURATION", "configuration", "service_account_impersonation_url"),
    row("another AWS environment", source(environment_id="aws2"), "CONFIGURATION", "configuration", "environment_id"),
    row("everyone may write it", with_(Setups.ours, lambda s: s.path.touch() or s.path.chmod(0o646)),
        "CONFIGURATION", "configuration", "chmod go-w"),
    # --- audience, token type, addresses
    row("https: before the audience", config(audience="https:{aud}"), "CONFIGURATION", "audience", "{aud}"),
    row("the project's id", config(audience="//iam.googleapis.com/" + PROVIDER.replace("123456789012", "my-project")),
        "CONFIGURATION", "audience", "my-project"),
    row("a pool, no provider", config(audience="//iam.googleapis.com/" + PROVIDER.partition("/providers")[0]),
        "CONFIGURATION", "audience", "providers list"),
    row("a client id for an audience", config(audience="my-client"), "CONFIGURATION", "audience", "/providers/PROVIDER"),
    row("a blank in the audience", config(audience="{aud} "), "CONFIGURATION", "audience", "audience"),
    row("a project that pays beside a workload pool", config(workforce_pool_user_project="1"),
        "CONFIGURATION", "audience", "workforce_pool_user_project"),
    row("another universe", config(audience="//iam.example.goog/" + PROVIDER), "CONFIGURATION", "audience", "example.goog"),
    row("a JWT of AWS's own class", config(source(**CREDENTIAL_SOURCE)), "CONFIGURATION", "token type", "environment_id"),
    row("another path of the token service", config(token_url="{sts}/token"), "CONFIGURATION", "token service", "{sts}/token"),
    row("a token service without TLS", config(token_url="http://sts.googleapis.com/v1/token"),
        "CONFIGURATION", "token service", "http://sts.googleapis.com"),
    row("too short a life", config(service_account_impersonation={"token_lifetime_seconds": 60}),
        "CONFIGURATION", "account service", "token_lifetime_seconds"),
    row("an account that is none", config(service_account_impersonation_url=
        "{sts}/v1/projects/-/serviceAccounts/deployer:generateAccessToken"), "CONFIGURATION", "account service", "deployer"),
    # --- the executable
    row("no opt-in", with_(Setups.ours, lambda s: s.env.update({ALLOW: None})), "CONFIGURATION", "executable", ALLOW),
    row("an opt-in by another word", with_(Setups.ours, lambda s: s.env.update({ALLOW: "true"})),
        "CONFIGURATION", "executable", ALLOW),
    row("no program", executable(command="{dir}/bin/wif-token file --path={dir}/token"),
        "ABSENT", "program", "{dir}/bin/wif-token"),
    row("a program that may not be run", with_(executable(command="{dir}/helper"), lambda s: s.file("helper", "", 0o644)),
        "CONFIGURATION", "program", "chmod +x {dir}/helper"),
    row("a program that everyone may write",
        with_(executable(command="{dir}/bin/wif-token file --path={dir}/token"),
              lambda s: copy(s.program.path, s.folder / "bin", 0o757)),
        "CONFIGURATION", "program", "chmod go-w {dir}/bin/wif-token"),
    row("a folder that everyone may write",
        with_(executable(command="{dir}/bin/wif-token file --path={dir}/token"),
              lambda s: copy(s.program.path, s.folder / "bin").parent.chmod(0o777)),
        "CONFIGURATION", "program", "chmod go-w {dir}/bin"),
    row("too short a timeout", executable(timeout_millis=1000), "CONFIGURATION", "timeout", "timeout_millis"),
    row("too short a timeout for a person", executable(interactive_timeout_millis=1000),
        "CONFIGURATION", "timeout", "interactive_timeout_millis"),
    row("an option that there is not", ours("file", "--pth={dir}/token"), "USAGE", "options", "--pth"),
    row("a command that is no source", ours("check"), "USAGE", "options", '"check"'),
    row("a source of another type", config(ours("key", "--key={dir}/k.pem", "--issuer=https://i.example", "--subject=s"),
                                           subject_token_type=SAML2), "CONFIGURATION", "options", "subject_token_type"),
    row("an arguments file that is not there", ours("--args-file={dir}/args"), "CONFIGURATION", "options", "{dir}/args"),
    row("an output file that everyone may replace",
        with_(executable(output_file="{dir}/open/out.json"), lambda s: (s.folder / "open").mkdir() or (s.folder / "open").chmod(0o777)),
        "CONFIGURATION", "output file", "chmod 700 {dir}/open"),
    # --- the source
    row("no file of the command", ours("file", "--path={dir}/none"), "ABSENT", "source", "{dir}/none"),
    row("no file of the configuration", source(file="{dir}/none"), "ABSENT", "source", "{dir}/none"),
    row("no such member in it",
        with_(source(file="{dir}/token", format={"type": "json", "subject_token_field_name": "id_token"}),
              lambda s: setattr(s, "token", '{"token": "x"}')), "CONFIGURATION", "source", "id_token"),
    row("an opaque token in it", with_(source(file="{dir}/token"), lambda s: setattr(s, "token", "opaque")),
        "PROTOCOL", "source", "{dir}/token"),
    row("a token in it that is over", with_(source(file="{dir}/token"), lambda s: s.claims(exp=1600000000, iat=1599999000)),
        "EXPIRED", "source", "2020-09-13T12:26:40Z"),
    row("a page at the address", server(Answer(200, "<html>Sign in</html>")), "PROTOCOL", "source", "HTML"),
    row("a refusal at the address", server(Answer(403, "no")), "DENIED", "source", "403"),
    row("another program that fails", foreign(success=False, code="E1", message="log in first"),
        "PROTOCOL", "source", "log in first"),
    row("another program that prints no JSON", with_(foreign(), lambda s: s.file("document.json", "Welcome!")),
        "PROTOCOL", "source", "JSON"),
    row("another program without a token", foreign(id_token=None), "PROTOCOL", "source", "id_token"),
    # --- a JWT against Google's rules
    row("no JWT at all", raw("opaque"), "PROTOCOL", "subject token", "JWT"),
    row("a JWT in quotes", with_(foreign(), lambda s: document(s, lambda token: f'"{token}"')), "PROTOCOL", "subject token", "quotes"),
    row("a JWT in base64", with_(foreign(), lambda s: document(s, lambda token: base64.b64encode(token.encode()).decode())),
        "PROTOCOL", "subject token", "base64"),
    row("SAML for a JWT", raw(base64.b64encode(b'<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"/>').decode()),
        "PROTOCOL", "subject token", "subject_token_type", "saml2"),
    row("another algorithm", hmac, "PROTOCOL", "subject token", "HS256"),
    row("no exp", claims(exp=None), "PROTOCOL", "subject token", "exp"),
    row("no iat", claims(iat=None), "PROTOCOL", "subject token", "iat"),
    row("over", claims(iat=1599999000, exp=1600000000), "EXPIRED", "subject token", "2020-09-13T12:26:40Z"),
    row("not yet begun", claims(iat=4102440000, exp=4102444800), "CONFIGURATION", "subject token", "2099-12-31T22:40:00Z"),
    row("too long a life", claims(exp=4102444800), "CONFIGURATION", "subject token", "86400"),
    row("no iss", claims(iss=None), "PROTOCOL", "subject token", "iss"),
    row("an iss that is no address", claims(iss="my-issuer"), "PROTOCOL", "subject token", "iss"),
    row("an iss of plain http", claims(iss="http://idp.example.test"), "PROTOCOL", "subject token", "http"),
    row("no aud", claims(aud=None), "PROTOCOL", "subject token", "aud"),
    row("an aud beyond what can be allowed", claims(aud="a" * 257), "CONFIGURATION", "subject token", "257"),
    row("a key that is not published", claims(header={"kid": "old-key"}), "PROTOCOL", "issuer", "kid"),
    row("a signature by another key", another_key, "PROTOCOL", "issuer", "{issuer}"),
    # --- SAML against Google's rules
    row("no SAML at all", saml(token="opaque"), "PROTOCOL", "subject token", "SAML"),
    row("SAML that nobody signed", saml(sign=""), "PROTOCOL", "subject token", "signed"),
    row("SAML for somebody else", saml(restrictions=restriction("https://other.example")),
        "CONFIGURATION", "subject token", "AudienceRestriction"),
    row("SAML for nobody", saml(restrictions=""), "PROTOCOL", "subject token", "AudienceRestriction"),
    row("SAML of an hour ago", saml(issue_instant="2020-09-13T12:26:40Z"), "EXPIRED", "subject token", "2020-09-13T12:26:40Z"),
    row("SAML of tomorrow", saml(issue_instant="2099-01-01T00:00:00Z"), "CONFIGURATION", "subject token", "2099-01-01T00:00:00Z"),
    row("SAML whose conditions are over", saml(not_on_or_after="2020-09-13T12:26:40Z"),
        "EXPIRED", "subject token", "NotOnOrAfter", "Conditions"),
    row("SAML whose conditions have no begin", saml(not_before=""), "PROTOCOL", "subject token", "NotBefore", "Conditions"),
    row("SAML whose session is over", saml(statements=statement("2020-09-13T12:26:40Z")),
        "EXPIRED", "subject token", "SessionNotOnOrAfter"),
    row("SAML without a sign-on", saml(statements=""), "PROTOCOL", "subject token", "AuthnStatement"),
    row("SAML without a name", saml(name_id=""), "PROTOCOL", "subject token", "NameID"),
    row("SAML confirmed otherwise",
        saml(confirmations=confirmation("urn:oasis:names:tc:SAML:2.0:cm:sender-vouches", NINE_HOURS)),
        "PROTOCOL", "subject token", "SubjectConfirmation", "bearer"),
    row("SAML confirmed twice", saml(confirmations=confirmation(data=NINE_HOURS) * 2),
        "PROTOCOL", "subject token", "SubjectConfirmation"),
    row("SAML confirmed without an end", saml(confirmations=confirmation(data='Recipient="x"')),
        "PROTOCOL", "subject token", "SubjectConfirmationData", "NotOnOrAfter"),
    row("SAML confirmed from a begin on",
        saml(confirmations=confirmation(data=f'NotBefore="{at(minutes=-5)}" NotOnOrAfter="{at(hours=9)}"')),
        "PROTOCOL", "subject token", "SubjectConfirmationData", "NotBefore"),
    row("a SAML refusal", saml(status="urn:oasis:names:tc:SAML:2.0:status:Responder"), "DENIED", "subject token", "Success"),
    row("a SAML issuer of another format", saml(issuer_format=' Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"'),
        "PROTOCOL", "subject token", "Format", "Issuer"),
    row("two SAML issuers", saml(response_issuer="https://other.example"), "PROTOCOL", "subject token", "issuers"),
    # --- a signed AWS request against Google's rules
    row("AWS at another host", aws(lambda r: r.update(url=r["url"].replace("amazonaws.com", "amazonaws.com.example"))),
        "PROTOCOL", "subject token", "url", "GetCallerIdentity"),
    row("AWS by GET", aws(lambda r: r.update(method="GET")), "PROTOCOL", "subject token", "POST"),
    row("AWS without a signature", aws(set_header("authorization", None)), "PROTOCOL", "subject token", "authorization"),
    row("AWS without a target", aws(set_header("x-goog-cloud-target-resource", None)),
        "PROTOCOL", "subject token", "x-goog-cloud-target-resource"),
    row("AWS for another provider", aws(target="//iam.googleapis.com/" + PROVIDER + "-2"),
        "CONFIGURATION", "subject token", "pool provider"),
    row("AWS whose target is not signed", aws(sign_only("host", "x-amz-date")),
        "PROTOCOL", "subject token", "SignedHeaders", "x-goog-cloud-target-resource"),
    row("AWS for a target with https:", aws(target="https://iam.googleapis.com/" + PROVIDER),
        "CONFIGURATION", "subject token", "x-goog-cloud-target-resource", "{aud}"),
    row("AWS of another region", aws(lambda r: (r.update(url=r["url"].replace("us-east-1", "eu-west-1")),
                                               set_header("host", "sts.eu-west-1.amazonaws.com")(r))),
        "PROTOCOL", "subject token", "us-east-1", "eu-west-1"),
    row("AWS of long ago", aws(set_header("x-amz-date", "20200913T122640Z")), "EXPIRED", "subject token", "2020-09-13T12:41:40Z"),
    row("AWS of tomorrow", aws(set_header("x-amz-date", "20990101T000000Z")), "CONFIGURATION", "subject token", "x-amz-date"),
    # --- the mapping
    row("a subject of 128 bytes", options("--mapping=google.subject=assertion.long", make=claims(long="x" * 128)),
        "CONFIGURATION", "principal", "google.subject", "128"),
    row("a claim that there is not", options("--mapping=google.subject=assertion.email"),
        "CONFIGURATION", "principal", "assertion.email"),
    row("a mapping without a subject", options("--mapping=attribute.repository=assertion.sub"),
        "USAGE", "principal", "google.subject"),
    row("no mapping at all", options("--mapping=google.subject=assertion.sub,nonsense"), "USAGE", "principal", "--mapping"),
    # --- the exchange
    row("a provider that is not there", with_(Setups.ours, lambda s: s.sts.pool_providers.clear()),
        "CONFIGURATION", "exchange", "invalid_target", "providers describe"),
    row("an aud that is not allowed", claims(aud="api://my-app"), "DENIED", "exchange", "[api://my-app]", "--allowed-audiences"),
    row("another issuer at the provider", provider(issuer="https://other.example"), "CONFIGURATION", "exchange", "--issuer-uri"),
    row("old keys at the provider", provider(jwks=Signer().jwks()), "DENIED", "exchange", "signature", "--jwk-json-path"),
    row("an issuer that Google cannot reach",
        with_(Setups.ours, lambda s: (s.claims(iss="https://127.0.0.1:9"), s.sts.add(OidcPoolProvider(s.audience, "https://127.0.0.1:9")))),
        "DENIED", "exchange", "Error connecting", "--jwk-json-path"),
    row("an issuer that calls itself otherwise", with_(Setups.ours, lambda s: setattr(s.issuer, "claimed", "https://other.example")),
        "CONFIGURATION", "exchange", "discovery document", "providers describe"),
    row("too long a subject at Google", claims(sub="x" * 128), "CONFIGURATION", "exchange", "127 bytes", "--attribute-mapping"),
    row("no token service", config(token_url="http://127.0.0.1:9/v1/token"),
        "UNREACHABLE", "exchange", "http://127.0.0.1:9/v1/token"),
    # --- the service account
    row("no such account", with_(Setups.ours, without_account), "CONFIGURATION", "account", "{email}"),
    row("no role on the account", with_(Setups.ours, nobody),
        "DENIED", "impersonation", "roles/iam.workloadIdentityUser", "{email}"),
    row("a subject that a shell would run", with_(claims(sub="x;reboot|$(id)"), nobody),
        "DENIED", "impersonation", f"'--member={POOL}/subject/x;reboot|$(id)'"),
    row("too long a life for the organisation", config(service_account_impersonation={"token_lifetime_seconds": 7200}),
        "CONFIGURATION", "impersonation", "iam.allowServiceAccountCredentialLifetimeExtension"),
    row("a chain that the workload may not enter", chain(
        ("serviceAccountTokenCreator", SECOND, "serviceAccount:" + FIRST),
        ("serviceAccountTokenCreator", DEPLOYER, "serviceAccount:" + SECOND)),
        "DENIED", "impersonation", "implicitDelegation", FIRST),
    row("a chain entered by the wrong role", chain(
        ("workloadIdentityUser", FIRST, None), ("serviceAccountTokenCreator", SECOND, "serviceAccount:" + FIRST),
        ("serviceAccountTokenCreator", DEPLOYER, "serviceAccount:" + SECOND)),
        "DENIED", "impersonation", "implicitDelegation", FIRST),
    row("a chain that is cut in the middle", chain(
        ("serviceAccountTokenCreator", FIRST, None), ("serviceAccountTokenCreator", DEPLOYER, "serviceAccount:" + SECOND)),
        "DENIED", "impersonation", "implicitDelegation", SECOND),
    row("a chain that is cut at its end", chain(
        ("serviceAccountTokenCreator", FIRST, None), ("serviceAccountTokenCreator", SECOND, "serviceAccount:" + FIRST)),
        "DENIED", "impersonation", "getAccessToken", SECOND),
    row("a delegate that is the account", options(f"--delegate={DEPLOYER}"), "USAGE", "configuration", "delegate"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_the_first_error(setups, row):
    """The first error is that of the broken check and names the cause; the report is the one in the file."""
    setup = row.make(setups)
    report = setup.check()
    first = report.first("error") or ""
    assert first[9:24].strip() == row.link, report.run.described()
    assert all(setup.filled(name) in first for name in row.names), first
    assert (report.run.status, report.run.stderr) == (EXIT_STATUS[row.code], ""), report.run.described()
    assert not (difference := snapshot(f"check/broken/{slug(row.what)}", setup.normalised(report))), difference


def test_no_two_rows_are_alike():
    """Each row breaks another part, and each report in the folder belongs to a row."""
    reports = sorted(slug(row.what) for row in ROWS)
    assert len(set(reports)) == len(ROWS) >= 60
    assert sorted(path.name for path in (HERE / "check" / "broken").iterdir()) == reports
