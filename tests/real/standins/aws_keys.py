"""Access keys of an AWS account that exists only here. A key contains its name, so a test sees which one was used."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import dataclass
from urllib.parse import quote

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class AccessKey:
    """One access key and its owner."""

    id: str
    secret: str
    arn: str
    token: str | None = None
    expires: float | None = None  # epoch seconds

    @property
    def principal(self) -> str:
        """The IAM user, or for a session the IAM role: the `sub` of GetWebIdentityToken."""
        role = re.fullmatch(r"arn:aws:sts::(\d+):assumed-role/([^/]+)/.*", self.arn)
        return f"arn:aws:iam::{role[1]}:role/{role[2]}" if role else self.arn

    @property
    def expiration(self) -> str | None:
        """The expiry in the form of AWS's responses."""
        return None if self.expires is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.expires))

    def environment(self) -> dict[str, str]:
        """The variables that the SDKs read."""
        found = {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}
        return found | ({"AWS_SESSION_TOKEN": self.token} if self.token else {})

    def profile(self) -> str:
        """The lines of a profile in a shared file."""
        return "".join(f"{name.lower()} = {value}\n" for name, value in self.environment().items())

    def document(self, token_name: str = "Token") -> dict:
        """The JSON of the metadata and container endpoints; with `SessionToken`, that of a credential_process."""
        found = {"AccessKeyId": self.id, "SecretAccessKey": self.secret, token_name: self.token, "Expiration": self.expiration}
        return {name: value for name, value in found.items() if value is not None}


def derived(purpose: str, name: str) -> str:
    """Derives 40 characters from the name and the purpose; no other name gives the same characters."""
    return base64.b64encode(hashlib.sha256(f"{purpose} {name}".encode()).digest()).decode()[:40]


def user_key(name: str) -> AccessKey:
    """The key of a user: it has no session token and no expiry."""
    return AccessKey(
        "AKIA" + re.sub(r"\W", "", name).upper().ljust(16, "X")[:16],
        derived("secret", name),
        f"arn:aws:iam::{ACCOUNT}:user/{name}",
    )


def session_key(name: str, seconds: float = 3600, role: str | None = None) -> AccessKey:
    """The key of a session; the same name always has the same key."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role or name}/session"
    key_id = "ASIA" + re.sub(r"\W", "", name).upper().ljust(16, "X")[:16]
    token = "IQoJ" + "".join(derived(f"token {part}", name) for part in range(6))
    return AccessKey(key_id, derived("secret", name), arn, token, time.time() + seconds)


class AwsKeys:
    """The keys that AWS knows. `ledger`, if there is one, scans for their secrets and session tokens."""

    def __init__(self, ledger=None):
        self._keys: dict[str, AccessKey] = {}
        self._ledger = ledger

    def add(self, key: AccessKey, is_printed: bool = False) -> AccessKey:
        """Registers a key and returns it. If the program prints its secret as a result, the secret is treated like a
        token.
        """
        assert self._keys.get(key.id, key).secret == key.secret, f"two keys are called {key.id}"
        self._keys[key.id] = key
        if self._ledger is not None:
            register = self._ledger.token if is_printed else self._ledger.secret
            register(f"the secret of {key.id}", key.secret)
            if key.token:
                self._ledger.token(f"the session token of {key.id}", key.token)
                self._ledger.token(f"the session token of {key.id} (percent-encoded)", quote(key.token, safe=""))
        return key

    def user(self, name: str) -> AccessKey:
        """Registers the key of a user, and returns it."""
        return self.add(user_key(name))

    def session(self, name: str, seconds: float = 3600, role: str | None = None) -> AccessKey:
        """Registers the key of a session, and returns it."""
        return self.add(session_key(name, seconds, role))

    def find(self, key_id: str) -> AccessKey | None:
        """The key with this ID."""
        return self._keys.get(key_id)
