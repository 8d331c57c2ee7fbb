"""The rows of the `aws` source: a signed GetCallerIdentity request against `cat`, a web identity token against one signed
`curl` POST and against boto3, all three from the same server.
"""

import os
import subprocess
from pathlib import Path

from measure import Command, document
from rows import ENV, Row

KEY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
       "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
FORM = ("Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=https%3A%2F%2Fiam.googleapis.com%2Fp&"
        "SigningAlgorithm=RS256&DurationSeconds=3600")

# The same call, as AWS documents it for Python.
BOTO3 = """
import boto3, sys
sts = boto3.client("sts", endpoint_url=sys.argv[1], verify=sys.argv[2])
print(sts.get_web_identity_token(Audience=["https://iam.googleapis.com/p"], SigningAlgorithm="RS256",
                                 DurationSeconds=3600)["WebIdentityToken"])
"""


def aws_rows(binaries, far, folder):
    """Returns all rows; those with a server only if there is one, and the one with boto3 only if it is installed."""
    made = [caller_identity(build, path, folder) for build, path in binaries.items()]
    return made + (web_identity_token(binaries["release"], far) if far else [])


def caller_identity(build, path, folder):
    """The row for a signature with keys from the environment; nothing is cached, and no network is used. The peer
    prints a file with the same content."""
    ours = Command([path, "aws", "--mode=caller-identity"], ENV | KEY)
    answer = folder / "caller-identity.json"
    assert document(ours)["id_token"].startswith("%7B"), "not a percent-encoded request"
    answer.write_text(ours.output())
    peer = Command(["cat", str(answer)], ENV)
    return Row(f"aws, caller identity, {build} build : cat", "wall", 1.5, ours, peer)


def web_identity_token(path, far):
    """The rows for one signed POST over https, with the same CA; nothing is cached."""
    env = ENV | KEY
    ours = Command([path, "aws", f"--sts-endpoint={far.issuer}/", f"--ca-file={far.ca}"], env)
    curl = Command(["curl", "-sS", "--cacert", str(far.ca), "--aws-sigv4", "aws:amz:us-east-1:sts", "--user",
                    f"{KEY['AWS_ACCESS_KEY_ID']}:{KEY['AWS_SECRET_ACCESS_KEY']}", "-d", FORM, f"{far.issuer}/"], env)
    assert document(ours)["id_token"] in curl.output()
    made = [Row("aws, jwt, own CA : curl --aws-sigv4", "wall", 1.05, ours, curl)]
    if python := python_with("boto3"):
        boto3 = Command([python, "-c", BOTO3, f"{far.issuer}/", str(far.ca)], env)
        assert boto3.output().strip() == document(ours)["id_token"]
        made.append(Row("aws, jwt, own CA : boto3", "wall", 0.05, ours, boto3))
    return made


def test_cache():
    """The directory into which tests/real/install installs."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("WIF_TOKEN_TEST_CACHE") or home / "wif-token-tests")


def python_with(module):
    """The Python of tests/real/install if it has this module, otherwise the default Python if it does; None if neither
    has it."""
    for python in (str(test_cache() / "venv" / "bin" / "python"), "python3"):
        try:
            if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
                return python
        except OSError:
            continue
    print(f"the row with {module} needs tests/real/install: not measured")
    return None
