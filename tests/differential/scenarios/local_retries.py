"""Local activities whose next attempt is so far off that the workflow task ends before it."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RetryPolicy
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)


@activity.defn
async def succeeds_at(number: int) -> int:
    if activity.info().attempt < number:
        raise ApplicationError("not yet")
    return activity.info().attempt


def begin(number: int, seconds: float = 0.4) -> Any:
    return workflow.start_local_activity(
        succeeds_at,
        number,
        start_to_close_timeout=SECONDS,
        local_retry_threshold=timedelta(milliseconds=100),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=seconds), backoff_coefficient=1.5),
    )


@workflow.defn
class Patient:
    @workflow.run
    async def run(self, how: str) -> list[Any]:
        match how:
            case "alone":
                return [await begin(3)]
            case "with others":
                return list(await asyncio.gather(begin(2), begin(3), self.others(), begin(1)))
            case "cancelled":
                waiting = begin(2, 5)
                await workflow.sleep(0.1)
                waiting.cancel()
        return [await attempt(waiting), await self.others()]

    async def others(self) -> int:
        await workflow.sleep(0.4)
        await workflow.execute_activity(succeeds_at, 1, start_to_close_timeout=SECONDS)
        await asyncio.sleep(0.4)
        return await workflow.execute_activity(succeeds_at, 1, start_to_close_timeout=SECONDS, activity_id="mine")


@scenario(Patient, activities=[succeeds_at], cases=["alone", "with others", "cancelled"])
async def local_activity_far_off(stage: Stage, how: str) -> Any:
    return await stage.execute(Patient.run, how)
