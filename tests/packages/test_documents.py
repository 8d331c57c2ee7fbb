"""The manual with mandoc and groff, the completions in each shell on a terminal, and the YAML of the pages."""

from __future__ import annotations

import os
import pty
import re
import select
import time

import pytest
from pages import blocks

from conftest import CACHE, PACKAGING, run

MANUAL = PACKAGING / "manual" / "wif-token.1"
COMPLETIONS = PACKAGING / "completions"


def typed(shell: list[str], start: str, line: str) -> str:
    """Types a line that ends with the Tab key into a shell on a terminal, and returns what the shell shows."""
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
    """Reads the output until this word appears, or until nothing has been printed for a second."""
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
    """Neither formatter reports a problem, and every source and option that the help names is in the manual."""
    assert run("mandoc", "-Tlint", MANUAL).stdout == ""
    shown = run("groff", "-ww", "-man", "-Tutf8", MANUAL)
    assert shown.stderr == ""
    text = re.sub(".\b", "", run("man", "--local-file", MANUAL, env={"MANWIDTH": "200"}).stdout)
    for heading in ("NAME", "SYNOPSIS", "SOURCES", "COMMANDS", "HELPERS", "ENVIRONMENT", "EXIT STATUS", "FILES", "EXAMPLES"):
        assert f"\n{heading}\n" in text
    assert "--output-file=PATH" in text and "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE" in text


@pytest.mark.parametrize("command", [("bash", "-n", "wif-token.bash"), ("zsh", "-n", "_wif-token"), ("fish", "-n", "wif-token.fish"),
                                     ("shellcheck", "--shell=bash", "wif-token.bash")])  # fmt: skip
def test_syntax(command):
    """Each shell parses its completions."""
    run(*command[:-1], COMPLETIONS / command[-1])


@pytest.mark.parametrize("shell", [bash, zsh, fish])
@pytest.mark.parametrize("line, offered", [
    ("wif-token ", ["file", "oidc", "adfs", "helper"]),
    ("wif-token help ", ["file", "oidc", "adfs"]),
    ("wif-token config ", ["file", "oidc"]),
    ("wif-token completions ", ["bash", "zsh", "fish", "powershell"]),
    ("wif-token man ", ["docker-credential-wif-token", "git-credential-wif-token"]),
    ("wif-token access-token --format=", ["header"]),
    ("wif-token keep ", ["file", "id-token"]),
    ("wif-token keep id-token --", ["--for", "--include-email", "--output-file", "--timeout"]),
    ("wif-token config certificate --", ["--cert-path", "--pool-provider"]),
    ("wif-token config oidc --", ["--issuer", "--exit-zero"]),
    ("wif-token keep oidc --", ["--issuer", "--output-file", "--audience"]),
    ("wif-token oidc --client-", ["--client-id", "--client-secret", "--client-key", "--client-cert"]),
    ("wif-token oidc --auth=", ["basic", "post", "private-key-jwt", "mtls"]),
    ("wif-token oidc --client-secret=", ["env:", "file:"]),
    ("wif-token file --format=", ["json", "text"]),
    ("wif-token helper docker ", ["get", "list", "store", "erase"]),
    ("wif-token helper docker --", ["--allow-host", "--service-account", "--timeout"]),
])  # fmt: skip
def test_what_a_shell_offers(shell, line, offered):
    """A shell offers sources, options and the words that an option accepts."""
    said = shell(line)
    for word in offered:
        assert word in said.replace(line, "", 1), said


@pytest.mark.parametrize("shell", [bash, zsh])
@pytest.mark.parametrize("line, completed", [
    ("wif-token oi", "wif-token oidc "),
    ("wif-token oidc --iss", "wif-token oidc --issuer="),
    ("wif-token file --format=te", "wif-token file --format=text "),
    ("wif-token oidc --client-secret=f", "wif-token oidc --client-secret=file:"),
    ("wif-token helper doc", "wif-token helper docker "),
    ("wif-token help helper doc", "wif-token help helper docker "),
    ("wif-token helper docker --allow-ho", "wif-token helper docker --allow-host="),
    ("wif-token file --path=/etc/hostn", "wif-token file --path=/etc/hostname"),
    ("wif-token oidc --client-secret=file:/etc/hostn", "wif-token oidc --client-secret=file:/etc/hostname"),
])  # fmt: skip
def test_what_a_shell_completes(shell, line, completed):
    """A shell completes a unique word, with a space if the word ends there."""
    assert completed in shell(line)


def test_the_options_of_one_source_alone():
    """The options of other sources and of helpers are not offered."""
    assert "--allow-host" not in bash("wif-token aws --") and "--allow-host" not in zsh("wif-token aws --")
    assert "--keytab" not in bash("wif-token file --") and "--keytab" in bash("wif-token adfs --")


@pytest.mark.parametrize("shell", [bash, zsh, fish])
@pytest.mark.parametrize("line, refused", [
    ("wif-token keep file --", "--exit-zero"),
    ("wif-token keep id-token --", "--exit-zero"),
    ("wif-token keep id-token --", "--format"),
    ("wif-token keep file --format=", "header"),
])  # fmt: skip
def test_what_keep_refuses(shell, line, refused):
    """The option is offered after a source alone, but not after `keep`."""
    said = shell(line).replace(line, "", 1)
    assert refused not in said, said
    if refused == "--exit-zero":
        assert refused in shell("wif-token file --")


# The systems that read the YAML of the pages, by a line that their files have, with the command that judges a file. `None`: the
# schema of Azure Pipelines has expressions that Python does not read, that of Bitbucket is older than `oidc: audiences`, and
# Ansible is not installed; no schema is published for the trust store of gcloud and for tbot. tests/documents parses those. kubectl
# reads the kubeconfig of the page in tests/real.
SYSTEMS = {
    "apiVersion:": ("kubernetes-validate", "--strict"),
    "jobs:": ("check-jsonschema", "--builtin-schema=vendor.github-workflows"),
    " +id_tokens:": ("check-jsonschema", "--builtin-schema=vendor.gitlab-ci"),
    "steps:": None,
    "users:": None,
    "pipelines:": None,
    "trustStore:": None,
    "services:": None,
    "- name: .*\n +hosts:": None,
}


def test_the_yaml_of_the_pages(tmp_path):
    """The schema of each system accepts the YAML for it."""
    judged = 0
    for number, block in enumerate(blocks("yaml")):
        found = [judge for line, judge in SYSTEMS.items() if re.search(rf"^{line}", block.text, re.M)]
        assert found, f"{block.page}: no system is known that reads this:\n{block.text}"
        if found[0] is not None:
            file = tmp_path / f"{number}.yaml"
            file.write_text(block.text)
            program, *words = found[0]
            run(CACHE / "packages-venv" / "bin" / program, *words, file)
            judged += 1
    assert judged > 3
