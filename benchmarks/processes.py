"""What is measured in processes: cold start, invocations under AWS's runtime client, the client library, memory."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.replay import milliseconds
from benchmarks.workflows import app
from durability._aws.connect import Deployment, aws_ports
from durability._aws.signed import SignedCaller
from durability._aws.stack_commands import VARIABLES
from durability._local import LocalCloud
from durability._runtime.frontend import StartRequest
from durability._runtime.gateway import Gateway

ROOT: Final = Path(__file__).resolve().parent.parent
EMPTY: Final = """\
Resources:
  EmptyFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: benchmarks.empty.handler
"""

# --- the template with a function that does nothing beside the others ------------------------------------------------


def write_template(directory: Path) -> Path:
    """The project's template, and an empty function to compare with."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    text = text.replace("CodeUri: .", f"CodeUri: {os.path.relpath(ROOT, directory)}")
    text = text.replace("\nResources:\n", f"\n{EMPTY}", 1)
    path = directory / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# --- cold start -------------------------------------------------------------------------------------------------------

IMPORTS: Final = {
    "boto3": "import boto3",
    "engine": "import functions.workflow as function; function.load_application()._engine",
}
"""The engine up to where the first message can be handled, not only up to the end of the module."""


def cold_start(application: str, repeat: int = 9) -> dict[str, float]:
    """Seconds of CPU of imports in fresh processes: medians of runs that take turns.

    Args:
        application: Of the workflow function, as ``module:attribute``.
        repeat: Runs of each.
    """
    environment = {
        **os.environ,
        **dict.fromkeys(VARIABLES.values(), "benchmark"),
        "DURABILITY_APPLICATION": application,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_REGION": "us-east-1",
    }
    seconds: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for turn in range(repeat + 1):
        for name, statement in IMPORTS.items():
            code = f"import time; before = time.process_time(); {statement}; print(time.process_time() - before)"
            output = _python(["-c", code], environment)
            if turn:  # the first one compiles
                seconds[name].append(float(output))
    return {name: statistics.median(each) for name, each in seconds.items()}


def conditional_put(cloud: LocalCloud) -> dict[str, float]:
    """Seconds of client CPU of a conditional put, by client; see ``benchmarks.callers``."""
    environment = {**os.environ, **cloud.environment}
    output = _python(["-m", "benchmarks.callers", cloud.outputs["TableName"]], environment)
    costs: dict[str, float] = json.loads(output)
    return costs


def _python(arguments: list[str], environment: Mapping[str, str]) -> str:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


# --- function processes ----------------------------------------------------------------------------------------------

NOTHING: Final[dict[str, Any]] = {"Records": []}
UNKNOWN_RUN: Final[dict[str, Any]] = {
    "Records": [
        {"messageId": "benchmark", "body": json.dumps({"workflow_id": "nobody", "run_id": "none", "due": 0})},
    ]
}
INVOCATIONS: Final = {
    "empty": ("EmptyFunction", NOTHING),
    "no message": ("WorkflowFunction", NOTHING),
    "unknown run": ("WorkflowFunction", UNKNOWN_RUN),
}


@dataclass(frozen=True)
class Invocation:
    """What an invocation costs in a warm process, in seconds: the mean of its CPU, the median of its duration."""

    cpu: float
    duration: float


def invocations(cloud: LocalCloud, rounds: int = 5, each: int = 100) -> dict[str, Invocation]:
    """Invocations that do nothing, in turns."""
    durations: dict[str, list[float]] = {name: [] for name in INVOCATIONS}
    cpu = dict.fromkeys(INVOCATIONS, 0.0)
    for function, event in INVOCATIONS.values():
        cloud.invoke(function, event)
    for _ in range(rounds):
        for name, (function, event) in INVOCATIONS.items():
            before = _cpu(cloud, function)
            for _ in range(each):
                started = time.perf_counter()
                cloud.invoke(function, event)
                durations[name].append(time.perf_counter() - started)
            cpu[name] += _cpu(cloud, function) - before
    return {name: Invocation(cpu[name] / rounds / each, statistics.median(durations[name])) for name in INVOCATIONS}


@dataclass(frozen=True)
class Steps:
    """Sequential steps through real function processes, the services emulated.

    Attributes:
        cpu: Seconds of CPU a step of the function's process.
        thousand: Seconds from start to result of 1,000 steps.
        one: Seconds from start to result of one step; median.
    """

    cpu: float
    thousand: float
    one: float


def sequential_steps(cloud: LocalCloud, steps: int = 1_000, repeat: int = 15) -> Steps:
    """Run them, warm."""

    async def run() -> Steps:
        caller = SignedCaller({**os.environ, **cloud.environment})
        deployment = Deployment.from_environment(cloud.functions["WorkflowFunction"].spec.environment)
        ports = aws_ports(caller, deployment)
        gateway = Gateway(deployment.namespace, ports.store, ports.queue, ports.invoker, milliseconds)
        try:
            await _start_to_result(gateway, "warm-up", 1)
            ones = [await _start_to_result(gateway, f"one-{number}", 1) for number in range(repeat)]
            before = _cpu(cloud, "WorkflowFunction")
            thousand = await _start_to_result(gateway, "thousand", steps)
            cpu = (_cpu(cloud, "WorkflowFunction") - before) / steps
        finally:
            await caller.close()
        return Steps(cpu, thousand, statistics.median(ones))

    return asyncio.run(run())


async def _start_to_result(gateway: Gateway, workflow_id: str, steps: int) -> float:
    request = StartRequest(
        workflow_id=workflow_id,
        workflow_type="Sequential",
        task_queue="benchmark",
        arguments=app.data_converter.payload_converter.to_payloads([steps]),
        request_id=workflow_id,
    )
    started = time.perf_counter()
    await gateway.start(request)
    outcome = await gateway.outcome(workflow_id, None, wait=120)
    if outcome is None or outcome.failure is not None:
        raise AssertionError(f"{workflow_id} has not completed: {outcome}")
    return time.perf_counter() - started


def memory(cloud: LocalCloud, function: str) -> float:
    """Megabytes of resident memory at the most, of the function's largest process."""
    return max(_status(process.pid, "VmHWM") for process in cloud.functions[function].processes) / 1024


def _cpu(cloud: LocalCloud, function: str) -> float:
    """Seconds of CPU of the function's processes."""
    return sum(_process_cpu(process.pid) for process in cloud.functions[function].processes)


def _process_cpu(pid: int) -> float:
    """User and system time, fields 14 and 15 of ``/proc/<pid>/stat``: see proc(5)."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    after_name: list[Any] = text.rsplit(")", 1)[1].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise KeyError(name)
