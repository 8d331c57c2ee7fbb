"""Proves that the leak scan finds leaks; see support/leaks.py."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest

from support.leaks import Ledger
from support.program import Program
from support.signer import new_key, pem, some_token

SECRET = "p+l/u%s s:e&cret"


@pytest.mark.parametrize("text", [
    SECRET,
    f"client_secret={quote_plus(SECRET)}&grant_type=x",
    quote(SECRET, safe=""),
    "Basic " + base64.b64encode(SECRET.encode()).decode(),
])  # fmt: skip
def test_finds_each_spelling_of_a_secret(text):
    """The scanned text is a stdout that may contain a token."""
    found = Ledger()
    found.secret("the secret", SECRET)
    found.note("stdout", "all is well", may_hold_token=True)
    assert found.check() == []
    found.note("stdout", f"error: {text}", may_hold_token=True)
    assert found.check() and all("the secret" in line and SECRET not in line for line in found.check())


def test_finds_a_line_of_a_private_key():
    """Any one line of the PEM body is found, without its first and last line."""
    found, text = Ledger(), pem(new_key("RSA"))
    found.private_key("the key", text)
    found.note("the log", "-----BEGIN PRIVATE KEY-----")
    assert found.check() == []
    found.note("the log", text.splitlines()[7])
    assert len(found.check()) == 1


def test_finds_a_token_except_in_a_success():
    """A token, or its signature alone, is allowed only in the stdout of a success."""
    found, token = Ledger(), some_token()
    found.token("the token", token)
    found.note("the stdout of a success", token, may_hold_token=True)
    assert found.check() == []
    found.note("a log", token.rpartition(".")[2])
    assert len(found.check()) == 1


def test_a_run_of_the_program_is_scanned(tmp_path):
    """The scan reads stdout, stderr and the log file, and finds a secret in each of them."""
    betrayer = tmp_path / "betrayer"
    betrayer.write_text('#!/bin/sh\necho "$SECRET"; echo "$SECRET" >&2; echo "$SECRET" >"${2#--log-file=}"; exit 5\n')
    betrayer.chmod(0o755)
    (tmp_path / "home").mkdir()
    found = Ledger()
    found.secret("the secret", SECRET)
    run = Program(tmp_path / "home", found, betrayer).run("env", env={"SECRET": SECRET})
    assert (run.status, run.log.strip()) == (5, SECRET)
    assert {line.partition(" leaked into ")[2].split()[1] for line in found.check()} == {"stdout", "stderr", "log"}
