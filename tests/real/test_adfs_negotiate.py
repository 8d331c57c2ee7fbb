"""Negotiate against real Kerberos (MIT) and NTLM (gss-ntlmssp): failures and their messages, clocks, and channel bindings.

Clocks are moved for one process by libfaketime; the acceptor that checks channel bindings is servers/acceptor.py.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from servers.kdc import REALM, realm
from servers.namespace import own_mounts
from support.adfs import ALICE, CLIENT, PASSWORDS, SERVICE, farm
from support.channel_binding import acceptor
from support.places import missing, need
from support.processes import free_port

PASSWORD = {"auth": "password", "user": ALICE, "password": "env:SECRET"}


def clock(offset: str) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong and whose monotonic clock is correct."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        missing("libfaketime is not installed")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_SKIP_CMDS": "sh"}


# No ticket, or a wrong one

def test_no_ticket(adfs):
    """The message names the commands to run."""
    adfs.run().failed("ABSENT", "kinit", "klist", "--keytab")


def test_kerberos_is_not_configured(adfs):
    """Kerberos was never set up on this host."""
    run = adfs.run(env={"KRB5_CONFIG": "/nonexistent"})
    assert run.document["code"] in ("ABSENT", "CONFIGURATION"), run.described()
    assert "kinit" in run.document["message"] or "krb5.conf" in run.document["message"], run.described()


def test_no_kerberos_library(adfs):
    """The message names the package to install. Everything that does not need Kerberos works."""
    libraries = ("libgssapi_krb5.so.2", "libgssapi_krb5.so", "libgssapi.so.3", "libgssapi.so")
    found = [path for name in libraries for path in Path("/").glob(f"usr/lib/*/{name}")]
    adfs.program = adfs.program.behind(*own_mounts("\n".join(f"mount --bind /dev/null {path}" for path in found)))
    adfs.run(ccache=adfs.kdc.ticket("alice")).failed("ABSENT", "libgssapi-krb5-2")
    adfs.front.clients["app"] = type(adfs.front.clients[CLIENT])(resources={adfs.relying_party}, secret="secret-of-app")
    assert adfs.run(auth="client-secret", client_id="app", client_secret="env:S", env={"S": "secret-of-app"}).token


def test_an_expired_ticket(adfs, tmp_path):
    """The ticket was issued two days ago for one day; the message says to run kinit."""
    past, library = realm(tmp_path), clock("-2d")
    past.add("alice", PASSWORDS["alice"])
    with past.serving(env=library):
        ticket = past.ticket("alice", env=library)
    shutil.copy(ticket, tmp_path / "expired")
    adfs.run(ccache=tmp_path / "expired").failed("EXPIRED", "kinit")


def test_a_clock_that_is_wrong(adfs):
    """The clock is an hour ahead of the KDC, and the ticket is valid."""
    adfs.run(ccache=adfs.kdc.ticket("alice"), env=clock("+1h")).failed("CONFIGURATION", "clock")


@pytest.mark.parametrize("how", [{"spn": "HTTP/adfs.example.test"}, {"spn": f"HTTP/adfs.example.test@{REALM}"}])
def test_a_service_that_the_directory_does_not_know(adfs, how):
    """The message contains the command that registers the service principal name."""
    adfs.run(**how, ccache=adfs.kdc.ticket("alice")).failed("CONFIGURATION", "setspn -S HTTP/adfs.example.test")


def test_a_service_name_of_the_option(adfs):
    """--spn is used if the service principal name of AD FS does not match its host."""
    for spn in (SERVICE, f"{SERVICE}@{REALM}"):
        assert adfs.run(spn=spn, ccache=adfs.kdc.ticket("alice")).token


def test_another_account_has_the_service_name(adfs, kdc):
    """AD FS does not have the keys for the ticket, so Apache cannot decrypt it."""
    if "HTTP/stranger" not in kdc.admin("listprincs"):
        kdc.add("HTTP/stranger")
    adfs.run(spn="HTTP/stranger", ccache=kdc.ticket("alice")).failed("DENIED")
    assert not any("x-remote-user" in headers for headers in adfs.legs())


@pytest.mark.parametrize("user, words", [
    (f"nobody@{REALM}", ("--user",)), ("alice@NO-SUCH.TEST", ("realm",)), (ALICE, ("--password",)),
], ids=["account", "realm", "password"])  # fmt: skip
def test_a_wrong_account(adfs, user, words):
    """The account is unknown, its realm is unknown, or its password is wrong."""
    wrong = adfs.program.ledger.secret("the wrong password", "wr0ng-password")
    run = adfs.run(**PASSWORD | {"user": user}, env={"SECRET": wrong})
    assert run.document["code"] in ("DENIED", "CONFIGURATION"), run.described()
    run.failed(run.document["code"], *words)


def test_a_wrong_password_is_tried_once(adfs):
    """A domain that locks accounts counts the attempts."""
    wrong, log = adfs.program.ledger.secret("the wrong password", "wr0ng-password"), adfs.kdc.folder / "kdc.log"
    before = log.read_text().count("PREAUTH_FAILED")
    adfs.run(**PASSWORD, env={"SECRET": wrong}).failed("DENIED", "--password")
    assert log.read_text().count("PREAUTH_FAILED") - before == 1


@pytest.mark.parametrize("content", [None, b"", b"\x05\x02garbage"], ids=["absent", "empty", "garbage"])
def test_a_file_that_is_not_a_keytab(adfs, tmp_path, content):
    """The message names the option."""
    if content is not None:
        (tmp_path / "bad.keytab").write_bytes(content)
    adfs.run(keytab=str(tmp_path / "bad.keytab")).failed("CONFIGURATION", "--keytab")


def test_a_keytab_without_the_account(adfs):
    """The keytab does not contain the account, or the password has changed since the keytab was created."""
    keytab = adfs.kdc.folder / "alice.keytab"
    adfs.run(keytab=str(keytab), principal=f"mallory@{REALM}").failed("CONFIGURATION", "--principal", "klist -k")


def test_no_server_responds(adfs, tmp_path):
    """Without a KDC, the run fails long before its deadline."""
    config = adfs.kdc.config.read_text().replace(f":{adfs.kdc.port}", f":{free_port()}")
    (tmp_path / "krb5.conf").write_text(config)
    run = adfs.run(ccache=adfs.kdc.ticket("alice"), env={"KRB5_CONFIG": str(tmp_path / "krb5.conf")})
    run.failed("UNREACHABLE", "krb5.conf")


def test_all_legs_are_on_one_connection(adfs):
    """The discovery, the challenge and the ticket, which is bound to its connection, use one connection."""
    assert adfs.run(ccache=adfs.kdc.ticket("alice")).token
    assert len({line[0] for line in adfs.apache.wait_for(3)}) == 1


# Channel binding

@pytest.fixture
def bound(adfs, tmp_path):
    """Starts an acceptor in front of the same AD FS. Returns its judgements and a run."""
    with contextlib.ExitStack() as stack:
        def start(mode: str, **certificate):
            port = free_port()
            made = adfs.authority.server(f"acceptor-{port}", "localhost", **certificate)
            keytab = adfs.kdc.folder / "http.keytab"
            running = stack.enter_context(acceptor(tmp_path, made, port, adfs.front.port, keytab, adfs.kdc.env(), mode))
            adfs.front.public = running.url
            return running

        yield start


@pytest.mark.parametrize("how", ["ticket", "password"])
def test_required_extended_protection(adfs, bound, how):
    """The acceptor receives the binding of the certificate of this connection."""
    server = bound("require")
    options = {"ccache": adfs.kdc.ticket("alice")} if how == "ticket" else PASSWORD | {"env": {"SECRET": PASSWORDS["alice"]}}
    assert adfs.run(**options).token == adfs.front.issued[-1]
    assert [(seen["user"], seen["bound"]) for seen in server.judgements] == [(ALICE, True)]


def test_a_certificate_with_a_longer_hash(adfs, bound):
    """The binding uses the hash of the certificate's own signature algorithm (RFC 5929 section 4.1)."""
    server = bound("require", digest=hashes.SHA384())
    assert adfs.run(ccache=adfs.kdc.ticket("alice")).token == adfs.front.issued[-1]
    assert [seen["bound"] for seen in server.judgements] == [True]


