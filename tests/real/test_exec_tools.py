"""`exec`: command-line tools without credentials open what the service account may read. Their servers accept only tokens of the stand-in
of Google.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from servers.authority import Authority
from standins.loopback import Answer, Loopback, Request
from standins.sts import DEPLOYER
from support.places import need
from support.terraform import BUCKET, OBJECT, QUIET, bucket

# Without these settings, the tools of Google's SDK send statistics and check for updates.
SDK = {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
       "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1"}  # fmt: skip


@pytest.fixture(autouse=True)
def configured(commands, issuer, audience, tmp_path) -> Path:
    """A configuration whose subject token is in a file."""
    path = tmp_path / "token"
    path.write_text(issuer.token("https:" + audience))
    return commands.configure(audience, {"file": str(path)})


def printed(commands, *words, **env: str) -> str:
    """Runs a tool under `exec`, and returns what it prints. There must be one exchange, for the service account."""
    run = commands.run("exec", "--", *words, env=SDK | env)
    assert run.status == 0, run.described()
    assert len(commands.sts.exchanges) == 1 and set(commands.sts.impersonated.values()) == {DEPLOYER}
    return run.stdout


def test_terraform_reads_its_state(commands, terraform):
    """Terraform reads the bucket with the default credentials."""
    printed(commands, *terraform.command("init", "-no-color"), **QUIET)
    assert printed(commands, *terraform.command("output", "-json", "answer"), **QUIET).strip() == '"42"'


def test_gcloud_lists_a_bucket(commands, terraform):
    """The command is `gcloud storage`."""
    env = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": terraform.storage.url + "/storage/v1/"}
    assert printed(commands, need("gcloud"), "storage", "ls", f"gs://{BUCKET}", **env) == f"gs://{BUCKET}/{OBJECT}\n"


def test_gsutil_lists_a_bucket(commands, sts, tmp_path):
    """gsutil supports only https; gcloud tells it to use the metadata server."""
    authority = Authority(tmp_path / "authority")
    shown, tls = authority.server("storage", "127.0.0.1"), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(shown.cert, shown.key)
    with bucket(sts, tls) as storage:
        host, _, port = storage.url.removeprefix("https://").partition(":")
        settings = {"Credentials:gs_json_host": host, "Credentials:gs_json_port": port, "Boto:ca_certificates_file": authority.ca}
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        assert printed(commands, need("gsutil"), *options, "ls", f"gs://{BUCKET}") == f"gs://{BUCKET}/{OBJECT}\n"


def test_bq_lists_the_datasets(commands, sts):
    """The datasets are those of the project of the service account."""
    described = need("bq").resolve().parents[1] / "platform" / "bq" / "discovery_next" / "bigquery.json"

    def answer(request: Request) -> Answer:
        if request.path == "/$discovery/rest":
            return Answer(200, described.read_text())
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in sts.impersonated:
            return Answer(401, {"error": {"code": 401, "message": "Invalid Credentials"}})
        if request.path != "/bigquery/v2/projects/example-project/datasets":
            return Answer(404, {"error": {"code": 404, "message": "Not Found"}})
        reference = {"projectId": "example-project", "datasetId": "billing"}
        return Answer(200, {"kind": "bigquery#datasetList", "datasets": [{"kind": "bigquery#dataset", "datasetReference": reference}]})

    with Loopback(answer) as api:
        found = printed(commands, need("bq"), f"--api={api.url}", "--format=json", "ls")
    assert [dataset["datasetReference"]["datasetId"] for dataset in json.loads(found)] == ["billing"]
