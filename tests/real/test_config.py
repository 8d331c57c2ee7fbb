"""`wif-token config`: its output compared with that of the installed gcloud, which also runs its commands.

All other tests with `Clients` show that real clients accept its configurations, because `config` writes them there.
"""

from __future__ import annotations

import json
import stat
from urllib.parse import unquote

import pytest

from standins.loopback import Answer, Loopback, Request
from standins.sts import DEPLOYER
from support.gcloud import Gcloud
from support.program import SAML2

WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/people/providers/idp"
PAYS = "--workforce-pool-user-project=123456789012"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@pytest.fixture
def config(program, audience):
    """What `config` prints for a source and options, without a log file in the command."""

    def run(*words: str, pool_provider: str = audience, **more):
        return program.run("config", *words, f"--pool-provider={pool_provider}", logs=False, **more)

    return run


def written(run) -> dict:
    """The configuration on stdout."""
    assert (run.status, run.stderr) == (0, ""), run.described()
    return json.loads(run.stdout)


@pytest.mark.parametrize("ours, gcloud", [
    ([], []),
    ([f"--service-account={DEPLOYER}"], [f"--service-account={DEPLOYER}"]),
    ([f"--service-account={DEPLOYER}", "--service-account-lifetime=1200"],
     [f"--service-account={DEPLOYER}", "--service-account-token-lifetime-seconds=1200"]),
    (["--timeout=60"], ["--executable-timeout-millis=65000"]),
    ([f"--token-type={SAML2}"], [f"--subject-token-type={SAML2}"]),
    (["--universe-domain=example.goog"], ["--universe-domain=example.goog"]),
])  # fmt: skip
def test_the_output_is_that_of_gcloud(config, tmp_path, audience, ours, gcloud):
    """All members are the same, in the same order. The option of gcloud for the universe is hidden, so its property is
    set instead.
    """
    found = written(config("file", "--path=/run/token", "--output-file=/run/out.json", *ours))
    executable = found["credential_source"]["executable"]
    properties = dict(word.replace("--universe-domain", "core_universe_domain").split("=") for word in gcloud if "universe" in word)
    options = [f"--executable-command={executable['command']}", "--executable-output-file=/run/out.json",
               *(word for word in gcloud if "universe" not in word)]  # fmt: skip
    reference = Gcloud(tmp_path).credential_config(audience, *options, **properties)
    assert json.dumps(found) == json.dumps(reference)


@pytest.mark.parametrize("source", [["file", "--path=/run/token"], ["oidc", "--issuer=https://idp.example", "--client-id=c"]])
def test_the_output_for_a_workforce_pool_is_that_of_gcloud(config, tmp_path, source):
    """The result is the same whether the source knows its token type or not."""
    found = written(config(*source, "--output-file=/run/out.json", PAYS, pool_provider=WORKFORCE))
    command = found["credential_source"]["executable"]["command"]
    reference = Gcloud(tmp_path).credential_config(
        WORKFORCE, f"--executable-command={command}", "--executable-output-file=/run/out.json", PAYS
    )
    assert json.dumps(found) == json.dumps(reference)
    assert found["subject_token_type"] == ID_TOKEN


def test_an_output_file_that_only_its_user_can_access(config, program):
    """The file is in the cache folder of this user, which gets the mode 0700. Another request has another file."""
    paths = [written(config("file", f"--path={name}"))["credential_source"]["executable"]["output_file"] for name in "ab"]
    folder = program.home / ".cache" / "wif-token"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(set(paths)) == 2 and all(path.startswith(f"{folder}/file-") for path in paths)


def test_paths_are_absolute(config, program):
    """Clients run in other folders."""
    words = written(config("file", "--path=token", "--ca-file=ca.pem", "--output-file=out.json"))
    executable = words["credential_source"]["executable"]
    assert executable["command"] == f"{program.path} file --path={program.home}/token --ca-file={program.home}/ca.pem"
    assert executable["output_file"] == f"{program.home}/out.json"


