"""A program with the SDK of a relying party, or that runs its command line. Either reads the identity token from a file itself.

    relying_party.py PARTY

For each line on standard input it uses the service once, with the same objects of the SDK, and prints `{"ok": …}` or
`{"refused": TEXT}`. A line with a number first moves the clock of the SDK ahead by that many seconds. Standard error is the SDK's.
"""

import json
import os
import subprocess
import sys
import time


def aws():
    import boto3

    sts = boto3.Session().client("sts")
    return lambda: sts.get_caller_identity()["Arn"]


def azure():
    from azure.identity import WorkloadIdentityCredential

    options = {"disable_instance_discovery": True, "connection_verify": os.environ["CA_FILE"], "retry_total": 0}
    credential = WorkloadIdentityCredential(**options)
    return lambda: bool(credential.get_token(os.environ["RESOURCE"] + "/.default").token)


def anthropic():
    from anthropic import Anthropic

    client = Anthropic(max_retries=0)
    return lambda: [model.id for model in client.models.list()]


def databricks():
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    made = {}

    def use():
        if "client" not in made:
            made["client"] = WorkspaceClient(config=Config(disable_async_token_refresh=True, retry_timeout_seconds=1))
        return made["client"].current_user.me().user_name

    return use


def snowflake():
    import snowflake.connector

    def use():
        conn = snowflake.connector.connect(
            account="my-account",
            authenticator="WORKLOAD_IDENTITY",
            workload_identity_provider="OIDC",
            token_file_path=os.environ["TOKEN_FILE"],
            host="127.0.0.1",
            port=int(os.environ["PORT"]),
            protocol="http",
            login_timeout=10,
        )
        return conn.user

    return use


def openai():
    from openai import OpenAI
    from openai.auth import k8s_service_account_token_provider

    identity = {
        "identity_provider_id": os.environ["PROVIDER"],
        "service_account_id": os.environ["ACCOUNT"],
        "provider": k8s_service_account_token_provider(os.environ["TOKEN_FILE"]),
    }
    client = OpenAI(workload_identity=identity, max_retries=0)
    client._workload_identity_auth.token_exchange_url = os.environ["EXCHANGE_URL"]
    return lambda: [model.id for model in client.models.list()]


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=50)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def vault():
    words = ("write", "-field=token", os.environ["LOGIN"], "role=my-app", "jwt=@" + os.environ["TOKEN_FILE"])
    return lambda: bool(run(os.environ["BAO"], *words))


def kubernetes():
    return lambda: run(os.environ["KUBECTL"], "auth", "can-i", "list", "pods")


real_time, real_monotonic = time.time, time.monotonic
use = globals()[sys.argv[1]]()
for line in sys.stdin:
    if line.strip():
        ahead = int(line)
        time.time = lambda: real_time() + ahead  # noqa: B023  # it is replaced with the next line
        time.monotonic = lambda: real_monotonic() + ahead  # noqa: B023
    try:
        print(json.dumps({"ok": use()}), flush=True)
    except Exception as error:  # any exception is a result
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}), flush=True)
