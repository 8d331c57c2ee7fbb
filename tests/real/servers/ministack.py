"""ministack: IAM and STS of AWS that check signatures, in one process on loopback.

https://github.com/ministackorg/ministack — with AUTH=true it verifies SigV4, session tokens, dates and IAM policies. Its root
key `test` is never checked, so it only creates the users and roles that the tests use.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import boto3
import requests

from standins.aws_keys import AccessKey
from standins.aws_refused import AwsRefused
from standins.sigv4 import SignedRequest
from support.places import SYSTEM_PATH, need
from support.processes import free_port, serving

REGION = "us-east-1"
ROOT = AccessKey("test", "test", "arn:aws:iam::000000000000:root")
ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
ANYBODY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})  # fmt: skip


@dataclass(frozen=True)
class Ministack:
    """One running server."""

    url: str
    account: str = "000000000000"

    def client(self, service: str, key: AccessKey = ROOT):
        """Creates a boto3 client with this key."""
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, aws_access_key_id=key.id,
                            aws_secret_access_key=key.secret, aws_session_token=key.token)  # fmt: skip

    def user(self, name: str, policy: str | None = ANYTHING) -> AccessKey:
        """Creates a user, and returns its access key. Without a policy, the user may only call GetCallerIdentity."""
        iam = self.client("iam")
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        if policy:
            iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=policy)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], arn)

    def role(self, name: str, policy: str | None = ANYTHING) -> str:
        """Creates a role that every user may assume, and returns its ARN."""
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=ANYBODY)["Role"]["Arn"]
        if policy:
            iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=policy)
        return arn

    def session(self, role: str, user: AccessKey) -> AccessKey:
        """Assumes a role as a user, and returns the key of the session."""
        made = self.client("sts", user).assume_role(RoleArn=role, RoleSessionName="session")
        found = made["Credentials"]
        return AccessKey(found["AccessKeyId"], found["SecretAccessKey"], made["AssumedRoleUser"]["Arn"], found["SessionToken"],
                         found["Expiration"].timestamp())  # fmt: skip

    def perform(self, request: SignedRequest) -> str:
        """Sends a signed GetCallerIdentity request as Google does, with the Host of AWS to the address of this server,
        and returns the ARN of the caller.
        """
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        try:
            connection.putrequest(request.method, f"{request.path}?{request.query}", skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode()
        finally:
            connection.close()
        found = {re.sub(r"\{.*\}", "", element.tag): element.text for element in ElementTree.fromstring(text).iter()}
        if status != 200:
            raise AwsRefused(status, found.get("Code", ""), found.get("Message", ""))
        return found["Arn"]


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[Ministack]:
    """Runs a server that stores everything in memory, until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder), "TMPDIR": str(folder), "AUTH": "true", "BIND_HOST": "127.0.0.1",
           "GATEWAY_PORT": str(port), "MINISTACK_IMDS_V2_REQUIRED": "1", "SERVICES": "iam,sts", "SFTP_ENABLED": "0"}  # fmt: skip

    def ready() -> bool:
        return requests.get(url + "/_ministack/health", timeout=2).status_code == 200

    with serving([need("ministack")], folder / "ministack.log", env, ready):
        yield Ministack(url)
