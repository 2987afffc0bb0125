"""``durability.compat``: code that imports Temporal's SDK by name. Each test is a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

THIRD_PARTY = '''
"""Written for Temporal's Python SDK."""
import asyncio
from datetime import timedelta
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Interceptor, UnsandboxedWorkflowRunner, Worker
import temporalio.converter

with workflow.unsafe.imports_passed_through():
    import pydantic
    from temporalio.contrib.pydantic import pydantic_data_converter

class Order(pydantic.BaseModel):
    id: str
    amount: int

@activity.defn
async def charge(order: Order) -> str:
    if activity.info().attempt == 1:
        raise ApplicationError("not yet", type="Busy")
    return f"charged {order.amount}"

@workflow.defn
class Charging:
    @workflow.run
    async def run(self, order: Order) -> str:
        return await workflow.execute_activity(
            charge, order, start_to_close_timeout=timedelta(seconds=5), retry_policy=RetryPolicy(maximum_attempts=2)
        )

async def main() -> None:
    async with await WorkflowEnvironment.start_time_skipping(data_converter=pydantic_data_converter) as env:
        async with Worker(env.client, task_queue="q", workflows=[Charging], activities=[charge]):
            print(await env.client.execute_workflow(Charging.run, Order(id="1", amount=7), id="w", task_queue="q"))

if __name__ == "__main__":
    asyncio.run(main())
'''


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(arguments or ("-c", code))], capture_output=True, text=True, timeout=60, check=False
    )


def succeeds(code: str) -> str:
    done = python(code)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_for_temporal_runs_unchanged(tmp_path: Path) -> None:
    program = tmp_path / "third_party.py"
    program.write_text(THIRD_PARTY + "    import durability.compat\n")
    done = python("", "-m", "durability.compat", str(program))
    assert done.stdout == "charged 7\n", done.stderr


def test_modules_are_the_same_objects_under_both_names() -> None:
    code = """
import durability.compat
import sys
import temporalio, temporalio.worker.workflow_sandbox, temporalio.contrib.pydantic
import durability
from temporalio import workflow as theirs
from durability import workflow as ours
import durability.worker.workflow_sandbox
assert temporalio is durability and theirs is ours
assert temporalio.worker.workflow_sandbox is durability.worker.workflow_sandbox
assert ours.__name__ == ours.__spec__.name == "durability.workflow", ours.__spec__
assert durability.__spec__.name == "durability"
from importlib import reload
reload(sys.modules["durability.types"])
assert not any("site-packages/temporalio" in (getattr(m, "__file__", "") or "") for m in sys.modules.values())
durability.compat.install()
assert sum(type(finder).__name__ == "_Finder" for finder in sys.meta_path) == 1
durability.compat.uninstall()
import temporalio.types
assert temporalio.types.__file__.replace("\\\\", "/").endswith("site-packages/temporalio/types.py")
"""
    succeeds(code)


@pytest.mark.parametrize("name", ["temporalio.nexus", "temporalio.client._impl", "temporalio.bridge.client"])
def test_what_is_not_there_says_so(name: str) -> None:
    missing = ".".join(name.split(".")[:2]) if name == "temporalio.bridge.client" else name
    code = f"""
import durability.compat
try:
    import {name}
except ModuleNotFoundError as error:
    assert error.name == {missing!r}, error.name
    print(error)
"""
    assert "which has no such module" in succeeds(code)


def test_it_is_off_unless_asked_for_and_comes_too_late_after_the_real_one() -> None:
    code = """
import durability.client, sys
assert "temporalio" not in sys.modules
import temporalio.types
assert "site-packages" in temporalio.types.__file__
try:
    import durability.compat
except ImportError as error:
    print(error)
"""
    assert "temporalio was already imported, from" in succeeds(code)


def test_without_a_program_there_is_a_usage() -> None:
    done = python("", "-m", "durability.compat")
    assert done.returncode == 1
    assert "usage: python -m durability.compat" in done.stderr
