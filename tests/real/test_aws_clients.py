"""Google's own clients fetch from AWS through the program: a web identity token in all of them, the signed GetCallerIdentity
request in those that accept it from an executable.

The token service stand-in verifies the token with the keys that AWS's stand-in publishes, and the request by Google's rules for
aws4_request and by computing the signature again. Python, gcloud and Ruby choose their own AWS class by the type of the subject
token and never run an executable for it. Python's class for files accepts the request if it is used by name.
"""

from __future__ import annotations

import json

import pytest

from standins.aws_keys import ACCOUNT
from standins.verify_aws import AwsPoolProvider, known_to
from standins.verify_jwt import OidcPoolProvider
from support.aws import AWS4_REQUEST
from support.clients import CLIENTS
from support.program import JWT
from support.terraform import BUCKET

EMAIL = "deployer@example-project.iam.gserviceaccount.com"
each_client = pytest.mark.parametrize("client", list(CLIENTS))
takes_requests = pytest.mark.parametrize("client", ["node", "rust"])


@pytest.fixture
def jwt_pool(sts, aws, audience):
    """An OIDC pool provider that trusts the issuer of the account."""
    sts.add(OidcPoolProvider(audience, aws.sts.issuer.url))


@pytest.fixture
def aws_pool(sts, aws, audience):
    """An AWS pool provider that trusts the account."""
    sts.add(AwsPoolProvider(audience, ACCOUNT, known_to(aws.keys)))


@each_client
def test_exchanges_a_web_identity_token(clients, sts, aws, jwt_pool, audience, client):
    """The credentials of a session are in the environment, as in Lambda."""
    env = aws.environment() | aws.keys.session("lambda").environment()
    outcome = clients.run(client, clients.configuration(audience, "aws"), env=env)
    assert outcome.access_token in sts.issued
    (exchange,) = sts.exchanges
    assert (exchange.subject_token_type, exchange.claims["sub"]) == (JWT, f"arn:aws:iam::{ACCOUNT}:role/lambda")


@each_client
def test_a_container_s_credentials_become_a_service_account(clients, sts, aws, jwt_pool, audience, tmp_path, client):
    """There is an endpoint with a token, as in ECS and EKS Pod Identity, and no other AWS variable. The client uses an
    output file and impersonation."""
    aws.container.key, aws.container.authorization = aws.keys.session("task"), "container-authorization-token"
    clients.program.ledger.secret("the container's token", aws.container.authorization)
    env = aws.environment() | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": aws.container.url + "/v1/credentials",
                               "AWS_CONTAINER_AUTHORIZATION_TOKEN": aws.container.authorization}  # fmt: skip
    configuration = clients.configuration(audience, "aws", output_file=tmp_path / "out.json", email=EMAIL)
    outcomes = [clients.run(client, configuration, env=env) for _ in range(2)]
    assert [sts.impersonated[outcome.access_token] for outcome in outcomes] == [EMAIL] * 2
    assert {exchange.claims["sub"] for exchange in sts.exchanges} == {f"arn:aws:iam::{ACCOUNT}:role/task"}
    assert len(aws.sts.calls) == 1, "the second run uses the output file"


@takes_requests
@pytest.mark.parametrize("kind", ["user", "session"])
def test_exchanges_a_signed_request(clients, sts, aws, aws_pool, audience, client, kind):
    """The subject token type selects the mode; the client sends what the program signed."""
    key = getattr(aws.keys, kind)("app")
    configuration = clients.configuration(audience, "aws", token_type=AWS4_REQUEST)
    outcome = clients.run(client, configuration, env=aws.environment() | key.environment())
    assert outcome.access_token in sts.issued
    (exchange,) = sts.exchanges
    assert (exchange.subject_token_type, exchange.claims["arn"]) == (AWS4_REQUEST, key.arn)
    assert aws.sts.requests == [], "no requests except to Google"


@takes_requests
def test_a_signed_request_and_an_output_file(clients, sts, aws, aws_pool, audience, tmp_path, client):
    """The request is cached for 15 minutes, and works with an impersonation."""
    configuration = clients.configuration(
        audience, "aws", token_type=AWS4_REQUEST, output_file=tmp_path / "out.json", email=EMAIL
    )
    env = aws.environment() | aws.keys.session("app").environment()
    assert [sts.impersonated[clients.run(client, configuration, env=env).access_token] for _ in range(2)] == [EMAIL] * 2
    first, second = sts.exchanges
    assert first.subject_token == second.subject_token


@takes_requests
def test_is_refused_with_keys_that_aws_does_not_know(clients, sts, aws, aws_pool, audience, client):
    """This control shows that the stand-in verifies: with another secret, the same run fails."""
    env = aws.environment() | aws.keys.user("app").environment()
    env["AWS_SECRET_ACCESS_KEY"] = clients.program.ledger.secret("the wrong secret", "w" * 40)
    outcome = clients.run(client, clients.configuration(audience, "aws", token_type=AWS4_REQUEST), env=env)
    assert outcome.status != 0 and sts.exchanges == []
    assert "does not match the signature you provided" in sts.refusals[0].description


def test_python_reads_a_signed_request_from_a_file(clients, program, sts, aws, aws_pool, audience, tmp_path):
    """With --format=text and an output file, the file contains what a file-sourced configuration sends unchanged."""
    output = tmp_path / "subject-token"
    env = aws.environment() | aws.keys.session("app").environment()
    options = (f"--audience={audience}", f"--token-type={AWS4_REQUEST}", "--format=text", f"--output-file={output}")
    run = program.run("aws", *options, env=env)
    assert (run.status, run.stdout, run.stderr) == (0, "", "")
    path = clients.configuration(audience, "aws", token_type=AWS4_REQUEST)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"credential_source": {"file": str(output)}}))
    assert clients.run("python", path, "file-sourced").access_token in sts.issued
    assert clients.run("node", path).access_token in sts.issued
    assert [exchange.subject_token for exchange in sts.exchanges] == [output.read_text()] * 2


@pytest.mark.parametrize("token_type", [JWT, AWS4_REQUEST])
def test_terraform_reads_its_state(request, clients, sts, aws, audience, terraform, tmp_path, token_type):
    """Go's library exchanges both types of subject token."""
    request.getfixturevalue({JWT: "jwt_pool", AWS4_REQUEST: "aws_pool"}[token_type])
    configuration = clients.configuration(audience, "aws", token_type=token_type, output_file=tmp_path / "out.json", email=EMAIL)
    env = aws.environment() | aws.keys.session("runner").environment()
    done = terraform.run(configuration, "init", "-no-color", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert BUCKET in str([received.path for received in terraform.storage.requests])
    assert {exchange.subject_token_type for exchange in sts.exchanges} == {token_type}


@each_client
def test_shows_that_there_are_no_credentials(clients, sts, aws, audience, client):
    """The exit status is 4, and the client shows the places that were searched, if it shows messages."""
    outcome = clients.run(
        client, clients.configuration(audience, "aws"), env=aws.environment() | {"AWS_EC2_METADATA_DISABLED": "true"}
    )
    assert outcome.status != 0 and sts.requests == []
    assert "AWS_EC2_METADATA_DISABLED" in outcome.complaint
