"""cargo fetches a crate from a registry that requires an access token (`auth-required`), with both of its ways to run a program.

The registry is under the name of Artifact Registry.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from standins.guarded import Guarded
from standins.loopback import Answer, Request
from support.places import need
from support.tools import Tools

REGISTRY, FOREIGN = "europe-cargo.pkg.dev", "cargo.example.test"
PATH = "/my-project/my-repo/"
NAMES = {"first word": ["wif-token"], "helper": ["wif-token", "helper", "cargo"], "own name": ["cargo-credential-wif-token"]}


def crate() -> bytes:
    """The smallest possible package."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in {"Cargo.toml": '[package]\nname = "wif-sample"\nversion = "1.0.0"\n', "src/lib.rs": ""}.items():
            entry = tarfile.TarInfo(f"wif-sample-1.0.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def registry(request: Request) -> Answer:
    """The sparse protocol: https://doc.rust-lang.org/cargo/reference/registry-index.html"""
    base = f"https://{request.headers['host']}{PATH}"
    entry = {"name": "wif-sample", "vers": "1.0.0", "deps": [], "cksum": hashlib.sha256(crate()).hexdigest(), "features": {},
             "yanked": False}  # fmt: skip
    found = {"config.json": {"dl": base + "dl", "api": base.rstrip("/"), "auth-required": True},
             "wi/f-/wif-sample": entry, "dl/wif-sample/1.0.0/download": crate()}  # fmt: skip
    return Answer(200, found[name]) if (name := request.path.removeprefix(PATH)) in found else Answer(404, "not found")


@pytest.fixture
def tools(commands, sts, issuer, audience, tmp_path):
    """cargo, a package that depends on one of the registry, and a home without other settings."""
    # The cargo of rustup would not find its toolchain in another home.
    printed = subprocess.run([need("rustc"), "--print=sysroot"], capture_output=True, text=True, check=True).stdout
    sysroot = Path(printed.strip())
    servers = Guarded(tmp_path, sts, REGISTRY, FOREIGN)
    folder = tmp_path / "tools"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").write_text("")
    (folder / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
                                       '[dependencies]\nwif-sample = { version = "1", registry = "my-repo" }\n')  # fmt: skip
    (tmp_path / "token").write_text(issuer.token("https:" + audience))
    commands.configure(audience, {"file": str(tmp_path / "token")})
    for name in (REGISTRY, FOREIGN):
        servers.serve(name, registry, "Bearer")
    found = Tools(folder, commands, servers, {"CARGO_HOME": str(folder / "cargo"), "CARGO_HTTP_CAINFO": str(servers.ca),
                                              "CARGO_TERM_COLOR": "never", "CARGO_NET_RETRY": "0"})  # fmt: skip
    found.link("wif-token")
    found.link("cargo-credential-wif-token")
    for name in ("cargo", "rustc"):
        (found.bin / name).symlink_to(sysroot / "bin" / name)
    yield found
    servers.close()


def cargo(tools: Tools, provider: list[str] | str, *words: str, host: str = REGISTRY, status: int = 0, **more):
    """Runs cargo with this provider for the registry."""
    (tools.folder / "cargo").mkdir(exist_ok=True)
    (tools.folder / "cargo" / "config.toml").write_text(
        f'[registries.my-repo]\nindex = "sparse+https://{host}{PATH}"\ncredential-provider = {json.dumps(provider)}\n')  # fmt: skip
    return tools.run("cargo", *(words or ["fetch"]), status=status, **more)


def is_fetched(tools: Tools) -> bool:
    """Whether the crate was downloaded."""
    return any(tools.folder.glob("cargo/registry/cache/*/wif-sample-1.0.0.crate"))


@pytest.mark.parametrize("name", NAMES)
def test_the_protocol_of_providers(tools, sts, name):
    """The program works under each of its names, and with options."""
    done = cargo(tools, [*NAMES[name], "--timeout=20", "--scope=cloud-platform"])
    assert is_fetched(tools), done.stderr
    assert set(tools.servers.proofs[REGISTRY]) == {"", "Bearer"}
    assert len(sts.iam.calls) == 1, "cargo caches the token for the run"
    assert "wif-token" not in done.stderr and "warning" not in done.stderr


def test_a_token_from_standard_output(tools):
    """cargo sends the output unchanged as the header."""
    cargo(tools, ["cargo:token-from-stdout", "wif-token", "access-token", "--format=bearer"])
    assert is_fetched(tools)


def test_another_form_of_the_token_is_refused(tools):
    """This control shows that the registry verifies the header."""
    cargo(tools, ["cargo:token-from-stdout", "wif-token", "access-token"], status=101)
    assert not is_fetched(tools)


def test_a_foreign_registry_gets_nothing(tools, sts):
    """The response tells cargo to use another provider."""
    failed = cargo(tools, ["wif-token"], host=FOREIGN, status=101)
    assert "no credential providers could handle the request" in failed.stderr and sts.exchanges == []
    assert set(tools.servers.proofs[FOREIGN]) == {""}


def test_the_next_provider_answers_for_a_foreign_registry(tools):
    """cargo asks global providers from the last to the first."""
    (tools.folder / "cargo").mkdir(exist_ok=True)
    providers = ["cargo:token-from-stdout wif-token access-token --format=bearer", "wif-token"]
    (tools.folder / "cargo" / "config.toml").write_text(
        f'[registries.my-repo]\nindex = "sparse+https://{FOREIGN}{PATH}"\n'
        f"[registry]\nglobal-credential-providers = {json.dumps(providers)}\n"
    )
    tools.run("cargo", "fetch")
    assert is_fetched(tools)


def test_a_foreign_registry_that_is_allowed_gets_a_token(tools):
    """The settings of cargo contain the option."""
    cargo(tools, ["wif-token", f"--allow-host={FOREIGN}"], host=FOREIGN)
    assert is_fetched(tools)


def test_cargo_shows_why_there_is_no_token(tools, sts):
    """cargo shows the failure as a cause. The program writes nothing to standard error."""
    sts.pool_providers.clear()
    failed = cargo(tools, ["wif-token"], status=101)
    lines = [line.strip() for line in failed.stderr.splitlines()]
    reason = next(line for line in lines if line.startswith(f"{sts.token_url} refused the token exchange"))
    assert "; " in reason and lines.count(reason) == 1


@pytest.mark.parametrize("words", [["--hunter2=x"], ["helper", "docker"], ["--allow-host=a:1"]])
def test_cargo_shows_what_is_wrong_with_the_options(tools, words):
    """The options are in the settings of cargo."""
    failed = cargo(tools, ["wif-token", *words], status=101)
    assert any(part in failed.stderr for part in ("run wif-token help helper cargo", "unexpected argument", "--allow-host is not"))


@pytest.mark.parametrize("words", [["login", "--registry=my-repo"], ["logout", "--registry=my-repo"]])
def test_nothing_is_stored(tools, words):
    """cargo reports that the provider does not support the operation."""
    failed = cargo(tools, ["wif-token"], *words, status=101, input="a\n")
    assert "not supported" in failed.stderr


REQUEST = json.dumps({"v": 1, "kind": "get", "operation": "read",
                      "registry": {"index-url": f"sparse+https://{REGISTRY}{PATH}"}, "args": []}) + "\n"  # fmt: skip


def token(answers: str) -> str:
    """The access token in the second line, after the greeting."""
    return json.loads(answers.splitlines()[1])["Ok"]["token"].removeprefix("Bearer ")


def test_a_token_is_renewed(tools, sts):
    """A token of one hour is used until it is valid for less than five to ten minutes."""
    need("faketime")
    for later, exchanges in [("+0m", 1), ("+45m", 1), ("+56m", 2)]:
        done = tools.run("faketime", "-f", later, tools.bin / "wif-token", "--cargo-plugin", input=REQUEST)
        assert token(done.stdout) == list(sts.impersonated)[-1] and len(sts.iam.calls) == exchanges, later


def test_fifty_at_once_use_one_token(tools, sts):
    """cargo starts a provider for each registry."""
    with ThreadPoolExecutor(50) as threads:
        runs = list(threads.map(lambda _: tools.run("wif-token", "--cargo-plugin", input=REQUEST), range(50)))
    assert {token(run.stdout) for run in runs} == set(sts.impersonated) and {run.stderr for run in runs} == {""}
    assert len(sts.exchanges) == len(sts.iam.calls) == 1


def test_fifty_requests_on_one_connection(tools, sts):
    """The program responds to each request, and ends when cargo closes standard input."""
    done = tools.run("wif-token", "--cargo-plugin", input=REQUEST * 50)
    hello, *answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert hello == {"v": [1]} and len(answers) == 50 and done.stderr == ""
    for answer in answers:
        given = answer["Ok"]
        assert given["token"].removeprefix("Bearer ") in sts.impersonated and type(given["expiration"]) is int
        assert (given["kind"], given["cache"], given["operation_independent"]) == ("get", "expires", True)
