"""`oidc --flow=device` against a real issuer, npm oidc-provider: a user signs in, tokens are refreshed and revoked.

RFC 8628 (device authorization), RFC 6749 section 6 with rotation (RFC 9700 section 4.14.2: a refresh token that is used again
ends its whole family), RFC 7009 (revocation). gcloud and google-auth drive it as with a workforce pool; the token service
stand-in verifies the user's ID token, whose audience is the client that the pool provider names.
"""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from standins.verify_jwt import OidcPoolProvider
from support.clients import CLIENTS
from support.oidc_provider import client, oidc_provider
from support.person import Person
from support.places import need
from support.program import Run
from support.signer import claims_of
from support.terminal import on_terminal

WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/staff/providers/idp"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SECRET = "p+l/u%s s:e&cret"
GRANTS = {"grant_types": [DEVICE_CODE, "refresh_token"], "scope": "openid offline_access"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One issuer for this file."""
    clients = [
        client("staff", "none", **GRANTS),
        client("confidential", "client_secret_basic", client_secret=SECRET, **GRANTS),
        client("busy", "none", **GRANTS),
        client("machine", "none"),
    ]
    device = {"interval": 1, "life": 60, "busy": ["busy"]}
    with oidc_provider(tmp_path_factory.mktemp("oidc-provider"), clients, device=device) as found:
        yield found


@pytest.fixture(autouse=True)
def no_code_leaks(server, ledger):
    """Device codes are secrets, and user codes may appear only on the terminal."""
    yield
    for request in server.requests("/device/auth"):
        if request.get("device"):
            ledger.secret("a device code", request["device"])
    shown = [seen for seen in ledger.seen if "terminal" not in seen.where]
    codes = [request["user"] for request in server.requests("/device/auth") if request.get("user")]
    assert not [seen.where for seen in shown for code in codes if code in seen.text]


@pytest.fixture
def output(tmp_path):
    """The path of the output file."""
    return tmp_path / "output.json"


@pytest.fixture
def kept(output):
    """The path of the refresh token file."""
    return output.with_name(output.name + ".refresh-token")


def source(server, identifier="staff", *more) -> list[str]:
    """The command line. This issuer returns a refresh token only to a client that requests consent."""
    return ["oidc", "--flow=device", f"--issuer={server.issuer}", f"--client-id={identifier}",
            "--scope=openid,offline_access", "--param=prompt=consent", *more]  # fmt: skip


def refresh_token(ledger, kept) -> str:
    """The stored refresh token, which is registered for the leak scan."""
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    return ledger.secret(f"refresh token {len(ledger.secrets)}", json.loads(kept.read_text())["refresh_token"])


def interactive(program, arguments: list, output, person=lambda shown: True) -> Run:
    """Runs the program on a terminal, with stdout and stderr redirected."""
    number, began = next(program.numbers), time.monotonic()
    files = {name: program.home.parent / f"{number}-{name}" for name in ("stdout", "stderr", "log")}
    command = [program.path, *arguments, f"--log-file={files['log']}"]
    env = program.environment(program.request(WORKFORCE, ID_TOKEN, output, interactive="1"))
    with files["stdout"].open("w") as stdout, files["stderr"].open("w") as stderr:
        status, shown = on_terminal(command, env, person=person, stdout=stdout, stderr=stderr)
    text = {name: path.read_text() for name, path in files.items()}
    for name, found in {**text, "the terminal": shown}.items():
        program.ledger.note(f"{name} of interactive run {number}", found)
    return Run(tuple(arguments), status, **text, seconds=time.monotonic() - began)


def sign_in(program, arguments: list, output, person: Person | None = None) -> Person:
    """Runs the program while a user signs in."""
    person = person or Person()
    run = interactive(program, arguments, output, person)
    assert (run.status, run.stdout, run.stderr) == (0, "", ""), run.described()
    assert "Sign-in Success" in person.end
    return person


def ask(program, arguments: list, output, **more) -> Run:
    """Runs the program without a user."""
    return program.run(*arguments, env=program.request(WORKFORCE, ID_TOKEN, output, **more))


def refresh_by_hand(server, token: str, identifier="staff") -> tuple[int, str | None]:
    """Sends a refresh token to the issuer, and returns the response."""
    fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": identifier}
    answer = requests.post(server.issuer + "/token", data=fields, timeout=10)
    return answer.status_code, answer.json().get("error")


@pytest.mark.parametrize("identifier, options", [
    ("staff", ["--auth=none"]),
    ("confidential", ["--client-secret=file:{secret}"]),
])  # fmt: skip
def test_a_user_signs_in_and_out(program, server, ledger, tmp_path, output, kept, identifier, options):
    """The test covers sign-in, refresh with rotation, and revocation, for a public client and one that authenticates at
    every endpoint."""
    (tmp_path / "secret").write_text(ledger.secret("the client secret", SECRET))
    (tmp_path / "secret").chmod(0o600)
    arguments = source(server, identifier, *(option.format(secret=tmp_path / "secret") for option in options))
    before = len(server.token_requests)
    sign_in(program, arguments, output)
    claims = claims_of(json.loads(output.read_text())["id_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (server.issuer, identifier, "alex")
    first = refresh_token(ledger, kept)

    output.unlink()
    renewed = ask(program, arguments, output)
    assert claims_of(renewed.token)["sub"] == "alex"
    second = refresh_token(ledger, kept)
    assert (first != second) == (identifier == "staff"), "this issuer rotates the refresh tokens of public clients"
    requests_since = server.token_requests[before:]
    assert [request["grant"] for request in requests_since if request["status"] == 200] == [DEVICE_CODE, "refresh_token"]
    auth = {"staff": "none", "confidential": "basic"}[identifier]
    assert {request["auth"] for request in requests_since} == {auth}

    revoke = ask(program, arguments, output, revoke="1")
    assert (revoke.status, revoke.stdout, revoke.stderr) == (0, '{"version":1,"success":true}\n', "")
    assert not output.exists() and not kept.exists()
    revocation = server.requests("/token/revocation")[-1]
    assert (revocation["status"], revocation["client"], revocation["auth"]) == (200, identifier, auth)
    if identifier == "staff":
        assert refresh_by_hand(server, second) == (400, "invalid_grant")
    ask(program, arguments, output).failed("ABSENT", "gcloud auth login")


@pytest.mark.parametrize("name", list(CLIENTS))
def test_each_google_client_gets_a_token_with_the_refresh_token(clients, program, server, sts, ledger, output, kept, name):
    """No client is interactive, and there is no terminal, so no user is asked."""
    sts.add(OidcPoolProvider(WORKFORCE, server.issuer, allowed_audiences=("staff",)))
    configuration = clients.configuration(WORKFORCE, *source(server), token_type=ID_TOKEN, output_file=output)
    # The command line is that of the client, because the refresh token is bound to its options.
    command = json.loads(configuration.read_text())["credential_source"]["executable"]["command"].split()
    sign_in(program, command[1:], output)
    first = refresh_token(ledger, kept)
    output.unlink()
    assert clients.run(name, configuration).access_token in sts.issued
    (exchange,) = sts.exchanges
    assert (exchange.subject_token_type, exchange.claims["sub"]) == (ID_TOKEN, "alex")
    assert refresh_token(ledger, kept) != first


@pytest.fixture
def configuration(clients, server, sts, output):
    """A configuration for a workforce pool, which is interactive because of its timeout."""
    sts.add(OidcPoolProvider(WORKFORCE, server.issuer, allowed_audiences=("staff",)))
    return clients.configuration(WORKFORCE, *source(server), token_type=ID_TOKEN, output_file=output,
                                 interactive_timeout_millis=60000)  # fmt: skip


def shown_by(clients, command: list, settings: dict, person=lambda shown: True) -> str:
    """The terminal of a client that must succeed."""
    status, shown = on_terminal(command, clients.environment(settings), person=person)
    clients.program.ledger.note("the terminal of a client", shown)
    clients.program.ledger.note("the log under a client", clients.log.read_text())
    assert status == 0, shown
    return shown


@pytest.fixture
def gcloud(tmp_path, configuration):
    """gcloud with its own configuration folder: its command, its settings, and a function that makes it forget access
    tokens.
    """
    settings = {"CLOUDSDK_CONFIG": str(tmp_path / "gcloud"), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    return [need("gcloud")], settings, (tmp_path / "gcloud" / "access_tokens.db").unlink


def log_in(clients, configuration, gcloud) -> list:
    """Runs `gcloud auth login` with a user at the terminal. Returns the command that prints a token of the user."""
    command, settings, _ = gcloud
    person = Person()
    shown = shown_by(clients, [*command, "auth", "login", f"--cred-file={configuration}", "--quiet"], settings, person)
    assert "Sign-in Success" in person.end and person.code in shown
    account = shown.partition("[")[2].partition("]")[0]
    assert account.startswith("principal:"), shown
    return [*command, "auth", "print-access-token", account, "--quiet"]


def test_gcloud_signs_in_and_stays_signed_in(clients, server, sts, ledger, configuration, gcloud, output, kept):
    """Later tokens need neither a user nor a terminal."""
    command, (_, settings, forget) = log_in(clients, configuration, gcloud), gcloud
    assert sts.exchanges[-1].claims["sub"] == "alex"
    tokens = [refresh_token(ledger, kept)]
    for on_a_terminal in (True, False):
        output.unlink()
        forget()
        if on_a_terminal:
            printed = shown_by(clients, command, settings)
        else:
            printed = subprocess.run(command, env=clients.environment(settings), stdin=subprocess.DEVNULL, text=True,
                                     capture_output=True, timeout=60, check=True, start_new_session=True).stdout  # fmt: skip
        assert printed.strip() == list(sts.issued)[-1], "nothing but the token"
        tokens.append(refresh_token(ledger, kept))
    assert len(set(tokens)) == 3 and server.token_requests[-1]["grant"] == "refresh_token"


def test_gcloud_in_a_script_asks_on_the_terminal(clients, sts, configuration, gcloud, tmp_path, output, kept):
    """In `TOKEN=$(gcloud auth print-access-token)`, the text for the user is not in the variable."""
    command, (_, settings, forget) = log_in(clients, configuration, gcloud), gcloud
    for path in (output, kept):
        path.unlink()
    forget()
    variable, person = tmp_path / "variable", Person()
    with variable.open("w") as stdout:
        status, shown = on_terminal(command, clients.environment(settings), person=person, stdout=stdout)
    assert status == 0 and person.code in shown, shown
    assert variable.read_text().strip() == list(sts.issued)[-1]


def test_google_auth_signs_in_and_out(clients, server, sts, ledger, configuration, output, kept):
    """The steps are an interactive run, a non-interactive one with the refresh token, and its revocation."""
    command, settings = CLIENTS["python"](configuration)
    person = Person()
    shown = shown_by(clients, [*command, "interactive"], settings, person)
    assert person.code in shown and json.loads(shown.strip().splitlines()[-1])["access_token"] in sts.issued
    refresh_token(ledger, kept)
    output.unlink()
    assert clients.run("python", configuration).access_token in sts.issued
    token = refresh_token(ledger, kept)
    assert json.loads(shown_by(clients, [*command, "revoke"], settings)) == {"revoked": True}
    assert not output.exists() and not kept.exists()
    assert refresh_by_hand(server, token) == (400, "invalid_grant")
    outcome = clients.run("python", configuration)
    assert outcome.status == 1 and "gcloud auth login" in outcome.complaint


def test_a_user_declines(program, server, output, kept):
    """The user declines on the page that asks to confirm the code."""
    person = Person(decline=True)
    run = interactive(program, source(server), output, person)
    assert run.status == 5 and "access_denied" in run.stderr, run.described()
    assert "The Sign-in request was interrupted" in person.end and not output.exists() and not kept.exists()


def test_nobody_signs_in(program, tmp_path, output):
    """The issuer determines when the code expires."""
    device = {"interval": 1, "life": 3, "busy": []}
    with oidc_provider(tmp_path, [client("staff", "none", **GRANTS)], device=device) as brief:
        interactive(program, source(brief), output).failed("EXPIRED")
        errors = [request["error"] for request in brief.token_requests]
    assert len(errors) > 1 and set(errors[:-1]) == {"authorization_pending"}, errors
    assert errors[-1] in ("expired_token", "invalid_grant")


def test_a_busy_issuer_is_polled_less_often(program, server, output):
    """slow_down adds five seconds. An earlier request would get another slow_down."""
    before = len(server.token_requests)
    sign_in(program, source(server, "busy"), output, Person(slow=1.5))
    first, second = server.token_requests[before:]
    assert first["error"] == "slow_down" and 6 <= second["time"] - first["time"] < 11


def test_many_runs_share_a_refresh_token(program, server, ledger, output, kept):
    """Each run uses the refresh token once. This issuer would revoke the whole family at the second use, as the last
    lines show."""
    arguments = source(server, "staff", f"--refresh-token-file={kept}")
    sign_in(program, arguments, output)
    first = refresh_token(ledger, kept)
    before = len(server.token_requests)
    outputs = [output.with_name(f"output-{number}.json") for number in range(6)]
    with ThreadPoolExecutor(len(outputs)) as pool:
        runs = list(pool.map(lambda path: ask(program, arguments, path), outputs))
    assert all(run.token for run in runs)
    assert [request["status"] for request in server.token_requests[before:]] == [200] * len(outputs)
    last = refresh_token(ledger, kept)
    assert refresh_by_hand(server, first) == (400, "invalid_grant")
    assert refresh_by_hand(server, last) == (400, "invalid_grant")


def test_a_refresh_token_that_was_used_elsewhere(program, server, ledger, output, kept):
    """The program removes the refresh token, and the user must sign in: at once if there is a terminal, otherwise as
    the message says."""
    arguments = source(server)
    sign_in(program, arguments, output)
    stolen = refresh_token(ledger, kept)
    copy = shutil.copy(kept, kept.with_name("copy"))
    assert refresh_by_hand(server, stolen) == (200, None)
    output.unlink()
    message = ask(program, arguments, output).failed("EXPIRED", "invalid_grant", "gcloud auth login")
    assert server.issuer in message and not kept.exists()
    shutil.move(copy, kept)
    assert sign_in(program, arguments, output).code
    assert refresh_token(ledger, kept) != stolen


@pytest.mark.parametrize("identifier, word", [
    ("nobody", "check --client-id"),
    ("machine", "is not allowed for this client"),
])  # fmt: skip
def test_a_client_that_the_issuer_refuses_is_denied(program, server, output, identifier, word):
    """The client is unknown, or not allowed to use this grant. The user is not prompted."""
    before = len(server.token_requests)
    interactive(program, source(server, identifier), output).failed("DENIED", word)
    assert len(server.token_requests) == before


def test_an_issuer_without_device_flow(program, tmp_path, output):
    """The metadata of the issuer does not list the endpoint."""
    with oidc_provider(tmp_path, [client("staff", "none")]) as other:
        run = interactive(program, source(other), output)
    run.failed("CONFIGURATION", "device_authorization_endpoint", "--issuer")
