"""Runs as others see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from durability._core import history
from durability._core.event_count import EventCounter
from durability._core.history import Delta
from durability._core.run import upsert
from durability._runtime.frontend import Description, PendingActivity
from durability._runtime.leftovers import decode_details, decode_failure
from durability._runtime.ports import Head, HistoryStore


def describe_head(head: Head) -> Description:
    """Everything that the head alone tells."""
    return Description(
        workflow_id=head.key.workflow_id,
        run_id=head.run_id,
        workflow_type=head.workflow_type,
        task_queue=head.task_queue,
        status=head.status,
        start_time=head.start_time,
        close_time=head.close_time,
        execution_time=head.record.execution_time,
        history_length=head.history_length,
        parent_workflow_id=head.record.parent_workflow_id,
        parent_run_id=head.record.parent_run_id,
        first_run_id=head.record.first_run_id,
        root_workflow_id=head.record.root_workflow_id,
        root_run_id=head.record.root_run_id,
        static_summary=head.record.static_summary,
        static_details=head.record.static_details,
        memo=head.record.memo,
        search_attributes=head.record.search_attributes,
        task_attempts=head.task_attempts,
        task_failure=head.task_failure,
        next_wake_up=head.wake_up,
    )


async def complete(
    description: Description, store: HistoryStore, head: Head, deltas: Sequence[tuple[int, Delta]]
) -> None:
    """Add what the head of an open run does not tell.

    Args:
        description: What the head tells.
        store: Where attempts are kept.
        head: The head.
        deltas: From ``head.open_since`` on, with their numbers; what waits for a workflow task has none. Updates that
            only change the workflow's state leave the head as it is, so there may be deltas that it does not know.
    """
    events, known = EventCounter(), 0
    unknown: list[Delta] = []
    shown = [delta for _, delta in deltas]
    for number, delta in deltas:
        if delta.format == history.NOT_WRITTEN:
            continue
        events.add(delta)
        if number <= head.dispatched:
            known = events.length
        else:
            unknown.append(delta)
    description.history_length = head.history_length + events.length - known
    _note_changes(description, unknown)
    description.pending_activities = await _pending_activities(store, head, shown)


def _note_changes(description: Description, deltas: Iterable[Delta]) -> None:
    """Bring memo and search attributes up to date: the head learns of changes when the run is released."""
    memo, search_attributes = dict(description.memo), dict(description.search_attributes)
    for delta in deltas:
        for command in delta.commands:
            if isinstance(command, history.SearchAttributesUpserted):
                upsert(search_attributes, command.search_attributes)
            elif isinstance(command, history.WorkflowPropertiesModified):
                memo.update({name: value for name, value in command.memo.items() if value is not None})
                for name in [name for name, value in command.memo.items() if value is None]:
                    memo.pop(name, None)
    description.memo, description.search_attributes = memo, search_attributes


async def _pending_activities(store: HistoryStore, head: Head, deltas: Iterable[Delta]) -> list[PendingActivity]:
    """The activities of a run that have not ended, with what their attempts have left behind."""
    scheduled: dict[int, PendingActivity] = {}
    dispatched: set[int] = set()
    for delta in deltas:
        for message in delta.inputs:
            if isinstance(message, history.ActivityOutcome):
                scheduled.pop(message.sequence, None)
            elif isinstance(message, history.ActivityRetryScheduled) and message.sequence in scheduled:
                activity = scheduled[message.sequence]
                activity.attempt = message.attempt
                activity.last_failure = message.failure
                activity.state = "started" if message.deadline else "scheduled"
                activity.next_attempt = 0 if message.deadline else message.due
        for command in delta.commands:
            if isinstance(command, history.ActivityTaskScheduled):
                scheduled[command.sequence] = PendingActivity(
                    activity_id=command.activity_id,
                    activity_type=command.activity_type,
                    state="started" if command.eager_deadline > 0 else "scheduled",
                    scheduled=delta.time,
                )
                if command.eager_deadline == 0:
                    dispatched.add(command.sequence)
    for sequence in dispatched & scheduled.keys():
        await _add_attempts(store, head, sequence, scheduled[sequence])
    return list(scheduled.values())


async def _add_attempts(store: HistoryStore, head: Head, sequence: int, activity: PendingActivity) -> None:
    state = await store.task(head.key, head.run_id, sequence)
    if state.next_attempt > state.attempt:
        activity.attempt = state.next_attempt
        activity.next_attempt = state.next_due
    elif state.attempt:
        activity.attempt = state.attempt
        activity.state = "started"
    if state.failure:
        activity.last_failure = decode_failure(state.failure)
    if state.details:
        activity.last_heartbeat_details = decode_details(state.details).payloads
