"""The manual by mandoc and groff, and the completions by the shells themselves, typed at a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
import time

import pytest

from conftest import PACKAGING, ROOT, run

MANUAL = PACKAGING / "manual" / "wif-token.1"
COMPLETIONS = PACKAGING / "completions"


def typed(shell: list[str], start: str, line: str) -> str:
    """What a shell at a terminal shows after a line that ends with the Tab key."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update({"TERM": "dumb", "PS1": "", "HOME": "/nonexistent", "COLUMNS": "1000"})
        os.execvp(shell[0], shell)
    try:
        read(terminal, "")
        os.write(terminal, f"{start}; echo rea''dy\n".encode())
        read(terminal, "ready")
        os.write(terminal, line.encode())
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x07", "", read(terminal, ""))
    finally:
        os.kill(process, 9)
        os.close(terminal)
        os.waitpid(process, 0)


def read(terminal: int, until: str) -> str:
    """What comes until that word, or until nothing has come for a second."""
    said, end = "", time.monotonic() + 30
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 30 if until and until not in said else 1)[0]:
            break
        said += os.read(terminal, 65536).decode(errors="replace")
    return said


def bash(line: str) -> str:
    return typed(["bash", "--norc", "--noprofile", "-i"], f"bind 'set bell-style none'; source {COMPLETIONS}/wif-token.bash", line + "\t\t")


def zsh(line: str) -> str:
    start = f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D; unsetopt menu_complete; zstyle ':completion:*' menu no"
    return typed(["zsh", "-f", "-i"], start, line + "\t\t")


def fish(line: str) -> str:
    return run("fish", "--no-config", "-c", f"source {COMPLETIONS}/wif-token.fish; complete -C '{line}'").stdout


def test_the_manual():
    """Without a word from either formatter; every source and option that the help names is in it."""
    assert run("mandoc", "-Tlint", MANUAL).stdout == ""
    shown = run("groff", "-ww", "-man", "-Tutf8", MANUAL)
    assert shown.stderr == ""
    text = re.sub(".\b", "", run("man", "--local-file", MANUAL, env={"MANWIDTH": "200"}).stdout)
    for heading in ("NAME", "SYNOPSIS", "SOURCES", "ENVIRONMENT", "EXIT STATUS", "FILES", "EXAMPLES"):
        assert f"\n{heading}\n" in text
    assert "--output-file=PATH" in text and "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE" in text


@pytest.mark.parametrize("command", [("bash", "-n", "wif-token.bash"), ("zsh", "-n", "_wif-token"), ("fish", "-n", "wif-token.fish"),
                                     ("shellcheck", "--shell=bash", "wif-token.bash")])  # fmt: skip
def test_syntax(command):
    """As each shell parses it."""
    run(*command[:-1], COMPLETIONS / command[-1])


@pytest.mark.parametrize("shell", [bash, zsh, fish])
@pytest.mark.parametrize("line, offered", [
    ("wif-token ", ["file", "oidc", "adfs", "help"]),
    ("wif-token help ", ["file", "oidc", "adfs"]),
    ("wif-token config ", ["file", "oidc"]),
    ("wif-token access-token --format=", ["header"]),
    ("wif-token oidc --client-", ["--client-id", "--client-secret", "--client-key", "--client-cert"]),
    ("wif-token oidc --auth=", ["basic", "post", "private-key-jwt", "mtls"]),
    ("wif-token oidc --client-secret=", ["env:", "file:"]),
    ("wif-token file --format=", ["json", "text"]),
])  # fmt: skip
def test_what_a_shell_offers(shell, line, offered):
    """Sources, options and the words that an option takes."""
    said = shell(line)
    for word in offered:
        assert word in said.replace(line, "", 1), said


@pytest.mark.parametrize("shell", [bash, zsh])
@pytest.mark.parametrize("line, completed", [
    ("wif-token oi", "wif-token oidc "),
    ("wif-token oidc --iss", "wif-token oidc --issuer="),
    ("wif-token file --format=te", "wif-token file --format=text "),
    ("wif-token oidc --client-secret=f", "wif-token oidc --client-secret=file:"),
    ("wif-token file --path=/etc/hostn", "wif-token file --path=/etc/hostname"),
    ("wif-token oidc --client-secret=file:/etc/hostn", "wif-token oidc --client-secret=file:/etc/hostname"),
])  # fmt: skip
def test_what_a_shell_completes(shell, line, completed):
    """What is unique is written out, with a blank where a word ends."""
    assert completed in shell(line)


def test_the_options_of_one_source_alone():
    """Those of another are not offered."""
    assert "--keytab" not in bash("wif-token file --") and "--keytab" in bash("wif-token adfs --")


AUDIENCE = "//iam.googleapis.com/projects/my-project/locations/global/workloadIdentityPools/my-pool/providers/my-provider"
CONFIGURATION = {
    "type": "external_account",
    "audience": AUDIENCE,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "service_account_impersonation_url":
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/app@my-project.iam.gserviceaccount.com:generateAccessToken",
    "credential_source": {"executable": {
        "command": "/usr/local/bin/wif-token key --key=/etc/opt/my-app/key.pem --issuer=https://my-app.example.com --subject=host-1",
        "timeout_millis": 30000,
        "output_file": "/run/my-app/subject-token.json",
    }},
}  # fmt: skip


def timeless(shown: str) -> str:
    """Without what each run has of its own: times, the key, and the length that they give the token."""
    return re.sub(r"\d{10}|\d{4}-\d\d-\d\dT[0-9:]+Z|\d+(?= bytes)|(?<=kid = )\S+", "…", shown)


def test_what_the_readme_shows_of_check(static, system):
    """The README's example is what the program prints; the picture is of that."""
    system.put("/usr/local/bin/wif-token", static / "wif-token")
    system.run("chmod", "755", "/usr/local/bin/wif-token")
    system.put("/etc/opt/my-app/credentials.json", json.dumps(CONFIGURATION))
    (system.folder / "run/my-app").mkdir()
    system.run("/usr/local/bin/wif-token", "key", "--key=/etc/opt/my-app/key.pem", "--generate", "--issuer=https://my-app.example.com",
               "--subject=host-1", "--audience=a", "--output-file=/run/my-app/subject-token.json")  # fmt: skip
    variables = {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/opt/my-app/credentials.json", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
    done = system.run("/usr/local/bin/wif-token", "check", "--offline", env=variables, check=False)
    readme = (ROOT / "README.md").read_text()
    assert timeless(f"```text\n$ wif-token check --offline\n{done.stdout}```") in timeless(readme), done.stdout
    drawn = run(sys.executable, PACKAGING / "picture").stdout
    assert (PACKAGING / "check.svg").read_text() == drawn
