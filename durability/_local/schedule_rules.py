"""What EventBridge Scheduler checks and moto does not: expressions, groups, client tokens, completion."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends

from durability._local.identity import ACCOUNT
from durability._local.schedule_expressions import parse_at, parse_rate

_NAME = re.compile(r"^[0-9a-zA-Z-_.]{1,64}$")


class Refused(Exception):
    """A request that the service would refuse; message, status and code as it gives them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ScheduleRules:
    """Checks requests to EventBridge Scheduler before moto stores them, and publishes what was stored."""

    def __init__(self, publish: Callable[[dict[str, Any]], None]) -> None:
        self._publish = publish
        self._tokens: dict[tuple[str, str, str], tuple[str, dict[str, Any], bytes]] = {}

    def before(self, service: str, operation: str, path: str, body: bytes, region: str) -> bytes | None:
        """Check a request; the answer to give instead of asking moto, if it repeats an earlier one.

        Args:
            service: signing name of the service.
            operation: its operation.
            path: path of the request.
            body: JSON body.
            region: region of the request.

        Raises:
            Refused: what the service would refuse.
        """
        if service != "scheduler" or operation not in ("CreateSchedule", "UpdateSchedule"):
            return None
        parameters = json.loads(body)
        name, group = path.rsplit("/", 1)[-1], parameters.get("GroupName") or "default"
        _check(name, parameters)
        if group not in _backend(region).schedule_groups:
            raise Refused(404, "ResourceNotFoundException", f"Schedule group {group} does not exist.")
        if operation == "UpdateSchedule":
            return None
        token = parameters.pop("ClientToken", None)
        earlier = self._tokens.get((region, group, name))
        if earlier is None or name not in _backend(region).schedule_groups[group].schedules or earlier[0] != token:
            return None
        if earlier[1] != parameters:
            raise Refused(
                409, "ConflictException", f"The client token of schedule {name} was used with other parameters."
            )
        return earlier[2]

    def after(self, service: str, operation: str, path: str, body: bytes, region: str) -> None:
        """Publish the schedule that a request which succeeded has created, changed or deleted.

        Args:
            service: signing name of the service.
            operation: its operation.
            path: path of the request.
            body: JSON body.
            region: region of the request.
        """
        if service != "scheduler":
            return
        if operation in ("DeleteSchedule", "DeleteScheduleGroup"):
            self._publish({"schedules": self._all(region)})
        elif operation in ("CreateSchedule", "UpdateSchedule"):
            parameters = json.loads(body)
            name, group = path.rsplit("/", 1)[-1], parameters.get("GroupName") or "default"
            schedule = _backend(region).schedule_groups[group].schedules[name]
            if operation == "CreateSchedule":
                token = parameters.pop("ClientToken", None)
                answer = json.dumps({"ScheduleArn": schedule.arn}).encode()
                self._tokens[region, group, name] = (token, parameters, answer)
            else:
                # moto keeps the action of the creation, and has no default for the state.
                schedule.state = parameters.get("State") or "ENABLED"
                schedule.action_after_completion = parameters.get("ActionAfterCompletion", "NONE")
            self._publish({"schedule": schedule.to_dict()})

    def _all(self, region: str) -> list[str]:
        groups = _backend(region).schedule_groups.values()
        return [schedule.arn for group in groups for schedule in group.schedules.values()]


def _backend(region: str) -> EventBridgeSchedulerBackend:
    return scheduler_backends[ACCOUNT][region]


def _check(name: str, parameters: dict[str, Any]) -> None:
    def refuse(message: str) -> Refused:
        return Refused(400, "ValidationException", message)

    if not _NAME.match(name):
        raise refuse(f"Invalid schedule name {name!r}: 1 to 64 characters of A-Z a-z 0-9 - _ .")
    expression = str(parameters.get("ScheduleExpression", ""))
    try:
        at = parse_at(expression, parameters.get("ScheduleExpressionTimezone"))
        recurring = parse_rate(expression) is not None
    except ValueError as error:
        raise refuse(f"Invalid Schedule Expression {expression}: {error}.") from error
    if expression.startswith("cron("):
        raise refuse("cron(...) schedules do not fire in the local cloud; use at(...) or rate(...).")
    if at is None and not recurring:
        raise refuse(f"Invalid Schedule Expression {expression}.")
    if at is not None and at < datetime.now(UTC):
        raise refuse(f"Invalid Schedule Expression {expression}: it is in the past.")
    mode = (parameters.get("FlexibleTimeWindow") or {}).get("Mode")
    if mode not in ("OFF", "FLEXIBLE"):
        raise refuse("FlexibleTimeWindow.Mode must be OFF or FLEXIBLE.")
    target = parameters.get("Target") or {}
    if not target.get("Arn") or not target.get("RoleArn"):
        raise refuse("Target needs an Arn and a RoleArn.")
    if parameters.get("ActionAfterCompletion", "NONE") not in ("NONE", "DELETE"):
        raise refuse("ActionAfterCompletion must be NONE or DELETE.")