def test_a_secret_stays_where_it_is(config, program):
    """The configuration contains the absolute path of the secret."""
    found = written(config("oidc", "--issuer=https://idp.example", "--client-id=c", "--client-secret=file:secret"))
    assert f"--client-secret=file:{program.home}/secret" in found["credential_source"]["executable"]["command"].split()


def test_what_a_command_line_cannot_contain_is_in_a_file(config, program, setups, tmp_path):
    """The arguments file is next to the configuration, which works."""
    folder = tmp_path / "with blanks"
    folder.mkdir()
    (folder / "token").write_text(setups.jwt())
    out = tmp_path / "app.json"
    assert config("file", f"--path={folder}/token", f"--out={out}").status == 0
    found = json.loads(out.read_text())
    assert found["credential_source"]["executable"]["command"] == f"{program.path} --args-file={tmp_path}/app.args"
    assert (tmp_path / "app.args").read_text() == f"file\n--path={folder}/token\n"
    setup = setups.of(found["credential_source"])
    setup.token = (folder / "token").read_text()
    assert setup.check().first("warning") is None is setup.check().first("error")


def test_a_custom_audience_is_kept(config, tmp_path):
    """`--audience` is the audience of the token, which the pool provider must allow."""
    out = tmp_path / "c.json"
    run = config("file", "--path=/t", "--audience=api://my-app", f"--out={out}")
    found = json.loads(out.read_text())
    assert "--audience=api://my-app" in found["credential_source"]["executable"]["command"].split()
    assert "--allowed-audiences=api://my-app" in run.stdout


def test_a_refusal_writes_nothing(program, audience, tmp_path):
    """The messages are in tests/transcripts/config.txt."""
    run = program.run("config", "command", f"--pool-provider={audience}", f"--out={tmp_path}/c.json", "--", "prog", " x", logs=False)
    assert (run.status, run.stdout) == (2, ""), run.described()
    assert not list(tmp_path.glob("c.*"))


class Iam:
    """Google's IAM API as far as gcloud uses it: it stores what is created, and every operation is done at once."""

    def __init__(self):
        self._http = Loopback(self.answer)
        self.url, self.requests, self.close = self._http.url + "/", self._http.requests, self._http.close

    def answer(self, request: Request) -> Answer:
        """A finished operation, or a policy."""
        if request.path.endswith(":getIamPolicy"):
            return Answer(200, {"version": 1, "etag": "BwXhqDg="})
        if request.path.endswith(":setIamPolicy"):
            return Answer(200, json.loads(request.body)["policy"])
        if request.path.endswith("/serviceAccounts"):
            return Answer(200, {"name": f"{request.path[4:]}/{DEPLOYER}", "email": DEPLOYER, "uniqueId": "123456789012345678901"})
        made = [request.path[4:], *request.query.get("workforcePoolId", []), *request.query.get("workforcePoolProviderId", [])]
        return Answer(200, {"name": "/".join([*made, "operations/1"]), "done": True, "response": {"name": "/".join(made)}})

    def made(self) -> list[tuple[str, dict, dict]]:
        """The path, query and body of each creation."""
        posts = [request for request in self.requests if request.method == "POST"]
        return [(unquote(request.path), request.query, json.loads(request.body or b"{}")) for request in posts]


@pytest.fixture
def iam():
    """Google's IAM API on loopback."""
    found = Iam()
    yield found
    found.close()


KEY = ["key", "--key=/k.pem", "--issuer=https://my-app.example", "--subject=host;1"]
POOL = "projects/123456789012/locations/global/workloadIdentityPools/pool"
PEOPLE = "locations/global/workforcePools/people"


