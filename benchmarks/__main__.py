"""``python -m benchmarks``: counts and measures, prints it beside budgets and rivals; ``--write`` keeps it."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import budgets, prices, processes, scenarios
from benchmarks.counting import Laboratory
from benchmarks.processes import Steps
from benchmarks.report import Section, budget_section
from benchmarks.usage import Usage
from durability._local import LocalCloud

DOCUMENT: Final = processes.ROOT / "docs" / "benchmarks.md"
COMMAND: Final = "make bench ARGS=--write"
INTRODUCTION: Final = """\
# Benchmarks

What a workflow costs, counted from real requests and measured in real processes, beside the budgets of the design and \
the figures of others. Made by `{command}` on {machine}.

Requests are those of the engine's DynamoDB adapter to the table of `template.yaml`, emulated. Units are computed from \
the items before and after each request, by the published rules (`durability/_local/metering.py` names them): a write \
unit for each KB of the larger of old and new item, the same for every index entry that changes, a read unit for each \
4 KB, half for eventually consistent reads; failed conditions are billed, too. Counts are the same on every machine. \
CPU is not: compare it within one table only. No time is asserted anywhere."""
COUNTED: Final = """\
Time is virtual here. The process stays warm unless it says otherwise."""


def main() -> None:
    """Do everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    started = time.monotonic()

    def progress(what: str) -> None:
        print(f"[{time.monotonic() - started:4.0f} s] {what}", file=sys.stderr, flush=True)

    document = "\n\n".join([INTRODUCTION.format(command=COMMAND, machine=_machine()), *_sections(progress)]) + "\n"
    print(document)
    if options.write:
        DOCUMENT.write_text(document, encoding="utf-8")
        progress(f"written to {DOCUMENT.relative_to(processes.ROOT)}")


def _sections(progress: budgets.Progress) -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        parameters = {"Application": "benchmarks.workflows:app", "HttpAuthorization": "NONE", "TaskQueue": "benchmark"}
        template = processes.write_template(Path(directory))
        with LocalCloud(template, parameters=parameters, rate_schedules=False) as cloud:
            # Processes first: moto's queries get slower with every item in the table.
            progress("function processes")
            idle, steps, memories = budgets.function_costs(cloud)
            laboratory = Laboratory(cloud)
            try:
                counted = budgets.count(laboratory, progress)
                progress("price")
                priced = laboratory.count(scenarios.priced)
                whole = laboratory.count(scenarios.start_to_result("Sequential", 1))
                burst = budgets.bursts(laboratory, progress)
                growth, linear = budgets.growth(laboratory, progress)
            finally:
                laboratory.close()
            progress("conditional puts")
            puts = processes.conditional_put(cloud)
    measured = budgets.measure(idle, puts, memories, progress)
    return [
        section.render()
        for section in (
            budget_section("Counted", [*counted, linear], [COUNTED]),
            budget_section("Measured", measured),
            growth,
            burst,
            _prices(priced),
            _rivals(steps, whole),
        )
    ]


def _prices(usage: Usage) -> Section:
    table = prices.load_prices()
    bill = prices.bill(usage, table)
    rivals = prices.rival_bills(table, prices.load_rivals()["counts"])
    rows = [["**durability**", _dollars(sum(bill.values()))]]
    for name, (least, most) in rivals.items():
        rows.append([name, _dollars(least) if least == most else f"{_dollars(least)} to {_dollars(most)}"])
    parts = ", ".join(f"{name} {_dollars(cost)}" for name, cost in bill.items() if cost)
    deltas = usage.operations["PutItem"] - 1
    return Section(
        "Price of a million runs",
        ("", "US dollars"),
        rows,
        [
            "A start, ten steps, a sleep of ten minutes and an event that comes later; "
            f"{table['region']}, on demand, {table['as_of']}, from `deploy/prices.toml`. Compute is left out for all, "
            "storage and free tiers too."
        ],
        [
            f"Ours: {parts}. That is {usage.write_units:.0f} write units, {deltas} of them history; the others are the "
            f"head and its entries in three indexes, at the start, two releases, the event and the end. "
            f"{usage.read_units:.0f} read units, {usage.messages:.0f} messages, {usage.invocations:.0f} invocations.",
        ],
    )


def _rivals(steps: Steps, whole: Usage) -> Section:
    rivals = prices.load_rivals()
    ours = [
        "**durability**, function process",
        f"{steps.cpu * 1000:.1f}",
        f"1.0 / {whole.write_requests:.0f}",
        f"{steps.thousand:.1f}",
        f"{steps.one * 1000:.0f}",
        "linear",
    ]
    names = ("engine", "cpu_ms", "writes", "thousand_s", "one_ms", "growth")
    return Section(
        "Steps elsewhere",
        (
            "engine",
            "CPU a step, ms",
            "writes a step / a 1-step workflow",
            "1,000 sequential steps, s",
            "1 step, start → result, ms",
            "growth",
        ),
        [ours, *([rival[name] for name in names] for rival in rivals["step"])],
        [
            rivals["source"],
            "Ours: the workflow function under AWS's runtime client, on this machine, its table, queue and their CPU "
            "emulated and left out; times include the emulation, and a client that asks at intervals.",
        ],
    )


def _dollars(amount: float) -> str:
    return f"${amount * prices.MILLION:,.2f}"


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
