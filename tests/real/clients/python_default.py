"""A real client: google-auth with application default credentials, as every Python client library uses it.

    python_default.py URL [AUDIENCE]

Requests to Google's own hosts go to URL. Prints `{"access_token": …}`, or `{"id_token": …}` for an audience; the error of the library
goes to
stderr, with exit status 1.
https://googleapis.dev/python/google-auth/latest/reference/google.auth.html
"""

import json
import sys
from urllib.parse import urlsplit

import google.auth
from google.auth import credentials, external_account, impersonated_credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from requests.adapters import HTTPAdapter

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
real_send = HTTPAdapter.send


def led_to(standin: str):
    """The `send` of the HTTP library, with this server in place of Google's."""
    def send(self, request, *arguments, **more):
        url = urlsplit(request.url)
        if url.scheme == "https" and url.hostname.endswith(".googleapis.com"):
            request.url = standin + request.path_url
        return real_send(self, request, *arguments, **more)

    return send


def main(standin: str, audience: str = ""):
    """Gets one token."""
    HTTPAdapter.send = led_to(standin)
    # Requests for a region and a project, on which no token depends.
    external_account.Credentials.get_project_id = lambda *_, **__: None
    credentials.CredentialsWithRegionalAccessBoundary._maybe_start_regional_access_boundary_refresh = lambda *_: None
    found, _ = google.auth.default(scopes=SCOPES)
    if not audience:
        found.refresh(Request())
        print(json.dumps({"access_token": found.token}))
        return
    if isinstance(found, impersonated_credentials.Credentials):
        of_account = impersonated_credentials.IDTokenCredentials(found, target_audience=audience, include_email=True)
        of_account.refresh(Request())
        print(json.dumps({"id_token": of_account.token}))
        return
    print(json.dumps({"id_token": id_token.fetch_id_token(Request(), audience)}))


try:
    main(*sys.argv[1:])
except (GoogleAuthError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
