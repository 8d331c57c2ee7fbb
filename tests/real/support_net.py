"""Small tools for the network, fault, concurrency and crash tests: run `wif-token` in a clean environment, take its
answer apart, make subject tokens, wait for a condition.

The environment is built from nothing: a proxy, a trust store or a `GOOGLE_*` variable of the machine that runs the
tests must not decide a verdict.
"""

import base64
import json
import subprocess
import time
from dataclasses import dataclass

from support.places import PROGRAM, SYSTEM_PATH
from support.program import EXIT_STATUS

BIN = str(PROGRAM)
AUDIENCE = "//iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/pool/providers/idp"


def clean_env(**extra):
    """An environment with nothing in it that decides a verdict; `extra` adds or replaces."""
    env = {"PATH": SYSTEM_PATH, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
           "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE": AUDIENCE,
           "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": "urn:ietf:params:oauth:token-type:jwt"}
    return env | {name: str(value) for name, value in extra.items()}


@dataclass
class Outcome:
    """What one run printed, how it ended and how long it took (seconds)."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self):
        assert self.stdout.endswith("\n") and self.stdout.count("\n") == 1, f"not one line: {self!r}"
        return json.loads(self.stdout)

    def token(self):
        """The subject token of a success, after checking everything the contract says about a success."""
        assert (self.status, self.stderr) == (0, ""), self
        return token_of(self.document)

    def failure(self, kind):
        """The message of a failure of this kind, after checking document, exit status and stderr together."""
        document = self.document
        assert document["success"] is False and document["version"] == 1, self
        assert (document["code"], self.status) == (kind, EXIT_STATUS[kind]), self
        assert document["message"] and document["token_type"], self
        assert self.stderr.count("\n") == 1 and document["message"] in self.stderr, self
        return document["message"]


def token_of(document):
    """The subject token of a version-1 success document, its types checked."""
    assert document["version"] == 1 and document["success"] is True, document
    assert type(document["expiration_time"]) is int, document
    return document["id_token"]


def wif(*args, env=None, timeout=60, prefix=(), program=BIN, **popen):
    """Runs the program to its end and returns the Outcome; `prefix` is a launcher such as `ip netns exec X`."""
    popen.setdefault("stdin", subprocess.DEVNULL)
    began = time.monotonic()
    done = subprocess.run([*prefix, program, *args], env=env if env is not None else clean_env(), capture_output=True,
                          text=True, timeout=timeout, **popen)
    return Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def start(*args, env=None, **popen):
    """Starts the program and returns its Popen; the caller ends it (see `finish`)."""
    popen.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([BIN, *args], env=env if env is not None else clean_env(), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **popen)


def finish(child, began=0.0, timeout=60):
    """The Outcome of a started program."""
    stdout, stderr = child.communicate(timeout=timeout)
    return Outcome(child.returncode, stdout, stderr, time.monotonic() - began)


def jwt(lives=3600, **claims):
    """A JWT as a source would hand it over. Its signature is noise: `wif-token` reads tokens and verifies none."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = int(time.time())
    body = {"iss": "https://idp.example.test", "sub": "robot", "aud": AUDIENCE, "iat": now, "exp": now + lives} | claims
    return f"{part({'alg': 'RS256', 'kid': 'k1'})}.{part(body)}.{'c2ln' * 8}"


def claims_of(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
