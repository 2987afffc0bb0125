"""An event source mapping: delivers the messages of a queue to a function, as Lambda does.

Nothing is polled. The backend says when the next message of the queue can be received; until then there is no request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

from durability._local.backend_process import BackendError, BackendProcess
from durability._local.function import Function, Throttled
from durability._local.identity import REGION
from durability._local.invocation import Result
from durability._local.specs import MappingSpec

_BATCH_LIMIT = 10
_THROTTLE_PAUSE = 0.05


def parse_failures(payload: bytes, message_ids: set[str]) -> set[str] | None:
    """The messages that a function reports as failed, by the rules of `ReportBatchItemFailures`.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Args:
        payload: response of the function.
        message_ids: ids of the batch.

    Returns:
        Ids of failed messages; None if the response makes the whole batch fail.
    """
    try:
        response = json.loads(payload)
    except ValueError:
        return None
    if response is None:
        return set()
    if not isinstance(response, dict):
        return None
    failures = response.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return None
    identifiers = [entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in failures]
    if any(not isinstance(identifier, str) or identifier not in message_ids for identifier in identifiers):
        return None
    return {str(identifier) for identifier in identifiers}


class Poller:
    """Runs one event source mapping.

    Args:
        spec: what the template says.
        function: the function to deliver to.
        backend: where the queue is.
        access_key: with which requests are made.
        redelivery_delay: seconds after which a batch whose invocation failed comes back; None for the queue's
            visibility timeout, as in AWS.
    """

    def __init__(
        self,
        spec: MappingSpec,
        function: Function,
        backend: BackendProcess,
        access_key: str,
        redelivery_delay: float | None,
    ) -> None:
        self.spec = spec
        self.queue_name = spec.queue_arn.rsplit(":", 1)[-1]
        self._function = function
        self._backend = backend
        self._access_key = access_key
        self._redelivery_delay = redelivery_delay
        self._due: float | None = None
        self._news = asyncio.Event()
        self._waiting = False
        self._slots = asyncio.Semaphore(min(spec.maximum_concurrency or function.concurrency, function.concurrency))
        self._tasks: set[asyncio.Task[None]] = set()

    def due_at(self, due: float | None) -> None:
        """Hear when the next message can be received.

        Args:
            due: Unix time in seconds; None if the queue is empty.
        """
        self._due = due
        self._news.set()

    @property
    def idle(self) -> bool:
        """Whether nothing is being delivered, and nothing is due."""
        due_now = self._due is not None and self._due <= time.time()
        return self._waiting and not due_now and len(self._tasks) <= 1

    def start(self) -> None:
        """Begin to deliver."""
        self._spawn(self._run())

    async def stop(self) -> None:
        """Deliver no more; what runs is dropped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._waiting = True
            await self._until_due()
            self._waiting = False
            await self._slots.acquire()
            messages = await self._gather()
            if not messages:
                self._slots.release()
                continue
            self._spawn(self._deliver(messages))

    async def _until_due(self) -> None:
        while True:
            self._news.clear()
            wait = None if self._due is None else max(0.0, self._due - time.time())
            if wait == 0.0:
                # Received now; what remains in the queue is announced by the answer to that.
                self._due = None
                return
            # Not `wait_for`, here and below, which until Python 3.12 takes no notice of a cancellation that comes
            # together with the news: `stop` would wait for ever.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()

    async def _gather(self) -> list[dict[str, Any]]:
        """Messages for one invocation: until the batch is full or its window has passed; without one, what is there."""
        messages = await self._receive(self.spec.batch_size)
        deadline = time.time() + self.spec.window
        while messages and len(messages) < self.spec.batch_size and (remaining := deadline - time.time()) > 0:
            try:
                async with asyncio.timeout(remaining):
                    await self._until_due()
            except TimeoutError:
                break
            messages += await self._receive(self.spec.batch_size - len(messages))
        return messages

    async def _receive(self, count: int) -> list[dict[str, Any]]:
        answer = await self._call(
            "ReceiveMessage",
            MaxNumberOfMessages=min(count, _BATCH_LIMIT),
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    async def _deliver(self, messages: list[dict[str, Any]]) -> None:
        try:
            records = [_record(message, self.spec.queue_arn) for message in messages]
            result = await self._invoke(json.dumps({"Records": records}).encode())
            failed = self._failed(result, {message["MessageId"] for message in messages})
            await self._delete([message for message in messages if message["MessageId"] not in failed])
            returned = [message for message in messages if message["MessageId"] in failed]
            if result.error is not None and self._redelivery_delay is not None:
                await self._return(returned, self._redelivery_delay)
        finally:
            self._slots.release()

    async def _invoke(self, payload: bytes) -> Result:
        # Lambda retries a throttled batch until the messages are due again.
        while True:
            try:
                return await self._function.invoke(payload)
            except Throttled:
                await asyncio.sleep(_THROTTLE_PAUSE)

    def _failed(self, result: Result, message_ids: set[str]) -> set[str]:
        if result.error is not None:
            return message_ids
        if not self.spec.report_failures:
            return set()
        failures = parse_failures(result.payload, message_ids)
        return message_ids if failures is None else failures

    async def _delete(self, messages: list[dict[str, Any]]) -> None:
        for start in range(0, len(messages), _BATCH_LIMIT):
            batch = messages[start : start + _BATCH_LIMIT]
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(batch)
            ]
            await self._call("DeleteMessageBatch", Entries=entries)

    async def _return(self, messages: list[dict[str, Any]], delay: float) -> None:
        # The visibility timeout is in whole seconds; what is less, or the rest of a second, passes here.
        whole = int(delay)
        if delay > whole:
            await asyncio.sleep(delay - whole)
        for message in messages:
            await self._call("ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=whole)

    async def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        url = f"{self._backend.url}/{self.spec.queue_arn.split(':')[4]}/{self.queue_name}"
        try:
            return await self._backend.call_sqs(operation, {"QueueUrl": url, **parameters}, self._access_key)
        except BackendError as error:
            # Deleted or handled by somebody else meanwhile: the message has its fate already.
            self._function.log.write(f"Event source mapping {self.spec.logical_id}: {error}")
            return {}

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._function.log.write(f"Event source mapping {self.spec.logical_id} failed: {error!r}")


def _record(message: dict[str, Any], queue_arn: str) -> dict[str, Any]:
    """A message as Lambda hands it over: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html ."""
    attributes = {}
    for name, attribute in message.get("MessageAttributes", {}).items():
        attributes[name] = {
            **{key[0].lower() + key[1:]: value for key, value in attribute.items() if key != "DataType"},
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": attribute["DataType"],
        }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }
