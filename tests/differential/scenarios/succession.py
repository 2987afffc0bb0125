"""Runs that others follow: by cron schedule and by retry policy."""

from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import RetryPolicy
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, describe, scenario


@workflow.defn
class Counting:
    @workflow.run
    async def run(self) -> int:
        return (workflow.get_last_completion_result(int) or 0) + 1


@scenario(Counting, histories=False)
async def result_of_one_run_of_a_cron_schedule(stage: Stage) -> Any:
    handle = await stage.client.start_workflow(
        Counting.run, id=stage.id(), task_queue=stage.task_queue, cron_schedule="@every 1s"
    )
    try:
        await handle.result(follow_runs=False)
    except Exception as error:
        return describe(error)
    finally:
        await stage.client.get_workflow_handle(handle.id).terminate()


@workflow.defn
class FailingAtFirst:
    @workflow.run
    async def run(self) -> int:
        if workflow.info().attempt < 3:
            raise ApplicationError(f"attempt {workflow.info().attempt}")
        return workflow.info().attempt


@scenario(FailingAtFirst, histories=False)
async def result_of_one_attempt_of_a_workflow(stage: Stage) -> Any:
    handle = await stage.start(
        FailingAtFirst.run,
        retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50)),
    )
    try:
        await handle.result(follow_runs=False)
    except Exception as error:
        return describe(error), await handle.result()
