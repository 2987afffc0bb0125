"""Activities as the workflow sees them: scheduled, perhaps cancelled, resolved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from durability._core.conversion import Converters
from durability._core.failure import ActivityFailureInfo, CanceledFailureInfo, Failure
from durability._core.history import (
    ActivityOutcome,
    ActivityTaskCanceled,
    ActivityTaskCancelRequested,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskScheduled,
    ActivityTaskTimedOut,
    EventGroupMarker,
)
from durability._core.interceptors import StartActivityInput, StartLocalActivityInput
from durability._core.operations import await_operation, check_late
from durability._core.options import milliseconds, priority_record
from durability.exceptions import RetryState
from durability.workflow._activity_types import ActivityCancellationType, ActivityHandle
from durability.workflow._event_groups import _captured

if TYPE_CHECKING:
    from durability._core.instance import Instance

_OUTCOMES = (ActivityTaskCompleted, ActivityTaskFailed, ActivityTaskTimedOut, ActivityTaskCanceled)

# The texts of Temporal's core (activity_state_machine.rs, local_activity_state_machine.rs).
_MESSAGES: Final[dict[type, str]] = {
    ActivityTaskFailed: "Activity task failed",
    ActivityTaskTimedOut: "Activity task timed out",
    ActivityTaskCanceled: "Activity cancelled",
}
_LOCAL_MESSAGES: Final[dict[type, str]] = {
    ActivityTaskTimedOut: "Local Activity timed out",
    ActivityTaskCanceled: "Local Activity cancelled",
}


class Handle(ActivityHandle[Any]):
    """The task that waits for an activity."""

    def __init__(
        self,
        activities: Activities,
        input: StartActivityInput | StartLocalActivityInput,
        sequence: int,
        converters: Converters,
        groups: tuple[EventGroupMarker, ...],
    ) -> None:
        self.input = input
        self.sequence = sequence
        self.converters = converters
        self.groups = groups
        self.ticket = -1
        self.scheduled_event_id = 0
        self._activities = activities
        self._begun = False
        self._cancel_requested = False
        loop = activities.instance.loop
        self.outcome: asyncio.Future[Any] = asyncio.Future(loop=loop)
        self._number = loop.next_number()
        super().__init__(self._wait(), loop=loop, name=input.activity)
        loop.adopt(self)

    def __hash__(self) -> int:
        # See ``durability._core.loop.WorkflowFuture``.
        return self._number

    async def _wait(self) -> Any:
        self._begun = True
        return await await_operation(self._activities.instance, self.outcome, self._request_cancel)

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask for cancellation; what comes of it depends on the cancellation type."""
        loop = self._activities.instance.loop
        if not loop.closing:
            loop.refuse_changes("cancel activity handle")
            if not self._begun and not self.done():
                # The coroutine will never run, so it cannot pass the cancellation on.
                self._request_cancel()
        return super().cancel(msg)

    def _request_cancel(self, _: object = None) -> None:
        if not self._cancel_requested:
            self._cancel_requested = True
            self._activities.cancel(self)

    def fail(self, error: BaseException) -> None:
        """Resolve with an exception; nobody can see it if the task was cancelled before it began."""
        if self._begun:
            self.outcome.set_exception(error)


LOCAL_ACTIVITY_CHECK: Final = "__durability_check_local_activity"
"""The extern function that raises if whoever runs the workflow has no such activity: it is to run here."""


