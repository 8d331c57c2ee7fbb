"""Broken set-ups: each row breaks one thing of a good one and holds the first line that `check` prints as an error.

The good ones are in test_check_good.py. In a line `{dir}` is the folder of the set-up, `{config}` its configuration, `{sts}` Google
on loopback, `{issuer}` the issuer; the rest stands there as an administrator reads it.
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
from support.aws import AWS4_REQUEST, google_token
from support.clients import ALLOW
from support.impersonation import FIRST, SECOND
from support.program import EXIT_STATUS, SAML2
from support.saml import IDP, SamlSigner, at, confirmation, restriction, statement
from support.setups import Setup, Setups, copy
from support.signer import Signer, claims_of

Make = Callable[[Setups], Setup]


@dataclass(frozen=True)
class Row:
    """What is broken, how, the kind of the error, and its line without the word `error`."""

    what: str
    make: Make
    code: str
    line: str


# --- how one thing is broken


def config(make: Make | None = None, **members) -> Make:
    """These members of the configuration changed, `None` to leave one out."""

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
    """Another credential source."""
    return lambda setups: setups.of(json.loads(json.dumps(found).replace("{dir}", str(setups.folder))), setups.jwt())


def executable(**members) -> Make:
    """These members of the executable changed."""

    def made(setups: Setups) -> Setup:
        setup = setups.ours()
        for name, value in members.items():
            setup.executable[name] = setup.filled(value) if isinstance(value, str) else value
        return setup

    return made


def ours(*arguments: str) -> Make:
    """This program with these arguments."""
    return lambda setups: setups.ours(*[word.replace("{dir}", str(setups.folder)) for word in arguments])


def foreign(**document) -> Make:
    """Another program whose document has these members."""
    return lambda setups: setups.foreign(**document)


def claims(header: dict | None = None, **changed) -> Make:
    """A token of another program with these claims, or with this header. This program would refuse some by itself."""

    def made(setups: Setups) -> Setup:
        token = setups.issuer.token("https:" + setups.audience, header, **changed)
        return setups.foreign(token)

    return made


def raw(token: str) -> Make:
    """Another program that gives this for a token."""
    return lambda setups: setups.foreign(token)


def saml(**parts) -> Make:
    """An assertion, one part changed."""

    def made(setups: Setups) -> Setup:
        signer = SamlSigner()
        setups.sts.add(SamlPoolProvider(setups.audience, IDP, signer.certificate))
        token = parts["token"] if "token" in parts else signer.response("https:" + setups.audience, **parts)
        return setups.foreign(token, SAML2)

    return made


def aws(edit: Callable[[dict], None] = lambda request: None, account: str = ACCOUNT, **more) -> Make:
    """A signed request, one thing changed."""

    def made(setups: Setups) -> Setup:
        keys = AwsKeys()
        setups.sts.add(AwsPoolProvider(setups.audience, account, known_to(keys)))
        target = more.pop("target", setups.audience)
        request = json.loads(unquote(google_token(keys.user("alice"), target, **more)))
        edit(request)
        return setups.foreign(quote(json.dumps(request), safe=""), AWS4_REQUEST)

    return made


def set_header(name: str, value: str | None) -> Callable[[dict], None]:
    """Changes a header of a signed request, or takes it away."""

    def edit(request: dict):
        request["headers"] = [h for h in request["headers"] if h["key"].lower() != name]
        if value:
            request["headers"].append({"key": name, "value": value})

    return edit


def with_(make: Make, do: Callable[[Setup], object]) -> Make:
    """A set-up to which something more is done."""

    def made(setups: Setups) -> Setup:
        setup = make(setups)
        do(setup)
        return setup

    return made


def options(*more: str, make: Make | None = None) -> Make:
    """With options of `check` itself."""
    return with_(make or Setups.ours, lambda setup: setup.options.extend(more))


def provider(**changed) -> Make:
    """The pool provider at Google is another than the token is for."""

    def made(setups: Setups) -> Setup:
        setup = setups.ours()
        setups.sts.add(OidcPoolProvider(setups.audience, **{"issuer": setups.issuer.url} | changed))
        return setup

    return made


def chain(*roles: tuple[str, str, str | None]) -> Make:
    """Two delegates before the service account; these roles are granted: (role, on, to whom or the workload)."""

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
    """A source `url` that answers like this."""

    def made(setups: Setups) -> Setup:
        setup = setups.url(lambda _: answer)
        setup.config["credential_source"] = {"url": setup.server + "/token"}
        return setup

    return made


def nobody(setup: Setup):
    """No service account lets the workload in."""
    setup.sts.iam.policies.accounts[DEPLOYER] = {}


def without_account(setup: Setup):
    """There is no service account."""
    setup.sts.iam.policies.accounts.pop(DEPLOYER)


def another_key(setups: Setups) -> Setup:
    """A token of the issuer's name and key id, signed by somebody else."""
    return setups.foreign(Signer().token(claims_of(setups.jwt())))


