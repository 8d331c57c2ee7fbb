"""`exec`, `serve` and `keep` of the Windows build, under Wine.

Wine knows which process owns a connection as soon as that process has sent something. So a server is suspended until a request has
arrived, if its client must be accepted. A client outside of Wine belongs to no Windows process, and is refused. Wine looks for
the owner among all connections of the network, so it has its own network with few of them.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from servers.namespace import namespace
from standins.sts import DEPLOYER
from support.commands import Commands
from support.processes import free_port, listens, until
from support.windows import WindowsProgram, Wine, others_may_read, wine

SECRET = "hunter2-serve-4711-0815"
ACCESS_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
FLAVOR = "Metadata-Flavor: Google"
ESTABLISHED = "01"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Wine for this file, with the folder for temporary files in its registry."""
    with namespace() as space, space.entered(), wine(tmp_path_factory.mktemp("windows")) as found:
        (found.folder / "tmp").mkdir()
        for variable in ("TEMP", "TMP"):
            found.run("reg", "add", r"HKCU\Environment", "/v", variable, "/d", dos(found.folder / "tmp"), "/f")
        yield found


@pytest.fixture
def temporary(running) -> Path:
    """The folder for temporary files, in which no test leaves a file."""
    yield running.folder / "tmp"
    left = list((running.folder / "tmp").iterdir())
    for folder in left:
        shutil.rmtree(folder)
    assert left == []


@pytest.fixture
def windows(running, temporary, tmp_path, sts, issuer, audience, ledger) -> Commands:
    """The program, and a configuration whose subject token is in a file."""
    (tmp_path / "home").mkdir()
    program = WindowsProgram(tmp_path / "home", ledger, running.program)
    found = Commands(tmp_path, program, sts)
    (tmp_path / "token").write_text(ledger.token("the subject token", issuer.token("https:" + audience)))
    program.variables["GOOGLE_APPLICATION_CREDENTIALS"] = str(found.configure(audience, {"file": str(tmp_path / "token")}))
    return found


@pytest.fixture
def request_tool(running) -> Path:
    """A client that prints the address of the server, waits for a line on stdin, and prints a response."""
    return running.tool("request", "-lws2_32")


def dos(path: Path) -> str:
    """The name of a file for Windows."""
    return f"Z:{path}".replace("/", "\\")


def arrived(port: int) -> bool:
    """Whether a suspended server has received something."""
    rows = [line.split() for line in Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]]
    return any(row[1] == f"0100007F:{port:04X}" and row[3] == ESTABLISHED and not row[4].endswith(":00000000") for row in rows)


