"""``TimerService`` on EventBridge Scheduler: one-time schedules that put a wake-up on the workflow queue."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from durability._aws.callers import AwsError, Caller
from durability._aws.queues import encode_wake_up
from durability._aws.task_queues import TaskQueues
from durability._runtime.ports import WakeUp, WorkflowKey


class SchedulerTimers:
    """Creates schedules in one group; each deletes itself after it has fired."""

    def __init__(self, caller: Caller, task_queues: TaskQueues, group: str, role_arn: str, queue_arn: str) -> None:
        self._caller = caller
        self._task_queues = task_queues
        self._group = group
        self._role_arn = role_arn
        self._queue_arn = queue_arn

    async def schedule(self, key: WorkflowKey, wake_up: WakeUp, at: int) -> None:
        """See ``TimerService.schedule``. The name follows from what is asked for, so asking twice makes one."""
        name = schedule_name(key, wake_up)
        url = await self._task_queues.find(wake_up.task_queue, "workflow")
        account, _, _ = self._queue_arn.rpartition(":")
        target = self._queue_arn if url is None else f"{account}:{url.rpartition('/')[2]}"
        try:
            await self._caller.call(
                "scheduler",
                "create_schedule",
                Name=name,
                GroupName=self._group,
                ClientToken=name,
                ScheduleExpression=f"at({datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={"Arn": target, "RoleArn": self._role_arn, "Input": encode_wake_up(wake_up)},
            )
        except AwsError as error:
            if error.code != "ConflictException":
                raise


def schedule_name(key: WorkflowKey, wake_up: WakeUp) -> str:
    """The name of the schedule for a wake-up: at most 64 characters, the same however often it is computed."""
    text = f"{key.namespace}\0{key.workflow_id}\0{wake_up.run_id}\0{wake_up.due}"
    return f"wake-{hashlib.sha256(text.encode()).hexdigest()[:48]}"
