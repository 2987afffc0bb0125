"""Twins of SQS, EventBridge Scheduler, Lambda and S3, at the level of requests; DynamoDB's is ``table``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from durability._aws.callers import AwsError
from durability._aws.queues import decode_attempt
from durability._simulation.log import Sent
from durability._simulation.processes import Died

if TYPE_CHECKING:
    from durability._simulation.world import World


class Services:
    """What is below the adapters.

    Attributes:
        schedules: Names of those that have not fired.
        objects: What is in the bucket, by key.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.schedules: set[str] = set()
        self.objects: dict[str, bytes] = {}

    async def carry_out(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request. Raises AwsError as the service answers."""
        if service == "dynamodb":
            return self._world.table.call(operation, parameters)
        method: Callable[..., dict[str, Any]] = getattr(self, f"_{service}_{operation}", None)  # type: ignore[assignment]
        if service == "lambda":
            return await self._lambda_invoke(**parameters)
        return method(**parameters)

    def _sqs_send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> dict[str, Any]:
        self._world.queues[QueueUrl].send(MessageBody, DelaySeconds)
        return {}

    def _sqs_send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        for entry in Entries:
            if QueueUrl == "activity":
                self._world.log.add(Sent(decode_attempt(entry["MessageBody"])))
            self._world.queues[QueueUrl].send(entry["MessageBody"], entry.get("DelaySeconds", 0))
        return {}

    def _scheduler_create_schedule(
        self, Name: str, ScheduleExpression: str, Target: dict[str, Any], **more: Any
    ) -> dict[str, Any]:
        if Name in self.schedules:
            raise AwsError("ConflictException", f"Schedule {Name} already exists.", {})
        at = datetime.strptime(ScheduleExpression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC).timestamp()
        if at * 1000 < self._world.loop.milliseconds() - 60_000:
            raise AwsError("ValidationException", "Invalid Schedule Expression: in the past", {})
        self.schedules.add(Name)
        wait = max(0.0, at - self._world.loop.milliseconds() / 1000) + self._world.random.random() * 60
        self._world.loop.call_later(wait, self._fire, Name, Target["Input"])
        return {}

    def _fire(self, name: str, body: str) -> None:
        self.schedules.discard(name)
        self._world.queues["workflow"].send(body, 0)

    async def _lambda_invoke(self, FunctionName: str, Payload: bytes, **more: Any) -> dict[str, Any]:
        try:
            # Whoever asked may die; the function goes on.
            invocation = self._world.invoke(FunctionName, json.loads(Payload))
            answer = await asyncio.shield(self._world.task_of(None, invocation))
        except Died:
            return {"FunctionError": "Unhandled", "Payload": b'{"errorType": "Runtime.ExitError"}'}
        except Exception as error:
            return {"FunctionError": "Unhandled", "Payload": json.dumps({"errorMessage": str(error)}).encode()}
        return {"Payload": json.dumps(answer).encode()}

    def _s3_put_object(self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "") -> dict[str, Any]:
        if IfNoneMatch == "*" and Key in self.objects:
            raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", {})
        self.objects[Key] = Body
        return {}

    def _s3_get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise AwsError("NoSuchKey", "The specified key does not exist.", {})
        return {"Body": self.objects[Key]}

    def _s3_list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:
        keys = sorted(key for key in self.objects if key.startswith(Prefix))[:MaxKeys]
        return {"Contents": [{"Key": key} for key in keys]} if keys else {}

    def _s3_delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        for entry in Delete["Objects"]:
            self.objects.pop(entry["Key"], None)
        return {}
