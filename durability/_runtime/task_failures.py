"""Workflow tasks that fail: the head shows the error, and the next attempt comes later."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Final

from durability._core import history
from durability._core.deadlock import DeadlockError
from durability._core.encoding import encode_input
from durability._core.errors import NondeterminismError
from durability._core.failure import Failure
from durability._core.run import Run
from durability._runtime.inbox import deadline_in, waiting_messages
from durability._runtime.ports import Head
from durability._runtime.workflow_payloads import PayloadCodecError
from durability.exceptions import DurabilityError

if TYPE_CHECKING:
    from durability._runtime.engine import Engine

logger = logging.getLogger("durability.runtime")

_NOT_CONVERTED: Final = "Failed converting activation exception"
FAILURE_TEXT: Final = 4_000
FAILURE_BYTES: Final = 16 * 1024
"""Of a failed workflow task in the history. It waits in the head, which every write of the head pays for."""
_UNHANDLED: Final = 14
_NON_DETERMINISTIC: Final = 24
"""Numbers of Temporal's ``WorkflowTaskFailedCause``."""


async def fail_task(engine: Engine, head: Head, run: Run, error: BaseException) -> None:
    """Show the error on the head and try again later: the code may be fixed by then."""
    settings = engine.settings
    text = _told(engine, error)
    exponent = min(head.task_attempts, 30)
    backoff = min(settings.failure_backoff * 2**exponent, settings.failure_backoff_limit)
    now = engine.clock()
    logger.warning(
        "Failed activation on workflow %s with ID %s and run ID %s, attempt %d, next in %.1f s",
        head.workflow_type,
        head.key.workflow_id,
        head.run_id,
        head.task_attempts + 1,
        backoff / 1000,
        exc_info=error,
        extra={
            "temporal_workflow": {
                "attempt": run.started.attempt if run.started else 1,
                "namespace": head.key.namespace,
                "run_id": head.run_id,
                "task_queue": head.task_queue,
                "workflow_id": head.key.workflow_id,
                "workflow_type": head.workflow_type,
            },
            "__temporal_error_identifier": "WorkflowTaskFailure",
        },
    )
    engine.count("WorkflowTaskFailures", 1)
    due = now + backoff
    deadline = run.run_deadline or deadline_in(message for _, message in waiting_messages(head))
    if now < deadline < due:
        due = deadline
    await engine.wake_ups.at(head.wake_up_at(due), now)
    record = None if head.task_attempts else await _failure_record(engine, run, error, now)
    await engine.store.fail_task(head, _shorten(text), due, record=record)


async def _failure_record(engine: Engine, run: Run, error: BaseException, now: int) -> tuple[str, bytes]:
    """The failure as the history shows it. Only the first attempt's, as in Temporal's histories."""
    try:
        failure = engine.to_failure(error)
    except Exception as conversion:
        return _record(engine, Failure(message=f"{_NOT_CONVERTED}: {conversion}"), error, now)
    if isinstance(error, DeadlockError):
        failure.stack_trace = "\n".join(error.__notes__)
    try:
        await engine.payloads.encode_failure(run, failure)
    except Exception as conversion:  # a codec that fails may be why the task did; it may tell what it encodes
        failure = Failure(message=f"{_NOT_CONVERTED}: {type(conversion).__name__}")
    return _record(engine, failure, error, now)


def _record(engine: Engine, failure: Failure, error: BaseException, now: int) -> tuple[str, bytes]:
    failure.message = _shorten(failure.message)
    failure.stack_trace = _shorten(failure.stack_trace)
    cause = _NON_DETERMINISTIC if isinstance(error, NondeterminismError) else _UNHANDLED
    key = f"task-failed:{now}"
    body = encode_input(history.WorkflowTaskFailed(now, key, failure, cause, engine.identity))
    if len(body) > FAILURE_BYTES:
        failure.cause = None
        body = encode_input(history.WorkflowTaskFailed(now, key, failure, cause, engine.identity))
    return key, body


def _told(engine: Engine, error: BaseException) -> str:
    """What the head is to say of a failure; not an error's message if the application has messages encoded."""
    own = isinstance(error, DurabilityError | NondeterminismError | PayloadCodecError | DeadlockError)
    if own or not _is_encoded(engine, error):
        return "".join(traceback.format_exception(error)).strip()
    where = "".join(traceback.format_tb(error.__traceback__))
    return f"{where}{type(error).__name__}: the message is in the log alone, as messages of failures are encoded"


def _is_encoded(engine: Engine, error: BaseException) -> bool:
    try:
        return engine.to_failure(error).encoded_attributes is not None
    except Exception:  # the application's failure converter, which has no say in whether the failure is recorded
        return True


def _shorten(text: str) -> str:
    return text if len(text) <= FAILURE_TEXT else "…" + text[-FAILURE_TEXT:]
