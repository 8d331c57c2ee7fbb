"""The setup action and the dev container feature, and the script that both run."""

from __future__ import annotations

import http.server
import json
import threading
from functools import partial
from pathlib import Path

import pytest
import yaml

from conftest import CACHE, DOWNLOAD, VERSION, run


@pytest.fixture
def mirror(release):
    """A server with the files of the release."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=release)
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


def test_the_script_of_action_and_feature(definitions, release, mirror, tmp_path):
    """shellcheck accepts the script. The installed program runs, and a file with another checksum is not installed."""
    script = definitions / "action" / "install.sh"
    assert script.read_bytes() == (definitions / "devcontainer/src/wif-token/install.sh").read_bytes()
    run("shellcheck", script)
    run("dash", script, tmp_path / "bin", env={"DOWNLOADURL": mirror})
    assert run(tmp_path / "bin" / "git-credential-wif-token", "--version").stdout.startswith(f"wif-token {VERSION}\n")
    name = f"wif-token-{VERSION}-linux-x86_64.tar.gz"
    (tmp_path / name).write_bytes((release / name).read_bytes() + b"\0")
    done = run("dash", script, tmp_path / "wrong", env={"DOWNLOADURL": f"file://{tmp_path}"}, check=False)
    assert done.returncode == 1 and "the checksum of" in done.stderr and not (tmp_path / "wrong").exists()
    done = run("dash", script, tmp_path / "wrong", env={"DOWNLOADURL": f"file://{tmp_path}/none"}, check=False)
    assert done.returncode == 1 and "cannot download file://" in done.stderr and not (tmp_path / "wrong").exists()


def test_the_action(definitions, mirror, tmp_path):
    """GitHub's schema accepts the action, and its step runs as on a runner."""
    path = definitions / "action" / "action.yml"
    run(CACHE / "packages-venv/bin/check-jsonschema", "--builtin-schema=vendor.github-actions", path)
    action = yaml.safe_load(path.read_text())
    assert action["inputs"]["download-url"]["default"] == DOWNLOAD
    (step,) = action["runs"]["steps"]
    assert step["env"] == {"DOWNLOADURL": "${{ inputs.download-url }}"}
    env = {"DOWNLOADURL": mirror, "GITHUB_ACTION_PATH": str(path.parent), "RUNNER_TEMP": str(tmp_path), "RUNNER_OS": "Linux",
           "GITHUB_PATH": str(tmp_path / "path"), "GITHUB_OUTPUT": str(tmp_path / "output")}  # fmt: skip
    run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"], env=env)
    folder = Path((tmp_path / "path").read_text().strip())
    assert run(folder / "wif-token", "--version").stdout.startswith(f"wif-token {VERSION}\n")
    assert (tmp_path / "output").read_text() == f"path={folder}/wif-token\n"


def test_the_feature(definitions, mirror, system, tmp_path):
    """The Dev Containers CLI packages the feature, and the feature installs the program into a clean Debian."""
    cli = CACHE / "packages-node/node_modules/@devcontainers/cli/devcontainer.js"
    run("node", cli, "features", "package", definitions / "devcontainer/src", "--output-folder", tmp_path / "out")
    (feature,) = json.loads((tmp_path / "out/devcontainer-collection.json").read_text())["features"]
    assert (feature["id"], feature["version"]) == ("wif-token", VERSION)
    assert feature["options"]["downloadUrl"]["default"] == DOWNLOAD
    run("tar", "--extract", "--file", tmp_path / "out/devcontainer-feature-wif-token.tgz", "--directory", system.folder)
    # An option is a variable in upper case: https://containers.dev/implementors/features/#option-resolution
    system.run("/install.sh", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DOWNLOADURL": mirror})
    assert system.run("/usr/local/bin/wif-token", "--version").stdout.startswith(f"wif-token {VERSION}\n")
