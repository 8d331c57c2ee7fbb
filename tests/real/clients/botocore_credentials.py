"""The reference: which credentials botocore finds in this process's environment.

    botocore_credentials.py [PROFILE]

Prints `{"found": [access key id, session token]}`, `{"nothing": true}`, or `{"failure": "NameOfTheError"}`. A profile on the
command line is explicit, as in `boto3.Session(profile_name=…)`; https://docs.aws.amazon.com/boto3/latest/guide/credentials.html
"""

import json
import sys

import botocore.session

try:
    credentials = botocore.session.Session(profile=sys.argv[1] if len(sys.argv) > 1 else None).get_credentials()
    found = credentials and credentials.get_frozen_credentials()
    print(json.dumps({"found": [found.access_key, found.token]} if found else {"nothing": True}))
except Exception as error:  # any exception is a result
    print(json.dumps({"failure": type(error).__name__}))
