"""Plays as many seeds as asked for, in all processors, and says what came of it.

python -m tests.simulation --seeds 1000000 --first 0
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from tests.simulation.explore import Report, explore

CHUNK = 250


def _chunk(seeds: tuple[int, int]) -> Report:
    return explore(range(*seeds))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100_000, help="how many to play")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so many; 0 for never")
    options = parser.parse_args()
    begun = time.monotonic()
    report = Report()
    last = options.first + options.seeds
    chunks = [(first, min(first + CHUNK, last)) for first in range(options.first, last, CHUNK)]
    with multiprocessing.Pool(options.jobs) as pool:
        for number, one in enumerate(pool.imap(_chunk, chunks), 1):
            report.add(one)
            for finding in one.findings:
                print(finding, flush=True)
            if number % 40 == 0:
                print(f"{report.seeds:,} seeds, {len(report.findings)} findings", file=sys.stderr, flush=True)
            if options.minutes and time.monotonic() - begun > options.minutes * 60:
                pool.terminate()
                break
    print(f"{report.seeds:,} seeds from {options.first:,}, {report.points:,} requests and effects")
    for kind, count in sorted(report.faults.items()):
        print(f"  {kind}: {count:,}")
    print(f"findings: {len(report.findings)}")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
