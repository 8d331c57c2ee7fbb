"""`check` on a terminal: in color and wrapped between words, with each check as soon as it has run, and the first fix at the end."""

import json
import time

import pytest

from support.program import PREFIX
from support.terminal import on_terminal

WIDTH = 80  # the width of a terminal that does not report one
LINK = ("ok", "warning", "error", "skipped")


@pytest.fixture
def check(program, audience, tmp_path):
    """Runs `check` of a configuration whose command is another program, on a terminal."""

    def run(command: str, *options, env: dict[str, str] | None = None, person=lambda text: True):
        path = tmp_path / "configuration.json"
        path.write_text(json.dumps({
            "type": "external_account", "audience": audience, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"executable": {"command": command, "output_file": str(tmp_path / "none" / "output.json")}},
        }))  # fmt: skip
        env = program.environment({f"{PREFIX}ALLOW_EXECUTABLES": "1", "TERM": "xterm", **(env or {})})
        return on_terminal([program.path, "check", f"--credentials={path}", *options], env, person=person)

    return run


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_color(check, env):
    """The user has turned color off, or the terminal does not support it."""
    status, text = check("/bin/false", "--offline", env=env)
    assert status == 6 and "\x1b" not in text
    report, summary = text.split("\n\n")
    assert all(line.split(" ")[0] in LINK for line in report.splitlines() if line[:1] != " ")
    assert all(len(line) <= WIDTH or " " not in line.strip()[30:] for line in text.splitlines()), "wrapped between words"
    assert " checks passed, " in summary and ". Fix first (" in summary.replace("\n", " ")


def test_in_color(check):
    """Passed checks are green and failed ones red; the last line has the color of the worst status."""
    _, text = check("/bin/false", "--offline", env={"NO_COLOR": ""})
    assert text.startswith("\x1b[32mok      \x1b[0m configuration")
    assert "\x1b[31merror   \x1b[0m" in text and text.split("\n\n")[1].startswith("\x1b[31m")


def test_each_check_is_shown_as_soon_as_it_has_run(check, tmp_path):
    """The first checks are shown while the program still runs."""
    program = tmp_path / "slow"
    program.write_text("#!/bin/sh\nsleep 3\n")
    program.chmod(0o755)
    seen = []

    def person(text):
        seen.append(("ok" in text and "source" not in text, time.monotonic()))
        return False

    status, text = check(str(program), person=person)
    assert status == 7 and text.count(" timeout  ") == 1, "each check once"
    assert seen[0][0] and seen[-1][1] - seen[0][1] > 2


def test_a_run_that_reaches_its_deadline(check, tmp_path):
    """The report still shows the remaining checks and the summary."""
    program = tmp_path / "slow"
    program.write_text("#!/bin/sh\nsleep 30\n")
    program.chmod(0o755)
    status, text = check(str(program), "--timeout=2")
    assert status == 6 and text.count(" timeout  ") == 1 and ". Fix first (" in text.split("\n\n")[1].replace("\n", " ")
