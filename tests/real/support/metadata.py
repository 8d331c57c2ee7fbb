"""Real Google clients without any credential file: they find a metadata server by the variables of their environment."""

from __future__ import annotations

from typing import Callable

from support.places import HERE, NODE_MODULES, PYTHON, need


def python(*words: str) -> list:
    """google-auth, on the Python that runs the tests."""
    return [PYTHON, HERE / "clients" / "metadata_client.py", *words]


def node(_mode: str, *audience: str) -> list:
    """google-auth-library."""
    need("google-auth-library")
    return [need("node"), HERE / "clients" / "node_default.mjs", NODE_MODULES, "", *audience]


def rust(*_: str) -> list:
    """google-cloud-auth, for an access token."""
    return [need("rust-client")]


def gcloud(mode: str, *audience: str) -> list:
    """gcloud, for either token."""
    command = "print-identity-token" if mode == "identity" else "print-access-token"
    return [need("gcloud"), "auth", command, "--quiet", *(f"--audiences={name}" for name in audience)]


ACCESS: dict[str, Callable[..., list]] = {"python": python, "node": node, "rust": rust, "gcloud": gcloud}
IDENTITY: dict[str, Callable[..., list]] = {"python": python, "node": node, "gcloud": gcloud}
