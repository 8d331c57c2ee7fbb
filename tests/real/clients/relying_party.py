"""A program with the SDK of a relying party. The SDK itself reads the identity token from a file.

    relying_party.py PARTY

For each line on standard input it uses the service once, with the same objects of the SDK, and prints `{"ok": …}` or
`{"refused": TEXT}`. A line with a number first moves the clock of the SDK ahead by so many seconds. Standard error is the SDK's.
"""

import json
import os
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


real_time = time.time
use = globals()[sys.argv[1]]()
for line in sys.stdin:
    if line.strip():
        ahead = int(line)
        time.time = lambda: real_time() + ahead  # noqa: B023  # it is replaced with the next line
    try:
        print(json.dumps({"ok": use()}), flush=True)
    except Exception as error:  # any exception is a result
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}), flush=True)
