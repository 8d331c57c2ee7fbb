"""Web identity tokens of AWS: boto3 judges the stand-in that issues them, and the stand-in and ministack judge the request of the
program.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html — boto3 is AWS's own client: what it signs is
accepted, what it reads is well-formed, and every documented error reaches it as that error.
"""

from __future__ import annotations

from dataclasses import replace

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from servers.ministack import ministack
from standins.aws_keys import ACCOUNT
from standins.aws_sso import CLIENT
from standins.aws_sts import CLAIMS
from standins.refused import Refused
from standins.verify_jwt import OidcPoolProvider, verify_jwt
from support.program import PREFIX, has_default_margin
from support.signer import claims_of

ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/deploy"


def boto(aws, service: str, key=None, url: str | None = None):
    """The client of boto3 for the stand-in; without a key it does not sign."""
    signing = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret, "aws_session_token": key.token} if key else {}
    config = Config(retries={"total_max_attempts": 1}, signature_version=None if key else UNSIGNED)
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=url or getattr(aws, service.partition("-")[0]).url,
        config=config,
        **signing,
    )


def refused(call, code: str, status: int):
    """Asserts that boto3 reads a refusal as this error."""
    with pytest.raises(ClientError) as refusal:
        call()
    answer = refusal.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), answer
    return answer["Error"]["Message"]


# The stand-in, judged by boto3


@pytest.mark.parametrize("kind", ["user", "session"])
def test_boto3_gets_a_token_that_google_would_accept(aws, audience, kind):
    """The token is signed with RS256 by a published key, and has the claims that AWS documents."""
    key = getattr(aws.keys, kind)("app")
    got = boto(aws, "sts", key).get_web_identity_token(
        Audience=["https:" + audience], SigningAlgorithm="RS256", DurationSeconds=900, Tags=[{"Key": "team", "Value": "a b"}])  # fmt: skip
    claims = verify_jwt(got["WebIdentityToken"], OidcPoolProvider(audience, aws.sts.issuer.url))
    assert claims["sub"] == {"user": f"arn:aws:iam::{ACCOUNT}:user/app", "session": f"arn:aws:iam::{ACCOUNT}:role/app"}[kind]
    assert claims["exp"] - claims["iat"] == 900 and got["Expiration"].timestamp() == claims["exp"]
    assert claims[CLAIMS]["aws_account"] == ACCOUNT and claims[CLAIMS]["request_tags"] == {"team": "a b"}
    assert jwt.get_unverified_header(got["WebIdentityToken"])["alg"] == "RS256"


def test_an_es384_token_is_real_and_google_refuses_it(aws, audience):
    """A program that requests the other algorithm gets such a token."""
    got = boto(aws, "sts", aws.keys.user("app")).get_web_identity_token(Audience=[audience], SigningAlgorithm="ES384")
    key = jwt.PyJWK(aws.sts.signers["ES384"].public_jwk(), algorithm="ES384").key
    assert jwt.decode(got["WebIdentityToken"], key, algorithms=["ES384"], audience=audience)
    with pytest.raises(Refused, match="ES384"):
        verify_jwt(got["WebIdentityToken"], OidcPoolProvider(audience, aws.sts.issuer.url))


@pytest.mark.parametrize("change, code", [
    ({"DurationSeconds": 59}, "ValidationError"),
    ({"DurationSeconds": 3601}, "ValidationError"),
    ({"Audience": ["x"] * 11}, "ValidationError"),
    ({"Audience": ["x" * 1001]}, "ValidationError"),
    ({"SigningAlgorithm": "ES256"}, "ValidationError"),
    ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "ValidationError"),
    ({"Tags": [{"Key": "k", "Value": "v" * 257}]}, "ValidationError"),
    ({"Tags": [{"Key": f"k{n}", "Value": "v" * 250} for n in range(10)]}, "JWTPayloadSizeExceededException"),
])  # fmt: skip
def test_boto3_is_refused_for_a_parameter(aws, audience, change, code, monkeypatch):
    """The refusals are those that AWS documents; the validation of boto3 itself is off."""
    asked = {"Audience": [audience], "SigningAlgorithm": "RS256", **change}
    monkeypatch.setattr(
        "botocore.validate.ParamValidator.validate", lambda *_: type("Report", (), {"has_errors": lambda self: False})()
    )
    refused(lambda: boto(aws, "sts", aws.keys.user("app")).get_web_identity_token(**asked), code, 400)


def test_boto3_is_refused_with_the_documented_errors(aws, audience):
    """The cases are a session that expires sooner, an account without the opt-in, a missing permission, wrong keys and
    wrong clocks.
    """

    def ask(key=aws.keys.user("app")):
        return boto(aws, "sts", key).get_web_identity_token(Audience=[audience], SigningAlgorithm="RS256", DurationSeconds=3600)

    refused(lambda: ask(aws.keys.session("brief", seconds=1800)), "SessionDurationEscalationException", 403)
    refused(lambda: ask(aws.keys.session("over", seconds=-1)), "ExpiredToken", 403)
    refused(lambda: ask(replace(aws.keys.user("app"), secret="x" * 40)), "SignatureDoesNotMatch", 403)
    refused(lambda: ask(replace(aws.keys.user("app"), id="AKIA" + "Y" * 16)), "InvalidClientTokenId", 403)
    refused(lambda: ask(replace(aws.keys.session("app"), token="wrong")), "InvalidClientTokenId", 403)
    for seconds, text in ((3600, "Signature expired"), (-3600, "not yet current")):
        aws.sts.clock = seconds
        assert text in refused(ask, "SignatureDoesNotMatch", 403)
    aws.sts.clock = 0
    assert ask()["WebIdentityToken"]
    aws.sts.region = "eu-west-1"
    assert "valid region" in refused(ask, "SignatureDoesNotMatch", 403)


