"""The linters shellcheck and ruff report nothing about the scripts and the tests."""

from __future__ import annotations

import sys

from conftest import ROOT, files, run


def scripts(word: str, suffix: str | None = None):
    """The files with this suffix, or with this word in their first line, except those in a folder `home`, which are
    inputs of tests.
    """
    found = [path for path in files() if path.suffix == suffix or word in first_line(path)]
    return [path for path in found if "home" not in path.relative_to(ROOT).parts]


def first_line(path) -> str:
    """The first line of a file if it names an interpreter, otherwise an empty string."""
    with path.open("rb") as file:
        line = file.readline(100)
    return line.decode() if line.startswith(b"#!") else ""


def test_shell():
    """shellcheck reports nothing, including the files that the scripts source."""
    found = scripts("sh")
    assert len(found) > 10
    run("shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *found)


def test_python():
    """ruff reports nothing, including in the files without a suffix."""
    found = scripts("python", ".py")
    assert len(found) > 100
    run(sys.executable, "-m", "ruff", "check", "--no-cache", *found, cwd=ROOT)
