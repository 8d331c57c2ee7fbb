"""A real client: google-auth, the library under the Python client libraries and Ansible, on one credential configuration.

    python_client.py CONFIGURATION [refresh|interactive|revoke|file-sourced]

Prints `{"access_token": …}`; the error of the library goes to stderr, with exit status 1.
https://googleapis.dev/python/google-auth/latest/reference/google.auth.pluggable.html
"""

import json
import sys

from google.auth import identity_pool
from google.auth.exceptions import GoogleAuthError
from google.auth.pluggable import Credentials
from google.auth.transport.requests import Request

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def main(configuration: str, mode: str = "refresh"):
    """Gets one access token, or revokes the credentials."""
    # google.auth.default() would look up the project number at cloudresourcemanager.googleapis.com.
    if mode == "file-sourced":
        credentials = identity_pool.Credentials.from_file(configuration, scopes=SCOPES)
    else:
        credentials = Credentials.from_file(configuration, scopes=SCOPES, interactive=mode in ("interactive", "revoke"))
    if mode == "revoke":
        credentials.revoke(Request())
        print(json.dumps({"revoked": True}))
        return
    credentials.refresh(Request())
    print(json.dumps({"access_token": credentials.token}))


try:
    main(*sys.argv[1:])
except (GoogleAuthError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