def commands(program, gcloud, iam, tmp_path, words: list[str], edit: dict[str, str]) -> list[tuple[str, dict, dict]]:
    """Runs `config` and then each command that it prints, with the words in capitals replaced. Returns what Google's API
    received.
    """
    run = program.run("config", *words, f"--out={tmp_path}/c.json", logs=False)
    assert (run.status, run.stderr) == (0, ""), run.described()
    token = tmp_path / "access-token"
    token.write_text("ya29.x")
    lines = [line for line in run.stdout.splitlines() if not line.startswith("# ")]
    has_account = any(word.startswith("--service-account=") for word in words)
    assert len(lines) == (4 if has_account else 3), run.stdout
    for line in lines:
        for name, value in edit.items():
            line = line.replace(name, value)
        done = gcloud.typed(line, auth_access_token_file=str(token), api_endpoint_overrides_iam=iam.url,
                            api_endpoint_overrides_cloudresourcemanager=iam.url, core_check_gce_metadata="false")  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    return [(path, query, body) for path, query, body in iam.made() if not path.endswith(":getIamPolicy")]


def test_gcloud_runs_the_commands(program, iam, tmp_path, audience):
    """Google receives the pool, the provider with issuer, keys and mapping, the service account and the binding exactly as
    expected.
    """
    (tmp_path / "keys.json").write_text(json.dumps({"keys": []}))
    words = [*KEY, f"--pool-provider={audience}", f"--service-account={DEPLOYER}"]
    edit = {"/k.jwks.json": f"{tmp_path}/keys.json"}
    pool, provider, account, binding = commands(program, Gcloud(tmp_path), iam, tmp_path, words, edit)
    assert pool[:2] == (f"/v1/{POOL.rpartition('/')[0]}", {"workloadIdentityPoolId": ["pool"], "alt": ["json"]})
    assert provider[:2] == (f"/v1/{POOL}/providers", {"workloadIdentityPoolProviderId": ["ci"], "alt": ["json"]})
    assert provider[2]["oidc"] == {"issuerUri": "https://my-app.example", "jwksJson": '{"keys": []}'}
    assert provider[2]["attributeMapping"] == {"google.subject": "assertion.sub"}
    assert account[0] == "/v1/projects/example-project/serviceAccounts"
    assert account[2]["accountId"] == "deployer"
    assert binding[0] == f"/v1/projects/example-project/serviceAccounts/{DEPLOYER}:setIamPolicy"
    assert binding[2]["policy"]["bindings"] == [
        {"role": "roles/iam.workloadIdentityUser", "members": [f"principal://iam.googleapis.com/{POOL}/subject/host;1"]}
    ]


@pytest.mark.parametrize("words, kind, settings, mapping", [
    (["oidc", "--issuer=https://idp.example", "--client-id=c"], "oidc",
     {"issuerUri": "https://idp.example", "allowedAudiences": ["AUD"]}, {"google.subject": "assertion.sub"}),
    (["aws"], "oidc", {"issuerUri": "https://UUID.tokens.sts.global.api.aws"}, {"google.subject": "assertion.sub"}),
    (["aws", "--mode=caller-identity"], "aws", {"accountId": "123456789012"}, None),
    (["adfs", "--protocol=ws-trust", "--issuer=https://adfs.example/adfs/", "--relying-party=https://rp.example"], "saml",
     {"idpMetadataXml": "<xml/>"}, {"google.subject": "assertion.subject"}),
    (["file", "--path=/t"], "oidc", {"issuerUri": "ISSUER"}, {"google.subject": "assertion.sub"}),
    (["certificate", "--cert-path=/c.pem", "--key-path=/k.pem"], "x509",
     {"trustStore": {"trustAnchors": [{"pemCertificate": "PEM"}]}}, {"google.subject": "assertion.subject.dn.cn"}),
    (["kubernetes"], "oidc", {"issuerUri": "ISSUER", "jwksJson": '{"keys": []}'}, {"google.subject": "assertion.sub"}),
])  # fmt: skip
def test_gcloud_makes_the_provider_of_each_kind(program, iam, tmp_path, audience, words, kind, settings, mapping):
    """The types are OIDC, SAML, X.509 and AWS. Without a service account, the policy of the project names the workload.
    """
    (tmp_path / "metadata.xml").write_text("<xml/>")
    (tmp_path / "store.yaml").write_text("trustStore: {trustAnchors: [{pemCertificate: PEM}]}")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": []}))
    edit = {"=METADATA": f"={tmp_path}/metadata.xml", "=TRUST_STORE": f"={tmp_path}/store.yaml",
            "=JWKS": f"={tmp_path}/keys.json", "=ACCOUNT ": "=123456789012 ",
            "=ROLE ": "=roles/viewer ", " PROJECT ": " my-project "}  # fmt: skip
    if words == ["aws", "--mode=caller-identity"]:
        edit["--account-id=ACCOUNT"] = "--account-id=123456789012"
    _, provider, binding = commands(program, Gcloud(tmp_path), iam, tmp_path, [*words, f"--pool-provider={audience}"], edit)
    assert provider[2][kind] == settings
    assert provider[2].get("attributeMapping") == mapping or mapping is None
    assert binding[0] == "/v1/projects/my-project:setIamPolicy"
    (bound,) = binding[2]["policy"]["bindings"]
    expected = {"aws": "attribute.aws_role/arn:aws:sts::ACCOUNT:assumed-role/IAM_ROLE"}.get(kind, "subject/SUBJECT")
    assert bound["members"][0].endswith(f"//iam.googleapis.com/{POOL}/{expected}")


