"""Terraform's gcs backend fetches through the program: Go's golang.org/x/oauth2 in the use that people have for it.

https://developer.hashicorp.com/terraform/language/backend/gcs — `terraform init` and `terraform output` read the state from
Cloud Storage, here a few lines on loopback that want a bearer which the token service stand-in issued.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from standins.loopback import Answer, Loopback, Request
from support.places import need

BUCKET, OBJECT = "state-bucket", "default.tfstate"
STATE = {"version": 4, "terraform_version": "1.0.0", "serial": 1, "lineage": "8f7d6c5b", "resources": [],
         "outputs": {"answer": {"value": "42", "type": "string"}}}  # fmt: skip


@pytest.fixture
def storage(sts):
    """A bucket that holds one state: https://cloud.google.com/storage/docs/json_api/v1/objects"""
    def answer(request: Request) -> Answer:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer not in sts.issued and bearer not in sts.impersonated:
            return Answer(401, {"error": {"code": 401, "message": "Invalid Credentials"}})
        item = {"kind": "storage#object", "name": OBJECT, "bucket": BUCKET, "generation": "1"}
        if request.path.endswith(f"/b/{BUCKET}/o"):
            return Answer(200, {"kind": "storage#objects", "items": [item]})
        if request.path.endswith(f"/b/{BUCKET}/o/{OBJECT}"):
            return Answer(200, item)
        if request.path.endswith(f"/{BUCKET}/{OBJECT}"):
            return Answer(200, STATE, {"X-Goog-Generation": "1"})
        return Answer(404, {"error": {"code": 404, "message": "Not Found"}})

    found = Loopback(answer)
    yield found
    found.close()


@pytest.fixture
def terraform(clients, storage, tmp_path):
    """Runs terraform in a folder whose backend uses a credential configuration."""
    def run(configuration, *arguments, env=None):
        folder = tmp_path / "terraform"
        folder.mkdir(exist_ok=True)
        backend = {"bucket": BUCKET, "credentials": str(configuration), "storage_custom_endpoint": storage.url + "/storage/v1/"}
        (folder / "main.tf.json").write_text(json.dumps({"terraform": {"backend": {"gcs": backend}}}))
        env = clients.environment({"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", **(env or {})})
        done = subprocess.run([need("terraform"), f"-chdir={folder}", *arguments], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=90, check=False)  # fmt: skip
        clients.program.ledger.note("what terraform said", done.stdout + done.stderr)
        return done

    return run


@pytest.mark.parametrize("email", [None, "deployer@example-project.iam.gserviceaccount.com"])
def test_reads_its_state(clients, sts, storage, terraform, issuer, audience, tmp_path, email):
    """With an output file, as Go needs an expiry then; directly and as a service account."""
    token = issuer.token("https:" + audience)
    (tmp_path / "token").write_text(token)
    source = ("file", f"--path={tmp_path / 'token'}")
    configuration = clients.configuration(audience, *source, output_file=tmp_path / "output.json", email=email)
    for arguments in (["init", "-no-color"], ["output", "-raw", "answer"]):
        done = terraform(configuration, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "42"
    assert sts.exchanges and {exchange.subject_token for exchange in sts.exchanges} == {token}
    assert set(sts.impersonated.values()) == ({email} if email else set())


@pytest.mark.parametrize("options, word", [([], "exit code 4"), (["--exit-zero"], "ABSENT")])
def test_shows_a_failure(clients, sts, storage, terraform, audience, options, word):
    """Go shows only the exit status of the written contract; with --exit-zero code and message."""
    done = terraform(clients.configuration(audience, "env", "--name=NO_SUCH_TOKEN", *options), "init", "-no-color")
    assert done.returncode != 0 and storage.requests == [] and sts.requests == []
    said = " ".join((done.stdout + done.stderr).replace("\u2502", " ").split())
    assert word in said, said
    assert ("NO_SUCH_TOKEN" in said) == bool(options)
