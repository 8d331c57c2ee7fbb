"""Prints the table: for each row the two medians, their ratio, the goal and whether it is met. Started by `run`."""

import argparse
from pathlib import Path

from aws_rows import aws_rows
from command_rows import command_rows
from far_end import far_end
from helper_rows import helper_rows
from measure import Launcher
from rows import rows


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
        for row in made:
            key = repr((row.ours, row.peer))
            if key not in measured:
                measured[key] = launcher.pairs(row.ours, row.peer, given.pairs // 10 if row.slow else given.pairs)
            print(line(row, *measured[key]), flush=True)
        if far is None:
            print("the https rows need nginx, openssl, curl and jq: not measured")
    if "static" not in binaries:
        print("the static rows need a static build, which this toolchain did not make: not measured")


def line(row, ours, peer, ratio):
    """One row as text. Memory in KiB, wall time in milliseconds, whatever is compared with the goal last."""
    if row.measure in ("wall", "more"):
        cells, value = (f"{ours.wall:.2f} ms", f"{peer.wall:.2f} ms"), ratio.wall
    else:
        cells, value = (f"{ours.peak:.0f} KiB", f"{peer.peak:.0f} KiB"), ratio.peak
    if row.measure == "MiB":
        value = ours.peak / 1024
    if row.measure == "more":
        value = ours.wall - peer.wall
    name = f"{row.what} ({row.measure})" if row.measure != "MiB" else row.what
    verdict = "met" if value <= row.goal else "missed"
    return f"{name:48} {cells[0]:>10} {cells[1]:>10} {value:7.2f} {row.goal:6.2f}  {verdict}"


if __name__ == "__main__":
    main()
