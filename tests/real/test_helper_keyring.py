"""pip, before and after its change of the protocol, and uv install a package from an index that requires an access token.

They find the program in PATH as `keyring`. The index is under the name of Artifact Registry.
"""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from standins.guarded import Guarded
from standins.loopback import Answer, Request
from support.places import CACHE, PYTHON, missing, need
from support.tools import Tools

INDEX, FOREIGN = "europe-python.pkg.dev", "pypi.example.test"
USER = "oauth2accesstoken"
PATH = "/my-project/my-repo/simple/"
METADATA = "Metadata-Version: 2.1\nName: wif-sample\nVersion: 1.0\n"
PIPS = {"old": "pip-26.1", "new": "pip-26.3"}


def wheel() -> bytes:
    """The smallest possible package (PEP 427)."""
    info = "wif_sample-1.0.dist-info"
    files = {"wif_sample.py": "", f"{info}/METADATA": METADATA,
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}  # fmt: skip
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def index(request: Request) -> Answer:
    """The simple repository API (PEP 503, PEP 658) with one package."""
    name = "wif_sample-1.0-py3-none-any.whl"
    if request.path == PATH + "wif-sample/":
        return Answer(200, f'<!DOCTYPE html><a href="{name}" data-core-metadata="true">{name}</a>', {"Content-Type": "text/html"})
    if request.path == PATH + "wif-sample/" + name + ".metadata":
        return Answer(200, METADATA)
    if request.path == PATH + "wif-sample/" + name:
        return Answer(200, wheel(), {"Content-Type": "application/octet-stream"})
    return Answer(404, "not found")


@pytest.fixture
def tools(commands, sts, issuer, audience, tmp_path):
    """The installers, with the program as their keyring."""
    servers = Guarded(tmp_path, sts, INDEX, FOREIGN)
    (tmp_path / "tools").mkdir()
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")})
    for name in (INDEX, FOREIGN):
        servers.serve(name, index, "Basic", USER)
    found = Tools(tmp_path / "tools", commands, servers)
    found.link("keyring")
    yield found
    servers.close()


@pytest.fixture(params=[*PIPS, "uv"])
def tool(request) -> str:
    """Each installer."""
    return request.param


def install(tools: Tools, tool: str, host: str = INDEX, user: str = USER, status: int | None = 0, *more):
    """Installs the package; returns the run."""
    url = f"https://{user}@{host}{PATH}" if user else f"https://{host}{PATH}"
    target = tools.folder / "installed"
    if tool == "uv":
        uv = installed("uv-0.13.9") / "bin" / "uv"
        env = {"UV_KEYRING_PROVIDER": "subprocess", "SSL_CERT_FILE": str(tools.servers.ca), "UV_NO_CACHE": "1"}
        words = [uv, "pip", "install", "--python", PYTHON, f"--target={target}", *(more or [f"--default-index={url}"]), "wif-sample"]
        return tools.run(*words, status=status, env=env)
    words = [PYTHON, "-m", "pip", "install", "--isolated", "--no-input", "--no-cache-dir", f"--target={target}", f"--index-url={url}",
             f"--cert={tools.servers.ca}", "--keyring-provider=subprocess", "--disable-pip-version-check", "wif-sample"]  # fmt: skip
    return tools.run(*words, status=status, env={"PYTHONPATH": str(installed(PIPS[tool]))})


def installed(name: str) -> Path:
    """The folder into which a line of installers.txt was installed."""
    folder = CACHE / "installers" / name
    return folder if folder.exists() else missing(f"{name} is not installed: run tests/real/install")


def is_installed(tools: Tools) -> bool:
    """Whether the package was installed."""
    return (tools.folder / "installed" / "wif_sample.py").exists()


def test_the_package_is_installed(tools, sts, tool):
    """The URL of the index contains the user name."""
    done = install(tools, tool)
    assert is_installed(tools), done.stderr
    assert f"Basic {USER}" in tools.servers.proofs[INDEX]
    assert "eyring" not in done.stderr, "pip warns of a keyring that it does not understand"
    assert len(sts.iam.calls) == 1, "every request gets the same token"


@pytest.mark.parametrize("tool", ["new", "uv"])
def test_the_package_is_installed_without_a_user(tools, tool):
    """pip requests user name and password since its new protocol; uv does so if the index has `authenticate = "always"`.
    """
    config = tools.folder / "uv.toml"
    config.write_text(f'[[index]]\nname = "a"\nurl = "https://{INDEX}{PATH}"\nauthenticate = "always"\ndefault = true\n')
    install(tools, tool, INDEX, "", 0, f"--config-file={config}")
    assert is_installed(tools)