class Activities:
    """All activities of a run."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._pending: dict[int, Handle] = {}
        self._sequence = 0
        self._local_pending = 0
        self.local: set[int] = set()

    def start(self, input: StartActivityInput) -> Handle:
        """Schedule an activity.

        Raises:
            ValueError: It has neither of the two timeouts of which one is required.
        """
        handle, arguments = self._handle(input, input.task_queue or "", is_local=False)
        retry_policy = input.retry_policy
        self._schedule(
            handle,
            ActivityTaskScheduled(
                sequence=handle.sequence,
                activity_id=input.activity_id or str(handle.sequence),
                activity_type=input.activity,
                task_queue=input.task_queue or "",
                arguments=arguments,
                headers=dict(input.headers),
                schedule_to_close_timeout=milliseconds(input.schedule_to_close_timeout),
                schedule_to_start_timeout=milliseconds(input.schedule_to_start_timeout),
                start_to_close_timeout=milliseconds(input.start_to_close_timeout),
                heartbeat_timeout=milliseconds(input.heartbeat_timeout),
                retry_policy=retry_policy._to_record() if retry_policy is not None else None,
                cancellation_type=int(input.cancellation_type),
                disable_eager_execution=input.disable_eager_execution,
                priority=priority_record(input.priority),
                summary=handle.converters.summary(input.summary),
            ),
        )
        return handle

    def start_local(self, input: StartLocalActivityInput) -> Handle:
        """Schedule a local activity.

        Raises:
            ValueError: There is no such activity here, or it has neither of the two timeouts of which one is required.
        """
        check = self.instance.extern_functions.get(LOCAL_ACTIVITY_CHECK)
        if check is not None:
            check(input.activity)
        handle, arguments = self._handle(input, "", is_local=True)
        retry_policy = input.retry_policy
        self._local_pending += 1
        self.local.add(handle.sequence)
        self._schedule(
            handle,
            ActivityTaskScheduled(
                sequence=handle.sequence,
                activity_id=input.activity_id or str(handle.sequence),
                activity_type=input.activity,
                task_queue="",
                arguments=arguments,
                headers=dict(input.headers),
                schedule_to_close_timeout=milliseconds(input.schedule_to_close_timeout),
                schedule_to_start_timeout=milliseconds(input.schedule_to_start_timeout),
                start_to_close_timeout=milliseconds(input.start_to_close_timeout),
                retry_policy=retry_policy._to_record() if retry_policy is not None else None,
                cancellation_type=int(input.cancellation_type),
                summary=handle.converters.summary(input.summary),
                local=True,
                local_retry_threshold=milliseconds(input.local_retry_threshold),
            ),
        )
        return handle

    def _handle(
        self, input: StartActivityInput | StartLocalActivityInput, task_queue: str, *, is_local: bool
    ) -> tuple[Handle, list[Any]]:
        if not input.start_to_close_timeout and not input.schedule_to_close_timeout:
            raise ValueError("Activity must have start_to_close_timeout or schedule_to_close_timeout")
        instance = self.instance
        converters = instance.converters.of_activity(input, task_queue or instance.task_queue, is_local)
        arguments = converters.encode(input.args)
        groups = _captured(input.event_groups)
        self._sequence += 1
        return Handle(self, input, self._sequence, converters, groups), arguments

    def _schedule(self, handle: Handle, record: ActivityTaskScheduled) -> None:
        handle.ticket = self.instance.commands.add(record, handle.groups)
        self._pending[handle.sequence] = handle

    def scheduled(self, sequence: int, event_id: int) -> None:
        """Note which event scheduled an activity."""
        handle = self._pending.get(sequence)
        if handle is not None:
            handle.scheduled_event_id = event_id

    def cancel(self, handle: Handle) -> None:
        """Ask for cancellation of an activity, and resolve it at once unless its type is to wait."""
        instance = self.instance
        kind = handle.input.cancellation_type
        if instance.is_over(_OUTCOMES, handle.sequence):
            return
        if not instance.commands.withdraw(handle.ticket):
            if kind != ActivityCancellationType.ABANDON:
                instance.commands.add(ActivityTaskCancelRequested(handle.sequence), handle.groups)
            if kind == ActivityCancellationType.WAIT_CANCELLATION_COMPLETED:
                return
        cancelled = ActivityTaskCanceled(
            instance.activation.time, "", handle.sequence, 0, 0, "", Failure(info=CanceledFailureInfo())
        )
        if handle.sequence in self.local:
            cancelled.failure.message = "Activity cancelled"
        instance.defer(lambda: self._fail(cancelled, RetryState.CANCEL_REQUESTED))

    def is_local(self, outcome: object) -> bool:
        """Whether an input is the outcome of a local activity."""
        if not self._local_pending or not isinstance(outcome, ActivityOutcome):
            return False
        handle = self._pending.get(outcome.sequence)
        return handle is not None and isinstance(handle.input, StartLocalActivityInput)

    def resolve(self, outcome: ActivityOutcome) -> None:
        """Hand an outcome to whoever waits for it; too late, it is dropped.

        Raises:
            NondeterminismError: There never was such an activity.
            RuntimeError: The result does not decode.
        """
        if outcome.sequence not in self._pending:
            check_late("activity", outcome.sequence, self._sequence)
        elif isinstance(outcome, ActivityTaskCompleted):
            handle = self._pop(outcome.sequence)
            handle.outcome.set_result(handle.converters.decode_one(outcome.result, handle.input.ret_type))
        elif isinstance(outcome, ActivityTaskCanceled):
            self._fail(outcome, RetryState.CANCEL_REQUESTED)
        elif isinstance(outcome, ActivityTaskFailed | ActivityTaskTimedOut):
            self._fail(outcome, outcome.retry_state)

    def _pop(self, sequence: int) -> Handle:
        handle = self._pending.pop(sequence)
        if isinstance(handle.input, StartLocalActivityInput):
            self._local_pending -= 1
        return handle

    def _fail(
        self, outcome: ActivityTaskFailed | ActivityTaskTimedOut | ActivityTaskCanceled, retry_state: int
    ) -> None:
        if outcome.sequence not in self._pending:
            return
        handle = self._pop(outcome.sequence)
        input = handle.input
        is_local = isinstance(input, StartLocalActivityInput)
        failure = outcome.failure
        if is_local:
            # Temporal's core says so of every local activity that timed out, too.
            retry_state = RetryState.CANCEL_REQUESTED
        if not (is_local and isinstance(outcome, ActivityTaskFailed)):  # then it is raised as it is
            failure = Failure(
                message=(_LOCAL_MESSAGES if is_local else _MESSAGES)[type(outcome)],
                cause=failure,
                info=ActivityFailureInfo(
                    # Temporal's does not tell of an activity that is no longer waited for.
                    scheduled_event_id=handle.scheduled_event_id if outcome.attempt else 0,
                    started_event_id=self.instance.event_id_of(outcome) if outcome.started and not is_local else 0,
                    identity=outcome.identity,
                    activity_type=input.activity,
                    activity_id=input.activity_id or str(outcome.sequence),
                    retry_state=int(retry_state),
                ),
            )
        handle.fail(handle.converters.from_failure(failure))
