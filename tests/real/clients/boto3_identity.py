"""A program with boto3 that asks AWS several times who it is, with the credentials of a profile.

    boto3_identity.py PROFILE [TIMES]

Prints `{"arns": […], "account": …}`, where the account is that of the credentials, or `{"error": TYPE, "message": TEXT}`.
"""

import json
import sys

import boto3
import botocore.exceptions

profile = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None
times = int(sys.argv[2]) if len(sys.argv) > 2 else 1
try:
    session = boto3.Session(profile_name=profile)
    sts = session.client("sts")
    arns = [sts.get_caller_identity()["Arn"] for _ in range(times)]
    print(json.dumps({"arns": arns, "account": session.get_credentials().account_id}))
except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