def hmac(setups: Setups) -> Setup:
    """A token signed with HS256."""
    header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode()
    return setups.foreign(f"{header}.{setups.jwt().partition('.')[2]}")


PROVIDER = ("projects/123456789012/locations/global/workloadIdentityPools/pool/providers/ci")
POOL = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool"
WRITTEN = "let gcloud iam workload-identity-pools create-cred-config write the file"
URNS = ("urn:ietf:params:oauth:token-type:jwt, urn:ietf:params:oauth:token-type:id_token, "
        "urn:ietf:params:oauth:token-type:saml2, urn:ietf:params:aws:token-type:aws4_request")  # fmt: skip
CLOCKS = "check the clocks of the identity provider and of this host, and renew it"
# Rows are made when tests are collected, long before they run.
NINE_HOURS = f'NotOnOrAfter="{at(hours=9)}"'
IDP_CHANGES = "change it at the identity provider"
AGAIN = "make one with the source aws: wif-token aws --mode=caller-identity"
BIND = "gcloud iam service-accounts add-iam-policy-binding"
FORM = ("it looks like //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER")
LATER = "--project=example-project; a change takes up to 5 minutes"
REFUSED = "{sts}/v1/token refused the subject token: invalid_grant:"

ROWS = [
    # --- the file
    Row("no file", options("--credentials=/nowhere/c.json"), "CONFIGURATION",
        "configuration   cannot read /nowhere/c.json: it does not exist; check --credentials"),
    Row("no JSON", with_(Setups.ours, lambda s: setattr(s, "text", "{")), "CONFIGURATION",
        "configuration   {config} is not JSON: line 1, column 1; "
        "let gcloud iam workload-identity-pools create-cred-config write it"),
    Row("a service account key", config(type="service_account"), "CONFIGURATION",
        "configuration   {config} is no credential configuration of an external account: it is a service account key; "
        "replace it: wif-token config SOURCE --pool-provider=… --service-account=…"),
    Row("a person's sign-in", config(type="authorized_user"), "CONFIGURATION",
        "configuration   {config} is no credential configuration of an external account: it is a person's sign-in; "
        "use the file that the sign-in was started with"),
    Row("no type", config(type=None), "CONFIGURATION",
        "configuration   {config} is no credential configuration of an external account: it has no type; "
        "type has to be external_account"),
    Row("no audience", config(audience=None), "CONFIGURATION",
        "configuration   {config}: audience is missing; " + WRITTEN),
    Row("no token_url", config(token_url=None), "CONFIGURATION",
        "configuration   {config}: token_url is missing; " + WRITTEN),
    Row("no credential_source", config(credential_source=None), "CONFIGURATION",
        "configuration   {config}: credential_source is missing; " + WRITTEN),
    Row("an empty credential_source", config(credential_source={}), "CONFIGURATION",
        "configuration   {config}: credential_source names no executable, file, url or environment_id; "
        "write the configuration anew"),
    Row("an unknown token type", config(subject_token_type="jwt"), "CONFIGURATION",
        "configuration   {config}: subject_token_type is unknown; use one of " + URNS),
    Row("a number for text", config(audience=1), "CONFIGURATION",
        "configuration   {config}: audience is no text; put it in quotes"),
    Row("no dash for the project", config(service_account_impersonation_url=
        "{sts}/v1/projects/my-project/serviceAccounts/{email}:generateAccessToken"), "CONFIGURATION",
        "configuration   {config}: service_account_impersonation_url is no address of generateAccessToken; it looks like "
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/EMAIL:generateAccessToken, "
        "with a dash for the project"),
    Row("another AWS environment", source(environment_id="aws2"), "CONFIGURATION",
        "configuration   {config}: credential_source.environment_id is not aws1; "
        "no client knows another version: write the configuration anew"),
    Row("everyone may write it", with_(Setups.ours, lambda s: s.path.touch() or s.path.chmod(0o646)), "CONFIGURATION",
        "configuration   everyone may write {config}; run chmod go-w {config}: it says where tokens go"),
    # --- audience, token type, addresses
    Row("https: before the audience", config(audience="https:{aud}"), "CONFIGURATION",
        "audience        the audience begins with a scheme; set audience to {aud}"),
    Row("the project's id", config(audience="//iam.googleapis.com/" + PROVIDER.replace("123456789012", "my-project")), "CONFIGURATION",
        "audience        the audience names the project by its id, not its number; "
        "put the number there: gcloud projects describe my-project --format='value(projectNumber)'"),
    Row("a pool, no provider", config(audience="//iam.googleapis.com/" + PROVIDER.partition("/providers")[0]), "CONFIGURATION",
        "audience        the audience names a pool and no provider; append /providers/PROVIDER: "
        "gcloud iam workload-identity-pools providers list --workload-identity-pool=" + PROVIDER.partition("/providers")[0]),
    Row("a client id for an audience", config(audience="my-client"), "CONFIGURATION",
        "audience        the audience is no pool provider's full name; " + FORM),
    Row("a blank in the audience", config(audience="{aud} "), "CONFIGURATION",
        "audience        the audience holds blanks or signs that no name has; remove them"),
    Row("a project that pays beside a workload pool", config(workforce_pool_user_project="1"), "CONFIGURATION",
        "audience        workforce_pool_user_project stands beside a workload pool; remove it: clients refuse the file"),
    Row("another universe", config(audience="//iam.example.goog/" + PROVIDER), "CONFIGURATION",
        "audience        the audience is of example.goog, universe_domain is googleapis.com; make them the same"),
    Row("a JWT of AWS's own class", config(source(environment_id="aws1")), "CONFIGURATION",
        "token type      urn:ietf:params:oauth:token-type:jwt does not go with environment_id; "
        "set subject_token_type to urn:ietf:params:aws:token-type:aws4_request"),
    Row("another path of the token service", config(token_url="{sts}/token"), "CONFIGURATION",
        "token service   token_url is {sts}/token; set it to https://sts.googleapis.com/v1/token"),
    Row("a token service without TLS", config(token_url="http://sts.googleapis.com/v1/token"), "CONFIGURATION",
        "token service   http://sts.googleapis.com/v1/token is plain http; use https"),
    Row("too short a life", config(service_account_impersonation={"token_lifetime_seconds": 60}), "CONFIGURATION",
        "account service token_lifetime_seconds is 60; it has to be 600 to 43200"),
    Row("an account that is none", config(service_account_impersonation_url=
        "{sts}/v1/projects/-/serviceAccounts/deployer:generateAccessToken"), "CONFIGURATION",
        "account service deployer is neither an address nor a unique id; an address ends in .iam.gserviceaccount.com"),
    # --- the executable
    Row("no opt-in", with_(Setups.ours, lambda s: s.env.update({ALLOW: None})), "CONFIGURATION",
        f"executable      no client runs an executable here; set {ALLOW}=1 in the environment of the client"),
    Row("an opt-in by another word", with_(Setups.ours, lambda s: s.env.update({ALLOW: "true"})), "CONFIGURATION",
        f"executable      no client runs an executable here; set {ALLOW}=1 in the environment of the client"),
    Row("no program", executable(command="{dir}/bin/wif-token file --path={dir}/token"), "ABSENT",
        "program         there is no {dir}/bin/wif-token; correct the command"),
    Row("a program that may not be run", with_(executable(command="{dir}/helper"), lambda s: s.file("helper", "", 0o644)),
        "CONFIGURATION", "program         {dir}/helper is not executable; run chmod +x {dir}/helper"),
    Row("a program that everyone may write",
        with_(executable(command="{dir}/bin/wif-token file --path={dir}/token"),
              lambda s: copy(s.program.path, s.folder / "bin", 0o757)), "CONFIGURATION",
        "program         everyone may write {dir}/bin/wif-token; "
        "run chmod go-w {dir}/bin/wif-token: who writes it is this workload"),
    Row("a folder that everyone may write",
        with_(executable(command="{dir}/bin/wif-token file --path={dir}/token"),
              lambda s: copy(s.program.path, s.folder / "bin").parent.chmod(0o777)), "CONFIGURATION",
        "program         everyone may write {dir}/bin; run chmod go-w {dir}/bin: who writes it is this workload"),
    Row("too short a time-out", executable(timeout_millis=1000), "CONFIGURATION",
        "time-out        timeout_millis is 1000; it has to be 5000 to 120000"),
    Row("too short a time-out for a person", executable(interactive_timeout_millis=1000), "CONFIGURATION",
        "time-out        interactive_timeout_millis is 1000; it has to be 30000 to 1800000"),
    Row("an option that there is not", ours("file", "--pth={dir}/token"), "USAGE",
        "options         file has no option --pth; did you mean --path?"),
    Row("a command that is no source", ours("check"), "USAGE",
        "options         the configuration's command gives no subject token; name a source in it: wif-token help"),
    Row("a source of another type", config(ours("key", "--key={dir}/k.pem", "--issuer=https://i.example", "--subject=s"),
                                           subject_token_type=SAML2), "CONFIGURATION",
        "options         key gives urn:ietf:params:oauth:token-type:jwt; make subject_token_type and the command match"),
    Row("an arguments file that is not there", ours("--args-file={dir}/args"), "CONFIGURATION",
        "options         cannot read {dir}/args: it does not exist; check --args-file"),
    Row("no folder for the output file", executable(output_file="{dir}/none/out.json"), "CONFIGURATION",
        "output file     the folder {dir}/none does not exist; run mkdir -m 700 -p {dir}/none"),
    Row("an output file that everyone may replace",
        with_(executable(output_file="{dir}/open/out.json"), lambda s: (s.folder / "open").mkdir() or (s.folder / "open").chmod(0o777)),
        "CONFIGURATION", "output file     everyone may replace what is in {dir}/open; "
        "run chmod 700 {dir}/open: tokens are for its user alone"),
    # --- the source
    Row("no file of the command", ours("file", "--path={dir}/none"), "ABSENT",
        "source          cannot read {dir}/none: it does not exist; check --path"),
    Row("no file of the configuration", source(file="{dir}/none"), "ABSENT",
        "source          cannot read {dir}/none: it does not exist; check credential_source.file"),
    Row("no such member in it",
        with_(source(file="{dir}/token", format={"type": "json", "subject_token_field_name": "id_token"}),
              lambda s: setattr(s, "token", '{"token": "x"}')), "CONFIGURATION",
        'source          the file {dir}/token has no member "id_token"; '
        "check format.subject_token_field_name; it has token"),
    Row("an opaque token in it", with_(source(file="{dir}/token"), lambda s: setattr(s, "token", "opaque")), "PROTOCOL",
        "source          the file {dir}/token holds no subject token: it is opaque, not a JWT; "
        "check credential_source.file: Google exchanges signed JWTs only"),
    Row("a token in it that is over", with_(source(file="{dir}/token"), lambda s: s.claims(exp=1600000000, iat=1599999000)),
        "EXPIRED", "source          the token in the file {dir}/token ended at 2020-09-13T12:26:40Z; "
        "renew the file: whatever writes it has stopped"),
    Row("a page at the address", server(Answer(200, "<html>Sign in</html>")), "PROTOCOL",
        "source          the answer of {server}/token holds no subject token: it is HTML or XML, not a JWT; "
        "check credential_source.url, or set subject_token_type to …:saml2 if it is SAML"),
    Row("a refusal at the address", server(Answer(403, "no")), "DENIED",
        "source          {server}/token answered 403; check the credentials and permissions of this request"),
    Row("another program that fails", foreign(success=False, code="E1", message="log in first"), "PROTOCOL",
        "source          the document of {dir}/helper gives no token: E1: log in first"),
    Row("another program that prints no JSON", with_(foreign(), lambda s: s.file("document.json", "Welcome!")), "PROTOCOL",
        "source          the output of {dir}/helper is no JSON document; "
        "it must print the version-1 document alone, and nothing on standard error"),
    Row("another program without a token", foreign(id_token=None), "PROTOCOL",
        "source          the document of {dir}/helper gives no token: it has no id_token"),
    # --- a JWT against Google's rules
    Row("no JWT at all", raw("opaque"), "PROTOCOL",
        "subject token   it is no JWT; subject_token_type and the source do not match"),
    Row("another algorithm", hmac, "PROTOCOL",
        "subject token   it is signed with HS256; make the issuer sign with RS256 or ES256"),
    Row("no exp", claims(exp=None), "PROTOCOL", "subject token   it has no exp; make the issuer set it"),
    Row("no iat", claims(iat=None), "PROTOCOL", "subject token   it has no iat; make the issuer set it"),
    Row("over", claims(iat=1599999000, exp=1600000000), "EXPIRED",
        "subject token   it ended at 2020-09-13T12:26:40Z; renew it, and check the clock of its issuer"),
    Row("not yet begun", claims(iat=4102440000, exp=4102444800), "CONFIGURATION",
        "subject token   it begins at 2099-12-31T22:40:00Z, in {n} s; check the clocks of its issuer and of this host"),
    Row("too long a life", claims(exp=4102444800), "CONFIGURATION",
        "subject token   it lives {n} s; Google takes none that lives longer than 86400 s"),
    Row("no iss", claims(iss=None), "PROTOCOL",
        "subject token   it has no iss; the issuer has to be the https address that the pool provider names"),
    Row("an iss that is no address", claims(iss="my-issuer"), "PROTOCOL",
        "subject token   its iss is no https address; the issuer has to be the https address that the pool provider names"),
    Row("an iss of plain http", claims(iss="http://idp.example.test"), "PROTOCOL",
        "subject token   its iss is plain http; the issuer has to be the https address that the pool provider names"),
    Row("no aud", claims(aud=None), "PROTOCOL",
        "subject token   it has no aud; get a token for the audience https:{aud}"),
    Row("an aud beyond what can be allowed", claims(aud="a" * 257), "CONFIGURATION",
        "subject token   its aud has 257 characters, and a pool provider allows 256; get a token for the audience https:{aud}"),
    Row("a key that is not published", claims(header={"kid": "old-key"}), "PROTOCOL",
        "issuer          {issuer} does not publish the key (kid) of the token; "
        "the token may be another issuer's, or its keys have changed: get a new one"),
    Row("a signature by another key", another_key, "PROTOCOL",
        "issuer          {issuer} did not sign the token; "
        "the token may be another issuer's, or its keys have changed: get a new one"),
    # --- SAML against Google's rules
    Row("no SAML at all", saml(token="opaque"), "PROTOCOL",
        "subject token   it is no SAML; subject_token_type and the source do not match"),
    Row("SAML that nobody signed", saml(sign=""), "PROTOCOL",
        f"subject token   neither response nor assertion is signed; {IDP_CHANGES}"),
    Row("SAML for somebody else", saml(restrictions=restriction("https://other.example")), "CONFIGURATION",
        "subject token   its AudienceRestriction names another audience; "
        "make the identity provider's relying party (entity id) the pool provider's name, with https:"),
    Row("SAML for nobody", saml(restrictions=""), "PROTOCOL",
        f"subject token   it has no AudienceRestriction; {IDP_CHANGES}"),
    Row("SAML of an hour ago", saml(issue_instant="2020-09-13T12:26:40Z"), "EXPIRED",
        f"subject token   it was issued at 2020-09-13T12:26:40Z, over an hour ago; {CLOCKS}"),
    Row("SAML of tomorrow", saml(issue_instant="2099-01-01T00:00:00Z"), "CONFIGURATION",
        f"subject token   it will be issued at 2099-01-01T00:00:00Z; {CLOCKS}"),
    Row("SAML whose conditions are over", saml(not_on_or_after="2020-09-13T12:26:40Z"), "EXPIRED",
        f"subject token   NotOnOrAfter of its Conditions was 2020-09-13T12:26:40Z; {CLOCKS}"),
    Row("SAML whose conditions have no begin", saml(not_before=""), "PROTOCOL",
        f"subject token   its Conditions have no NotBefore; {IDP_CHANGES}"),
    Row("SAML whose session is over", saml(statements=statement("2020-09-13T12:26:40Z")), "EXPIRED",
        f"subject token   SessionNotOnOrAfter of its AuthnStatement was 2020-09-13T12:26:40Z; {CLOCKS}"),
    Row("SAML without a sign-on", saml(statements=""), "PROTOCOL",
        f"subject token   it has no AuthnStatement; {IDP_CHANGES}"),
    Row("SAML without a name", saml(name_id=""), "PROTOCOL",
        f"subject token   its subject has no NameID; {IDP_CHANGES}"),
    Row("SAML confirmed otherwise",
        saml(confirmations=confirmation("urn:oasis:names:tc:SAML:2.0:cm:sender-vouches", NINE_HOURS)), "PROTOCOL",
        f"subject token   it has not exactly one SubjectConfirmation, of method bearer; {IDP_CHANGES}"),
    Row("SAML confirmed twice", saml(confirmations=confirmation(data=NINE_HOURS) * 2), "PROTOCOL",
        f"subject token   it has not exactly one SubjectConfirmation, of method bearer; {IDP_CHANGES}"),
    Row("SAML confirmed without an end", saml(confirmations=confirmation(data='Recipient="x"')), "PROTOCOL",
        f"subject token   its SubjectConfirmationData has no NotOnOrAfter; {IDP_CHANGES}"),
    Row("SAML confirmed from a begin on",
        saml(confirmations=confirmation(data=f'NotBefore="{at(minutes=-5)}" NotOnOrAfter="{at(hours=9)}"')), "PROTOCOL",
        f"subject token   its SubjectConfirmationData has a NotBefore; {IDP_CHANGES}"),
    Row("a SAML refusal", saml(status="urn:oasis:names:tc:SAML:2.0:status:Responder"), "DENIED",
        "subject token   its status is not Success; look into the identity provider's log"),
    Row("a SAML issuer of another format", saml(issuer_format=' Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"'),
        "PROTOCOL", f"subject token   the Format of its Issuer is not entity; {IDP_CHANGES}"),
    Row("two SAML issuers", saml(response_issuer="https://other.example"), "PROTOCOL",
        f"subject token   response and assertion name different issuers; {IDP_CHANGES}"),
    # --- a signed AWS request against Google's rules
    Row("AWS at another host", aws(lambda r: r.update(url=r["url"].replace("amazonaws.com", "amazonaws.com.example"))), "PROTOCOL",
        f"subject token   its url is no GetCallerIdentity at an STS host of AWS; {AGAIN}"),
    Row("AWS by GET", aws(lambda r: r.update(method="GET")), "PROTOCOL", f"subject token   its method is not POST; {AGAIN}"),
    Row("AWS without a signature", aws(set_header("authorization", None)), "PROTOCOL",
        f"subject token   it has no header authorization; {AGAIN}"),
    Row("AWS without a target", aws(set_header("x-goog-cloud-target-resource", None)), "PROTOCOL",
        f"subject token   it has no header x-goog-cloud-target-resource; {AGAIN}"),
    Row("AWS for another provider", aws(target="//iam.googleapis.com/" + PROVIDER + "-2"), "CONFIGURATION",
        f"subject token   it was made for another pool provider; {AGAIN}"),
    Row("AWS of long ago", aws(set_header("x-amz-date", "20200913T122640Z")), "EXPIRED",
        f"subject token   it was made at 2020-09-13T12:26:40Z; {AGAIN}"),
    Row("AWS of tomorrow", aws(set_header("x-amz-date", "20990101T000000Z")), "CONFIGURATION",
        f"subject token   its x-amz-date lies in the future; {AGAIN}"),
    # --- the mapping
    Row("a subject of 128 bytes", options("--mapping=google.subject=assertion.long", make=claims(long="x" * 128)), "CONFIGURATION",
        "principal       google.subject would have 128 bytes, not 1 to 127; "
        "map another claim, or a part of it: assertion.sub.extract('…')"),
    Row("a claim that there is not", options("--mapping=google.subject=assertion.email"), "CONFIGURATION",
        "principal       the token has no assertion.email; map another claim: those of the token stand above"),
    Row("a mapping without a subject", options("--mapping=attribute.repository=assertion.sub"), "USAGE",
        "principal       --mapping has no google.subject; add google.subject=assertion.sub to it"),
    Row("no mapping at all", options("--mapping=google.subject=assertion.sub,nonsense"), "USAGE",
        "principal       --mapping is no list of pairs; write --mapping=google.subject=assertion.sub,attribute.NAME=…"),
    # --- the exchange
    Row("a provider that is not there", with_(Setups.ours, lambda s: s.sts.pool_providers.clear()), "CONFIGURATION",
        "exchange        {sts}/v1/token refused the subject token: invalid_target: The target service indicated by the "
        '"audience" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because '
        "it doesn't exist.; the pool or provider does not exist, is disabled or deleted: run gcloud iam workload-identity-pools "
        f"providers describe {PROVIDER}; a new one takes up to 5 minutes"),
    Row("an aud that is not allowed", claims(aud="api://my-app"), "DENIED",
        f"exchange        {REFUSED} The audience in ID Token [api://my-app] does not match the expected audience.; "
        f"allow the aud of the token: gcloud iam workload-identity-pools providers update-oidc {PROVIDER} "
        "--allowed-audiences=AUD, or get a token for the audience https:{aud}"),
    Row("another issuer at the provider", provider(issuer="https://other.example"), "CONFIGURATION",
        f"exchange        {REFUSED} The issuer in ID Token does not match the expected one.; the token's iss is not the pool "
        f"provider's issuer: gcloud iam workload-identity-pools providers update-oidc {PROVIDER} --issuer-uri=ISS"),
    Row("old keys at the provider", provider(jwks=Signer().jwks()), "DENIED",
        f"exchange        {REFUSED} Unable to verify the signature of the ID Token.; the issuer's keys have changed, or uploaded "
        f"ones are old: gcloud iam workload-identity-pools providers update-oidc {PROVIDER} --jwk-json-path=FILE"),
    Row("an issuer that Google cannot reach",
        with_(Setups.ours, lambda s: (s.claims(iss="https://127.0.0.1:9"), s.sts.add(OidcPoolProvider(s.audience, "https://127.0.0.1:9")))),
        "DENIED",
        f"exchange        {REFUSED} Error connecting to the given credential's issuer.; Google has to reach the issuer's metadata "
        f"over public https; else upload its keys: gcloud iam workload-identity-pools providers update-oidc {PROVIDER} "
        "--jwk-json-path=FILE"),
    Row("an issuer that calls itself otherwise", with_(Setups.ours, lambda s: setattr(s.issuer, "claimed", "https://other.example")),
        "CONFIGURATION",
        f"exchange        {REFUSED} `issuer` claim in OIDC discovery document does not match the issuer specified in the request.; "
        "the issuer's own metadata name another issuer: set the pool provider's to the token's iss, gcloud iam "
        f"workload-identity-pools providers update-oidc {PROVIDER} --issuer-uri=ISS"),
    Row("too long a subject at Google", claims(sub="x" * 128), "CONFIGURATION",
        f"exchange        {REFUSED} The size of mapped attribute exceeds the 127 bytes limit.; map something shorter to "
        f"google.subject: gcloud iam workload-identity-pools providers update-oidc {PROVIDER} "
        "--attribute-mapping=google.subject=…"),
    Row("no token service", config(token_url="http://127.0.0.1:9/v1/token"), "UNREACHABLE",
        "exchange        nothing listens at http://127.0.0.1:9/v1/token: Connection refused (os error 111); "
        "check token_url and the network, or try again"),
    # --- the service account
    Row("no such account", with_(Setups.ours, without_account), "CONFIGURATION",
        "account         there is no {email}; "
        "list those of its project: gcloud iam service-accounts list --project=example-project"),
    Row("no role on the account", with_(Setups.ours, nobody), "DENIED",
        "impersonation   {sts}/v1/projects/-/serviceAccounts/{email}:generateAccessToken answered 403: Permission "
        "'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).; if the account exists, let the "
        f"workload use it: {BIND} {{email}} --role=roles/iam.workloadIdentityUser "
        f"--member={POOL}/subject/repo:example/app {LATER}"),
    Row("a subject that a shell would run", with_(claims(sub="x;reboot|$(id)"), nobody), "DENIED",
        "impersonation   {sts}/v1/projects/-/serviceAccounts/{email}:generateAccessToken answered 403: Permission "
        "'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).; if the account exists, let the "
        f"workload use it: {BIND} {{email}} --role=roles/iam.workloadIdentityUser "
        f"'--member={POOL}/subject/x;reboot|$(id)' {LATER}"),
    Row("too long a life for the organisation", config(service_account_impersonation={"token_lifetime_seconds": 7200}), "CONFIGURATION",
        "impersonation   {sts}/v1/projects/-/serviceAccounts/{email}:generateAccessToken answered 400: Request contains an invalid "
        "argument.; check --scope and the lifetime: above 3600 s the organisation policy "
        "iam.allowServiceAccountCredentialLifetimeExtension has to list the account"),
    Row("a chain that the workload may not enter", chain(
        ("serviceAccountTokenCreator", SECOND, "serviceAccount:" + FIRST),
        ("serviceAccountTokenCreator", DEPLOYER, "serviceAccount:" + SECOND)), "DENIED",
        "impersonation   {sts}/v1/projects/-/serviceAccounts/{email}:generateAccessToken answered 403: Permission "
        "'iam.serviceAccounts.implicitDelegation' denied on resource (or it may not exist).; "
        f"{POOL}/subject/repo:example/app may not create tokens of {FIRST}, or that does not exist: {BIND} {FIRST} "
        f"--role=roles/iam.serviceAccountTokenCreator --member={POOL}/subject/repo:example/app {LATER}"),
    Row("a chain entered by the wrong role", chain(
        ("workloadIdentityUser", FIRST, None), ("serviceAccountTokenCreator", SECOND, "serviceAccount:" + FIRST),
        ("serviceAccountTokenCreator", DEPLOYER, "serviceAccount:" + SECOND)), "DENIED",
        "impersonation   {sts}/v1/projects/-/serviceAccounts/{email}:generateAccessToken answered 403: Permission "
        "'iam.serviceAccounts.implicitDelegation' denied on resource (or it may not exist).; "
        f"{POOL}/subject/repo:example/app may not create tokens of {FIRST}, or that does not exist: {BIND} {FIRST} "
        f"--role=roles/iam.serviceAccountTokenCreator --member={POOL}/subject/repo:example/app {LATER}"),
    Row("a chain that is cut in the middle", chain(
        ("serviceAccountTokenCreator", FIRST, None), ("serviceAccountTokenCreator", DEPLOYER, "serviceAccount:" + SECOND)), "DENIED",
        "impersonation   {sts}/v1/projects/-/serviceAccounts/{email}:generateAccessToken answered 403: Permission "
        "'iam.serviceAccounts.implicitDelegation' denied on resource (or it may not exist).; "
        f"serviceAccount:{FIRST} may not create tokens of {SECOND}, or that does not exist: {BIND} {SECOND} "
        f"--role=roles/iam.serviceAccountTokenCreator --member=serviceAccount:{FIRST} {LATER}"),
    Row("a chain that is cut at its end", chain(
        ("serviceAccountTokenCreator", FIRST, None), ("serviceAccountTokenCreator", SECOND, "serviceAccount:" + FIRST)), "DENIED",
        "impersonation   {sts}/v1/projects/-/serviceAccounts/{email}:generateAccessToken answered 403: Permission "
        "'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).; "
        f"serviceAccount:{SECOND} may not create tokens of {{email}}, or that does not exist: {BIND} {{email}} "
        f"--role=roles/iam.serviceAccountTokenCreator --member=serviceAccount:{SECOND} {LATER}"),
    Row("a delegate that is the account", options(f"--delegate={DEPLOYER}"), "USAGE",
        "impersonation   a --delegate is the service account itself; name the accounts between the workload and it"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_the_first_error(setups, row):
    """This very line, and the exit status of its kind."""
    setup = row.make(setups)
    report = setup.check()
    expected = setup.filled("error    " + row.line)
    pattern = re.escape(expected).replace(r"\{n\}", r"\d+")
    assert report.first("error") and re.fullmatch(pattern, report.first("error")), (
        f"\n{report.first('error')}\n{expected}\n\n{report.run.described()}"
    )
    assert (report.run.status, report.run.stderr) == (EXIT_STATUS[row.code], ""), report.run.described()


def test_there_are_sixty_and_no_two_are_alike():
    """Each row breaks something else."""
    assert len(ROWS) >= 60
    assert len({row.what for row in ROWS}) == len(ROWS)