def test_a_foreign_index_gets_nothing(tools, sts, tool):
    """The installers continue without a password, and fail as they do without the program."""
    failed = install(tools, tool, FOREIGN, status=None)
    assert failed.returncode != 0 and not is_installed(tools)
    assert sts.exchanges == []


def test_a_foreign_index_that_is_allowed_gets_a_token(tools, tool):
    """A script in place of the program contains the option."""
    (tools.bin / "keyring").unlink()
    tools.script("keyring", f'exec {tools.commands.program.path} helper keyring --allow-host={FOREIGN} "$@"\n')
    install(tools, tool, FOREIGN)
    assert is_installed(tools)


@pytest.mark.parametrize("tool", ["old", "uv"])
def test_the_installer_shows_why_there_is_no_token(tools, sts, tool):
    """pip with the old protocol and uv show the standard error of the program; pip with the new one discards it."""
    sts.pool_providers.clear()
    failed = install(tools, tool, status=None)
    assert failed.returncode != 0
    assert f"{sts.token_url} refused the token exchange" in failed.stderr


@pytest.mark.parametrize("words", [["get", INDEX, USER], ["get", f"https://{INDEX}", USER], ["get", f"https://{INDEX}:443{PATH}", "x"],
                                   ["--output=json", "get", INDEX, USER], ["--mode=creds", "--output=json", "get", INDEX],
                                   ["get", INDEX, "--mode", "creds"]])  # fmt: skip
def test_the_forms_are_those_of_keyring(tools, sts, words):
    """The real program prints an entry of its backend in the same forms."""
    keyring = installed("keyring-25.7.0")
    ours = tools.run("keyring", *words, input="").stdout
    token = list(sts.impersonated)[-1]
    (tools.folder / "backend.py").write_text(BACKEND.replace("TOKEN", token))
    env = {"PYTHON_KEYRING_BACKEND": "backend.Backend", "PYTHONPATH": f"{keyring}:{tools.folder}"}
    theirs = tools.run(PYTHON, "-m", "keyring", *words, input="", env=env).stdout
    if "json" in " ".join(words):
        assert json.loads(ours) == json.loads(theirs)
    assert ours == theirs or "json" in " ".join(words)


BACKEND = """
from keyring import backend, credentials
class Backend(backend.KeyringBackend):
    priority = 1
    def get_password(self, service, username): return "TOKEN"
    def set_password(self, *_): raise NotImplementedError
    def get_credential(self, service, username): return credentials.SimpleCredential("oauth2accesstoken", "TOKEN")
"""


@pytest.mark.parametrize("service", [
    "pypi.org", "https://europe-python.pkg.dev.example.test/", "https://xpkg.dev/", "pkg.dev", "http://europe-python.pkg.dev/",
    "https://a@europe-python.pkg.dev/", "https://europe-python.pkg.dev:8443/", "europe-python.pkg.dev/x", "europe-python.pkg.dev.", "",
    "https://europe-python.pkg.dev@example.test/", "https://example.test/europe-python.pkg.dev", "\\", "https://[::1]/",
])  # fmt: skip
@pytest.mark.parametrize("mode", ["password", "creds"])
def test_a_similar_service_gets_nothing(tools, sts, mode, service):
    """Only the exit status shows this; pip and uv then continue."""
    found = tools.run("keyring", f"--mode={mode}", "get", service, USER, status=None)
    assert (found.stdout, found.stderr, found.returncode, sts.exchanges) == ("", "", 1, [])


def test_fifty_concurrent_runs_use_one_token(tools, sts):
    """One host can run this many builds."""
    with ThreadPoolExecutor(50) as threads:
        runs = list(threads.map(lambda _: tools.run("keyring", "get", INDEX, USER, input=""), range(50)))
    assert {run.stdout for run in runs} == {f"{list(sts.impersonated)[-1]}\n"} and {run.stderr for run in runs} == {""}
    assert len(sts.exchanges) == len(sts.iam.calls) == 1


def test_a_token_is_renewed(tools, sts):
    """A token of one hour is used until it is valid for less than five to ten minutes."""
    need("faketime")
    for later, exchanges in [("+0m", 1), ("+45m", 1), ("+56m", 2)]:
        found = tools.run("faketime", "-f", later, tools.bin / "keyring", "get", INDEX, USER, input="").stdout
        assert found == f"{list(sts.impersonated)[-1]}\n" and len(sts.iam.calls) == exchanges, later


def test_nothing_is_stored(tools):
    """pip offers to store a password that a user typed; the program reports that it does not store passwords."""
    failed = tools.run("keyring", "set", f"https://{INDEX}/", USER, input="hunter2-password", status=2)
    assert "helper keyring does not support these arguments" in failed.stderr