@pytest.mark.parametrize("words, condition, mapping", [
    (["github"], 'assertion.repository_owner_id == "OWNER_ID"', "assertion.sub"),
    (["google"], 'assertion.sub == "UNIQUE_ID"', "assertion.sub"),
    (["ci", "--system=gitlab"], 'assertion.namespace_id == "NAMESPACE_ID"', "assertion.sub"),
    (["azure-pipelines", "--service-connection=1-2"], 'assertion.sub.extract("/sc/{connection}") == "ORGANIZATION_ID/1-2"',
     'assertion.sub.extract("/sc/{connection}")'),
])  # fmt: skip
def test_gcloud_reads_the_condition_of_a_shared_issuer(program, iam, tmp_path, audience, words, condition, mapping):
    """The shell passes on the quotation marks in the condition."""
    edit = {" PROJECT ": " my-project ", "=ROLE ": "=roles/viewer "}
    _, provider, _ = commands(program, Gcloud(tmp_path), iam, tmp_path, [*words, f"--pool-provider={audience}"], edit)
    assert provider[2]["attributeCondition"] == condition
    assert provider[2]["attributeMapping"] == {"google.subject": mapping}


@pytest.mark.parametrize("words, client", [
    (["oidc", "--issuer=https://idp.example", "--client-id=c"], "AUD"),
    (["file", "--path=/t", "--audience=my-client"], "my-client"),
])  # fmt: skip
def test_gcloud_makes_the_provider_of_a_workforce_pool(program, iam, tmp_path, words, client):
    """Such a provider has a client instead of audiences, and belongs to an organization."""
    edit = {"NUMBER": "1234", "ISSUER": "https://idp.example", " PROJECT ": " my-project ", "=ROLE ": "=roles/viewer "}
    words = [*words, f"--pool-provider={WORKFORCE}", PAYS]
    pool, provider, binding = commands(program, Gcloud(tmp_path), iam, tmp_path, words, edit)
    assert pool[2]["parent"] == "organizations/1234"
    assert provider[0] == f"/v1/{PEOPLE}/providers"
    assert provider[2]["oidc"] == {
        "clientId": client, "issuerUri": "https://idp.example",
        "webSsoConfig": {"assertionClaimsBehavior": "ONLY_ID_TOKEN_CLAIMS", "responseType": "ID_TOKEN"},
    }  # fmt: skip
    assert binding[2]["policy"]["bindings"][0]["members"] == [f"principal://iam.googleapis.com/{PEOPLE}/subject/SUBJECT"]
