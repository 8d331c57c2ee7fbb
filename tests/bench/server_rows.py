"""The rows of `exec`: its start against the command alone, and requests for a cached token by one client (load.c) against a minimal
server (minimal.c), on one connection and on one for each request, for which the owner of each connection is checked.
"""

import json

from measure import Command
from rows import AUDIENCE, ENV, Row


def server_rows(path, far, folder):
    """Returns all rows; none without the server that gives the token."""
    if not far:
        return []
    config = folder / "exec-credentials.json"
    config.write_text(json.dumps({
        "type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{far.issuer}/v1/token", "credential_source": {"url": f"{far.issuer}/subject"}}))
    execute = [path, "exec", f"--credentials={config}", f"--ca-file={far.ca}", "--"]
    env = ENV | {"TMPDIR": str(folder), "HOME": str(folder)}
    start, alone = Command([*execute, "true"], env), Command(["true"], env)
    made = [Row("exec -- true : true", "more", 5.0, start, alone), Row("exec -- true : true", "more MiB", 6.0, start, alone)]
    for what, count, *close in (("one connection", 10000), ("a connection each", 2000, "close")):
        load = [str(folder / "load"), str(count), *close]
        ours, peer = Command([*execute, *load], env), Command([str(folder / "minimal"), *load], env)
        made.append(Row(f"requests, {what} : minimal server", "rate", 0.5, ours, peer, slow=True))
        made.append(Row(f"requests, {what}: p99 in ms", "p99", 1.0, ours, peer, slow=True))
        made.append(Row(f"after {count} requests: resident MiB", "resident", 8.0, ours, peer, slow=True))
    return made
