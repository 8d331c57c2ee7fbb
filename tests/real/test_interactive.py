"""Interactive mode and revocation, as gcloud and google-auth use them with workforce pools, on a real terminal.

With GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=1 stdout and stderr are the user's terminal and the client reads the output file
only; with GOOGLE_EXTERNAL_ACCOUNT_REVOKE=1 the program removes its cached tokens. Neither is in AIP-4117; both are in
https://github.com/googleapis/google-auth-library-python (google/auth/pluggable.py).
"""

from __future__ import annotations

import json
import stat

import pytest

from standins.issuer import Issuer
from standins.verify_jwt import OidcPoolProvider
from support.clients import CLIENTS
from support.places import need
from support.terminal import on_terminal

WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/staff/providers/idp"


@pytest.fixture
def staff(sts, ledger):
    """A workforce pool provider's issuer, and one token of it."""
    found = Issuer()
    sts.add(OidcPoolProvider(WORKFORCE, found.url, allowed_audiences=("staff-client",)))
    yield ledger.token("the subject token", found.token("staff-client"))
    found.close()


@pytest.fixture
def configuration(clients, tmp_path, staff):
    """An interactive configuration, because it has an interactive timeout. The token is in a file that only the program
    reads.
    """
    (tmp_path / "token").write_text(staff)
    return clients.configuration(WORKFORCE, "file", f"--path={tmp_path / 'token'}", output_file=tmp_path / "output.json",
                                 interactive_timeout_millis=30000)  # fmt: skip


def shown_by(clients, command, more: list, settings: dict) -> str:
    """The terminal of a client that must succeed."""
    status, text = on_terminal([*command, *more], clients.environment(settings))
    clients.program.ledger.note("the terminal", text)
    assert status == 0, text
    return text


def test_google_auth_signs_in_and_out(clients, sts, configuration, staff, tmp_path):
    """The terminal shows no token, the output file contains it, and a revocation removes it."""
    output = tmp_path / "output.json"
    command, settings = CLIENTS["python"](configuration)
    text = shown_by(clients, command, ["interactive"], settings)
    assert json.loads(text)["access_token"] in sts.issued, "nothing but the client's own line"
    assert sts.exchanges[0].subject_token == staff == json.loads(output.read_text())["id_token"]
    assert stat.S_IMODE(output.stat().st_mode) == 0o600

    for _ in range(2):  # a second revocation is not an error
        assert json.loads(shown_by(clients, command, ["revoke"], settings)) == {"revoked": True}
        assert not output.exists()


def test_google_auth_shows_an_interactive_failure(clients, sts, configuration, tmp_path):
    """The terminal shows the message, the exception of the client contains the exit status, and the output file is
    empty.
    """
    (tmp_path / "token").unlink()
    command, settings = CLIENTS["python"](configuration)
    status, text = on_terminal([*command, "interactive"], clients.environment(settings))
    assert status == 1 and "return code 4" in text and "--path" in text
    assert sts.requests == [] and not (tmp_path / "output.json").exists()


def test_gcloud_signs_in_and_out(clients, sts, configuration, staff, tmp_path):
    """The interactive mode was made for `gcloud auth login --cred-file`."""
    output = tmp_path / "output.json"
    settings = {"CLOUDSDK_CONFIG": str(tmp_path / "gcloud"), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    gcloud = [need("gcloud")]
    text = shown_by(clients, gcloud, ["auth", "login", f"--cred-file={configuration}", "--quiet"], settings)
    assert "You are now logged in as" in text or "Authenticated with external account" in text
    assert sts.exchanges[0].subject_token == staff == json.loads(output.read_text())["id_token"]
    account = text.partition("[")[2].partition("]")[0]
    assert account.startswith("principal:")
    token = shown_by(clients, gcloud, ["auth", "print-access-token", account, "--quiet"], settings).strip()
    assert token in sts.issued


def test_the_documents_without_a_client(program, tmp_path, staff):
    """The documents are compared exactly, without a client."""
    output = tmp_path / "output.json"
    source = ["env", "--name=TOKEN"]
    asked = program.request(WORKFORCE, output_file=output, interactive="1") | {"TOKEN": staff}
    interactive = program.run(*source, env=asked)
    assert (interactive.status, interactive.stdout, interactive.stderr) == (0, "", "")
    assert json.loads(output.read_text())["id_token"] == staff
    revoke = program.run(*source, env=program.request(WORKFORCE, output_file=output, revoke="1"))
    assert (revoke.status, revoke.stdout, revoke.stderr) == (0, '{"version":1,"success":true}\n', "")
    assert not output.exists()


def test_interactive_needs_an_output_file(program, staff):
    """The token could not be passed to the client, so it is not printed."""
    run = program.run("env", "--name=TOKEN", env=program.request(WORKFORCE, interactive="1") | {"TOKEN": staff})
    run.failed("USAGE", "--output-file")
