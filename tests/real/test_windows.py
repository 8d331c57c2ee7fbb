"""The Windows build under Wine: the contract, the output file, many runs at once, and AD FS by SSPI.

The .exe is what packaging/windows/build makes; Kerberos and Apache are real and run beside it. Wine replaces Windows: it tests the
bindings, the loops and HTTP, but not Windows itself, and its Negotiate sends raw Kerberos and NTLM tokens.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from servers.kdc import REALM
from standins.adfs_saml import NAMES, decoded
from standins.loopback import Answer, Loopback
from support.adfs import ALICE, CLIENT, PASSWORDS, farm, issues_saml, register
from support.program import EXIT_STATUS
from support.pysaml2_idp import IdentityProvider
from support.signer import certificate, certificate_pem, new_key, pem, some_token
from support.windows import WindowsProgram, others_may_read, wine


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Wine for this file."""
    with wine(tmp_path_factory.mktemp("windows")) as found:
        yield found


@pytest.fixture
def windows(running, tmp_path, ledger, audience) -> WindowsProgram:
    """The program on Windows with the variables that a client sets, and its own home."""
    home = tmp_path / "windows-home"
    home.mkdir()
    program = WindowsProgram(home, ledger, running.program)
    return replace(program, variables=program.request(audience))


@pytest.fixture
def token() -> str:
    """A subject token."""
    return some_token()


@pytest.fixture
def far(token):
    """A server that returns the token as slowly as a test requires."""
    found = Loopback(lambda request: Answer(200, {"id_token": token}))
    yield found
    found.close()


# The contract

def test_a_success_and_its_bytes(windows, token):
    """The output is one line that ends with a line feed only, and stderr is empty."""
    run = windows.run("env", "--name=TOKEN", env={"TOKEN": token})
    assert run.token == token and "\r" not in run.stdout


@pytest.mark.parametrize("code, arguments", [
    ("USAGE", ("env", "--no-such-option=1")),
    ("CONFIGURATION", ("url", "--url={far}/404")),
    ("ABSENT", ("env", "--name=NO_SUCH_VARIABLE")),
    ("DENIED", ("url", "--url={far}/401")),
    ("UNREACHABLE", ("url", "--url=http://127.0.0.1:9/", "--timeout=2")),
    ("PROTOCOL", ("env", "--name=GARBAGE")),
    ("EXPIRED", ("env", "--name=OVER")),
])  # fmt: skip
def test_kinds_and_exit_statuses(windows, code, arguments):
    """Windows does not change the exit status."""
    over = some_token(exp=int(time.time()) - 10)
    with Loopback(lambda request: Answer(int(request.path[1:]), "no")) as refusing:
        source, *options = (word.format(far=refusing.url) for word in arguments)
        run = windows.run(source, *options, env={"GARBAGE": "not a token", "OVER": over})
    run.failed(code)
    assert run.status == EXIT_STATUS[code]


def test_the_output_file(windows, far, token, tmp_path):
    """The file is written once, read after that, and replaced if it is poisoned. Only the file and its lock remain."""
    folder = tmp_path / "output"
    folder.mkdir()
    output = folder / "out.json"
    for _ in range(2):
        assert windows.run("url", f"--url={far.url}/token", "--field=id_token", f"--output-file={output}").token == token
    assert len(far.requests) == 1 and json.loads(output.read_text())["id_token"] == token
    for poison in (b"", b"{}", output.read_bytes()[:-20]):
        output.write_bytes(poison)
        assert windows.run("url", f"--url={far.url}/token", "--field=id_token", f"--output-file={output}").token == token
        assert json.loads(output.read_text())["id_token"] == token
    assert {path.name for path in folder.iterdir()} <= {"out.json", "out.json.lock"}


