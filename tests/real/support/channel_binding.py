"""Starts servers/acceptor.py, which checks channel bindings, and reads its judgements."""

from __future__ import annotations

import contextlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from servers.authority import Certificate
from support.oidc_provider import json_lines
from support.places import HERE, PYTHON, SYSTEM_PATH, missing
from support.processes import listens, serving


@dataclass(frozen=True)
class Acceptor:
    """A running acceptor."""

    url: str
    log: Path

    @property
    def judgements(self) -> list[dict]:
        """The judgements, oldest first."""
        return json_lines(self.log)


@contextlib.contextmanager
def acceptor(folder: Path, certificate: Certificate, port: int, behind: int, keytab: Path, env: dict[str, str],
             mode: str) -> Iterator[Acceptor]:  # fmt: skip
    """Runs an acceptor until the block ends."""
    if importlib.util.find_spec("gssapi") is None:
        missing("the Python package gssapi is not installed")
    settings, log = folder / f"acceptor-{port}.json", folder / f"acceptor-{port}.log"
    settings.write_text(json.dumps({"port": port, "certificate": str(certificate.cert), "key": str(certificate.key),
                                    "keytab": str(keytab), "behind": behind, "mode": mode}))  # fmt: skip
    own = {"PATH": SYSTEM_PATH, "KRB5RCACHENAME": f"file2:{folder}/replay-{port}", **env}
    with serving([PYTHON, HERE / "servers" / "acceptor.py", settings], log, own, lambda: listens(port)):
        yield Acceptor(f"https://localhost:{port}", log)