@contextlib.contextmanager
def still(server: subprocess.Popen, port: int) -> Iterator[None]:
    """Suspends a server until a request of the block has arrived."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
        until(lambda: arrived(port), "the request has arrived")
    finally:
        server.send_signal(signal.SIGCONT)


def refused(address: str, path: str = ACCESS_PATH) -> bool:
    """Whether a client outside of Wine is refused."""
    wanted = urllib.request.Request(f"http://{address}{path}", headers={"Metadata-Flavor": "Google"})
    try:
        urllib.request.urlopen(wanted, timeout=30).close()
    except urllib.error.HTTPError as error:
        return error.code == 403 and error.read() == b"this metadata server belongs to another user\n"
    return False


# exec

def test_a_client_of_the_command_gets_a_token(windows, sts, request_tool):
    """The token is that of the service account, after one exchange. The command has the stdin and stdout of the program.
    Another client is refused.
    """
    child = windows.program.start("exec", "--", request_tool, "-", ACCESS_PATH, FLAVOR, stdin=subprocess.PIPE)
    address = child.stdout.readline().decode().strip()
    host, port = address.split(":")
    assert host == "127.0.0.1" and refused(address) and sts.requests == []
    with still(child, int(port)):
        child.stdin.write(b"\n")
        child.stdin.flush()
    run = windows.program.finish(child)
    status, _, body = run.stdout.partition("\n")
    assert (run.status, run.stderr, status.strip()) == (0, "", "200"), run.described()
    assert sts.impersonated[json.loads(body)["access_token"]] == DEPLOYER and len(sts.exchanges) == 1
    until(lambda: not listens(int(port)), "the server has ended")


def test_the_command_gets_credentials_only_from_the_server(windows, temporary):
    """The variables that clients prefer are removed in upper and lower case, and gcloud's folder is empty."""
    env = {"no_gce_check": "true", "CLOUDSDK_CONFIG": str(windows.folder), "gce_metadata_host": "elsewhere", "NO_PROXY": "a.example.test"}
    run = windows.program.run("exec", "--", "cmd", "/c", "set & dir /a /b %CLOUDSDK_CONFIG%", env=env)
    assert run.status == 0, run.described()
    seen = dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    upper = [name.upper() for name in seen]
    assert len(upper) == len(set(upper)) and not {"NO_GCE_CHECK", "GOOGLE_APPLICATION_CREDENTIALS"} & set(upper)
    values = {name.upper(): value for name, value in seen.items()}
    (address,) = {values[name] for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")}
    assert address.startswith("127.0.0.1:") and values["METADATA_SERVER_DETECTION"] == "assume-present"
    assert values["NO_PROXY"] == "a.example.test,127.0.0.1"
    assert values["CLOUDSDK_CONFIG"].startswith(dos(temporary) + "\\wif-token-")
    assert "=" in run.stdout.splitlines()[-1], "the folder is empty"


def test_the_temporary_folder_is_private(windows, temporary):
    """The folder is private while the command runs, and removed with its files. Wine does not apply its access control
    list to the files."""
    child = windows.program.start("exec", "--", "cmd", "/c", "echo 1 >%CLOUDSDK_CONFIG%\\file & set /p line=", stdin=subprocess.PIPE)
    try:
        (folder,) = until(lambda: list(temporary.iterdir()), "the folder exists")
        until((folder / "file").exists, "the file exists")
        assert not others_may_read(folder)
    finally:
        child.stdin.write(b"\n")
        run = windows.program.finish(child)
    assert run.status == 0, run.described()


@pytest.mark.parametrize("words, status", [(["cmd", "/c", "exit 0"], 0), (["cmd.exe", "/c", "exit 42"], 42), (["wif-token-missing"], 127),
                                           (["./text.exe"], 126)])  # fmt: skip
def test_the_exit_status_is_that_of_the_command(windows, sts, words, status):
    """If the command does not start, the status is that of a shell, with one line. No token is fetched, and no file
    remains.
    """
    (windows.program.home / "text.exe").write_text("not a program")
    run = windows.program.run("exec", "--", *words)
    assert (run.status, run.stdout, run.stderr.count("\n")) == (status, "", status in (126, 127)), run.described()
    assert words[0] in run.stderr or status not in (126, 127), run.described()
    assert sts.requests == []


def test_an_exit_code_has_32_bits(windows, running):
    """A Windows program gets all 32 bits."""
    script = running.folder / "code.cmd"
    command = f"wif-token.exe exec --credentials={windows.path} -- cmd /c exit 305419896"
    script.write_text(f"@{command}\r\n@echo %errorlevel%\r\n")
    with running.start("cmd", "/c", "code.cmd", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        assert child.communicate(timeout=60)[0].strip() == "305419896"


def test_a_batch_file_is_found_by_its_name(windows):
    """The batch file is found in PATH before a file without an extension, because gcloud has both. Its arguments are
    quoted for the command prompt."""
    folder = windows.folder / "bin"
    folder.mkdir()
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool.cmd").write_text("@echo [%1] [%2]\r\n@exit /b 9\r\n")
    for name in ("tool", "TOOL.CMD", dos(folder / "tool")):
        run = windows.program.run("exec", "--", name, "a b", "c&d", env={"WINEPATH": dos(folder)})
        assert (run.status, run.stdout.strip(), run.stderr) == (9, '["a b"] ["c&d"]', ""), run.described()


def test_a_command_that_outlives_the_program(windows, running, temporary, request_tool):
    """The program is killed: the server ends, and the command continues."""
    mark = windows.folder / "mark"
    script = f'{request_tool.name} - {ACCESS_PATH} "{FLAVOR}" & echo 1 >{dos(mark)}'
    words = ["exec", "--", "cmd", "/c", script]
    child = windows.program.start(*words, stdin=subprocess.PIPE, cwd=running.folder)
    address = child.stdout.readline().decode().strip()
    child.kill()
    child.wait()
    until(lambda: not listens(int(address.split(":")[1])), "the server has ended")
    assert not mark.exists()
    child.stdin.write(b"\n")
    child.stdin.close()
    until(mark.exists, "the command continues")
    child.stdout.close()
    child.stderr.close()
    (folder,) = temporary.iterdir()
    folder.rmdir()


@pytest.fixture
def console(running, windows):
    """Runs the program on a console, and presses Ctrl-C when a file exists. Returns the exit code."""
    tool, mark = running.tool("console"), windows.folder / "mark"

    def run(line: str, meanwhile=lambda: None) -> int:
        with running.start(tool, mark, line, stdin=subprocess.DEVNULL) as child:
            meanwhile()
            return child.wait(60)

    return run


def test_the_console_tells_the_command(windows, running, console):
    """The command gets Ctrl-C once; the program waits for it, and then removes its folder."""
    running.tool("endures")
    line = f"wif-token.exe exec --credentials={windows.path} -- endures.exe {windows.folder / 'mark'} 1000"
    assert console(line) == 41


def test_check_first_fails_before_the_command_starts(windows):
    """`exec` exits with the status and the message of the failure."""
    (windows.folder / "token").write_text("hunter2-not-a-jwt")
    run = windows.program.run("exec", "--check-first", "--", "cmd", "/c", "echo started")
    assert run.status not in (0, 1) and run.stdout == "" and run.stderr.count("\n") == 1, run.described()


# serve

@pytest.fixture
def served(windows, ledger):
    """Starts a server, which ends with Wine."""
    ledger.secret("the secret of /subject-token", SECRET)

    @contextlib.contextmanager
    def serve(*options: str) -> Iterator[tuple[subprocess.Popen, int]]:
        port, log = free_port(), windows.folder / "serve.log"
        words = ["serve", f"--listen=127.0.0.1:{port}", f"--log-file={log}", *options]
        server = windows.program.start(*words, env={"SECRET": SECRET})
        try:
            until(lambda: listens(port), "the server listens")
            yield server, port
        finally:
            server.kill()
            run = windows.program.finish(server, log=log)
        assert (run.stdout, run.stderr) == ("", ""), run.described()

    return serve


def test_the_program_is_a_client(windows, running, served, request_tool, sts):
    """The program gets an access token from its own server. It waits one second, which a busy machine may exceed."""
    with served() as (server, port):
        assert refused(f"127.0.0.1:{port}") and refused(f"127.0.0.1:{port}", "/healthz") and sts.requests == []
        assert requested(running, request_tool, server, port, ACCESS_PATH, FLAVOR)[0] == "200"
        client = replace(windows.program, variables={"GCE_METADATA_HOST": f"127.0.0.1:{port}"})

        def token() -> str:
            with still(server, port):
                child = client.start("access-token")
            return client.finish(child).stdout.strip()

        found = windows.program.ledger.token("the access token", until(token, "the client gets the token", 60))
    assert sts.impersonated[found] == DEPLOYER and len(sts.exchanges) == 1


def requested(running: Wine, tool: Path, server: subprocess.Popen, port: int, *words: str) -> tuple[str, str]:
    """The status and the body of a response to a client that is accepted."""
    with running.start(tool, f"127.0.0.1:{port}", *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdout.readline()
        with still(server, port):
            client.stdin.write("\n")
            client.stdin.flush()
        status, _, body = client.communicate(timeout=60)[0].partition("\n")
    return status.strip(), body


@pytest.mark.parametrize("options, headers, status", [
    (["--token=env:SECRET"], [f"Authorization: Bearer {SECRET}"], "200"),
    (["--token=env:SECRET"], [FLAVOR], "403"),
    ([], [FLAVOR], "403"),
])  # fmt: skip
def test_the_subject_token(windows, running, served, request_tool, options, headers, status):
    """A client that sends the secret gets it."""
    with served(*options) as (server, port):
        found, body = requested(running, request_tool, server, port, "/subject-token", *headers)
    assert found == status and (body == (windows.folder / "token").read_text()) == (status == "200")


def test_the_console_ends_the_server(windows, console):
    """Ctrl-C ends it with the status of a success."""
    port = free_port()
    line = f"wif-token.exe serve --listen=127.0.0.1:{port} --credentials={windows.path}"

    def ready():
        until(lambda: listens(port), "the server listens")
        (windows.folder / "mark").touch()

    assert console(line, ready) == 0 and not listens(port)


# keep

def test_the_console_ends_keep(windows, console):
    """Ctrl-C is pressed when the token is in the file, which only this user may read."""
    output = windows.folder / "mark"
    assert console(f"wif-token.exe keep file --path={windows.folder / 'token'} --output-file={output}") == 0
    assert output.read_text() == (windows.folder / "token").read_text() and not others_may_read(output)


@pytest.mark.parametrize("options, message", [
    ([], "--listen is required"),
    (["--listen=unix:C:\\socket"], "--listen is a Unix socket"),
    (["--listen=0.0.0.0:8080"], "--listen is not a loopback address"),
    (["--listen=127.0.0.1:0", "--allow-uid=1000"], "--allow-uid is not available on Windows"),
])  # fmt: skip
def test_what_windows_does_not_have(windows, options, message):
    """The message says what to use instead."""
    run = windows.program.run("serve", *options)
    assert (run.status, run.stdout) == (2, "") and run.stderr.startswith(message) and "; " in run.stderr, run.described()


def test_an_address_in_use(windows, served):
    """The program does not take over the address."""
    with served() as (_, port):
        run = windows.program.run("serve", f"--listen=127.0.0.1:{port}")
    assert run.status == 3 and run.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: "), run.described()
