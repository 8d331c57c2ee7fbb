"""A refusal in the forms that AWS uses.

The query protocol's XML: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and
https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#operation-error-serialization; the JSON of SSO and its OIDC service.
"""

from __future__ import annotations

import uuid
from xml.sax.saxutils import escape

from standins.loopback import Answer

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class AwsRefused(Exception):
    """A refusal of an AWS service: HTTP status, error code, text."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def xml(self) -> Answer:
        """The response of STS."""
        kind = "Sender" if self.status < 500 else "Receiver"
        body = (f'<ErrorResponse xmlns="{NAMESPACE}">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{escape(self.code)}</Code>\n'
                f"    <Message>{escape(self.message)}</Message>\n  </Error>\n  <RequestId>{uuid.uuid4()}</RequestId>\n"
                "</ErrorResponse>\n")  # fmt: skip
        return Answer(self.status, body, {"Content-Type": "text/xml"})

    def json(self, **more: str) -> Answer:
        """The response of the SSO portal and its OIDC service; the latter adds `error` and `error_description`."""
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": self.code}
        return Answer(self.status, {"message": self.message, "__type": self.code, **more}, headers)
