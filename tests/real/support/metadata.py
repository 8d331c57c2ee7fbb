"""Real Google clients without any credential file: they find a metadata server by the variables of their environment."""

from __future__ import annotations

from typing import Callable

from support.places import HERE, JARS, NODE_MODULES, PYTHON, need

JAVA_LIBRARIES = ("google-auth-library-oauth2-http", "google-auth-library-credentials", "google-http-client",
                  "google-http-client-jackson2", "jackson-core", "guava", "opencensus-api", "opencensus-contrib-http-util",
                  "grpc-context")  # fmt: skip


def python(*words: str) -> list:
    """The command of google-auth, on the Python that runs the tests."""
    return [PYTHON, HERE / "clients" / "metadata_client.py", *words]


def node(_mode: str, *audience: str) -> list:
    """The command of google-auth-library."""
    need("google-auth-library")
    return [need("node"), HERE / "clients" / "node_default.mjs", NODE_MODULES, "", *audience]


def rust(*_: str) -> list:
    """The command of google-cloud-auth, for an access token."""
    return [need("rust-client")]


def go(*words: str) -> list:
    """The command of golang.org/x/oauth2/google."""
    return [need("go-client"), *words]


def java(*words: str) -> list:
    """The command of google-auth-library-oauth2-http, with its dependencies at run time."""
    need("google-auth-java")
    path = ":".join(str(JARS / f"{name}.jar") for name in JAVA_LIBRARIES)
    # Java compiles the program first, with the fastest settings.
    return [need("java"), "-XX:TieredStopAtLevel=1", "-cp", path, HERE / "clients" / "MetadataClient.java", *words]


def gcloud(mode: str, *audience: str) -> list:
    """The command of gcloud, for an access token or an ID token."""
    command = "print-identity-token" if mode == "identity" else "print-access-token"
    return [need("gcloud"), "auth", command, "--quiet", *(f"--audiences={name}" for name in audience)]


ACCESS: dict[str, Callable[..., list]] = {"python": python, "node": node, "rust": rust, "go": go, "java": java, "gcloud": gcloud}
IDENTITY: dict[str, Callable[..., list]] = {"python": python, "node": node, "go": go, "java": java, "gcloud": gcloud}