def test_boto3_assumes_roles(aws):
    """The session is that of the role. The same request gives the same credentials, and another external ID gives other
    ones.
    """
    sts = boto(aws, "sts", aws.keys.user("app"))
    first, second, third = (sts.assume_role(RoleArn=ROLE, RoleSessionName="ci", **more)["Credentials"]
                            for more in ({}, {}, {"ExternalId": "x-1"}))  # fmt: skip
    assert first["AccessKeyId"] == second["AccessKeyId"] != third["AccessKeyId"]
    acting = boto(aws, "sts", aws.keys.find(first["AccessKeyId"]))
    assert acting.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
    web = boto(aws, "sts").assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="ci", WebIdentityToken="a.b.c")
    assert web["Credentials"]["AccessKeyId"] not in (first["AccessKeyId"], third["AccessKeyId"])
    aws.sts.external_ids[ROLE] = "x-1"
    refused(lambda: sts.assume_role(RoleArn=ROLE, RoleSessionName="ci"), "AccessDenied", 403)
    assert sts.assume_role(RoleArn=ROLE, RoleSessionName="ci", ExternalId="x-1")


def test_boto3_uses_the_portal(aws):
    """GetRoleCredentials needs an access token, which CreateToken renews."""
    key = aws.sso.allow("Reader")
    portal, oidc = boto(aws, "sso"), boto(aws, "sso-oidc")
    asked = {"roleName": "Reader", "accountId": ACCOUNT}
    got = portal.get_role_credentials(accessToken="sso-access-token-fresh-1", **asked)["roleCredentials"]
    assert (got["accessKeyId"], got["sessionToken"]) == (key.id, key.token) and got["expiration"] == int(key.expires) * 1000
    renewed = oidc.create_token(grantType="refresh_token", refreshToken="sso-refresh-token-1", **CLIENT)
    assert portal.get_role_credentials(accessToken=renewed["accessToken"], **asked)["roleCredentials"]["accessKeyId"] == key.id
    refused(lambda: portal.get_role_credentials(accessToken="unknown", **asked), "UnauthorizedException", 401)
    refused(
        lambda: portal.get_role_credentials(accessToken=renewed["accessToken"], roleName="Admin", accountId=ACCOUNT),
        "ForbiddenException",
        403,
    )
    unknown = {"grantType": "refresh_token", "refreshToken": "unknown"}
    refused(lambda: oidc.create_token(**unknown, **CLIENT), "InvalidGrantException", 400)


# The program, judged by the stand-in and by ministack


@pytest.fixture
def token(aws, program, ledger, audience):
    """Runs the program in the default mode, and returns the claims of the subject token after a check of its signature.
    """

    def run(key, *options, env=None) -> dict:
        given = aws.environment() | (key.environment() if key else {}) | (env or {})
        done = program.run("aws", f"--audience={audience}", *options, env=given)
        if key and key.token:
            assert key.token not in done.stdout
        return verify_jwt(done.token, OidcPoolProvider(audience, aws.sts.issuer.url)) | {"document": done.document}

    return run


def test_the_token_names_this_caller_and_this_audience(aws, token, audience):
    """The defaults are RS256, one audience that the pool provider accepts, an hour, and no tags."""
    claims = token(aws.keys.user("app"))
    (call,) = aws.sts.calls
    assert (call.action, call.caller) == ("GetWebIdentityToken", aws.keys.user("app"))
    (asked,) = call.member("Audience")
    assert asked in (audience, "https:" + audience)
    assert call.parameters["SigningAlgorithm"] == "RS256" and call.parameters["DurationSeconds"] == "3600"
    assert not any(name.startswith("Tags") for name in call.parameters)
    assert claims["sub"] == f"arn:aws:iam::{ACCOUNT}:user/app"
    assert has_default_margin(claims["document"]["expiration_time"], claims["exp"], 3600)


def test_duration_and_tags_are_passed_on(aws, token):
    """The tags contain characters that must be encoded."""
    claims = token(aws.keys.session("app"), "--duration=600", "--tag=team=plat+form/a", "--tag=cost center=4=2@x:y")
    assert claims["exp"] - claims["iat"] == 600
    assert claims[CLAIMS]["request_tags"] == {"team": "plat+form/a", "cost center": "4=2@x:y"}


