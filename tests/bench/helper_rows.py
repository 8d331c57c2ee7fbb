"""The rows of `access-token` and of every helper with a fresh private cache, compared with `cat` of the cached file; of a run that
writes the cache, compared with the same run without a cache; and of the tools that a helper replaces, each with a fresh cache of its own.
"""

import hashlib
import json
import shutil
from dataclasses import replace

from aws_rows import test_cache
from far_end import ACCOUNT, jwt
from measure import Command
from rows import AUDIENCE, ENV, Row

ROLE = "arn:aws:iam::123456789012:role/bench"
REGISTRY = "https://europe-docker.pkg.dev"
CLUSTER = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
           "spec": {"interactive": False, "cluster": {"server": "https://203.0.113.7"}}}
CRATES = {"v": 1, "registry": {"index-url": "sparse+https://europe-cargo.pkg.dev/p/r/"}, "kind": "get", "operation": "read"}
FRESH = "hunter2-fresh"
INDEX = "https://europe-python.pkg.dev/p/r/simple/"

# The words of a command, its standard input, and the beginning of the name of the cache file that answers it.
RUNS = {
    "access-token": (["access-token"], "", "access-token"),
    "helper aws": (["helper", "aws", f"--role-arn={ROLE}", "--sts-endpoint={far}/assume"], "", "aws-credentials"),
    "helper bazel": (["helper", "bazel", "get"], '{"uri": "https://storage.googleapis.com/bucket/file"}', "access-token"),
    "helper cargo": (["helper", "cargo", "--cargo-plugin"], json.dumps(CRATES) + "\n", "access-token"),
    "helper docker": (["helper", "docker", "get"], REGISTRY, "access-token"),
    "helper git": (["helper", "git", "get"], "protocol=https\nhost=source.developers.google.com\n\n", "access-token"),
    "helper keyring": (["helper", "keyring", "get", INDEX, "oauth2accesstoken"], "", "access-token"),
    "helper kubernetes": (["helper", "kubernetes"], "", "access-token"),
}


def helper_rows(binaries, far, folder):
    """Returns all rows; none without the server, which fills the caches."""
    if not far:
        return []
    token = folder / "subject-token"
    token.write_text(jwt())
    made = []
    for build, path in binaries.items():
        goal = {"release": 1.5, "static": 0.8}[build]
        for name in RUNS:
            ours, cached = fresh(name, build, path, far, folder)
            cat = Command(["cat", str(cached)], ENV)
            made += [Row(f"{name}, {build} build : cat", measure, limit, ours, cat) for measure, limit in
                     (("wall", goal), ("peak", 1.6))]
    build, path = list(binaries.items())[-1]
    return [*made, stored(path, far, folder), *replaced(build, path, far, folder)]


def variables(path, far, folder, **more):
    """The variables for a private cache in this folder and for a credential file, whose subject token is in a file."""
    folder.mkdir(exist_ok=True)
    file = folder / "credentials.json"
    file.write_text(json.dumps({
        "type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{far.issuer}/v1/token",
        "credential_source": {"executable": {"command": f"{path} file --path={folder.parent}/subject-token"}}} | more))
    return ENV | {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1",
                  "XDG_CACHE_HOME": str(folder), "KUBERNETES_EXEC_INFO": json.dumps(CLUSTER)}


def fresh(name, build, path, far, folder):
    """The command, and the file in the private cache from which it is answered. The command does not trust the server,
    so nothing else can answer it."""
    words, text, kind = RUNS[name]
    cache = folder / f"cache-{name.split()[-1]}-{build}"
    env = variables(path, far, cache, service_account_impersonation_url=far.issuer + ACCOUNT)
    request = cache.with_suffix(".stdin")
    request.write_text(text)
    ours = Command([path, *(word.format(far=far.issuer) for word in words)], env, str(request))
    filled = replace(ours, words=[*ours.words, f"--ca-file={far.ca}"]).output()
    assert ours.output() == filled and "impersonated" in filled, filled
    return ours, next(file for file in (cache / "wif-token").glob(f"{kind}-*.json") if "impersonated" in file.read_text())


def stored(path, far, folder):
    """The rows for one exchange with a cache and without one. Its token is not valid long enough to be used again."""
    env = variables(path, far, folder / "cache-stored")
    words = [path, "helper", "kubernetes", "--min-life=43200", f"--ca-file={far.ca}"]
    cached, uncached = Command(words, env), Command(words, env | {"XDG_CACHE_HOME": "relative"})
    assert "federated" in cached.output() and "federated" in uncached.output()
    return Row("helper, one exchange : the same without a cache", "more", 5, cached, uncached)


def replaced(build, path, far, folder):
    """The rows of the tools that a helper replaces, if they are installed."""
    made = []
    for name, (tool, words, prepare) in TOOLS.items():
        program = shutil.which(tool, path=f"{test_cache()}/venv/bin:{ENV['PATH']}")
        if not program:
            print(f"{name} : {tool}: not installed")
            continue
        home = folder / tool
        home.mkdir()
        ours, _ = fresh(name, build, path, far, folder)
        theirs = Command([program, *words], ENV | {"HOME": str(home)} | prepare(home), ours.stdin)
        assert FRESH[-4:] in theirs.output()  # the AWS CLI shows only the end of a key
        made += [Row(f"{name} : {' '.join([tool, *words])}", measure, 1.0, ours, theirs, slow=True) for measure in
                 ("wall", "peak")]
    return made


def gcloud(home):
    """Prepares gcloud with an access token in a file, which is faster than its database."""
    (home / "token").write_text(FRESH)
    return {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(home / "token"), "CLOUDSDK_CONFIG": str(home / "gcloud"),
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1", "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1"}


def gke_plugin(home):
    """Prepares the plugin with a token in its cache."""
    (home / ".kube").mkdir()
    (home / ".kube" / "config").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}]}))
    (home / ".kube" / "gke_gcloud_auth_plugin_cache").write_text(json.dumps({
        "current_context": "c", "access_token": FRESH, "token_expiry": "2099-01-01T00:00:00Z", "extra_args": ""}))
    return {"KUBERNETES_EXEC_INFO": json.dumps(CLUSTER).replace("v1\"", "v1beta1\""), "KUBECONFIG": str(home / ".kube" / "config")}


def aws_cli(home):
    """Prepares the AWS CLI with a profile that assumes a role, and credentials in its cache."""
    cache = home / ".aws" / "cli" / "cache"
    cache.mkdir(parents=True)
    (home / ".aws" / "config").write_text(
        f"[default]\nregion = us-east-1\nrole_arn = {ROLE}\nrole_session_name = bench\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = AKIABENCH\naws_secret_access_key = hunter2-key\n")
    key = hashlib.sha1(json.dumps({"RoleArn": ROLE, "RoleSessionName": "bench"}).encode()).hexdigest()
    (cache / f"{key}.json").write_text(json.dumps({
        "Credentials": {"AccessKeyId": FRESH, "SecretAccessKey": FRESH, "SessionToken": FRESH, "Expiration": "2099-01-01T00:00:00Z"}}))
    return {}


TOOLS = {
    "access-token": ("gcloud", ["auth", "print-access-token"], gcloud),
    "helper aws": ("aws", ["configure", "list"], aws_cli),
    "helper docker": ("docker-credential-gcloud", ["get"], gcloud),
    "helper kubernetes": ("gke-gcloud-auth-plugin", [], gke_plugin),
}
