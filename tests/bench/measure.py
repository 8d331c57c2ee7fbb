"""Measures two commands in turn (A B A B …), so that the other load of the machine affects both."""

import json
import os
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Command:
    """A command with its whole environment, and the file that is its standard input."""

    words: list
    env: dict
    stdin: str = os.devnull

    def output(self):
        with open(self.stdin) as stdin:
            return subprocess.run(self.words, env=self.env, stdin=stdin, check=True, capture_output=True, text=True).stdout


@dataclass
class Figures:
    """Medians: wall time in milliseconds, peak memory in KiB."""

    wall: float
    peak: float


@dataclass
class Load:
    """Medians of what load.c prints: requests in a second, the 99th percentile in milliseconds, the server's memory in MiB."""

    rate: float
    p99: float
    resident: float

    @classmethod
    def once(cls, command):
        """Runs the command once."""
        rate, p99, resident = map(int, command.output().split())
        return cls(rate, p99 / 1e6, resident / 1024)

    @classmethod
    def pairs(cls, ours, peer, count):
        """The figures of both commands, and the median of the ratios of the rates within each pair."""
        both = [(cls.once(ours), cls.once(peer)) for _ in range(count)]
        def middle(side):
            return cls(*(statistics.median(getattr(pair[side], name) for pair in both) for name in ("rate", "p99", "resident")))
        return middle(0), middle(1), statistics.median(a.rate / b.rate for a, b in both)


def document(command):
    """Checks that a command does its job before it is timed: it prints one success of version 1 with a token."""
    answer = json.loads(command.output())
    assert answer["version"] == 1 and answer["success"] is True and answer["id_token"], command
    return answer


class Launcher:
    """Runs commands through `launch` (see launch.c)."""

    def __init__(self, path):
        self.path = Path(path)

    def once(self, command):
        done = subprocess.run([self.path, command.stdin, *command.words], env=command.env, check=True, capture_output=True, text=True)
        nanoseconds, kib, status = map(int, done.stdout.split())
        assert status == 0, (command, done.stderr)
        return nanoseconds / 1e6, kib

    def pairs(self, ours, peer, count, warm_up=5):
        """The figures of both commands, and the median of the ratios within each pair."""
        for _ in range(warm_up):
            self.once(ours), self.once(peer)
        both = [(self.once(ours), self.once(peer)) for _ in range(count)]
        def middle(side, what):
            return statistics.median(pair[side][what] for pair in both)
        return (Figures(middle(0, 0), middle(0, 1)), Figures(middle(1, 0), middle(1, 1)),
                Figures(statistics.median(a[0] / b[0] for a, b in both),
                        statistics.median(a[1] / b[1] for a, b in both)))
