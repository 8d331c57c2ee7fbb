"""Valid set-ups of every kind: `check` reports no problem in any check, as text and as JSON, and prints no token.

What an administrator reads is in `check/good/` and `check/warning/`; `UPDATE=1 pytest test_check_good.py` rewrites it.
Among them are the configurations that the installed gcloud writes, with addresses on loopback.
"""

from __future__ import annotations

import json
import re
import time
from email.utils import formatdate
from typing import Callable

import jsonschema
import pytest

from standins.aws_keys import ACCOUNT
from standins.loopback import Answer
from standins.sts import DEPLOYER
from standins.verify_aws import AwsPoolProvider, known_to
from standins.verify_jwt import OidcPoolProvider
from standins.verify_saml import SamlPoolProvider
from support.aws import AWS4_REQUEST, CREDENTIAL_SOURCE
from support.gcloud import Gcloud
from support.impersonation import CREATOR, FIRST, SECOND, pool_of, principal
from support.places import HERE
from support.program import SAML2
from support.saml import IDP, SamlSigner
from support.setups import Report, Setup, Setups
from support.signer import Signer
from support.snapshots import slug, snapshot

SCHEMA = json.loads((HERE.parent / "check.schema.json").read_text())
LINKS = ["configuration", "audience", "token type", "token service", "account service", "executable", "command", "program",
         "timeout", "options", "output file", "source", "subject token", "issuer", "claims", "principal", "exchange", "account",
         "impersonation", "clock"]  # fmt: skip


def file(setups: Setups) -> Setup:
    """A set-up of this program with the source `file`."""
    return setups.ours()


def json_file(setups: Setups) -> Setup:
    """The source `file` with a member of JSON."""
    setup = setups.ours("file", f"--path={setups.folder}/token.json", "--field=id_token")
    setup.file("token.json", json.dumps({"id_token": setup.token}))
    return setup


def env(setups: Setups) -> Setup:
    """The variable of a CI job."""
    setup = setups.ours("env", "--name=ID_TOKEN")
    setup.env["ID_TOKEN"] = setup.token
    return setup


def command(setups: Setups) -> Setup:
    """The output of another program."""
    return setups.ours("command", "--", "/bin/cat", f"{setups.folder}/token")


def args_file(setups: Setups) -> Setup:
    """The arguments are in a file, because a path contains spaces."""
    (setups.folder / "a b").mkdir()
    setup = setups.ours(f"--args-file={setups.folder}/args")
    setup.file("a b/token", setup.token)
    setup.file("args", f"file\n--path={setups.folder}/a b/token\n")
    return setup


def key(setups: Setups) -> Setup:
    """The key of the host, which is uploaded: no server publishes the keys of the issuer."""
    path, issuer = setups.folder / "key.pem", "https://127.0.0.1:9"
    words = ("key", f"--key={path}", f"--issuer={issuer}", "--subject=repo:example/app")
    made = setups.program.run(*words, "--generate", f"--audience={setups.audience}")
    assert made.token
    jwks = json.loads(path.with_suffix(".jwks.json").read_text())
    setups.sts.add(OidcPoolProvider(setups.audience, issuer, jwks=jwks))
    return setups.ours(*words, token="")


def foreign(setups: Setups) -> Setup:
    """Another program."""
    return setups.foreign()


def saml(setups: Setups) -> Setup:
    """A SAML response of another program."""
    signer = SamlSigner()
    setups.sts.add(SamlPoolProvider(setups.audience, IDP, signer.certificate))
    setups.grant("workloadIdentityUser", DEPLOYER, principal(setups.audience, "user@example.test"))
    return setups.foreign(signer.response("https:" + setups.audience), SAML2)


def saml_assertion(setups: Setups) -> Setup:
    """A bare SAML assertion in a file."""
    signer = SamlSigner()
    setups.sts.add(SamlPoolProvider(setups.audience, IDP, signer.certificate))
    return setups.ours(token=signer.assertion("https:" + setups.audience), token_type=SAML2)


def plain_file(setups: Setups) -> Setup:
    """A file-sourced configuration."""
    return setups.of({"file": f"{setups.folder}/token"}, setups.jwt())


def url(setups: Setups) -> Setup:
    """A URL-sourced configuration, as on Azure."""
    token = setups.jwt()
    good = lambda request: request.headers.get("metadata") == "True"  # noqa: E731
    setup = setups.url(lambda request: Answer(200, {"access_token": token}) if good(request) else Answer(400, "no"))
    setup.config["credential_source"]["format"] = {"type": "json", "subject_token_field_name": "access_token"}
    setup.token = token
    return setup


