"""AWS on loopback: the keys of one account, and the services that issue and check them, each on its own port.

aws = Aws(ledger)
key = aws.keys.user("alice")
…a program runs with aws.environment() | key.environment()…
aws.sts.calls[-1].parameters
"""

from __future__ import annotations

from standins.aws_keys import AwsKeys
from standins.aws_metadata import ContainerEndpoint, Imds
from standins.aws_sso import AwsSso
from standins.aws_sts import AwsSts

REGION = "us-east-1"


class Aws:
    """One running account; a test makes its own."""

    def __init__(self, ledger=None):
        self.keys = AwsKeys(ledger)
        self.sts = AwsSts(self.keys, REGION)
        self.sso = AwsSso(self.keys, ledger)
        self.container = ContainerEndpoint()
        self.imds = Imds(REGION)

    def environment(self) -> dict[str, str]:
        """The region in both variables, and every endpoint of an SDK, all on this machine."""
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "AWS_ENDPOINT_URL_SSO": self.sso.url,
            "AWS_ENDPOINT_URL_SSO_OIDC": self.sso.url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.url,
        }

    def close(self):
        """Stops all servers."""
        for service in (self.sts, self.sso, self.container, self.imds):
            service.close()
