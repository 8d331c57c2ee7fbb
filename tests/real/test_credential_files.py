"""Credential files of every type: the program sends the same requests as google-auth, google-auth-library and gcloud with the same file.

The stand-ins refuse what Google's endpoints refuse. Google's libraries know only Google's own hosts; clients/*_default connect these
to the stand-in. In the comparison of the places of credentials, google-auth also checks the metadata server.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from standins.metadata import MetadataServer
from standins.oauth import CLOUD_PLATFORM, EMAIL
from support.credential_files import CLIENT, SOURCES, TARGET, USERS, Asked, CredentialFiles
from support.crowd import crowd
from support.gcloud import Gcloud
from support.impersonation import SECOND, STORAGE
from support.places import HERE, NODE_MODULES, PYTHON, missing, need

AUDIENCE = "https://app.example.test"
LIBRARIES = ["python", "node"]
# In seconds: longer than any deadline of these tests, even on a busy machine.
FAR_TOO_LONG = 15


@pytest.fixture
def files(commands, sts, issuer, audience, ledger) -> CredentialFiles:
    """Writes files for the stand-in at the path where `commands` looks."""
    return CredentialFiles(commands.path, sts, ledger, audience, issuer.token("https:" + audience))


@pytest.fixture
def library(commands, sts, ledger, tmp_path):
    """Runs a library with application default credentials, an empty home, and the variables in `env` unchanged."""
    def run(name: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        if name == "node":
            need("google-auth-library")
        words = {"python": [PYTHON, HERE / "clients" / "python_default.py"],
                 "node": [need("node"), HERE / "clients" / "node_default.mjs", NODE_MODULES]}[name]  # fmt: skip
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(commands.path)} if env is None else env
        # Without this variable, a library would request a project from gcloud and Google.
        settings = {"PATH": str(tmp_path), "HOME": str(tmp_path / "home"), "GOOGLE_CLOUD_PROJECT": "example-project",
                    "NO_PROXY": "127.0.0.1"}  # fmt: skip
        done = subprocess.run([str(word) for word in [*words, sts.url, *arguments]], env=settings | env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        ledger.note(f"what {name} said", done.stderr)
        return done

    return run


def token(done: subprocess.CompletedProcess) -> str:
    """The token that the library printed."""
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout).values()
    return found


def compare(commands, sts, library, name: str, write, *, id_token: bool = False) -> Asked:
    """Asserts that the requests of the program and of this library are the same, and returns them. `write` writes the
    file again for each.
    """
    arguments = ["id-token", f"--for={AUDIENCE}", "--include-email"] if id_token else ["access-token"]
    write()
    in_file = refresh_token(commands.path)
    assert commands.output(*arguments)
    ours = Asked.of(sts, in_file)
    write()
    in_file = refresh_token(commands.path)
    token(library(name, *[AUDIENCE] * id_token))
    theirs = Asked.of(sts, in_file)
    assert ours == with_scope_of_exchange(theirs)
    return ours


def refresh_token(path: Path) -> str:
    """The refresh token in a file, if there is one."""
    found = json.loads(path.read_text())
    return found.get("source_credentials", found).get("refresh_token", "")


def with_scope_of_exchange(asked: Asked) -> Asked:
    """The requests with the scope of google-auth, which requests iam before an impersonation. The program and Google's
    other libraries request cloud-platform.
    """
    iam = "https://www.googleapis.com/auth/iam"
    exchanges = tuple(tuple(CLOUD_PLATFORM if it == iam else it for it in exchange) for exchange in asked.exchanges)
    return replace(asked, exchanges=exchanges)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("kind", SOURCES)
def test_sends_the_same_requests_as_a_library(commands, sts, files, library, kind, name):
    """The token of a user has all scopes that the user granted. The client authenticates in the form or in the header.
    """
    asked = compare(commands, sts, library, name, lambda: files.write(kind))
    if kind in USERS:
        (refresh,) = asked.refreshes
        assert (refresh.client, refresh.scope, refresh.refresh_token) == (CLIENT, "", "in the file")
        assert refresh.given_in == ("form" if kind == "authorized_user" else "header")
    else:
        assert len(asked.exchanges) == 1


@pytest.mark.parametrize("id_token", [False, True])
@pytest.mark.parametrize("delegates", [(), (SECOND,)])
@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("kind", SOURCES)
def test_impersonates_as_a_library_does(commands, sts, files, library, kind, name, delegates, id_token):
    """Every source can be in the file; google-auth reads only users."""
    if name == "python" and kind not in USERS:
        files.impersonating(kind, *delegates)
        assert "source credential of type external_account is not supported" in library(name).stderr
        assert sts.requests == []
        return
    asked = compare(commands, sts, library, name, lambda: files.impersonating(kind, *delegates), id_token=id_token)
    *_, last = asked.calls
    assert last[:3] == ("generateIdToken" if id_token else "generateAccessToken", TARGET, delegates)
    assert len(asked.calls) == (2 if kind == "external_account of an account" else 1)


@pytest.mark.parametrize("name", LIBRARIES)
def test_requests_the_scopes_of_the_file(commands, sts, files, library, name):
    """Node prefers the scopes of the caller."""
    write = lambda: files.impersonating("authorized_user", scopes=[STORAGE])  # noqa: E731
    write()
    assert commands.output("access-token")
    ours = Asked.of(sts, refresh_token(commands.path))
    assert ours.calls[0][3] == (STORAGE,)
    write()
    token(library(name))
    theirs = Asked.of(sts, refresh_token(commands.path))
    expected = STORAGE if name == "python" else CLOUD_PLATFORM
    assert theirs.calls[0][3] == (expected,)


def gcloud(files, *arguments: str) -> subprocess.CompletedProcess:
    """gcloud with the file at its well-known path and with the endpoints of the stand-in."""
    found = Gcloud(files.path.parent / "gcloud-home")
    folder = found.folder / "gcloud"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "application_default_credentials.json").write_bytes(files.path.read_bytes())
    return found.run("auth", "application-default", "print-access-token", *arguments, auth_token_host=files.sts.url + "/token",
                     api_endpoint_overrides_iamcredentials=files.sts.url + "/")  # fmt: skip


@pytest.mark.parametrize("scopes", [(), (CLOUD_PLATFORM,)])
@pytest.mark.parametrize("kind", USERS)
def test_sends_the_same_requests_as_gcloud(commands, sts, files, kind, scopes):
    """gcloud adds the scopes with which it reads the name of the account. The scopes of a workforce user cannot be
    chosen.
    """
    files.write(kind)
    in_file = refresh_token(files.path)
    done = gcloud(files, *(f"--scopes={scope}" for scope in scopes))
    assert done.returncode == 0, done.stderr
    theirs = Asked.of(sts, in_file)
    files.write(kind)
    in_file = refresh_token(files.path)
    all_scopes = [*scopes, "openid", EMAIL]
    commands.output("access-token", *([f"--scope={','.join(all_scopes)}"] if scopes else []))
    assert Asked.of(sts, in_file) == theirs


REFUSALS = {
    "another client": (lambda file, sts: file.update(client_id="client-2"), "CONFIGURATION", "invalid_client"),
    "a wrong secret": (lambda file, sts: file.update(client_secret="hunter2-wrong"), "CONFIGURATION", "invalid_client"),
    "a client of others": (lambda file, sts: (sts.oauth.clients.update({"client-2": "hunter2-other"}),
                                              file.update(client_id="client-2", client_secret="hunter2-other")),
                           "CONFIGURATION", "unauthorized_client"),
    "an unknown token": (lambda file, sts: file.update(refresh_token="1//hunter2-unknown"), "DENIED", "invalid_grant"),
    "a revoked token": (lambda file, sts: setattr(sts.oauth.users[file["refresh_token"]], "revoked", True), "DENIED", "revoked"),
    "a replaced token": (lambda file, sts: sts.oauth.replaced.add(file["refresh_token"]), "DENIED", "revoked"),
    "another sign-in": (lambda file, sts: setattr(sts.oauth.users[file["refresh_token"]], "must_reauthenticate", True),
                        "DENIED", "the organization requires this regularly for users"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSALS))
@pytest.mark.parametrize("kind", USERS)
def test_a_refusal_says_what_to_do(commands, sts, files, library, kind, case):
    """The message is one line without a secret. Google refuses google-auth too, and the file does not change."""
    change, code, words = REFUSALS[case]
    file = files.credentials(kind)
    change(file, sts)
    for name in ("client_secret", "refresh_token"):
        files.ledger.secret(name, file[name])
    files.save(file)
    before = files.path.read_bytes()
    message = commands.refused(code, "access-token")
    assert words in message and "gcloud auth application-default login" in message
    report = commands.run("check")
    assert report.status != 0 and words in report.stdout and [line[:5] for line in report.stdout.splitlines()].count("error") == 1
    assert library("python").returncode != 0
    assert files.path.read_bytes() == before


def test_a_scope_that_was_not_granted(commands, sts, files):
    """The message contains the command with which the user grants the scope."""
    files.write("authorized_user", scopes=frozenset({STORAGE}))
    assert commands.output("access-token")
    message = commands.refused("DENIED", "access-token", "--scope=cloud-platform")
    assert f"--scopes=openid,{EMAIL},{CLOUD_PLATFORM}" in message
    assert "the user did not grant the scope cloud-platform" in commands.run("check").stdout


@pytest.mark.parametrize("kind", ["external_account_authorized_user", "external_account of an account"])
def test_fifty_concurrent_runs_send_one_request(commands, sts, files, storm, kind):
    """All runs wait for the run that sends the request, and get its token."""
    files.write(kind)
    first = commands.output("access-token")
    (kept,) = [path for path in (commands.program.home / ".cache" / "wif-token").glob("*.json") if first in path.read_text()]
    for path in kept.parent.glob("access-token-*"):
        path.unlink()
    sts.requests.clear()
    opened, real = threading.Event(), sts._route
    sts._route = lambda request: opened.wait(60) and real(request)
    words = ("access-token", f"--credentials={files.path}")
    runs = crowd(commands.program, 200 if storm else 50, words, kept, sts, opened)
    (token,) = {run.stdout for run in runs}
    commands.program.ledger.token("the token of all", token)
    assert all((run.status, run.stderr) == (0, "") for run in runs) and token in sts.iam.tokens and token != first
    assert len(sts.requests) == (1 if kind in USERS else 2)


@pytest.mark.parametrize("isolated, change", [
    ("--uts", "hostname another-host.example"),
    ("--mount", 'mount --bind "$HOME/boot_id" /proc/sys/kernel/random/boot_id'),
], ids=["another name", "the same name"])
def test_another_host_with_the_same_home_sends_new_requests(commands, sts, files, isolated, change):
    """The platform identifies a host, not a file, so a cached token is used only on the host that got it."""
    files.write("authorized_user")
    first = commands.output("access-token")
    (commands.program.home / "boot_id").write_text("00000000-0000-4000-8000-000000000000\n")
    elsewhere = commands.program.behind(need("unshare"), isolated, "sh", "-ec", f'{change} && exec "$@"', "sh")
    run = elsewhere.run("access-token", f"--credentials={files.path}")
    assert run.status == 0 and run.stdout not in ("", first), run.stderr
    assert len(sts.requests) == 2
    assert commands.output("access-token") == first


# Where credentials are found

@pytest.fixture
def host(sts):
    """A host of Google Cloud."""
    found = MetadataServer(sts.iam.keys)
    yield found
    found.close()


@pytest.fixture
def places(files, tmp_path):
    """A file of a different user at each place: the variables and the refresh token, by place."""
    home, moved, named = tmp_path / "user", tmp_path / "moved", tmp_path / "named.json"
    well_known = "application_default_credentials.json"
    found = {}
    for place, path in {"home": home / ".config" / "gcloud" / well_known, "CLOUDSDK_CONFIG": moved / well_known,
                        "GOOGLE_APPLICATION_CREDENTIALS": named}.items():  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        file = files.credentials("authorized_user")
        path.write_text(json.dumps(file))
        found[place] = file["refresh_token"]
    found["variables"] = {"HOME": str(home), "CLOUDSDK_CONFIG": str(moved), "GOOGLE_APPLICATION_CREDENTIALS": str(named)}
    return found


@pytest.mark.parametrize("names, expected", [
    ({"HOME", "CLOUDSDK_CONFIG", "GOOGLE_APPLICATION_CREDENTIALS"}, "GOOGLE_APPLICATION_CREDENTIALS"),
    ({"HOME", "CLOUDSDK_CONFIG"}, "CLOUDSDK_CONFIG"),
    ({"HOME"}, "home"),
    (set(), "the metadata server"),
])  # fmt: skip
@pytest.mark.parametrize("name", LIBRARIES)
def test_finds_what_a_library_finds(commands, sts, places, host, library, names, expected, name):
    """Each place takes precedence over those after it; the metadata server is last."""
    env = {key: places["variables"][key] for key in names} | {"GCE_METADATA_HOST": host.host, "GCE_METADATA_IP": host.host}
    env = {"GOOGLE_APPLICATION_CREDENTIALS": "", "HOME": str(commands.folder / "home")} | env
    for run in (lambda: commands.output("access-token", env=env), lambda: token(library(name, env=env))):
        found = run()
        commands.program.ledger.token(f"token of {expected}", found)
        used = [refresh.refresh_token for refresh in sts.oauth.refreshes]
        if expected == "the metadata server":
            assert used == [] and host.tokens.pop(found) == [CLOUD_PLATFORM]
        else:
            assert used == [places[expected]] and host.tokens == {}
        sts.oauth.refreshes.clear()


@pytest.mark.parametrize("name", LIBRARIES)
def test_gets_an_id_token_of_the_host_as_a_library_does(commands, host, library, name):
    """The claims are the same, and google-auth accepts the server."""
    env = {"GOOGLE_APPLICATION_CREDENTIALS": "", "GCE_METADATA_HOST": host.host, "GCE_METADATA_IP": host.host}
    ours = commands.output("id-token", f"--for={AUDIENCE}", env=env)
    theirs = token(library(name, AUDIENCE, env=env))
    for found in (ours, theirs):
        commands.program.ledger.token("ID token of the host", found)
        claims = jwt.decode(found, host.keys.signer("google").key.public_key(), algorithms=["RS256"], audience=AUDIENCE)
        assert claims["email"] == host.account


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_file_that_does_not_work_is_not_skipped(commands, sts, places, host, library, name):
    """Neither the program nor a library tries the next place."""
    env = places["variables"] | {"GCE_METADATA_HOST": host.host, "GCE_METADATA_IP": host.host}
    for path, text in [("GOOGLE_APPLICATION_CREDENTIALS", None), ("GOOGLE_APPLICATION_CREDENTIALS", "{}"),
                       ("CLOUDSDK_CONFIG", '{"type": "authorized_user"}')]:  # fmt: skip
        file = Path(env[path]) / ("application_default_credentials.json" if path == "CLOUDSDK_CONFIG" else "")
        file.unlink() if text is None else file.write_text(text)
        if path == "CLOUDSDK_CONFIG":
            env = env | {"GOOGLE_APPLICATION_CREDENTIALS": ""}
        assert str(file) in commands.refused("CONFIGURATION", "access-token", env=env)
        assert library(name, env=env).returncode != 0
    assert sts.requests == [] and host.tokens == {}


def test_the_metadata_server_is_not_used(commands, host, library):
    """NO_GCE_CHECK turns it off for google-auth and for the program. Without any other place, both fail."""
    env = {"GOOGLE_APPLICATION_CREDENTIALS": "", "GCE_METADATA_HOST": host.host, "GCE_METADATA_IP": host.host, "NO_GCE_CHECK": "true"}
    assert commands.refused("CONFIGURATION", "access-token", env=env).startswith("no credentials found: ")
    assert "Your default credentials were not found" in library("python", env=env).stderr
    assert host.asked == []
    del env["GCE_METADATA_HOST"]
    commands.refused("CONFIGURATION", "access-token", env=env)


def test_a_host_without_an_account(commands, host):
    """No service account is attached to the host."""
    host.account = None
    env = {"GOOGLE_APPLICATION_CREDENTIALS": "", "GCE_METADATA_HOST": host.host}
    assert "has no service account" in commands.refused("ABSENT", "access-token", env=env)
    assert "has no service account" in commands.run("check", env=env).stdout


def test_the_account_of_the_host_impersonates(commands, sts, host, monkeypatch):
    """`--service-account` impersonates an account with the token of the host."""
    sts.iam.policies.grant("serviceAccountTokenCreator", on=TARGET, to=f"serviceAccount:{host.account}")
    env = {"GOOGLE_APPLICATION_CREDENTIALS": "", "GCE_METADATA_HOST": host.host}
    # The service is always Google's own, which cannot be reached here.
    message = commands.run("access-token", f"--service-account={TARGET}", "--timeout=5", env=env | {"HTTPS_PROXY": "http://127.0.0.1:9"})
    assert message.status == 6 and "iamcredentials.googleapis.com" in message.stderr
    assert len(host.tokens) == 1 and sts.requests == []


# What goes wrong

def test_the_lock_is_held_or_the_endpoint_stalls(commands, sts, files, monkeypatch):
    """The run ends before its deadline, and does not use the refresh token of the other run."""
    files.write("external_account_authorized_user")
    before = files.path.read_bytes()
    with open(f"{files.path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in ("access-token", "check"):
            run = commands.run(command, "--timeout=2")
            assert run.status == 6 and run.seconds < FAR_TOO_LONG, run.described()
            assert f"another run holds the lock {files.path}.lock; wait for that run" in run.stdout + run.stderr
    assert sts.requests == []
    monkeypatch.setattr(sts, "_route", lambda _: time.sleep(FAR_TOO_LONG))
    for command in ("access-token", "check"):
        run = commands.run(command, "--timeout=2")
        assert run.status == 6 and run.seconds < FAR_TOO_LONG, run.described()
        assert "did not respond in time; check token_url" in run.stdout + run.stderr
    assert files.path.read_bytes() == before


def test_a_cache_of_another_user(commands, sts, files):
    """A directory of another user is not used. A file of another user in a directory of this user is replaced."""
    if os.geteuid() != 0:
        missing("files of another user need root")
    files.write("authorized_user")
    first = commands.output("access-token")
    cache = commands.program.home / ".cache" / "wif-token"
    (kept,) = [path for path in cache.glob("*.json") if first in path.read_text()]
    assert commands.output("access-token") == first
    os.chown(kept, 65534, 65534)
    second = commands.output("access-token")
    assert second != first and second in kept.read_text() and kept.stat().st_uid == 0
    os.chown(cache, 65534, 65534)
    for mode in (0o777, 0o755, 0o700):
        cache.chmod(mode)
        assert commands.output("access-token") not in (first, second)
    assert second in kept.read_text()


UNTRUSTED = {
    "huge": (lambda path: path.write_bytes(b" " * (2 << 20)), "is larger than 1 MiB"),
    "a directory": (lambda path: path.mkdir(), "is a directory"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "does not exist"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot read"),
    "UTF-16": (lambda path: path.write_text("{}", encoding="utf-16"), "is UTF-16 text, not UTF-8"),
    "not text": (lambda path: path.write_bytes(b"\xff" * 9), "is not UTF-8 text"),
    "not JSON": (lambda path: path.write_text('{"refresh_token": "hunter2-refresh'), "is not JSON: syntax error in line 1"),
    "a list": (lambda path: path.write_text('["hunter2-refresh"]'), "it is a list"),
    "deep": (lambda path: path.write_text("[" * 100_000), "is not JSON"),
    "a secret of another type": (lambda path: path.write_text(
        '{"type": "authorized_user", "client_id": "c", "client_secret": {"a": "hunter2-secret"}, "refresh_token": "hunter2-refresh"}'),
        "client_secret is not a string"),
    "a secret as the type": (lambda path: path.write_text('{"type": "hunter2-refresh"}'), "its type is not supported"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(UNTRUSTED))
def test_a_file_that_cannot_be_used(commands, files, ledger, case):
    """Every command refuses the file with the same line, without its content."""
    put, words = UNTRUSTED[case]
    for secret in ("hunter2-refresh", "hunter2-secret"):
        ledger.secret(secret, secret)
    put(files.path)
    message = commands.refused("CONFIGURATION", "access-token")
    assert words in message and str(files.path) in message
    report = commands.run("check")
    assert (report.status, report.stdout) == (3, f"error    configuration   {message}")


def test_a_pipe(commands, files):
    """A pipe is read once, which is enough for a Google account, and ends at the deadline if nobody writes."""
    files.write("authorized_user")
    pipe = files.path.with_name("pipe")
    os.mkfifo(pipe)
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(pipe)}
    with subprocess.Popen(["cp", "--no-preserve=all", "/dev/stdin", pipe], stdin=files.path.open("rb")) as _:
        assert commands.output("access-token", env=env)
    for command in ("access-token", "check"):
        run = commands.run(command, "--timeout=2", env=env)
        assert run.status == 6 and run.seconds < FAR_TOO_LONG
        assert f"still waiting for the file {pipe}" in run.stdout + run.stderr


def test_the_group_of_the_file_cannot_be_preserved(commands, files, ledger):
    """The user nobody is not in the group of the file: the group loses its access, and no other group gets access."""
    if os.geteuid() != 0:
        missing("running as another user needs root")
    shared = Path(tempfile.mkdtemp(prefix="wif-token-shared-"))  # other users cannot access pytest's own folder
    program = replace(commands.program, home=shared, path=Path(shutil.copy(commands.program.path, shared)))
    try:
        path = Path(shutil.copy(files.write("external_account_authorized_user"), shared))
        path.chmod(0o640)
        for owned, group in ((shared, 65534), (path, 0)):
            os.chown(owned, 65534, group)
        run = program.run("access-token", f"--credentials={path}", user=65534, group=65534, extra_groups=[], logs=False)
        ledger.token("the token of nobody", run.stdout)
        assert run.status == 0 and json.loads(path.read_text())["refresh_token"] != files.refresh_token(), run.described()
        found = path.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 65534, 0o600)
    finally:
        shutil.rmtree(shared)
