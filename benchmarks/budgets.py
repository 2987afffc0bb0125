"""The budgets, line by line: what is counted by ``scenarios``, and what is measured in processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks import engine_cpu, prices, processes, replay, scenarios
from benchmarks.counting import LATENCY, Laboratory
from benchmarks.processes import Invocation, Steps
from benchmarks.report import Budget, Section
from benchmarks.usage import Usage
from durability._local import LocalCloud
from durability._runtime.settings import Settings

Progress = Callable[[str], None]

STEPS: Final = 10
PARALLEL: Final = 100
SLEEPS: Final = 50
RUNS: Final = 100
RESULTS: Final = (600, 1_000)
BURSTS: Final = (1, 10, 49, 50, 200, 1_000)
DISPATCHED: Final = 1_000
GROWTH: Final = (100, 1_000, 10_000)
REPLAYED: Final = 10_000


def count(laboratory: Laboratory, progress: Progress) -> list[Budget]:
    """Everything that is counted but growth."""
    run = scenarios.start_to_result
    progress("steps")
    k = laboratory.count(run("Sequential", STEPS))
    step = (laboratory.count(run("Sequential", STEPS + 100)) - k) / 100
    drawn = {
        size: (laboratory.count(run("Drawing", 2 * STEPS, size)) - laboratory.count(run("Drawing", STEPS, size)))
        / STEPS
        for size in RESULTS
    }
    together = laboratory.count(run("Parallel", PARALLEL, 50.0, 0.0, False))
    apart = laboratory.count(run("Parallel", PARALLEL, 50.0, 10.0, False))
    progress("signals and sleeps")
    signals = {kind: laboratory.count(scenarios.signal(warm=kind == "warm")) for kind in ("warm", "cold")}
    long = laboratory.count(run("Sleeping", 1, 30 * scenarios.DAY, within=31 * scenarios.DAY))
    sleep = long - laboratory.count(run("Sleeping", 0, 0.0))
    wakes = {kind: laboratory.count(scenarios.sleeps(SLEEPS, warm=kind == "warm")) for kind in ("warm", "cold")}
    progress("idle")
    idle = laboratory.count(scenarios.idle(RUNS))
    reconciler = laboratory.count(scenarios.reconciler)
    progress("dispatched activities")
    dispatched = laboratory.count(run("Parallel", 1, 50.0, 0.0, True)) - laboratory.count(run("Sequential", 0))
    limit = PARALLEL // 10 + 5
    return [
        Budget(
            "one sequential eager step",
            "1 request, 1 write unit",
            _requests(step),
            step.requests <= 1 and step.write_units <= 1,
        ),
        *(
            Budget(
                f"the same, with a result of {size:,} bytes that cannot be compressed",
                "1 request, 1 write unit",
                _requests(usage),
                usage.requests <= 1 and usage.write_units <= 1,
                f"The item's keys and names, and what the step records beside its result, take "
                f"{usage.written_bytes - size:.0f} bytes of the 1,024 of a unit; what can be compressed is.",
            )
            for size, usage in drawn.items()
        ),
        Budget(
            f"{PARALLEL} parallel eager steps that end together, start to result",
            f"≤ {limit} requests",
            _requests(together),
            together.requests <= limit,
        ),
        Budget(
            f"the same, ending within 20 ms of each other, at {LATENCY * 1000:.0f} ms a request",
            f"≤ {limit} requests",
            _requests(apart),
            apart.requests <= limit,
        ),
        Budget(
            f"start → result, {STEPS} sequential eager steps",
            f"≤ {STEPS + 4} write requests, 1 invocation",
            f"{_count(k.write_requests, 'write request')}, {_count(k.invocations, 'invocation')}; {_requests(k)}",
            k.write_requests <= STEPS + 4 and k.invocations <= 1,
        ),
        *(
            Budget(
                f"a signal that wakes a sleeping run, {kind} process",
                "≤ 4 requests, 1 invocation",
                f"{_requests(usage)}, {_count(usage.invocations, 'invocation')}",
                usage.requests <= 4 and usage.invocations <= 1,
            )
            for kind, usage in signals.items()
        ),
        Budget(
            "a sleep of 30 days",
            "≤ 4 requests, 1 schedule, ≤ 2 messages",
            f"{_requests(sleep)}, {_count(sleep.schedules, 'schedule')}, {_count(sleep.messages, 'message')}",
            sleep.requests <= 4 and sleep.schedules <= 1 and sleep.messages <= 2,
        ),
        Budget(
            f"{RUNS} runs that wait or sleep, for a day",
            "0 requests, 0 invocations",
            f"{_count(idle.requests, 'request')}, {_count(idle.invocations, 'invocation')}",
            idle.requests == 0 and idle.invocations == 0,
        ),
        Budget(
            "the reconciler, a round that finds nothing (one a minute for the whole deployment)",
            "",
            f"{_requests(reconciler)}, 1 invocation: {_monthly(reconciler)} a month",
        ),
        Budget(
            f"a run that sleeps {SLEEPS} times, a wake-up in a warm process",
            "reads only what the process does not hold",
            f"{_wake(wakes['warm'])}",
            wakes["warm"].read_bytes < wakes["cold"].read_bytes / 2,
        ),
        Budget("the same, every wake-up in a new process", "", f"{_wake(wakes['cold'])}"),
        Budget(
            "a dispatched step",
            "",
            f"{_requests(dispatched)}, {_count(dispatched.messages, 'message')}, "
            f"{_count(dispatched.invocations, 'invocation')}",
        ),
        *_coalescing(),
    ]


def _coalescing() -> list[Budget]:
    rows = []
    for words, spread in (("end together", 0.0), ("end within a second", 500.0)):
        requests = scenarios.coalescing(DISPATCHED, 1000.0, spread)
        rows.append(
            Budget(
                f"{DISPATCHED:,} parallel dispatched activities that {words}, at {LATENCY * 1000:.0f} ms a request",
                "",
                f"{requests['append']} workflow tasks, {sum(requests.values()):,} requests",
            )
        )
    return rows


def bursts(laboratory: Laboratory, progress: Progress) -> Section:
    """What results that all come at once cost: the head is billed whole at every update."""
    rows = []
    for size in BURSTS:
        progress(f"burst of {size}")
        usage = laboratory.count(scenarios.start_to_result("Parallel", size, 1000.0, 0.0, True))
        cells = (usage.requests, usage.write_units, usage.write_units / size, usage.written_bytes)
        rows.append([f"{size}", *(_n(cell) for cell in cells)])
    return Section(
        "Dispatched activities that end at the same moment",
        ("activities", "requests", "write units", "write units an activity", "bytes written"),
        rows,
        [
            "Start to result. Results that come while nobody empties the inbox make the head grow, and DynamoDB bills "
            "the whole item for every update; results that come one after the other find it empty. From "
            f"{Settings().apart_from} activities on, each result is laid down in an item of its own, by which the head "
            "does not grow."
        ],
    )


def growth(laboratory: Laboratory, progress: Progress) -> tuple[Section, Budget]:
    """Runs of more and more sequential steps."""
    rows, per_step = [], []
    for steps in GROWTH:
        progress(f"{steps:,} steps")
        within = max(scenarios.HOUR, steps * 0.1)
        usage = laboratory.count(scenarios.start_to_result("Lengthy", steps, 20.0, within=within))
        per_step.append((usage.written_bytes + usage.read_bytes) / steps)
        numbers = (usage.requests, usage.write_units, usage.read_units, usage.written_bytes, usage.read_bytes)
        rows.append([f"{steps:,}", *(_n(number) for number in numbers), _n(usage.invocations), _n(per_step[-1])])
    section = Section(
        "Growth",
        (
            "sequential steps",
            "requests",
            "write units",
            "read units",
            "bytes written",
            "bytes read",
            "invocations",
            "bytes a step",
        ),
        rows,
        ["Start to result, 20 ms a step, in a process that stays warm; invocations end after 60 s and hand over."],
    )
    budget = Budget(
        f"growth to {GROWTH[-1]:,} steps",
        "requests and bytes linear",
        f"{per_step[1]:.0f} bytes a step at {GROWTH[1]:,} steps, {per_step[2]:.0f} at {GROWTH[2]:,}",
        per_step[2] <= per_step[1] * 1.1,
    )
    return section, budget


def measure(
    idle: dict[str, Invocation], puts: dict[str, float], memories: dict[str, float], progress: Progress
) -> list[Budget]:
    """What is measured in CPU and memory."""
    progress("replay")
    rate = REPLAYED / replay.measure(REPLAYED)
    progress("engine")
    engine, store = engine_cpu.measure()
    rows = [
        Budget(
            f"replay of {REPLAYED:,} steps, from stored bytes",
            "≥ 50,000 events/s of CPU",
            f"{rate * replay.EVENTS_PER_STEP:,.0f} events/s as Temporal counts them (6 a step), "
            f"{rate * replay.RECORDS_PER_STEP:,.0f} records/s as stored (2 a step)",
            rate * replay.EVENTS_PER_STEP >= 50_000,
            "Most of it is the user's coroutine and the event loop that drives it.",
        ),
        Budget(
            "engine CPU per eager step, store excluded",
            "≤ 0.5 ms",
            f"{engine * 1000:.2f} ms (a store in memory: {store * 1000:.3f} ms more)",
            engine <= 0.5e-3,
            "CPU is that of a machine with other work; run it again on a quiet one.",
        ),
        Budget(
            "client CPU of a conditional put, no TLS",
            "",
            f"{puts['signed'] * 1000:.2f} ms signed by the engine, {puts['boto3'] * 1000:.2f} ms through boto3",
        ),
        *_nothing(idle),
    ]
    for application in ("examples.hello.app:app", "examples.orders.app:app"):
        progress(f"cold start of {application}")
        cold = processes.cold_start(application)
        rows.append(
            Budget(
                f"cold start: workflow function with {application}, ready for its first message",
                "≤ 1.3 times `import boto3`",
                f"{cold['engine'] / cold['boto3']:.2f} times ({cold['engine'] * 1000:.0f} ms of CPU "
                f"against {cold['boto3'] * 1000:.0f} ms)",
                cold["engine"] <= 1.3 * cold["boto3"],
                "What is imported shows `python -X importtime -c 'import functions.workflow'`.",
            )
        )
    rows.append(
        Budget(
            "memory of the workflow function's process",
            "",
            f"{memories['WorkflowFunction']:.0f} MB at most, {memories['EmptyFunction']:.0f} MB of them "
            "Python and the runtime client",
        )
    )
    return rows


def _nothing(idle: dict[str, Invocation]) -> list[Budget]:
    bare, batch, unknown = idle["empty"], idle["no message"], idle["unknown run"]
    duration, cpu = batch.duration - bare.duration, unknown.cpu - bare.cpu
    return [
        Budget(
            "an invocation without a message, over an empty handler",
            "≤ 2 ms",
            f"{duration * 1000:.1f} ms, {(batch.cpu - bare.cpu) * 1000:.1f} ms of them CPU",
            duration <= 2e-3,
            "On a machine with other work an invocation waits for a processor.",
        ),
        Budget(
            "a wake-up of an unknown run, over an empty handler",
            "≤ 2 ms of CPU",
            f"{cpu * 1000:.1f} ms of CPU; {(unknown.duration - bare.duration) * 1000:.1f} ms pass, "
            "most of them until the emulated table has answered one request",
            cpu <= 2e-3,
            "It is one request to the table; on a machine with other work its CPU alone can exceed this.",
        ),
    ]


def function_costs(cloud: LocalCloud) -> tuple[dict[str, Invocation], Steps, dict[str, float]]:
    """What is measured in function processes: idle invocations, steps, memory."""
    idle = processes.invocations(cloud)
    steps = processes.sequential_steps(cloud)
    memories = {name: processes.memory(cloud, name) for name in ("WorkflowFunction", "EmptyFunction")}
    return idle, steps, memories


def _requests(usage: Usage) -> str:
    parts = [_count(usage.requests, "request"), _count(usage.write_units, "write unit")]
    if usage.read_units:
        parts.append(_count(usage.read_units, "read unit"))
    if usage.written_bytes:
        parts.append(f"{_n(usage.written_bytes)} bytes written")
    if usage.read_bytes >= 1:  # a mean can leave a trace of ids of different lengths
        parts.append(f"{_n(usage.read_bytes)} bytes read")
    return ", ".join(parts)


def _wake(usage: Usage) -> str:
    return (
        f"{usage.read_bytes / SLEEPS:,.0f} bytes read, {usage.requests / SLEEPS:.1f} requests, "
        f"{usage.write_units / SLEEPS:.1f} write units, {usage.read_units / SLEEPS:.1f} read units"
    )


def _monthly(round_: Usage) -> str:
    table = prices.load_prices()
    dollars = sum(prices.bill(round_, table).values()) + table["lambda"]["request"]
    return f"${dollars * prices.MONTH_MINUTES:.2f}"


def _count(number: float, noun: str) -> str:
    return f"{_n(number)} {noun}" + ("" if number == 1 else "s")


def _n(number: float) -> str:
    return f"{number:,.0f}" if number == round(number) or number >= 100 else f"{number:,.2f}"
