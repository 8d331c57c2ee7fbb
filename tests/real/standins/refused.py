"""A refusal in the forms that Google's services use.

OAuth errors of the Security Token Service: RFC 6749 section 5.2, https://www.rfc-editor.org/rfc/rfc6749#section-5.2
Errors of Google Cloud APIs: https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

from standins.loopback import Answer


class Refused(Exception):
    """A refusal of the token service: an OAuth error code and Google's text."""

    def __init__(self, error: str, description: str):
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description

    def answer(self) -> Answer:
        """HTTP 400 with the two OAuth members."""
        return Answer(400, {"error": self.error, "error_description": self.description})


class ApiRefused(Exception):
    """A refusal of a Google Cloud API: status number, text, status word, details."""

    def __init__(self, code: int, message: str, status: str, details: list[dict] | None = None):
        super().__init__(f"{code} {status}: {message}")
        self.code = code
        self.body = {"error": {"code": code, "message": message, "status": status}}
        if details:
            self.body["error"]["details"] = details

    def answer(self) -> Answer:
        """The HTTP status with the `error` object."""
        return Answer(self.code, self.body)
