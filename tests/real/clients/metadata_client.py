"""A real client without any credential file: google-auth, which finds the metadata server of its environment.

    metadata_client.py access | identity AUDIENCE | compute_engine AUDIENCE | session URL | many COUNT

Prints `{"access_token": …}`, `{"id_token": …}`, `{"body": …}` or `{"tokens": […]}`; an error goes to stderr as the library words
it, exit status 1. https://googleapis.dev/python/google-auth/latest/reference/google.auth.compute_engine.html
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import google.auth
from google.auth import compute_engine
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.id_token import fetch_id_token

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def access() -> dict:
    """The token of the default credentials, and what the library says about them."""
    credentials, project = google.auth.default(scopes=SCOPES)
    credentials.refresh(Request())
    return {"access_token": credentials.token, "project": project, "email": credentials.service_account_email}


def identity(audience: str) -> dict:
    """Gets an ID token of the default credentials."""
    return {"id_token": fetch_id_token(Request(), audience)}


def of_compute_engine(audience: str) -> dict:
    """Gets an ID token of this server, without the search for default credentials."""
    credentials = compute_engine.IDTokenCredentials(Request(), audience, use_metadata_identity_endpoint=True)
    credentials.refresh(Request())
    return {"id_token": credentials.token}


def session(url: str) -> dict:
    """The response of an API to a session with the default credentials."""
    credentials, _ = google.auth.default(scopes=SCOPES)
    response = AuthorizedSession(credentials).get(url)
    response.raise_for_status()
    return {"body": response.text}


def many(count: str) -> dict:
    """The tokens of this many clients that request them at the same time."""
    gate = threading.Barrier(int(count))

    def one(_) -> str:
        credentials = compute_engine.Credentials(scopes=SCOPES)
        gate.wait()
        credentials.refresh(Request())
        return credentials.token

    with ThreadPoolExecutor(int(count)) as pool:
        return {"tokens": list(pool.map(one, range(int(count))))}


try:
    mode, *more = sys.argv[1:]
    modes = {"access": access, "identity": identity, "compute_engine": of_compute_engine, "session": session, "many": many}
    print(json.dumps(modes[mode](*more)))
except (GoogleAuthError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
