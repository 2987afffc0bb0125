"""Waiting for what happens outside of the workflow, such that cancelling the waiter is a request, not an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from durability._core.errors import NONDETERMINISM, NondeterminismError

if TYPE_CHECKING:
    from durability._core.instance import Instance

_T = TypeVar("_T")


async def await_operation(
    instance: Instance,
    outcome: asyncio.Future[_T],
    on_cancel: Callable[[asyncio.CancelledError], None],
    *,
    is_start: bool = False,
) -> _T:
    """Wait for an outcome; a cancellation of the waiting task is passed on as a request, and waiting goes on.

    Args:
        instance: The workflow instance.
        outcome: Resolved by the instance; never cancelled.
        on_cancel: Called with every cancellation of the task.
        is_start: Whether what is waited for is that something begins. Then waiting stops when it is the workflow that
            was cancelled, and a cancellation that comes together with the outcome is passed on to what has begun.

    Returns:
        The outcome.

    Raises:
        asyncio.CancelledError: The instance is being closed; the outcome came together with the cancellation, which
            must not get lost; or the workflow was cancelled while something was to begin.
    """
    loop = instance.loop
    while True:
        # The task waits for a future of its own, so that cancelling the task leaves the outcome alone.
        waiter: asyncio.Future[None] = asyncio.Future(loop=loop)

        def release(_: Any, waiter: asyncio.Future[None] = waiter) -> None:
            if not waiter.done():
                waiter.set_result(None)

        outcome.add_done_callback(release)
        try:
            await waiter
            return outcome.result()
        except asyncio.CancelledError as error:
            if loop.closing:
                raise
            if outcome.done():
                # Looked at, so that asyncio does not report it as an exception that nobody retrieved.
                outcome.exception()
                if not is_start and not instance.activation.outcomes_win:
                    raise
            if is_start or not outcome.done():
                on_cancel(error)
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            if is_start and instance.cancel_reason is not None:
                raise
        finally:
            outcome.remove_done_callback(release)


def check_late(kind: str, sequence: int, issued: int) -> None:
    """Accept an outcome that nothing waits for any more, but not one of something that was never asked for.

    Raises:
        NondeterminismError: The workflow has not issued that sequence number.
    """
    if sequence > issued:
        raise NondeterminismError(
            NONDETERMINISM
            + f"the history has an outcome of {kind} {sequence}, but the workflow code has asked for {issued} only: it "
            "is not the code that wrote this history. Deploy that code, or guard the change with workflow.patched()"
        )
