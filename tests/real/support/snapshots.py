"""Whole outputs in files beside a test, with placeholders for what differs between runs.

    assert snapshot("check/broken/no-file.txt", setup.normalised(run.stdout)) is None

`UPDATE=1 pytest …` writes the files instead; review them with `git diff`.
"""

from __future__ import annotations

import difflib
import os
import re
import time
from datetime import datetime

from support.places import HERE

NEAR = 2 * 86400
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def snapshot(name: str, actual: str) -> str | None:
    """Compares an output with the file, and returns the difference; with UPDATE=1, writes the file instead."""
    path = HERE / name
    if os.environ.get("UPDATE") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(actual)
        return None
    expected = path.read_text() if path.exists() else ""
    lines = difflib.unified_diff(expected.splitlines(), actual.splitlines(), f"{name} (UPDATE=1 rewrites it)", "actual", lineterm="")
    return None if expected == actual else "\n".join(lines)


def slug(what: str) -> str:
    """Turns a text into the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-") + ".txt"


def normalised(text: str, values: dict[str, str]) -> str:
    """Replaces each value in a text by its name in braces, and each time near now by `{time}` or `{now}`.

    A random claim becomes `{jti}`, and the thumbprint of a key `{thumbprint}`. A duration becomes `{seconds}` if it
    depends on the time of the run: less than ten seconds, or years.
    """
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, "{" + name + "}") if value else text
    text = re.sub(r"\b127\.0\.0\.1:\d{5}\b", "127.0.0.1:{port}", text)
    text = re.sub(TIME, lambda found: _near(found[0], datetime.fromisoformat(found[0]).timestamp(), "{time}"), text)
    text = re.sub(r"\b\d{10}(\.\d+)?\b", lambda found: _near(found[0], float(found[0]), "{now}"), text)
    text = re.sub(r'"[0-9a-f]{16}"', '"{jti}"', text)
    text = re.sub(r'"[\w-]{43}"', '"{thumbprint}"', text)
    return re.sub(r"\b(\d|\d{7,})(?= s\b)", "{seconds}", text)


def _near(text: str, moment: float, name: str) -> str:
    return name if abs(moment - time.time()) < NEAR else text
