"""The rows of `exec`: its start against the command alone, and thousands of requests for a cached token by one curl against a
minimal server (minimal.c), on one connection and on one for each request, where the owner of each is checked.
"""

import json

from measure import Command
from rows import AUDIENCE, ENV, Row

URL = "http://$GCE_METADATA_HOST/computeMetadata/v1/instance/service-accounts/default/token?n=[1-%d]"
CURL = 'exec curl -sf --noproxy "*" -o /dev/null -H "Metadata-Flavor: Google" %s "' + URL + '"'


def server_rows(path, far, folder):
    """All of them; none without the server that gives the token."""
    if not far:
        return []
    config = folder / "exec-credentials.json"
    config.write_text(json.dumps({
        "type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{far.issuer}/v1/token", "credential_source": {"url": f"{far.issuer}/subject"}}))
    execute = [path, "exec", f"--credentials={config}", f"--ca-file={far.ca}", "--"]
    env = ENV | {"TMPDIR": str(folder), "HOME": str(folder)}
    start, alone = Command([*execute, "true"], env), Command(["true"], env)
    made = [Row("exec -- true : true", "wall", 6.0, start, alone), Row("exec -- true: peak memory in MiB", "MiB", 8, start, alone)]
    shapes = (("5000 requests, one connection", 5000, ""), ("1000 requests, 1000 connections", 1000, '-H "Connection: close"'))
    for what, count, more in shapes:
        client = ["sh", "-c", CURL % (more, count)]
        made.append(Row(f"{what} : minimal server", "wall", 2.0, Command([*execute, *client], env),
                        Command([str(folder / "minimal"), *client], env)))
    return made
