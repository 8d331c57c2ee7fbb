"""The signed GetCallerIdentity request, verified by ministack, a second implementation in Rust and a third in Python.

Each verifier must first accept a request of Google's own signer and refuse every change of it, so that its verdict on the request of
the program is meaningful. ministack gets the request as AWS gets it from Google: the same method, url and headers.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from servers.ministack import Ministack, ministack
from standins.aws_keys import AccessKey, AwsKeys
from standins.aws_refused import AwsRefused
from standins.verify_aws import AwsPoolProvider, known_to, verify_aws
from support.aws import AWS4_REQUEST, REGION, CallerIdentity, google_request, google_token, second_opinion
from support.program import has_default_margin


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One ministack for this file."""
    with ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture(scope="module")
def accounts(server) -> dict[str, AccessKey]:
    """The keys of a user and of a session that ministack knows, and the same of another account."""
    user, role = server.user("alice"), server.role("app")
    return {
        "user": user,
        "session": server.session(role, user),
        "other user": server.user("bob"),
        "other session": server.session(role, user),
    }


@pytest.fixture(params=["user", "session"])
def key(request, accounts, ledger) -> AccessKey:
    """Each kind of signer."""
    for found in accounts.values():
        ledger.secret(f"the secret of {found.id}", found.secret)
    return accounts[request.param]


class Judges:
    """All judges of a request; `verdicts` contains the response of each."""

    def __init__(self, server: Ministack, key: AccessKey):
        self.server, self.key = server, key
        self.keys = AwsKeys()
        self.keys.add(key)

    def verdicts(self, identity: CallerIdentity) -> dict[str, str]:
        """"accepted", or the reason of the refusal."""
        return {
            "ministack": self.asked(self.server.perform, identity),
            "python": self.asked(known_to(self.keys), identity),
            "rust": second_opinion(identity, self.key),
        }

    def asked(self, perform, identity: CallerIdentity) -> str:
        try:
            arn = perform(identity.request)
        except AwsRefused as refusal:
            return f"refused: {refusal.code}: {refusal.message}"
        assert arn == self.key.arn
        return "accepted"

    def accept(self, identity: CallerIdentity):
        """Asserts that all judges accept the request."""
        assert set(self.verdicts(identity).values()) == {"accepted"}, self.verdicts(identity)

    def refuse(self, identity: CallerIdentity, *but: str):
        """Asserts that all judges except these refuse the request."""
        verdicts = self.verdicts(identity)
        assert {who for who, verdict in verdicts.items() if verdict == "accepted"} == set(but), verdicts


@pytest.fixture
def judges(server, key) -> Judges:
    """The judges for this key."""
    return Judges(server, key)


@pytest.fixture(params=["google-auth", "wif-token"])
def sign(request, audience):
    """Signs a request with a key, once with Google's library and once with the program."""
    if request.param == "google-auth":
        return lambda key, **how: CallerIdentity(google_token(key, audience, **how))
    program = request.getfixturevalue("program")

    def run(key: AccessKey, region: str = REGION) -> CallerIdentity:
        return caller_identity(program, audience, key, f"--region={region}")

    return run


def caller_identity(program, audience, key: AccessKey, *options) -> CallerIdentity:
    """Runs the program with a key in the environment, and returns the request that it signs; no server is reachable."""
    nothing = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": REGION}
    run = program.run("aws", "--mode=caller-identity", f"--audience={audience}", *options, env=nothing | key.environment())
    return CallerIdentity(run.token)


def test_all_accept_the_request(judges, key, sign):
    """The unchanged request is accepted."""
    judges.accept(sign(key))


def test_all_accept_another_region(judges, key, sign, server):
    """The request is signed for the region of its host; the third judge is given that region."""
    identity = sign(key, region="eu-central-1")
    assert identity.json["url"].startswith("https://sts.eu-central-1.amazonaws.com?")
    assert server.perform(identity.request) == key.arn and known_to(judges.keys)(identity.request) == key.arn
    assert second_opinion(identity, key, "eu-central-1") == "accepted"
    assert second_opinion(identity, key, "us-east-1") != "accepted"


def test_all_refuse_a_wrong_secret(judges, key, sign):
    """The last character of the secret differs."""
    judges.refuse(sign(replace(key, secret=key.secret[:-1] + ("A" if key.secret[-1] != "A" else "B"))))


def test_all_refuse_another_key_id(judges, accounts, key, sign):
    """The ID belongs to another known key, or to no key."""
    other = accounts["other user" if key.token is None else "other session"]
    judges.refuse(sign(replace(key, id=other.id)))
    judges.refuse(sign(replace(key, id="AKIA" + "X" * 16)))


