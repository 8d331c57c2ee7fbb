"""Prints the table: for each row the two medians, their ratio, the goal and whether it is met. Started by `run`."""

import argparse
from pathlib import Path

from aws_rows import aws_rows
from command_rows import command_rows
from far_end import far_end
from helper_rows import helper_rows
from measure import Launcher, Load
from rows import rows
from server_rows import server_rows


def main():
    options = argparse.ArgumentParser()
    for name in ("scratch", "release", "static"):
        options.add_argument(f"--{name}")
    options.add_argument("--pairs", type=int, default=100)
    given = options.parse_args()
    scratch = Path(given.scratch)
    launcher = Launcher(scratch / "launch")
    binaries = {build: str(Path(path).resolve()) for build, path in
                (("release", given.release), ("static", given.static)) if path}

    print(f"median of {given.pairs} pairs a row, A B A B; ratio = median of the ratios within a pair")
    print(f"{'':48} {'ours':>10} {'peer':>10} {'ratio':>7} {'goal':>6}")
    with far_end(scratch) as far:
        measured = {}
        made = rows(binaries, far, scratch) + aws_rows(binaries, far, scratch)
        made += command_rows(binaries["release"], far, scratch) + helper_rows(binaries, far, scratch)
        made += server_rows(binaries["release"], far, scratch)
        for row in made:
            key = repr((row.ours, row.peer))
            count = max(1, given.pairs // 10) if row.slow else given.pairs
            is_load = row.measure in ("rate", "p99", "resident")
            if key not in measured:
                measured[key] = (Load if is_load else launcher).pairs(row.ours, row.peer, count)
            print((load_line if is_load else line)(row, *measured[key]), flush=True)
        if far is None:
            print("the https rows need nginx, openssl, curl and jq: not measured")
    if "static" not in binaries:
        print("the static rows need a static build, which this toolchain did not make: not measured")


def line(row, ours, peer, ratio):
    """Formats a row: memory in KiB, wall time in milliseconds, and last the value that is compared with the goal."""
    if row.measure in ("wall", "more"):
        cells, value = (f"{ours.wall:.2f} ms", f"{peer.wall:.2f} ms"), ratio.wall
    else:
        cells, value = (f"{ours.peak:.0f} KiB", f"{peer.peak:.0f} KiB"), ratio.peak
    if row.measure == "MiB":
        value = ours.peak / 1024
    if row.measure == "more":
        value = ours.wall - peer.wall
    if row.measure == "more MiB":
        value = (ours.peak - peer.peak) / 1024
    name = f"{row.what} ({row.measure})" if row.measure != "MiB" else row.what
    verdict = "met" if value <= row.goal else "missed"
    return f"{name:48} {cells[0]:>10} {cells[1]:>10} {value:7.2f} {row.goal:6.2f}  {verdict}"


def load_line(row, ours, peer, ratio):
    """Formats a row about requests, where a higher rate is better."""
    if row.measure == "rate":
        cells, value, is_met = (f"{ours.rate:.0f} /s", f"{peer.rate:.0f} /s"), ratio, ratio >= row.goal
    else:
        value = getattr(ours, row.measure)
        other = f"{peer.p99:.3f}" if row.measure == "p99" else ""
        cells, is_met = (f"{value:.3f}", other), value <= row.goal
    return f"{row.what:48} {cells[0]:>10} {cells[1]:>10} {value:7.2f} {row.goal:6.2f}  {'met' if is_met else 'missed'}"


if __name__ == "__main__":
    main()
