"""One-line sabotages of the protocol: what the simulation must notice, or it could not have noticed a bug."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from unittest.mock import patch

from durability._aws.dynamodb import DynamoDBStore
from durability._aws.message_items import MessageItems
from durability._core import history
from durability._core.encoding import decode_delta
from durability._core.run import Run
from durability._runtime import closing, dispatch, large_payloads, query_task, workflow_task
from durability._runtime.dispatched import DispatchedActivities
from durability._runtime.eager import EagerActivities
from durability._runtime.gateway import Gateway
from durability._runtime.heartbeats import Heartbeats
from durability._runtime.ports import Delivery, FencedError, Head
from durability._runtime.sessions import Sessions
from durability._runtime.wakeups import WakeUps
from durability._simulation.table import Table

Sabotage = Callable[[], Any]


def _unconditional(operation: str, fragment: str) -> Sabotage:
    """Writes whose condition contains a text are made without it."""
    original = getattr(Table, f"_{operation}")

    def write(self: Table, *args: Any, ConditionExpression: str = "", **named: Any) -> Any:
        if fragment in ConditionExpression:
            ConditionExpression = "attribute_exists(pk)" if operation == "update_item" else ""
        return original(self, *args, ConditionExpression=ConditionExpression, **named)

    return lambda: patch.object(Table, f"_{operation}", write)


def _weaker(fragment: str, replacement: str) -> Sabotage:
    """Updates whose condition contains a text are made with another one in its place."""
    original = Table._update_item

    def write(self: Table, *args: Any, ConditionExpression: str = "", **named: Any) -> Any:
        return original(self, *args, ConditionExpression=ConditionExpression.replace(fragment, replacement), **named)

    return lambda: patch.object(Table, "_update_item", write)


def _ignore_the_fence() -> Any:
    original = DynamoDBStore.append

    async def append(self: DynamoDBStore, *args: Any) -> None:
        with suppress(FencedError):  # and go on as if the delta were this executor's
            await original(self, *args)

    return patch.object(DynamoDBStore, "append", append)


def _dispatch_before_append() -> Any:
    original = workflow_task.WorkflowTask._advance

    async def advance(self: workflow_task.WorkflowTask, inputs: list[history.Input]) -> None:
        append = self.engine.store.append

        async def dispatch_first(key: Any, run_id: str, sequence: int, body: bytes) -> None:
            delta = decode_delta(body)
            if not self.run.closed:
                self.news += await self.dispatcher.dispatch(self.run, dispatch.decisions(delta))
            await append(key, run_id, sequence, body)

        with patch.object(self.engine.store, "append", dispatch_first):
            await original(self, inputs)

    return patch.object(workflow_task.WorkflowTask, "_advance", advance)


def _eager_before_append() -> Any:
    original = workflow_task.WorkflowTask._advance

    async def advance(self: workflow_task.WorkflowTask, inputs: list[history.Input]) -> None:
        append = self.engine.store.append

        async def start_first(key: Any, run_id: str, sequence: int, body: bytes) -> None:
            if not self.run.closed:
                self._start_eager(decode_delta(body))
            await append(key, run_id, sequence, body)

        with patch.object(self.engine.store, "append", start_first):
            await original(self, inputs)

    return patch.object(workflow_task.WorkflowTask, "_advance", advance)


def _forget_keys() -> Any:
    original = Run.accepts

    def accepts(self: Run, message: history.Input) -> bool:
        keyed = isinstance(message, history.WorkflowExecutionSignaled | history.WorkflowExecutionCancelRequested)
        return keyed or original(self, message)

    return patch.object(Run, "accepts", accepts)


def _forget_keys_of_the_run_before() -> Any:
    return patch.object(Run, "recent_keys", lambda self: [])


def _accept_given_up_attempts() -> Any:
    original = Run.accepts

    def accepts(self: Run, message: history.Input) -> bool:
        if isinstance(message, history.ActivityOutcome):
            return message.sequence in self.activities
        return original(self, message)

    return patch.object(Run, "accepts", accepts)


def _never_wake() -> Any:
    async def wake(self: Gateway, head: Any) -> None:
        """The sender owes a wake-up and does not send it."""

    return patch.object(Gateway, "wake", wake)


def _no_reconciler() -> Any:
    async def nobody(self: DynamoDBStore, *_: Any) -> list[Any]:
        return []

    return patch.object(DynamoDBStore, "overdue", nobody)


def _wake_on_every_second_message() -> Any:
    """Take a mark that is set for one that is clear, and the other way round."""
    original = DynamoDBStore.deliver

    async def deliver(self: DynamoDBStore, key: Any, run_id: Any, message: str, *rest: Any, **named: Any) -> Delivery:
        delivery = await original(self, key, run_id, message, *rest, **named)
        if delivery.before is not None and delivery.accepted:
            delivery.before.awake = 0 if delivery.before.awake else 1
            delivery.before.inbox.pop(message, None)
        return delivery

    return patch.object(DynamoDBStore, "deliver", deliver)


def _no_timers() -> Any:
    async def at(self: WakeUps, *_: Any) -> None:
        """Nobody is asked to come back."""

    return patch.object(WakeUps, "at", at)


def _forget_undispatched() -> Any:
    return patch.object(workflow_task, "undispatched", lambda deltas, dispatched: [])


def _children_without_request_id() -> Any:
    original = Gateway.start_as

    async def start_as(self: Gateway, request: Any, **named: Any) -> Any:
        if named.get("parent") is not None:
            request.request_id = uuid.uuid4().hex
        return await original(self, request, **named)

    return patch.object(Gateway, "start_as", start_as)


def _signals_without_key() -> Any:
    original = Gateway.deliver

    async def deliver(self: Gateway, key: Any, run_id: Any, name: str, message: Any, **named: Any) -> bool:
        if name.startswith("signal:"):
            name = message.key = f"{name}:{uuid.uuid4().hex}"
        return await original(self, key, run_id, name, message, **named)

    return patch.object(Gateway, "deliver", deliver)


def _queries_see_superseded_ends() -> Any:
    def replay(run: Run, head: Any, deltas: Any) -> None:
        run.replay(list(closing.effective(deltas)))

    return patch.object(query_task.closing, "replay", replay)


def _attempts_begin_late() -> Any:
    original = EagerActivities._attempt

    async def attempt(self: EagerActivities, run: Run, activity: Any, number: int, cancellation: Any) -> None:
        deadline, activity.deadline = activity.deadline, 0
        await original(self, run, activity, number, cancellation)
        activity.deadline = deadline

    return patch.object(EagerActivities, "_attempt", attempt)


def _lost_attempts_are_not_noticed() -> Any:
    return patch.object(DispatchedActivities, "next_due", lambda self, run: 0)


def _overlook_what_lies_apart() -> Any:
    async def overlook(self: MessageItems, head: Head) -> Head:
        return head

    return patch.object(MessageItems, "with_apart", overlook)


def _timers_fire_early() -> Any:
    original = Run.due_inputs
    return patch.object(Run, "due_inputs", lambda self, now: original(self, now + 500))


def _trust_what_is_held() -> Any:
    original = Sessions.take

    def take(self: Sessions, workflow_id: str, run_id: str) -> Run | None:
        held = original(self, workflow_id, run_id)
        if held is not None:
            held.dispatched = held.last
        return held

    return patch.object(Sessions, "take", take)


def _drop_strays() -> Any:
    return patch.object(Run, "places", lambda self, message: True)


def _refer_to_objects_of_others() -> Any:
    return patch.object(large_payloads, "_is_foreign", lambda payload, prefix: False)


def _keep_objects() -> Any:
    async def forget(self: large_payloads.LargePayloads, namespace: str, run_id: str) -> None:
        """The run goes, and what it stored stays."""

    return patch.object(large_payloads.LargePayloads, "forget", forget)


def _let_heartbeats_go_on() -> Any:
    async def end(self: Heartbeats) -> None:
        """Who answers does not wait for them."""

    return patch.object(Heartbeats, "end", end)


SABOTAGES: Final[dict[str, Sabotage]] = {
    "append without its condition": _unconditional("put_item", "attribute_not_exists(#sk)"),
    "start without its condition": _unconditional("put_item", "attribute_not_exists(#pk)"),
    "release although messages have come": _weaker("AND #counter = :expected_counter", ""),
    "release only if messages have come": _weaker("#counter = :expected", "#counter <> :expected"),
    "accept messages for closed runs": _weaker("#status = :running AND #run_id = :run_id", "#run_id = :run_id"),
    "claim an attempt that is somebody's": _weaker("attribute_not_exists(#attempt)", "attribute_not_exists(nothing)"),
    "ignore the fence": _ignore_the_fence,
    "dispatch before the delta is durable": _dispatch_before_append,
    "begin eager activities before the delta is durable": _eager_before_append,
    "forget which messages were consumed": _forget_keys,
    "forget what the run before consumed": _forget_keys_of_the_run_before,
    "accept attempts that were given up": _accept_given_up_attempts,
    "never send a wake-up": _never_wake,
    "wake when the mark is set": _wake_on_every_second_message,
    "no reconciler": _no_reconciler,
    "arrange no wake-up for timers": _no_timers,
    "forget what was not dispatched": _forget_undispatched,
    "start children under a new request id": _children_without_request_id,
    "send signals under a new key": _signals_without_key,
    "show queries an end that is superseded": _queries_see_superseded_ends,
    "begin attempts after their time": _attempts_begin_late,
    "do not look after dispatched attempts": _lost_attempts_are_not_noticed,
    "fire timers early": _timers_fire_early,
    "overlook what lies apart": _overlook_what_lies_apart,
    "drop what the history does not tell of": _drop_strays,
    "trust a run in memory to be dispatched": _trust_what_is_held,
    "refer to another run's objects": _refer_to_objects_of_others,
    "keep the objects of runs that are deleted": _keep_objects,
    "answer while heartbeats are recorded": _let_heartbeats_go_on,
}
"""By what is done. Each is entered around seeds until one of them fails."""

__all__ = ["SABOTAGES", "sabotaged"]


@contextmanager
def sabotaged(name: str) -> Iterator[None]:
    """The protocol with one thing broken."""
    with SABOTAGES[name]():
        yield
