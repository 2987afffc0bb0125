"""What fires: one-time and rate schedules of EventBridge Scheduler, and the rate schedules of the template."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from durability._local.identity import ACCOUNT, REGION
from durability._local.schedule_expressions import parse_at, parse_rate
from durability._local.specs import RuleSpec

# EventBridge Scheduler invokes within the minute after the time that it was told: the precision of 60 s.
_MINUTE = 60


@dataclass(frozen=True)
class Schedule:
    """A schedule that can fire.

    Args:
        name: its name.
        arn: its ARN.
        target_arn: a queue or a function.
        input: what the target gets; None for the event of the service.
        source: `aws.events` or `aws.scheduler`.
        at: Unix time of a one-time schedule.
        every: seconds between two invocations of a rate.
        delete_after: whether to delete it when it has fired.
        group: group of EventBridge Scheduler; None for one of the template.
    """

    name: str
    arn: str
    target_arn: str
    input: str | None
    source: str
    at: float | None = None
    every: float | None = None
    delete_after: bool = False
    group: str | None = None

    def event(self) -> bytes:
        """What the target gets."""
        if self.input is not None:
            return self.input.encode()
        event: dict[str, Any] = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": self.source,
            "account": ACCOUNT,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [self.arn],
            # EventBridge gives an object, EventBridge Scheduler its text.
            "detail": {} if self.source == "aws.events" else "{}",
        }
        return json.dumps(event).encode()


class Scheduler:
    """Fires schedules at their time.

    Args:
        deliver: hands an event to a target.
        delete: deletes a schedule of EventBridge Scheduler that is complete.
        minute_precision: fire one-time schedules at the end of their minute, the latest that AWS promises, instead of
            at their second.
    """

    def __init__(
        self,
        deliver: Callable[[str, bytes], Awaitable[None]],
        delete: Callable[[Schedule], Awaitable[None]],
        *,
        minute_precision: bool = False,
    ) -> None:
        self._deliver = deliver
        self._delete = delete
        self._minute_precision = minute_precision
        self._schedules: dict[str, Schedule] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """Everything that waits to fire."""
        return tuple(self._schedules.values())

    def add_rule(self, rule: RuleSpec, *, enabled: bool) -> None:
        """Add a schedule of the template.

        Args:
            rule: what the template says.
            enabled: whether its clock runs; if not, it fires on request only.
        """
        period = parse_rate(rule.expression)
        schedule = Schedule(
            name=rule.name,
            arn=rule.arn,
            target_arn=rule.target_arn,
            input=rule.input,
            source=rule.source,
            every=None if period is None else period.total_seconds(),
        )
        self._schedules[rule.arn] = schedule
        if enabled and rule.enabled:
            self._arm(schedule)

    def put(self, description: dict[str, Any]) -> None:
        """Add or replace a schedule of EventBridge Scheduler.

        Args:
            description: the schedule as `GetSchedule` describes it.
        """
        self._disarm(description["Arn"])
        expression = description["ScheduleExpression"]
        at = parse_at(expression, description.get("ScheduleExpressionTimezone"))
        period = None if at is not None else parse_rate(expression)
        schedule = Schedule(
            name=description["Name"],
            arn=description["Arn"],
            target_arn=description["Target"]["Arn"],
            input=description["Target"].get("Input"),
            source="aws.scheduler",
            at=None if at is None else at.timestamp(),
            every=None if period is None else period.total_seconds(),
            delete_after=description.get("ActionAfterCompletion") == "DELETE",
            group=description["GroupName"],
        )
        self._schedules[schedule.arn] = schedule
        if description.get("State", "ENABLED") == "ENABLED":
            self._arm(schedule)

    def keep(self, arns: list[str]) -> None:
        """Forget the schedules of EventBridge Scheduler that are not among these.

        Args:
            arns: those that exist.
        """
        for arn in [arn for arn, schedule in self._schedules.items() if schedule.group is not None and arn not in arns]:
            self._disarm(arn)
            del self._schedules[arn]

    async def fire(self, name: str) -> None:
        """Fire a schedule now. A one-time schedule has then fired.

        Args:
            name: name or ARN of the schedule.

        Raises:
            KeyError: there is no such schedule.
        """
        for schedule in self._schedules.values():
            if name in (schedule.name, schedule.arn):
                if schedule.at is not None:
                    self._disarm(schedule.arn)
                await self._fire(schedule)
                return
        raise KeyError(name)

    async def stop(self) -> None:
        """Fire nothing more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _arm(self, schedule: Schedule) -> None:
        self._tasks[schedule.arn] = asyncio.get_running_loop().create_task(self._wait(schedule))

    def _disarm(self, arn: str) -> None:
        task = self._tasks.pop(arn, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _wait(self, schedule: Schedule) -> None:
        if schedule.at is not None:
            at = schedule.at + (_MINUTE - schedule.at % _MINUTE if self._minute_precision else 0)
            await _sleep_until(at)
            self._tasks.pop(schedule.arn, None)
            await self._fire(schedule)
            return
        next_time = time.time()
        while schedule.every is not None:
            next_time += schedule.every
            await _sleep_until(next_time)
            await self._fire(schedule)

    async def _fire(self, schedule: Schedule) -> None:
        await self._deliver(schedule.target_arn, schedule.event())
        if schedule.at is not None and schedule.delete_after:
            await self._delete(schedule)


async def _sleep_until(at: float) -> None:
    # Slept in pieces: the clock of a machine that was suspended jumps, the event loop's does not.
    while (remaining := at - time.time()) > 0:  # noqa: ASYNC110 -- time passes, nothing else happens
        await asyncio.sleep(min(remaining, 60.0))
