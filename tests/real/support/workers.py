"""How tests are spread over workers: those that share a server run on one, and slow tests start first."""

from __future__ import annotations

import functools
import os

from xdist.scheduler import LoadScopeScheduling

from support.places import HERE

# Tests wait for servers and clocks half of the time. With more workers, they would wait for each other.
PER_PROCESSOR = 2
LONG = ("test_concurrency.py", "test_crash.py", "test_faults.py", "test_faults_command.py")


def count() -> int:
    """The number of workers that `--numprocesses=auto` starts."""
    return PER_PROCESSOR * (os.cpu_count() or 1)


@functools.cache
def shared(file: str) -> str | None:
    """The name of the server that all tests of this file share, if there is one. The fixture of such a server has the scope of a
    module. The Kubernetes API server starts once for all of its files.
    """
    if file.startswith("test_kubernetes"):
        return "kubernetes"
    return file if 'scope="module"' in (HERE / file).read_text() else None


def early(file: str) -> bool:
    """Whether the tests of this file start before those of other files."""
    return file in LONG or shared(file) is not None


class Scheduling(LoadScopeScheduling):
    """Gives each worker one test at a time, or all tests that share a server. Groups with the most tests start first;
    otherwise the order is that of the collection.
    """

    def _split_scope(self, nodeid: str) -> str:
        return shared(nodeid.partition("::")[0]) or nodeid
