"""git clones from and pushes to servers that require an access token, with the program as its only credential helper.

The servers are git's own http-backend, behind TLS, under the names of Google's.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from standins.guarded import Guarded
from standins.loopback import Answer, Request
from support.places import SYSTEM_PATH, missing
from support.tools import Tools

SOURCE, GERRIT, FOREIGN = "source.developers.google.com", "app.googlesource.com", "git.example.test"
GITS = [path for folder in SYSTEM_PATH.split(os.pathsep) if (path := Path(folder) / "git").exists()]
CAPABLE = (2, 46)  # the first version that sends a bearer token


def version(git: Path) -> tuple[int, ...]:
    """The version of this git."""
    text = subprocess.run([git, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.search(r"(\d+)\.(\d+)", text).groups())


@pytest.fixture(params=GITS or [None], ids=str)
def git(request) -> Path:
    """Each installed git."""
    return request.param or missing("git is not installed: run tests/real/install")


class Backend:
    """git-http-backend (gitprotocol-http) for the repositories of one folder."""

    def __init__(self, git: Path, folder: Path):
        self.git, self.folder = git, folder

    def __call__(self, request: Request) -> Answer:
        headers = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in request.headers.items()}
        env = headers | {
            "PATH": SYSTEM_PATH, "HOME": str(self.folder), "GIT_PROJECT_ROOT": str(self.folder), "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method, "PATH_INFO": request.path, "QUERY_STRING": request.raw_query, "REMOTE_USER": "git",
            "CONTENT_TYPE": request.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(request.body)),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }  # fmt: skip
        done = subprocess.run([self.git, "http-backend"], env=env, input=request.body, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        answered = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return Answer(int(answered.pop("Status", "200").split()[0]), body, answered)


@pytest.fixture
def tools(git, commands, sts, issuer, audience, tmp_path):
    """git with the program as its helper; each server has the repository `app.git` with one commit."""
    servers = Guarded(tmp_path, sts, SOURCE, GERRIT, FOREIGN)
    folder = tmp_path / "git"
    folder.mkdir()
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")})
    config = folder / ".gitconfig"
    config.write_text(f'[http]\n\tsslCAInfo = {servers.ca}\n[credential]\n\thelper =\n\thelper = "wif-token --timeout=20"\n'
                      "[user]\n\tname = a\n\temail = a@example.test\n")  # fmt: skip
    found = Tools(folder, commands, servers, {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "LC_ALL": "C"})
    found.link("git-credential-wif-token")
    (tmp_path / "served").mkdir()
    backend = Backend(git, tmp_path / "served")
    for name in (SOURCE, GERRIT, FOREIGN):
        servers.serve(name, backend, "Basic", "git-.*" if name == GERRIT else ".+")
    found.run(git, "init", "--quiet", "--bare", tmp_path / "served" / "app.git")
    found.run(git, "init", "--quiet", "first")
    commit(found, git, "first")
    found.run(git, "push", "--quiet", tmp_path / "served" / "app.git", "HEAD:master", cwd=folder / "first")
    yield found
    servers.close()


def commit(tools: Tools, git: Path, name: str):
    """Creates an empty commit."""
    tools.run(git, "commit", "--quiet", "--allow-empty", "--message=a", cwd=tools.folder / name)


@pytest.mark.parametrize("host", [SOURCE, GERRIT])
@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_git_clones_and_pushes(git, tools, sts, host, scheme):
    """git sends the token as the password, or as a bearer token if it can. The token is that of the service account."""
    if scheme == "Bearer" and version(git) < CAPABLE:
        pytest.skip("this git sends no bearer token")
    tools.servers.serve(host, tools.servers.hosts[host].content, scheme, "git-.*" if scheme == "Basic" else "")
    cloned = tools.run(git, "clone", "--quiet", f"https://{host}/app.git", "clone")
    assert cloned.stderr == "" and cloned.stdout == ""
    commit(tools, git, "clone")
    tools.run(git, "push", "--quiet", cwd=tools.folder / "clone")
    proofs = tools.servers.proofs[host]
    assert set(proofs) == {"", "Basic git-account" if scheme == "Basic" else "Bearer"}
    assert len(sts.exchanges) == len(sts.iam.calls) == 1, "both used one token"
    left = [path.name for path in tools.folder.iterdir()]
    assert sorted(left) == [".cache", ".gitconfig", "bin", "clone", "first"], "store and erase write no file"


def test_git_reports_when_the_password_expires(git, tools, sts):
    """`git credential` prints what the helper returns, as far as this version of git supports it."""
    asked = f"protocol=https\nhost={SOURCE}\n\n"
    filled = tools.run(git, "credential", "fill", input=asked).stdout
    assert filled.startswith(f"protocol=https\nhost={SOURCE}\nusername=git-account\npassword={list(sts.impersonated)[-1]}\n")
    assert ("password_expiry_utc=" in filled) == (version(git) >= (2, 40))
    if version(git) >= CAPABLE:
        filled = tools.run(git, "credential", "fill", input="capability[]=authtype\n" + asked).stdout
        assert f"authtype=Bearer\ncredential={list(sts.impersonated)[-1]}\n" in filled and "password=" not in filled


def test_a_foreign_host_gets_nothing(git, tools, sts):
    """git continues without a credential. The program prints nothing and sends no request to Google."""
    failed = tools.run(git, "clone", "--quiet", f"https://{FOREIGN}/app.git", status=128)
    assert "could not read Username" in failed.stderr and "wif-token" not in failed.stderr
    assert set(tools.servers.proofs[FOREIGN]) == {""} and sts.exchanges == []


def test_a_foreign_host_that_is_allowed_gets_a_token(git, tools):
    """The settings of git contain an option of the helper."""
    helper = f"wif-token --allow-host={FOREIGN}"
    tools.run(git, "-c", f"credential.helper={helper}", "clone", "--quiet", f"https://{FOREIGN}/app.git", "clone")
    assert "Basic git-account" in tools.servers.proofs[FOREIGN]


@pytest.mark.parametrize("host", [
    "source.developers.google.com.example.test", "xsource.developers.google.com", "googlesource.com.", "xgooglesource.com",
    "source.developers.google.com:8443", "a@source.developers.google.com", "source.developers.google.com/.example.test",
    "source.developers.google.com%2f.example.test", "sourcemanager.dev", "..sourcemanager.dev", "\u017fourcemanager.dev",
])  # fmt: skip
def test_a_similar_host_gets_nothing(git, tools, sts, host):
    """The hosts are those that git passes on."""
    found = tools.run("git-credential-wif-token", "get", input=f"protocol=https\nhost={host}\n\n")
    assert (found.stdout, found.stderr) == ("", "") and sts.exchanges == []


def test_git_shows_why_there_is_no_token(git, tools, sts, issuer):
    """git's standard error contains one line of the program."""
    sts.pool_providers.clear()
    failed = tools.run(git, "clone", "--quiet", f"https://{SOURCE}/app.git", status=128)
    line, *rest = failed.stderr.splitlines()
    assert line.startswith(f"{sts.token_url} refused the token exchange") and "; " in line
    assert not any("wif-token" in line for line in rest)


