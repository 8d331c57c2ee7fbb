"""The OCI image, checked with skopeo and umoci, and the sidecar of the documentation, checked with the schemas of Kubernetes."""

from __future__ import annotations

import json
import shutil
import tomllib

import pytest
import yaml

from conftest import CACHE, PACKAGING, ROOT, TOKEN, VERSION, run

INIT_CONTAINER = PACKAGING / "kubernetes" / "components" / "init-container" / "patch.yaml"
NOBODY = "65532:65532"


@pytest.fixture(scope="module")
def image(release, tmp_path_factory):
    """The image for this machine as a folder, with its configuration, unpacked by umoci."""
    folder = tmp_path_factory.mktemp("image")
    run("skopeo", "--insecure-policy", "copy", f"oci-archive:{release}/wif-token-{VERSION}-oci.tar", f"oci:{folder}/layout:image")
    run("umoci", "unpack", "--image", f"{folder}/layout:image", folder / "bundle")
    yield folder / "bundle"
    shutil.rmtree(folder, ignore_errors=True)


def test_both_architectures(release):
    """The index has one image for each architecture."""
    index = json.loads(run("skopeo", "inspect", "--raw", f"oci-archive:{release}/wif-token-{VERSION}-oci.tar").stdout)
    assert [found["platform"]["architecture"] for found in index["manifests"]] == ["amd64", "arm64"]
    for architecture in ("amd64", "arm64"):
        run("skopeo", f"--override-arch={architecture}", "inspect", f"oci-archive:{release}/wif-token-{VERSION}-oci.tar")


def test_what_is_in_the_image(image):
    """The image has three files, the names of two helpers, and a user without rights."""
    root = image / "rootfs"
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    helpers = {"docker-credential-wif-token", "git-credential-wif-token"}
    assert found == {"wif-token", "copy", "etc/ssl/certs/ca-certificates.crt"} | helpers
    assert {str((root / name).readlink()) for name in helpers} == {"wif-token"}
    process = json.loads((image / "config.json").read_text())["process"]
    assert process["args"] == ["/wif-token"] and process["user"]["uid"] == 65532
    assert run("chroot", f"--userspec={NOBODY}", root, "/wif-token", "--version").stdout.startswith(f"wif-token {VERSION}\n")


def test_the_image_names_its_home_page(release):
    """The labels of the image are those of Cargo.toml."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    inspected = json.loads(run("skopeo", "inspect", f"oci-archive:{release}/wif-token-{VERSION}-oci.tar").stdout)
    assert inspected["Labels"]["org.opencontainers.image.documentation"] == package["homepage"]
    assert inspected["Labels"]["org.opencontainers.image.source"] == package["repository"]


def test_the_init_container_hands_over_the_program(image):
    """The command of the manifest copies the program into a volume, as the user `nobody`."""
    spec = yaml.safe_load(INIT_CONTAINER.read_text())["spec"]["template"]["spec"]
    root = image / "rootfs"
    (root / "shared").mkdir()
    shutil.chown(root / "shared", 65532, 65532)
    run("chroot", f"--userspec={NOBODY}", root, *spec["initContainers"][0]["command"])
    (root / "token").write_text(TOKEN)
    done = run("chroot", f"--userspec={NOBODY}", root, "/shared/wif-token", "file", "--path=/token", "--format=text", "--audience=a")
    assert done.stdout == TOKEN


def test_copy_says_why_it_failed(image):
    """`/copy` prints the cause of a failure, and its usage."""
    failed = run("chroot", image / "rootfs", "/copy", "/nothing", "/x", check=False)
    assert failed.returncode == 1 and "/nothing" in failed.stderr
    assert run("chroot", image / "rootfs", "/copy", check=False).returncode == 2


def test_the_sidecar_of_the_documentation(tmp_path):
    """The pod in docs/commands/serve.md is valid: it has a native sidecar, and the workload has its address in
    variables.
    """
    page = (ROOT / "docs" / "commands" / "serve.md").read_text()
    path = tmp_path / "pod.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    run(CACHE / "packages-venv" / "bin" / "kubernetes-validate", "--strict", path)
    done = run("kubectl", "label", "--local", "--dry-run=client", "--filename", path, "checked=yes", "--output=name")
    assert done.stdout.split() == ["pod/my-app"]
    spec = yaml.safe_load(path.read_text())["spec"]
    (sidecar,), (workload,) = spec["initContainers"], spec["containers"]
    assert sidecar["restartPolicy"] == "Always"
    variables = {found["name"]: found["value"] for found in workload["env"]}
    address = variables["GCE_METADATA_HOST"]
    assert f"--listen={address}" in sidecar["command"] and list(variables.values()).count(address) == 3
    assert variables["NO_PROXY"] == address.partition(":")[0]
