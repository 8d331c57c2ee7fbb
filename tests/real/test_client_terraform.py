"""Terraform's gcs backend fetches through the program: `terraform init` and `terraform output` read its state."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("email", [None, "deployer@example-project.iam.gserviceaccount.com"])
def test_reads_its_state(clients, sts, terraform, issuer, audience, tmp_path, email):
    """There is an output file, so Go requires an expiry. Terraform works with and without a service account."""
    token = issuer.token("https:" + audience)
    (tmp_path / "token").write_text(token)
    source = ("file", f"--path={tmp_path / 'token'}")
    configuration = clients.configuration(audience, *source, output_file=tmp_path / "output.json", email=email)
    for arguments in (["init", "-no-color"], ["output", "-raw", "answer"]):
        done = terraform.run(configuration, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "42"
    assert sts.exchanges and {exchange.subject_token for exchange in sts.exchanges} == {token}
    assert set(sts.impersonated.values()) == ({email} if email else set())


@pytest.mark.parametrize("options, word", [([], "exit code 4"), (["--exit-zero"], "ABSENT")])
def test_shows_a_failure(clients, sts, terraform, audience, options, word):
    """Go shows only the exit status of a failure; with --exit-zero, it shows the code and the message."""
    done = terraform.run(clients.configuration(audience, "env", "--name=NO_SUCH_TOKEN", *options), "init", "-no-color")
    assert done.returncode != 0 and terraform.storage.requests == [] and sts.requests == []
    said = " ".join((done.stdout + done.stderr).replace("\u2502", " ").split())
    assert word in said, said
    assert ("NO_SUCH_TOKEN" in said) == bool(options)
