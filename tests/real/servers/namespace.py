"""Namespaces for tests: a network without routes, with any names and with addresses that are not loopback; and mounts.

A proxy test needs a host that is neither loopback nor link-local, because those bypass proxies. Inside the namespace,
`NAMES` resolve to 10.77.0.x, addresses of the namespace's own `lo`. Nothing can leave it.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import subprocess
from pathlib import Path

from support.places import missing, need

NAMES = {"idp.example.test": "10.77.0.1", "other.example.test": "10.77.0.2", "proxy.example.test": "10.77.0.3"}
COUNT = itertools.count()
CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace; `prefix` runs a program inside."""

    def __init__(self, name, ip):
        self.name = name
        self.prefix = (ip, "netns", "exec", name)

    @contextlib.contextmanager
    def entered(self):
        """Moves this thread and everything that it starts into the namespace until the block ends."""
        with open("/proc/thread-self/ns/net", "rb") as outside, open(f"/run/netns/{self.name}", "rb") as inside:
            enter(inside)
            try:
                yield
            finally:
                enter(outside)


def enter(space):
    """Calls setns, which Python has since 3.12."""
    if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def namespace(resolver="127.0.0.1"):
    """Creates the namespace and removes it; `resolver` is the DNS server inside, where by default no server responds.
    """
    ip = need("ip")
    if os.geteuid() != 0:
        missing("network namespaces need root")
    name = f"wif-token-{os.getpid()}-{next(COUNT)}"
    etc = Path("/etc/netns") / name
    made = subprocess.run([ip, "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        missing(f"network namespaces do not work here: {made.stderr.strip()}")
    try:
        etc.mkdir(parents=True)
        (etc / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for n, a in NAMES.items()))
        (etc / "resolv.conf").write_text(f"nameserver {resolver}\n")
        inside = Namespace(name, ip)
        run = lambda *words: subprocess.run([*inside.prefix, ip, *words], check=True)  # noqa: E731
        run("link", "set", "lo", "up")
        for address in NAMES.values():
            run("address", "add", f"{address}/32", "dev", "lo")
        yield inside
    finally:
        subprocess.run([ip, "netns", "delete", name], check=False)
        shutil.rmtree(etc, ignore_errors=True)


def own_mounts(script):
    """Returns a command prefix that runs this script first, with mounts that no other process sees."""
    unshare = need("unshare")
    if subprocess.run([unshare, "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode != 0:
        missing("mount namespaces do not work here")
    return (unshare, "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh")
