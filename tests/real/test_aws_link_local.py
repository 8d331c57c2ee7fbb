"""The addresses that AWS's containers and instances really have: 169.254.170.2, 169.254.170.23, 169.254.169.254 and the
same for IPv6, inside a network namespace that has them, with nginx behind each.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html,
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html. Each environment is resolved by botocore as well. The variables
name a proxy that does not exist: these addresses bypass it.
"""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace

import pytest

from servers.namespace import NAMES, namespace
from servers.nginx import nginx, server
from standins.aws_keys import AwsKeys, session_key
from standins.aws_metadata import ROLES
from support.aws import CallerIdentity
from support.places import HERE, PYTHON
from support.program import Program

ADDRESSES = ("169.254.170.2/32", "169.254.170.23/32", "169.254.169.254/32", "fd00:ec2::23/128", "fd00:ec2::254/128")
ELSEWHERE = NAMES["other.example.test"]  # neither loopback nor link-local
POD_TOKEN = "pod-identity-token-4711"
PROXY = {
    "HTTP_PROXY": "http://proxy.example.test:1",
    "http_proxy": "http://proxy.example.test:1",
    "ALL_PROXY": "http://proxy.example.test:1",
}
KEYS = {name: session_key(name) for name in ("task", "pod4", "pod6", "inst4", "inst6")}


def location(path: str, text: str, header: str | None = None, value: str = "") -> str:
    """A location that responds at one path to clients that send a header."""
    guard = f"if ($http_{header} != '{value}') {{ return 401; }}" if header else ""
    return f"location = {path} {{ {guard} return 200 '{text}'; }}\n"


def pod(name: str) -> str:
    """The endpoint of EKS Pod Identity."""
    return location("/v1/credentials", json.dumps(KEYS[name].document()), "authorization", POD_TOKEN)


def instance(name: str) -> str:
    """The endpoint of EC2 with one session token."""
    token = ("x_aws_ec2_metadata_token", f"imds-token-of-{name}")
    document = json.dumps({"Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC"} | KEYS[name].document())
    return (location("/latest/api/token", token[1], "x_aws_ec2_metadata_token_ttl_seconds",
                     "$http_x_aws_ec2_metadata_token_ttl_seconds")
            + location(ROLES, "role", *token) + location(ROLES + "role", document, *token)
            + location("/latest/meta-data/placement/region", "eu-north-1", *token))  # fmt: skip


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    """The namespace with its addresses and the servers at them."""
    folder = tmp_path_factory.mktemp("link-local")
    blocks = [server(80, location("/v2/credentials/task", json.dumps(KEYS["task"].document())), host="169.254.170.2"),
              server(80, pod("pod4"), host="169.254.170.23"), server(80, pod("pod6"), host="[fd00:ec2::23]"),
              server(80, location("/c", json.dumps(KEYS["pod4"].document())), host=ELSEWHERE),
              server(80, instance("inst4"), host="169.254.169.254"), server(80, instance("inst6"), host="[fd00:ec2::254]")]  # fmt: skip
    with namespace() as space:
        for address in ADDRESSES:
            subprocess.run([*space.prefix, "ip", "address", "add", address, "dev", "lo"], check=True)
        with nginx(folder, blocks, (), prefix=space.prefix) as running:
            yield SimpleNamespace(prefix=space.prefix, nginx=running)


@pytest.fixture
def within(program, inside, ledger) -> Program:
    """The program inside the namespace."""
    known = AwsKeys(ledger)
    for key in KEYS.values():
        known.add(key)
    ledger.secret("the pod's token", POD_TOKEN)
    return program.behind(*inside.prefix)


RELATIVE, FULL, TOKEN_FILE = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)


@pytest.mark.parametrize("name, env", [
    ("task", {RELATIVE: "/v2/credentials/task"}),
    ("task", {RELATIVE: "/v2/credentials/task", FULL: "http://169.254.170.23/v1/credentials"}),
    ("pod4", {FULL: "http://169.254.170.23/v1/credentials", TOKEN_FILE: "{home}/pod-token"}),
    ("pod6", {FULL: "http://[fd00:ec2::23]/v1/credentials", TOKEN_FILE: "{home}/pod-token"}),
    ("inst4", {}),
    ("inst6", {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}),
    ("inst6", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::254]"}),
], ids=lambda value: value if isinstance(value, str) else "+".join(value) or "default")  # fmt: skip
def test_finds_what_botocore_finds(inside, within, audience, name, env):
    """The key is that of this address, whatever the proxy variables say."""
    (within.home / "pod-token").write_text(POD_TOKEN)
    given = {"AWS_REGION": "us-east-1"} | {variable: value.format(home=within.home) for variable, value in env.items()}
    # botocore uses no proxy for containers either. It would use HTTP_PROXY for EC2, so it runs without this variable.
    words = [*inside.prefix, PYTHON, "-B", HERE / "clients" / "botocore_credentials.py"]
    done = subprocess.run(words, env=within.environment(given), capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout) == {"found": [KEYS[name].id, KEYS[name].token]}
    run = within.run("aws", "--mode=caller-identity", f"--audience={audience}", env=given | PROXY)
    assert CallerIdentity(run.token).used == (KEYS[name].id, KEYS[name].token)


def test_the_region_of_the_instance(within, audience):
    """This region is used only if no other place names one."""
    run = within.run("aws", "--mode=caller-identity", f"--audience={audience}", env=PROXY)
    assert CallerIdentity(run.token).credential.region == "eu-north-1"


def test_the_pod_s_token_is_read_each_time(within, audience):
    """The token in the file is replaced between the runs."""
    env = {"AWS_REGION": "us-east-1", FULL: "http://169.254.170.23/v1/credentials", TOKEN_FILE: str(within.home / "pod-token")}
    (within.home / "pod-token").write_text("yesterday-s-token-4711")
    within.run("aws", "--mode=caller-identity", f"--audience={audience}", env=env).failed("DENIED", "401")
    (within.home / "pod-token").write_text(POD_TOKEN + "\n")
    assert within.run("aws", "--mode=caller-identity", f"--audience={audience}", env=env).token


def test_a_relative_uri_cannot_lead_elsewhere(inside, within, audience):
    """The request goes to the address of the container endpoint, whatever the URI is. The other host would give a
    session to everyone.
    """
    before = len(inside.nginx.requests(80))
    for uri in (
        f"@{ELSEWHERE}/c",
        f"http://{ELSEWHERE}/c",
        ":80@169.254.170.23/v1/credentials",
        "//169.254.170.23/v1/credentials",
    ):
        run = within.run(
            "aws",
            "--mode=caller-identity",
            f"--audience={audience}",
            "--timeout=3",
            env={"AWS_REGION": "us-east-1", RELATIVE: uri},
        )
        assert run.status != 0, run.described()
    assert all("host=169.254.170.2 " in line for line in inside.nginx.requests(80)[before:])