@pytest.mark.parametrize("form", ["", "https:"])
def test_the_audience_of_the_option_is_used_unchanged(aws, token, audience, form):
    """`--audience` selects one of the forms that the pool provider accepts."""
    token(aws.keys.user("app"), f"--audience={form}{audience}")
    if form:
        assert aws.sts.calls[-1].member("Audience") == [form + audience]


def test_the_audience_of_the_client_is_enough(aws, program, audience):
    """The audience is that of GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE."""
    env = aws.environment() | aws.keys.user("app").environment() | {PREFIX + "AUDIENCE": audience}
    assert verify_jwt(program.run("aws", env=env).token, OidcPoolProvider(audience, aws.sts.issuer.url))


def test_the_expiry_of_a_session_limits_the_duration(aws, token):
    """The container endpoint returns the expiry of the session, so no longer lifetime is requested by default."""
    aws.container.key = aws.keys.session("brief", seconds=1800)
    claims = token(None, env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": aws.container.url + "/c"})
    assert 1700 <= int(aws.sts.calls[-1].parameters["DurationSeconds"]) <= 1800
    assert claims["exp"] <= aws.container.key.expires + 1


@pytest.mark.parametrize("env, options, files, region", [
    ({"AWS_REGION": "eu-west-1"}, ["--region=eu-west-3"], "", "eu-west-3"),
    ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, [], "region = eu-west-3", "eu-west-1"),
    ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, [], "region = eu-west-3", "eu-west-2"),
    ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, [], "region = eu-west-3", "eu-west-3"),
    ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, [], "", "us-east-1"),
])  # fmt: skip
def test_the_region_is_found_where_the_sdks_find_it(aws, token, program, env, options, files, region):
    """The places are the option, the variables, the profile and last the instance."""
    (program.home / ".aws").mkdir()
    (program.home / ".aws" / "config").write_text(f"[default]\n{files}\n")
    aws.sts.region = region
    assert token(aws.keys.user("app"), *options, env=env)[CLAIMS]["source_region"] == region


@pytest.mark.parametrize("place", ["option", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "profile", "services"])
def test_the_endpoint_is_found_where_the_sdks_find_it(aws, token, program, place):
    """The endpoint can be a VPC interface endpoint. The more specific setting overrides the general one, which names no
    server here."""
    nowhere = "http://127.0.0.1:9"
    places = {"AWS_ENDPOINT_URL_STS": "", "AWS_ENDPOINT_URL": nowhere, "profile": nowhere, "services": nowhere} | {
        place: aws.sts.url
    }
    if place in ("profile", "services"):
        places["AWS_ENDPOINT_URL"] = ""
    lines = ["[default]", f"endpoint_url = {places['profile']}"] + ["services = s"] * (place != "profile")
    lines += ["[services s]", "sts =", f"  endpoint_url = {places['services']}", ""]
    (program.home / ".aws").mkdir()
    (program.home / ".aws" / "config").write_text("\n".join(lines))
    env = {name: places[name] for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")}
    options = [f"--sts-endpoint={aws.sts.url}"] if place == "option" else []
    assert token(aws.keys.user("app"), *options, env=env)


@pytest.mark.parametrize("external_id", ["x-4711", "env:EXTERNAL_ID", "file:{home}/external-id"])
def test_a_role_of_the_options(aws, token, program, external_id):
    """The program assumes the role of `--role-arn` with the credentials that it found. The external ID is given as text
    or by reference."""
    (program.home / "external-id").write_text("x-4711\n")
    aws.sts.external_ids[ROLE] = "x-4711"
    claims = token(aws.keys.user("app"), f"--role-arn={ROLE}", "--role-session-name=ci-7",
                   f"--external-id={external_id.format(home=program.home)}", env={"EXTERNAL_ID": "x-4711"})  # fmt: skip
    assert claims["sub"] == f"arn:aws:iam::{ACCOUNT}:role/deploy"
    assume, ask = aws.sts.calls
    assert (assume.action, assume.caller, assume.parameters["RoleSessionName"]) == ("AssumeRole", aws.keys.user("app"), "ci-7")
    assert ask.caller.arn.endswith(":assumed-role/deploy/ci-7")


@pytest.mark.parametrize("options", [[], ["--duration=60"], ["--duration=3600", "--tag=team=a b", "--tag=x=1"]])
def test_ministack_accepts_the_parameters(program, audience, ledger, tmp_path, options):
    """ministack implements AWS's documentation independently. Its token is a stub, so only the request is compared."""
    folder = tmp_path / "ministack"
    folder.mkdir()
    with ministack(folder) as server:
        key = server.user("app")
        ledger.secret("the secret", key.secret)
        where = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_STS": server.url, "AWS_EC2_METADATA_DISABLED": "true"}
        run = program.run("aws", f"--audience={audience}", *options, env=where | key.environment())
        claims = claims_of(run.token)
        assert claims["aud"] in (audience, "https:" + audience)
        assert claims["exp"] - claims["iat"] == (int(options[0].partition("=")[2]) if options else 3600)
        bystander = server.user("bystander", policy=None)
        ledger.secret("the other secret", bystander.secret)
        program.run("aws", f"--audience={audience}", env=where | bystander.environment()).failed(
            "DENIED", "sts:GetWebIdentityToken"
        )
