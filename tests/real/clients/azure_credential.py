"""The reference: which token azure-identity gets in this process's environment.

    azure_credential.py CREDENTIAL RESOURCE OPTIONS

CREDENTIAL is a class of azure.identity and OPTIONS its arguments in JSON. Prints `{"token": …}`, or `{"failure": "NameOfTheError",
"message": …}`. https://learn.microsoft.com/python/api/overview/azure/identity-readme
"""

import json
import sys

import azure.identity

# Credentials of users are not compared.
PEOPLE = ("cli", "developer_cli", "powershell", "visual_studio_code", "shared_token_cache", "broker")

name, resource, options = sys.argv[1:]
arguments = json.loads(options)
if name == "DefaultAzureCredential":
    arguments |= {f"exclude_{kind}_credential": True for kind in PEOPLE}
try:
    print(json.dumps({"token": getattr(azure.identity, name)(**arguments).get_token(resource + "/.default").token}))
except Exception as error:  # any exception is a result
    print(json.dumps({"failure": type(error).__name__, "message": str(error)}))