@pytest.fixture
def reader(running):
    """Starts a process that opens a file as soon as it exists, without FILE_SHARE_DELETE, so that nobody can rename or
    replace it.
    """
    tool = running.tool("hold")
    return lambda folder, pattern: running.start(tool, folder, pattern, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def reads(reader: subprocess.Popen):
    """Waits until the process of `reader` has opened the file."""
    assert reader.stdout.readline() == "held\n"


@pytest.fixture
def poisoned(tmp_path):
    """An output file that must be replaced, in its own folder."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "out.json").write_text("{}")
    return folder / "out.json"


def test_files_that_another_process_reads(windows, reader, far, token, poisoned):
    """A reader opens first the old output file, then the new one, as virus scanners do. The new file is put in place
    after both are closed.
    """
    command = ("url", f"--url={far.url}/token", "--field=id_token", f"--output-file={poisoned}")
    with ThreadPoolExecutor(1) as pool, reader(poisoned.parent, ".out.json.*") as of_new:
        with reader(poisoned.parent, "out.json") as of_old:
            reads(of_old)
            run = pool.submit(windows.run, *command)
            reads(of_new)
            (new,) = poisoned.parent.glob(".out.json.*")
            assert not others_may_read(new)
        time.sleep(0.1)
        assert not run.done() and poisoned.read_text() == "{}"
        of_new.stdin.close()
        assert run.result().token == token
    assert json.loads(poisoned.read_text())["id_token"] == token
    assert {path.name for path in poisoned.parent.iterdir()} == {"out.json", "out.json.lock"}


def test_an_output_file_that_is_never_closed(windows, reader, far, token, poisoned):
    """The token is printed, and the old file is unchanged."""
    with reader(poisoned.parent, "out.json") as of_old:
        reads(of_old)
        run = windows.run("url", f"--url={far.url}/token", "--field=id_token", f"--output-file={poisoned}")
    assert run.token == token and "token not cached: cannot write" in run.log
    assert poisoned.read_text() == "{}"
    assert list(poisoned.parent.glob(".out.json.*")) == []


def test_only_the_owner_may_read(windows, far, token, tmp_path):
    """Everyone may read the folder, but not the output file, the lock and the log, even after the output file is
    replaced.
    """
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    output = folder / "out.json"
    for content in (None, "{}"):
        if content:
            output.write_text(content)
            output.chmod(0o644)
        run = windows.run("url", f"--url={far.url}/token", "--field=id_token", f"--output-file={output}")
        assert run.token == token and json.loads(output.read_text())["id_token"] == token
    made = {path.name: others_may_read(path) for path in (*folder.iterdir(), *tmp_path.glob("*.log"))}
    assert made == {"out.json": False, "out.json.lock": False, "windows-home-run-1.log": False, "windows-home-run-2.log": False}


def test_an_output_file_that_everyone_can_write_to_is_not_used(windows, far, token, tmp_path):
    """Another user could have put another token into it. The run replaces it by a private one."""
    output = tmp_path / "out.json"
    command = ("url", f"--url={far.url}/token", "--field=id_token", f"--output-file={output}")
    for mode, requests in ((None, 1), (0o644, 1), (0o666, 2), (None, 2)):
        if mode:
            output.chmod(mode)
        run = windows.run(*command)
        assert run.token == token and len(far.requests) == requests, run.described()
        assert ("cached file not used" in run.log and "other users can write to it" in run.log) is (mode == 0o666), run.described()


def test_check_names_who_can_replace_the_output_file(windows, audience, tmp_path):
    """The access control list of a folder is read as that of a file is."""
    folder = tmp_path / "shared"
    folder.mkdir()
    executable = {"command": f"{windows.path} env --name=TOKEN", "output_file": f"Z:{folder}/out.json"}
    config = {
        "type": "external_account", "audience": audience, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"executable": executable}}  # fmt: skip
    (tmp_path / "credentials.json").write_text(json.dumps(config))
    for mode, warned in ((0o777, True), (0o755, False)):
        folder.chmod(mode)
        report = windows.run("check", "--offline", f"--credentials={tmp_path}/credentials.json").stdout
        found = [line for line in report.splitlines() if "output file" in line]
        assert ("every user can replace" in "".join(found)) is warned, report


def test_a_generated_key_is_private_and_its_key_set_is_not(windows, tmp_path):
    """A file that is not private has the access control list of its folder."""
    run = windows.run("key", f"--key={tmp_path}/key.pem", "--generate", "--issuer=https://issuer.example.test", "--subject=s")
    windows.ledger.private_key("the generated key", (tmp_path / "key.pem").read_text())
    assert run.token
    assert not others_may_read(tmp_path / "key.pem")
    assert others_may_read(tmp_path / "key.jwks.json")


def test_a_secret_that_others_may_read(windows, far, tmp_path):
    """The log contains the command that repairs the access control list, which works in any shell."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2-bearer")
    for mode, warned in ((0o644, True), (0o600, False)):
        secret.chmod(mode)
        run = windows.run("url", f"--url={far.url}/token", "--field=id_token", f"--header=Authorization:Bearer file:{secret}")
        assert ("other users can access" in run.log) is warned, run.described()
        command = rf'run icacls "{secret}" /inheritance:r /remove:g \*S-1-1-0 .*\*S-1-5-32-545 .*/grant:r "\*S-1-5-[-\d]+:F" "\*S-1-5-18:F"'
        assert bool(re.search(command, run.log)) is warned, run.described()


