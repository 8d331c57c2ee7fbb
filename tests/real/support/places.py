"""Where things are: this folder, the cache that `tests/real/install` fills, the program under test."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).resolve().parent.parent
CACHE = Path(
    os.environ.get("WIF_TOKEN_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wif-token-tests"
)
PROGRAM = Path(os.environ.get("WIF_TOKEN_BIN") or HERE.parent.parent / "target" / "release" / "wif-token").resolve()
NODE_MODULES = CACHE / "node" / "node_modules"
PYTHON = Path(sys.executable)
PARTIES_PYTHON = CACHE / "relying-parties" / "bin" / "python3"
VENV_BIN = CACHE / "venv" / "bin"
JARS = Path("/usr/share/java")
RUST_CLIENT = CACHE / "rust-client" / "debug" / "rust-client"
AWS_SIGNATURE = CACHE / "aws-signature" / "debug" / "aws-signature"
SYSTEM_PATH = os.pathsep.join(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"])

# Clients that tests/real/install does not install: if one of them is absent, the test is skipped.
OPTIONAL = {"gcloud", "gsutil", "bq", "gke-gcloud-auth-plugin", "terraform"}


def need(name: str) -> Path:
    """The path of a tool. If it is absent, `missing` is called; if it is optional, the test is skipped."""
    if found := locate(name):
        return found
    if name in OPTIONAL:
        pytest.skip(f"{name} is not installed")
    missing(f"{name} is not installed: run tests/real/install")


def missing(what: str) -> NoReturn:
    """Reports what cannot be tested here: a failure if CI=true, otherwise a skip."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"cannot be tested here: {what}", pytrace=False)
    pytest.skip(what)


def locate(name: str) -> Path | None:
    """The path of a tool or of a part of the cache, or None."""
    parts = {"oidc-provider": NODE_MODULES / "oidc-provider", "google-auth-library": NODE_MODULES / "google-auth-library",
             "actions-core": NODE_MODULES / "@actions" / "core",
             "rust-client": RUST_CLIENT, "go-client": CACHE / "go-client" / "go-client",
             "grpc-client": CACHE / "grpc-client" / "grpc-client",
             "google-auth-java": JARS / "google-auth-library-oauth2-http.jar", "aws-signature": AWS_SIGNATURE, "bao": VENV_BIN / "bao",
             "ministack": VENV_BIN / "ministack", "kube-apiserver": CACHE / "kubernetes" / "kube-apiserver",
             "kubectl": CACHE / "kubernetes" / "kubectl", "the SDKs of relying parties": PARTIES_PYTHON}  # fmt: skip
    if name.startswith("kubectl-"):
        parts[name] = CACHE / "kubectl" / name
    if name in parts:
        return parts[name] if parts[name].exists() else None
    found = shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)
    return Path(found) if found else None