def test_a_refused_token_is_used_once(git, tools, sts):
    """git stops and erases the token, so its next run gets a new token."""
    tools.servers.revoked = Everything()
    url = f"https://{SOURCE}/app.git"
    failed = tools.run(git, "clone", "--quiet", url, status=128)
    assert "Authentication failed" in failed.stderr and "wif-token" not in failed.stderr
    assert tools.servers.proofs[SOURCE] == ["", "Basic git-account"]
    tools.servers.revoked = set(sts.impersonated)
    tools.run(git, "clone", "--quiet", url, "clone")
    assert len(sts.iam.calls) == 2


def test_only_the_refused_token_is_forgotten(git, tools, sts):
    """Another password, or an earlier token, changes nothing."""
    asked = f"protocol=https\nhost={SOURCE}\n"
    first = tools.run("git-credential-wif-token", "get", input=asked + "\n").stdout
    for password in ["hunter2-of-the-user", ""]:
        tools.run("git-credential-wif-token", "erase", input=f"{asked}username=a\npassword={password}\n\n")
    assert tools.run("git-credential-wif-token", "get", input=asked + "\n").stdout == first
    assert len(sts.iam.calls) == 1


def test_reject_without_a_password_forgets_the_token(git, tools, sts):
    """A user who runs git credential reject does not type the token; another server changes nothing."""
    asked = "protocol=https\nhost={}\n\n"

    def get() -> str:
        return tools.run("git-credential-wif-token", "get", input=asked.format(SOURCE)).stdout

    first = get()
    tools.run(git, "credential", "reject", input=asked.format("git.example.test"))
    assert get() == first
    tools.run(git, "credential", "reject", input=asked.format(SOURCE))
    assert get() != first
    assert len(sts.iam.calls) == 2


def test_fifty_concurrent_runs_use_one_token(git, tools, sts):
    """A build can start this many fetches."""
    asked = f"protocol=https\nhost={SOURCE}\n\n"
    with ThreadPoolExecutor(50) as threads:
        runs = list(threads.map(lambda _: tools.run("git-credential-wif-token", "get", input=asked), range(50)))
    assert len({run.stdout for run in runs}) == len(sts.exchanges) == len(sts.iam.calls) == 1
    assert {run.stderr for run in runs} == {""}


class Everything:
    """A set that contains every token."""

    def __contains__(self, _) -> bool:
        return True