@pytest.mark.parametrize("drive", ["", "Z:"])
def test_paths_with_forward_slashes(windows, token, tmp_path, drive):
    """A path with forward slashes works with and without a drive."""
    (tmp_path / "token").write_text(token)
    assert windows.run("file", f"--path={drive}{tmp_path}/token", f"--output-file={drive}{tmp_path}/o.json").token == token
    assert json.loads((tmp_path / "o.json").read_text())["id_token"] == token


def test_many_concurrent_runs(windows, far, token, tmp_path, storm):
    """Many runs with one output file cause one fetch, and all print the same token."""
    output, runs = tmp_path / "out.json", 50 if storm else 12

    def run(_):
        command = ("url", f"--url={far.url}/token", "--field=id_token", f"--output-file={output}", "--timeout=60")
        return windows.run(*command, timeout=120, logs=False)

    with ThreadPoolExecutor(runs) as pool:
        assert {found.token for found in pool.map(run, range(runs))} == {token}
    assert len(far.requests) == 1


# AD FS

@pytest.fixture
def adfs(tmp_path, kdc, windows, audience, ledger):
    """AD FS, which the Windows program uses."""
    register(ledger, kdc)
    with farm(tmp_path, kdc, windows, audience) as found:
        yield found


def test_kerberos_of_the_account(adfs):
    """SSPI uses the ticket cache, as it uses the logged-on account on Windows."""
    run = adfs.run(ccache=adfs.kdc.ticket("alice"))
    assert run.token == adfs.front.issued[-1]
    assert adfs.legs()[-1]["x-remote-user"] == ALICE


def test_kerberos_of_another_account(adfs):
    """The credentials are explicit."""
    account = f"{REALM}\\alice"
    run = adfs.run(auth="password", user=account, password="env:SECRET", env={"SECRET": PASSWORDS["alice"]})
    assert run.token == adfs.front.issued[-1]


@pytest.mark.parametrize("protocol", ["saml-post", "ws-trust"])
def test_saml(adfs, tmp_path, protocol):
    """Both protocols return an assertion."""
    issues_saml(adfs, IdentityProvider(tmp_path, "https:" + adfs.audience), protocol)
    assert adfs.run(ccache=adfs.kdc.ticket("alice")).token
    assert len(adfs.front.issued) == 1


# The certificate store

@pytest.fixture
def trusting(adfs, tmp_path):
    """AD FS that requires signed requests; the certificate and the key are in a PKCS#12 file."""
    issues_saml(adfs, IdentityProvider(tmp_path, "https:" + adfs.audience), "saml-post")
    key = new_key("RSA")
    made = certificate(key, "rp.example.test")
    trust = adfs.front.relying_parties[adfs.relying_party]
    trust.certificate, trust.signature_required = certificate_pem(made), True
    adfs.program.ledger.private_key("the signing key", pem(key))
    protected = BestAvailableEncryption(PFX_PASSWORD.encode())
    (tmp_path / "rp.pfx").write_bytes(serialize_key_and_certificates(b"rp", key, made, None, protected))
    adfs.given["signing-certificate"] = made.fingerprint(SHA1()).hex()
    return adfs


