"""The rows of the table. A new row is one `Row(...)` in `rows`: what is compared, the goal, our command, the peer's.

`measure` is "wall" or "peak", both as a ratio to the peer; "MiB" compares our own peak memory with the goal, "more" the additional
milliseconds, and "more MiB" the additional memory. "rate" is the ratio of the requests in a
second, which must reach the goal; "p99" and "resident" are our own. A row whose peer is slow has a tenth of the pairs.
"""

from dataclasses import dataclass

from far_end import jwt
from measure import Command, document

AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/idp"
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/dev/null", "LC_ALL": "C.UTF-8", "SECRET": "bench-secret",
       "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE": AUDIENCE,
       "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": "urn:ietf:params:oauth:token-type:jwt"}

# The executable that a user writes in shell by the guide: one request, one filter, no cache and no error handling.
SCRIPT = """#!/bin/sh
curl -sS --cacert {ca} -d grant_type=client_credentials -d client_id=bench -d client_secret="$SECRET" \\
    {token_endpoint} | jq -c '{{version: 1, success: true, token_type: "urn:ietf:params:oauth:token-type:jwt",
    id_token: .access_token, expiration_time: (now + .expires_in | floor)}}'
"""


@dataclass
class Row:
    """One line of the table; rows with the same two commands are measured once."""

    what: str
    measure: str
    goal: float
    ours: Command
    peer: Command
    slow: bool = False


def rows(binaries, far, folder):
    """Returns all rows; `binaries` maps "release" and "static" to paths, `far` is None without the https server."""
    made = [row for build, path in binaries.items() for row in fresh(build, path, folder)]
    if far:
        made += fetches(binaries["release"], far, folder)
    return made


def fresh(build, path, folder):
    """The rows for a valid output file: this program prints the document in it, and `cat` prints the file."""
    source, output = folder / "token", folder / f"fresh-{build}.json"
    source.write_text(jwt())
    ours = Command([path, "file", f"--path={source}", f"--output-file={output}"], ENV)
    document(ours)
    source.unlink()  # from here on, only the output file contains a token
    peer = Command(["cat", str(output)], ENV)
    limit = {"release": 1.5, "static": 1.0}[build]
    return [Row(f"fresh output file, {build} build : cat", measure, limit, ours, peer) for measure in ("wall", "peak")]


def fetches(path, far, folder):
    """The rows for one https fetch with nothing cached: this program sends two requests, discovery and POST; the peer
    sends only the POST."""
    oidc = [path, "oidc", f"--issuer={far.issuer}", "--client-id=bench", "--auth=post", "--client-secret=env:SECRET"]
    curl = ["curl", "-sS", "-d", "grant_type=client_credentials", "-d", "client_id=bench",
            "-d", f"client_secret={ENV['SECRET']}"]
    script = folder / "curl-jq.sh"
    script.write_text(SCRIPT.format(ca=far.ca, token_endpoint=far.token_endpoint))
    script.chmod(0o755)

    ours = Command([*oidc, f"--ca-file={far.ca}"], ENV)
    peer = Command([*curl, "--cacert", str(far.ca), far.token_endpoint], ENV)
    system = ENV | {"SSL_CERT_FILE": str(far.bundle)}
    ours_system, peer_system = Command(oidc, system), Command([*curl, far.token_endpoint], system)
    shell = Command([str(script)], ENV)
    for command in (ours, ours_system, shell):
        document(command)
    return [Row("https fetch, own CA : curl", "wall", 1.0, ours, peer),
            Row("https fetch, system's CAs : curl", "wall", 1.0, ours_system, peer_system),
            Row("https fetch, own CA : curl | jq script", "wall", 0.5, ours, shell),
            Row("https fetch, own CA: peak memory in MiB", "MiB", 16, ours, peer),
            Row("https fetch, system's CAs: peak memory in MiB", "MiB", 16, ours_system, peer_system)]