def test_extended_protection_behind_a_load_balancer(adfs, bound):
    """A load balancer terminates TLS, so AD FS expects the binding of another certificate. The message names
    the setting.
    """
    server = bound("elsewhere")
    adfs.run(ccache=adfs.kdc.ticket("alice")).failed("DENIED", "ExtendedProtectionTokenCheck")
    assert {seen["error"] for seen in server.judgements} == {"BadChannelBindingsError"}


def test_the_acceptor_checks_the_binding(adfs, bound):
    """This control shows that the tests above can fail: curl, which sends no binding, is refused if one is required, and
    accepted otherwise.
    """
    for mode, status in (("require", "401"), ("allow", "200")):
        server = bound(mode)
        done = subprocess.run(
            [need("curl"), "-sS", "--noproxy", "*", "--cacert", adfs.authority.ca, "--negotiate", "-u", ":", "-A", "MSIPC",
             "-o", "/dev/null", "-w", "%{http_code}", "-d", "grant_type=client_credentials", "-d", f"client_id={CLIENT}",
             "-d", f"resource={adfs.relying_party}", "-d", "use_windows_client_authentication=true", server.url + "/adfs/oauth2/token"],
            env=adfs.kdc.env(adfs.kdc.ticket("alice")), capture_output=True, text=True, timeout=20, check=False)  # fmt: skip
        assert (done.stdout, server.judgements[-1]["bound"]) == (status, False), done.stderr


# NTLM

@pytest.fixture
def ntlm(tmp_path, kdc, program, audience):
    """AD FS behind an Apache that accepts only NTLM; the users are in a file."""
    users = tmp_path / "ntlm-users"
    users.write_text(f"EXAMPLE:alice:{PASSWORDS['alice']}\n")
    with farm(tmp_path, kdc, program, audience, mechanism="ntlmssp", env={"NTLM_USER_FILE": str(users)}) as found:
        found.front.clients[CLIENT].users = {"EXAMPLE\\alice", "alice@EXAMPLE", "alice"}
        yield found


def test_a_server_that_accepts_only_ntlm(ntlm, tmp_path):
    """The program requests only Kerberos from GSSAPI. The server refuses the ticket, and no NTLM message leaves this
    host. On Windows this is different.
    """
    env = {"SECRET": PASSWORDS["alice"], "NTLM_USER_FILE": str(tmp_path / "ntlm-users")}
    ntlm.run(**PASSWORD, env=env).failed("DENIED")
    ntlm.run(env=env).failed("ABSENT", "kinit")
    assert not any("NTLMSSP" in str(base64.b64decode(leg.get("authorization", "").partition(" ")[2])) for leg in ntlm.legs())