def test_all_refuse_a_changed_target_resource(judges, audience, key, sign):
    """The header is signed, so a request for one pool provider cannot be used for another."""
    judges.refuse(sign(key).changed(x_goog_cloud_target_resource=audience + "-other"))


def test_all_refuse_a_changed_date(judges, key, sign):
    """The date is a minute later than the one that was signed."""
    identity = sign(key)
    date = identity.headers["x-amz-date"]
    judges.refuse(identity.changed(x_amz_date=date[:-4] + f"{(int(date[-4:-3]) + 1) % 6}" + date[-3:]))


def test_all_refuse_a_changed_host(judges, key, sign):
    """The signature covers the region in the host."""
    identity = sign(key)
    other = CallerIdentity(identity.token.replace("us-east-1.amazonaws.com", "us-west-2.amazonaws.com"))
    assert other.request.headers["host"] == "sts.us-west-2.amazonaws.com"
    judges.refuse(other)


def test_all_refuse_a_wrong_session_token(judges, accounts, key, sign):
    """The token of another session, a truncated token and an unexpected token are refused, even if they were signed.
    """
    other = accounts["other session"]
    judges.refuse(sign(replace(key, token=other.token)))
    judges.refuse(sign(key).changed(x_amz_security_token=other.token))
    if key.token:
        judges.refuse(sign(replace(key, token=key.token[:-1])))
        judges.refuse(sign(replace(key, token=None)))


@pytest.mark.parametrize("seconds", [-16 * 60, 16 * 60])
def test_all_refuse_a_wrong_date(judges, audience, key, seconds):
    """Google's signer signs a request that is more than 15 minutes old or ahead, because the program always uses the
    clock of this host.
    """
    judges.refuse(CallerIdentity(google_token(key, audience, when=time.time() + seconds)))
    judges.accept(CallerIdentity(google_token(key, audience, when=time.time() + seconds / 2)))


@pytest.mark.parametrize("prefix", ["", "https:"])
def test_the_request_is_that_of_google_auth(program, audience, key, prefix):
    """In the same second, url, method, headers and signature are the same."""
    identity = caller_identity(program, prefix + audience, key)
    date = time.mktime(time.strptime(identity.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")) - time.timezone
    google = google_request(key, audience, when=date)
    assert {name: identity.json[name] for name in ("url", "method")} == {name: google[name] for name in ("url", "method")}
    assert set(identity.json) == {"url", "method", "headers"}

    def in_order(headers):
        return sorted((header["key"], header["value"]) for header in headers)

    assert in_order(identity.json["headers"]) == in_order(google["headers"])


def test_every_header_is_signed(program, audience, key):
    """The signature also covers the target resource, which Google's Python library does not sign."""
    identity = caller_identity(program, audience, key)
    assert set(identity.credential.signed_headers) == identity.headers.keys() - {"authorization"}
    assert identity.headers["x-goog-cloud-target-resource"] == audience


def test_the_pool_provider_accepts_the_request(program, audience, server, key):
    """The stand-in applies Google's rules, and asks ministack in place of AWS."""
    provider = AwsPoolProvider(audience, server.account, server.perform)
    assert verify_aws(caller_identity(program, audience, key).token, provider)["arn"] == key.arn


def test_text_format_is_the_bare_request(program, audience, server, key, tmp_path):
    """The output is the content of a file-sourced configuration, without a line break. The token type alone selects the
    mode.
    """
    output = tmp_path / "subject-token"
    options = (f"--audience={audience}", f"--token-type={AWS4_REQUEST}", "--format=text", "--region=us-east-1")
    env = {"AWS_EC2_METADATA_DISABLED": "true"} | key.environment()
    run = program.run("aws", *options, env=env)
    assert (run.status, run.stderr) == (0, "") and server.perform(CallerIdentity(run.stdout).request) == key.arn
    run = program.run("aws", *options, f"--output-file={output}", env=env)
    assert (run.status, run.stdout, run.stderr) == (0, "", "")
    assert server.perform(CallerIdentity(output.read_text()).request) == key.arn


def test_the_expiry_depends_on_the_date(program, audience, key):
    """The expiry is fifteen minutes after the date, minus the margin."""
    run = program.run("aws", "--mode=caller-identity", f"--audience={audience}", "--region=us-east-1",
                      env={"AWS_EC2_METADATA_DISABLED": "true"} | key.environment())  # fmt: skip
    assert has_default_margin(run.document["expiration_time"], time.time() + 900, 900)