@pytest.fixture
def imports(running, tmp_path):
    """Imports the PKCS#12 file into the store of the user, with a provider of this type for the key."""
    tool = running.tool("import", "-lcrypt32")
    return lambda provider: running.run(tool, tmp_path / "rp.pfx", PFX_PASSWORD, str(provider))


PFX_PASSWORD = "pfx-password-9"
PROV_RSA_FULL, PROV_RSA_AES = 1, 24


def test_a_request_signed_by_the_certificate_store(trusting, imports):
    """signxml in the stand-in accepts the signature of a key that never left the store, and refuses a request without
    it. The store of Wine has only keys of CryptoAPI; a unit test of the Windows build covers those of CNG.
    """
    imports(PROV_RSA_AES)
    run = trusting.run(ccache=trusting.kdc.ticket("alice"))
    assert run.token and r"in CurrentUser\My" in run.log
    assert decoded(trusting.front.received[-1].query["SAMLRequest"][0]).find("ds:Signature", NAMES) is not None
    trusting.run(signing_certificate=None, ccache=trusting.kdc.ticket("alice")).failed("DENIED", "MSIS0038")


def test_a_provider_without_sha_256(trusting, imports):
    """The run fails before it sends anything, with the command that fixes it."""
    imports(PROV_RSA_FULL)
    trusting.run().failed("CONFIGURATION", "SHA-256", "certutil -csp")
    assert trusting.legs() == []


def test_a_certificate_that_does_not_exist(trusting):
    """The program searches both stores."""
    trusting.run().failed("CONFIGURATION", "certificate", "--signing-certificate", r"Cert:\LocalMachine\My")


def test_a_token_is_signed_by_the_certificate_store(trusting, imports, windows):
    """The printed public key verifies the token and its key ID."""
    imports(PROV_RSA_AES)
    key = f"--key=cert:{trusting.given['signing-certificate']}"
    printed = windows.run("key", "--jwks", key)
    assert printed.status == 0, printed.described()
    (public,) = jwt.PyJWKSet.from_json(printed.stdout).keys
    made = windows.run("key", key, "--issuer=https://host.example.test", "--subject=host-1").token
    assert jwt.get_unverified_header(made) == {"alg": "RS256", "typ": "JWT", "kid": public.key_id}
    assert jwt.decode(made, public, ["RS256"], options={"verify_aud": False})["sub"] == "host-1"


def test_a_keytab_is_refused_on_windows(adfs):
    """The run fails before it sends anything."""
    run = adfs.run(keytab=str(adfs.kdc.folder / "alice.keytab"))
    assert run.document["code"] in ("USAGE", "CONFIGURATION"), run.described()
    assert "keytab" in run.document["message"] and "--user" in run.document["message"]


def test_ntlm_stays_on_one_connection(tmp_path, kdc, windows, audience):
    """The challenge and the two legs use one connection, because the state of NTLM belongs to it. The request is plain
    http, because the NTLM of Wine accepts no channel binding in the first call, unlike Windows.
    """
    users = tmp_path / "ntlm-users"
    users.write_text(f"EXAMPLE:alice:{windows.ledger.secret('the password', PASSWORDS['alice'])}\n")
    with farm(tmp_path, kdc, windows, audience, tls=False, mechanism="ntlmssp", env={"NTLM_USER_FILE": str(users)}) as ntlm:
        ntlm.front.clients[CLIENT].users = {"EXAMPLE\\alice", "alice@EXAMPLE", "alice"}
        run = ntlm.run(auth="password", user="EXAMPLE\\alice", password="env:SECRET", env={"SECRET": PASSWORDS["alice"]})
        assert run.token == ntlm.front.issued[-1]
        lines = [line for line in ntlm.apache.wait_for(4) if "oauth2" in line[4]]
        assert [line[1] for line in lines] == ["401", "401", "200"]
        assert len({line[0] for line in lines}) == 1