def workforce(setups: Setups) -> Setup:
    """A workforce pool, whose token is for a client."""
    setups.audience = "//iam.googleapis.com/locations/global/workforcePools/people/providers/idp"
    setups.sts.add(OidcPoolProvider(setups.audience, setups.issuer.url, ("my-client",)))
    setup = setups.ours(token=setups.issuer.token("my-client"))
    setup.config["workforce_pool_user_project"] = "123456789012"
    return setup


def allowed_audience(setups: Setups) -> Setup:
    """The pool provider allows another audience."""
    setups.sts.add(OidcPoolProvider(setups.audience, setups.issuer.url, ("api://my-app",)))
    return setups.ours(token=setups.issuer.token("api://my-app"))


def uploaded_keys(setups: Setups) -> Setup:
    """The issuer has no server, and its keys were uploaded."""
    signer = Signer("RS256", kid=None)
    setups.sts.add(OidcPoolProvider(setups.audience, "https://127.0.0.1:9", jwks=signer.jwks()))
    setups.issuer.signers = (signer,)
    return setups.ours(token=setups.jwt(iss="https://127.0.0.1:9"))


def delegates(setups: Setups) -> Setup:
    """Two delegates."""
    setups.sts.iam.policies.accounts[DEPLOYER] = {}
    setups.grant(CREATOR, FIRST)
    setups.grant(CREATOR, SECOND, f"serviceAccount:{FIRST}")
    setups.grant(CREATOR, DEPLOYER, f"serviceAccount:{SECOND}")
    setup = setups.ours()
    setup.options += [f"--delegate={FIRST}", f"--delegate={SECOND}"]
    return setup


def no_account(setups: Setups) -> Setup:
    """The workload has direct access to resources."""
    setup = setups.ours()
    del setup.config["service_account_impersonation_url"]
    return setup


def mapping(setups: Setups) -> Setup:
    """A mapping with expressions that are more than a path."""
    setup = setups.ours()
    setup.options.append("--mapping=google.subject=assertion.sub,attribute.org=assertion.sub.extract('repo:{o}/')")
    return setup


def universe(setups: Setups) -> Setup:
    """Another universe, as gcloud writes it. The audience is the same in all universes."""
    setup = setups.ours()
    setup.config["universe_domain"] = "example.goog"
    return setup


def fraction(setups: Setups) -> Setup:
    """The times have a fraction."""
    return setups.ours(token=setups.jwt(iat=time.time() - 5.5, exp=time.time() + 600.5))


def aws(setups: Setups) -> Setup:
    """AWS with a key in the environment."""
    return setups.of(CREDENTIAL_SOURCE, token_type=AWS4_REQUEST)


def by_gcloud(*options: str, make: Callable[[Setups], Setup] = plain_file) -> Callable[[Setups], Setup]:
    """The configuration that gcloud writes with these options, with URLs of the stand-ins."""

    def made(setups: Setups) -> Setup:
        setup = make(setups)
        filled = [setup.filled(option) for option in options]
        found = Gcloud(setups.folder).credential_config(setup.audience, *filled)
        led = {"token_url": setup.sts.token_url}
        if "service_account_impersonation_url" in found:
            led["service_account_impersonation_url"] = setup.sts.impersonation_url(DEPLOYER)
        address = found["credential_source"].get("url", "")
        if setup.server:
            found["credential_source"]["url"] = address.replace("http://169.254.169.254", setup.server)
        setup.config = found | led
        return setup

    return made


ACCOUNT_OPTION = f"--service-account={DEPLOYER}"
COMMAND = "--executable-command={program} file --path={dir}/token"
SETUPS: dict[str, Callable[[Setups], Setup]] = {
    made.__name__: made
    for made in (file, json_file, env, command, args_file, key, foreign, saml, saml_assertion, plain_file, url, workforce,
                 allowed_audience, uploaded_keys, delegates, no_account, mapping, universe, fraction, aws)
} | {
    "gcloud-file": by_gcloud("--credential-source-file={dir}/token"),
    "gcloud-file-account": by_gcloud("--credential-source-file={dir}/token", ACCOUNT_OPTION),
    "gcloud-url": by_gcloud("--credential-source-url={server}/token", "--credential-source-headers=Metadata=True",
                            "--credential-source-type=json", "--credential-source-field-name=access_token", make=url),
    "gcloud-azure": by_gcloud("--azure", "--app-id-uri=api://my-app", ACCOUNT_OPTION, make=url),
    "gcloud-aws": by_gcloud("--aws", ACCOUNT_OPTION, make=aws),
    "gcloud-imdsv2": by_gcloud("--aws", "--enable-imdsv2", make=aws),
    "gcloud-executable": by_gcloud(COMMAND, "--executable-timeout-millis=30000",
                                   "--executable-output-file={dir}/private/out.json", ACCOUNT_OPTION,
                                   "--service-account-token-lifetime-seconds=1200", make=file),
    "gcloud-workforce": by_gcloud(COMMAND, "--executable-output-file={dir}/private/out.json",
                                  "--executable-interactive-timeout-millis=300000",
                                  "--workforce-pool-user-project=123456789012", make=workforce),
}  # fmt: skip


