"""What waits in a head for the next workflow task."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from durability._core import history
from durability._core.encoding import decode_input
from durability._core.history import Input
from durability._core.run import deadline_of
from durability._runtime.ports import Head


def waiting_messages(head: Head, *, seen: Collection[str] = ()) -> list[tuple[str, Input]]:
    """The inbox of a head without the messages already seen, decoded, in the order of arrival."""
    return [(name, decode_input(body)) for name, body in head.inbox.items() if name not in seen]


def deadline_in(messages: Iterable[Input]) -> int:
    """When a run that has not begun times out: its start is among the messages. 0 for never, or if it has begun."""
    return max((deadline_of(one) for one in messages if isinstance(one, history.WorkflowExecutionStarted)), default=0)


def inbox_name(message: Input) -> str:
    """The key under which an input stands in an inbox; it tells the input from all others of its run."""
    if isinstance(message, history.ActivityRetryScheduled):
        return f"retry:{message.sequence}:{message.attempt}"
    return getattr(message, "key", "")
