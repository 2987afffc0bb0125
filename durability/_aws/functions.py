"""``WorkflowInvoker`` on AWS: the workflow function, or the worker that serves the workflow's task queue."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Final, Protocol

from durability._aws import items
from durability._aws.callers import Caller
from durability._aws.mailbox import Mailbox
from durability._aws.task_queues import TaskQueues
from durability._runtime import direct, updates
from durability._runtime.ports import WorkflowKey
from durability.service import RPCError, RPCStatusCode

_MOVES: Final = 4
_REMEMBERED: Final = 10_000


class LambdaInvoker:
    """Invokes the workflow function and waits for its answer."""

    def __init__(self, caller: Caller, function: str) -> None:
        self._caller = caller
        self._function = function

    async def invoke(self, request: bytes, workflow_id: str) -> bytes:
        """See ``WorkflowInvoker.invoke``. Raises RPCError(UNAVAILABLE) when the function failed."""
        answer = await self._caller.call(
            "lambda", "invoke", FunctionName=self._function, InvocationType="RequestResponse", Payload=request
        )
        body: bytes = answer["Payload"]
        if "FunctionError" in answer:
            text = body[:500].decode(errors="replace")
            raise RPCError(f"the workflow function failed: {text}", RPCStatusCode.UNAVAILABLE, b"")
        return body


class WorkersHere(Protocol):
    """The workers of this process, which need not be written to."""

    async def task_queue_of(self, workflow_id: str) -> str:
        """The task queue of a workflow, if there are workers at all that may serve it; nothing otherwise."""
        ...

    async def answer(self, task_queue: str, request: bytes) -> bytes | None:
        """The answer of a worker that serves a task queue; None if there is none here."""
        ...


class RoutedInvoker:
    """Asks the function first, unless it is known better: it says so if the workflow is a worker's business.

    Attributes:
        workers: Those of this process, once there are any.
    """

    def __init__(self, functions: LambdaInvoker, mailbox: Mailbox, task_queues: TaskQueues) -> None:
        self.workers: WorkersHere | None = None
        self._functions = functions
        self._mailbox = mailbox
        self._task_queues = task_queues
        self._task_queue_of: OrderedDict[str, str] = OrderedDict()

    async def invoke(self, request: bytes, workflow_id: str) -> bytes:
        """See ``WorkflowInvoker.invoke``.

        Raises:
            RPCError: UNAVAILABLE when the function failed, DEADLINE_EXCEEDED when no worker answered.
        """
        task_queue = self._task_queue_of.get(workflow_id, "")
        if not task_queue and self.workers is not None:
            task_queue = await self.workers.task_queue_of(workflow_id)
        for _ in range(_MOVES):
            answer = await self._ask(task_queue, request, workflow_id)
            moved = direct.elsewhere(answer)
            if moved is None:
                return answer
            task_queue = moved
            self._remember(workflow_id, task_queue)
        raise RPCError(
            f"workflow {workflow_id!r} kept moving between task queues: try again", RPCStatusCode.UNAVAILABLE, b""
        )

    async def _ask(self, task_queue: str, request: bytes, workflow_id: str) -> bytes:
        if self.workers is not None and (answer := await self.workers.answer(task_queue, request)) is not None:
            return answer
        url = await self._task_queues.find(task_queue, "workflow")
        if url is not None:
            return await self._mailbox.ask(url, request, task_queue, mark=self._mark(request))
        return await self._functions.invoke(request, workflow_id)

    def _mark(self, request: bytes) -> items.Item | None:
        """What tells others that somebody waits for an update to be taken; nothing for a query."""
        event = json.loads(request)
        if updates.EVENT_KEY not in event:
            return None
        update = updates.decode(event)
        return items.asked_key(self._task_queues.namespace, update.workflow_id, update.update_id)

    async def is_asked(self, key: WorkflowKey, run_id: str, update_id: str) -> bool:
        """See ``WorkflowInvoker.is_asked``. Functions take an update at once; one for a worker leaves a mark."""
        return await self._mailbox.is_marked(items.asked_key(key.namespace, key.workflow_id, update_id))

    def _remember(self, workflow_id: str, task_queue: str) -> None:
        self._task_queue_of[workflow_id] = task_queue
        if len(self._task_queue_of) > _REMEMBERED:
            self._task_queue_of.popitem(last=False)