@pytest.mark.parametrize("kind", SETUPS)
def test_nothing_is_wrong(setups, aws_on_loopback, kind):
    """There is no warning and no error, and every check of this kind of set-up was run, in order."""
    setup = SETUPS[kind](setups)
    if setup.config["subject_token_type"] == AWS4_REQUEST:
        aws_on_loopback(setup, with_key="imdsv2" not in kind)
    report = setup.check()
    assert (report.run.status, report.run.stderr) == (0, ""), report.run.described()
    statuses = report.statuses()
    assert set(statuses.values()) <= {"ok", "skipped"}, report.run.described()
    assert list(statuses) == [link for link in LINKS if link in statuses], "the order of the path"
    skipped = {link for link, status in statuses.items() if status == "skipped"}
    assert skipped <= {"claims", "impersonation", "principal"}, report.run.described()
    assert ("impersonation" in skipped) == ("service_account_impersonation_url" not in setup.config)
    assert not (difference := snapshot(f"check/good/{slug(kind)}", setup.normalised(report))), difference

    again = setup.check("--format=json")
    found = json.loads(again.run.stdout)
    jsonschema.validate(found, SCHEMA)
    assert found["ok"] is True and again.run.status == 0
    assert {link["link"]: link["status"] for link in found["links"]} == statuses


def test_each_report_belongs_to_a_set_up():
    """No report of a removed set-up remains."""
    reports = {path.name for path in (HERE / "check" / "good").iterdir()}
    assert reports == {slug(kind) for kind in SETUPS} | {"offline-url.txt"}


@pytest.fixture
def aws_on_loopback(setups, aws):
    """AWS for a set-up: the key of a role is in the environment, or only on the instance."""

    def prepare(setup: Setup, with_key: bool):
        setup.sts.add(AwsPoolProvider(setup.audience, ACCOUNT, known_to(aws.keys)))
        key = aws.keys.session("alice")
        aws.imds.key = key
        setup.env |= aws.environment() | (key.environment() if with_key else {})

    return prepare


@pytest.mark.parametrize("kind", ["file", "foreign", "saml", "aws", "plain_file"])
def test_offline_sends_nothing(setups, aws_on_loopback, kind):
    """With `--offline`, only the configuration and the token are checked."""
    setup = SETUPS[kind](setups)
    if kind == "aws":
        aws_on_loopback(setup, with_key=True)
    report = setup.check("--offline")
    assert report.run.status == 0 and setups.sts.requests == [] and setups.issuer.requests == [], report.run.described()
    statuses = report.statuses()
    assert {statuses[link] for link in ("exchange", "account", "impersonation", "clock")} == {"skipped"}
    assert statuses["source"] == statuses["subject token"] == "ok"


def test_a_source_on_the_network_is_skipped_offline(setups):
    """Without the source, there is no token to check."""
    setup = url(setups)
    report = setup.check("--offline")
    assert report.run.status == 0 and setups.servers[0].requests == []
    assert report.statuses()["source"] == "skipped" and "--offline" in report.first("skipped")
    assert not (difference := snapshot("check/good/offline-url.txt", setup.normalised(report))), difference


def test_an_unreachable_issuer_is_reported_but_not_a_problem(setups):
    """Google accepts the token, so the unreachable issuer is not a problem."""
    report = uploaded_keys(setups).check()
    (line,) = [line for line in report.lines() if line.startswith("ok       issuer")]
    assert "Connection refused" in line, line
    report = uploaded_keys(setups).check("--offline")
    assert report.first("warning") is None


def test_header_claims_and_principals(setups):
    """The claims have the names of a mapping, and the principals those of a policy. The signature is not shown."""
    setup = setups.ours()
    aws_claims = {"https://sts.amazonaws.com/": {"aws_account": "123456789012"}}
    setup.claims(groups=["a", "b"], team="x", **aws_claims)
    report = setup.check("--mapping=google.subject=assertion.sub,google.groups=assertion.groups,attribute.team=assertion.team,"
                         "attribute.account=assertion['https://sts.amazonaws.com/']['aws_account']")  # fmt: skip
    shown = report.below("claims")
    assert shown[:3] == ['header.alg = "ES256"', 'header.kid = "test-key"', 'header.typ = "JWT"']
    for line in ['assertion.sub = "repo:example/app"', 'assertion.groups = ["a","b"]',
                 "assertion['https://sts.amazonaws.com/'].aws_account = \"123456789012\""]:  # fmt: skip
        assert line in shown
    pool = pool_of(setup.audience)
    assert report.below("principal") == [
        f"principal:{pool}/subject/repo:example/app", f"principalSet:{pool}/group/a", f"principalSet:{pool}/group/b",
        f"principalSet:{pool}/attribute.team/x", f"principalSet:{pool}/attribute.account/123456789012",
    ]  # fmt: skip
    found = json.loads(setup.check("--format=json").run.stdout)
    assert found["header"][0] == {"name": "header.alg", "value": '"ES256"'}
    assert {"name": "assertion.team", "value": '"x"'} in found["claims"]


def test_the_principals_of_the_report_are_those_of_the_policy(setups):
    """Each principal in turn gets the role, and can then impersonate the account."""
    setup = setups.ours()
    setup.claims(team="x")
    principals = setup.check("--mapping=google.subject=assertion.sub,attribute.team=assertion.team").below("principal")
    assert len(principals) == 2
    for name in principals:
        setups.sts.iam.policies.accounts[DEPLOYER] = {"workloadIdentityUser": {name}}
        assert setup.check().run.status == 0, name


def test_saml_claims(setups):
    """The report lists the subject and the attributes."""
    setup = saml(setups)
    assert setup.check().below("claims") == ['assertion.subject = "user@example.test"']


def warned(name: str, setup: Setup, report: Report, link: str, *names: str):
    """Asserts one warning of this check that contains these names, no error, and the report in the file."""
    first = report.first("warning") or ""
    assert first[9:24].strip() == link and all(word in first for word in names), report.run.described()
    assert (report.first("error"), report.run.status) == (None, 0), report.run.described()
    text = re.sub(r"\b7\d{3} s\b", "{seconds} s", setup.normalised(report))
    assert not (difference := snapshot(f"check/warning/{name}.txt", text)), difference


@pytest.mark.parametrize("name, change, link, names", [
    ("two-spaces", {"command": "{program}  file --path={dir}/token"}, "command", ["Java"]),
    ("quotes", {"command": "{program} file '--path={dir}/token'"}, "command", ["executable.command"]),
    ("timeout-longer-than-the-client-s", {"command": "{program} file --timeout=60 --path={dir}/token"}, "options",
     ["timeout_millis", "--timeout=29"]),
    ("relative-output-file", {"output_file": "out.json"}, "output file", ["out.json"]),
    ("no-folder-for-the-output-file", {"output_file": "{dir}/none/out.json"}, "output file", ["mkdir -m 700 -p", "/none"]),
])  # fmt: skip
def test_what_does_not_work_everywhere_is_a_warning(setups, name, change, link, names):
    """A set-up that works only in some clients, or only for some time, is a warning, and the exit status is 0."""
    setup = setups.ours()
    setup.executable.update({member: setup.filled(value) for member, value in change.items()})
    warned(name, setup, setup.check(), link, *names)


def test_a_token_service_that_is_not_google_s_is_a_warning(setups):
    """The set-up works and gets tokens."""
    setup = setups.ours()
    setup.config["token_url"] = "https://sts.example.test/v1/token"
    warned("token-service-of-another-domain", setup, setup.check("--offline"), "token service", "sts.example.test", "googleapis.com")


@pytest.mark.parametrize("ahead, side", [(-7200, "behind"), (7200, "ahead")])
def test_a_different_clock_is_a_warning(setups, ahead, side):
    """The clock of this host is compared with Google's; another server has its own clock."""
    date = formatdate(time.time() + ahead, usegmt=True)
    setup = setups.url(lambda _: Answer(200, setup.token, {"Date": date}))
    setup.token = setups.jwt()
    warned(f"clock-{side}", setup, setup.check(), "clock", f" s {side}", "to correct its clock")


@pytest.mark.parametrize("broken", ["audience", "token", "account"])
def test_a_broken_set_up_has_the_same_form(setups, broken):
    """The JSON follows the schema, and the exit status is that of the first error."""
    setup = setups.ours()
    if broken == "audience":
        setup.config["audience"] = "x"
    elif broken == "token":
        setup.token = "opaque"
    else:
        setup.sts.iam.policies.accounts.clear()
    run = setup.check("--format=json").run
    found = json.loads(run.stdout)
    jsonschema.validate(found, SCHEMA)
    first = next(link for link in found["links"] if link["status"] == "error")
    assert found["ok"] is False and (first["code"], run.status) in {("CONFIGURATION", 3), ("PROTOCOL", 7)}
    assert first["fix"]
