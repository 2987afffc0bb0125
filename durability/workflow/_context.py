"""What workflow code can ask of its run: time, randomness, identity, memo, patches, conditions."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, overload

from durability._core.payload import Payload
from durability.common import MetricMeter, SearchAttributes, SearchAttributeUpdate
from durability.common._arguments import _arg_unset
from durability.converter import PayloadConverter
from durability.types import AnyType, ParamType
from durability.workflow._deprecations import warn_untyped
from durability.workflow._event_groups import EventGroup, _belonging_to, _captured
from durability.workflow._info import Info, UpdateInfo, current_update
from durability.workflow._runtime import current, maybe_current


def in_workflow() -> bool:
    """Whether the calling code runs in a workflow."""
    return maybe_current() is not None


def info() -> Info:
    """The running workflow."""
    return current().outbound.info()


def instance() -> Any:
    """The instance of the workflow's class."""
    return current().object


def current_update_info() -> UpdateInfo | None:
    """The update that the calling code handles, also in tasks that its handler started; None elsewhere."""
    return current_update.get()


def extern_functions() -> Mapping[str, Callable[..., Any]]:
    """Functions that the worker lends to workflow code."""
    return current().extern_functions


def cancellation_reason() -> str | None:
    """Reason given with the request to cancel the workflow, perhaps empty; None if there was no request."""
    return current().cancel_reason


def is_failure_exception(err: BaseException) -> bool:
    """Whether an exception would fail this workflow, rather than its workflow task."""
    return current().is_failure_exception(err)


def payload_converter() -> PayloadConverter:
    """The payload converter of this workflow; dynamic handlers decode with it."""
    return current().converters.payloads


def metric_meter() -> MetricMeter:
    """Meter whose metrics are only recorded when the workflow is not replaying."""
    return current().metric_meter


# --- time and randomness ----------------------------------------------------------------------------------------------


def time_ns() -> int:
    """Nanoseconds since the epoch, as of the current workflow task."""
    return current().loop.now * 1_000_000


def time() -> float:
    """Seconds since the epoch, as of the current workflow task."""
    return time_ns() / 1e9


def now() -> datetime:
    """Time of the current workflow task, in UTC."""
    return datetime.fromtimestamp(time(), UTC)


def random() -> Random:
    """Random numbers that replay repeats; not for secrets."""
    workflow = current()
    workflow.loop.refuse_changes("random")
    return workflow.randomness.generator


def random_seed() -> int:
    """What ``random()`` started from."""
    return current().randomness.seed


def register_random_seed_callback(callback: Callable[[int], None]) -> None:
    """Have a callback called with every new seed, which a reset brings.

    Args:
        callback: Gets the seed.
    """
    workflow = current()
    workflow.loop.refuse_changes("register random seed callback")
    workflow.randomness.on_reseed(callback)


def new_random(name: str | None = None) -> Random:
    """A generator of its own, seeded by the workflow.

    Args:
        name: Makes its numbers differ from those of ``random()`` and of generators with other names.

    Returns:
        The generator; it follows changes of the workflow's seed.
    """

    def seed_from(seed: int) -> int | str:
        return seed if name is None else f"{seed}:{name}"

    generator = Random(seed_from(random_seed()))
    register_random_seed_callback(lambda seed: generator.seed(seed_from(seed)))
    return generator


def uuid4() -> uuid.UUID:
    """A random UUID (version 4) from ``random()``; not for secrets."""
    return uuid.UUID(int=random().getrandbits(128), version=4)


def uuid7() -> uuid.UUID:
    """A UUID that sorts by time (version 7, RFC 9562) from ``time_ns()`` and ``random()``; not for secrets."""
    milliseconds = (time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    generator = random()
    high, low = generator.getrandbits(12), generator.getrandbits(62)
    return uuid.UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


# --- waiting ----------------------------------------------------------------------------------------------------------


async def sleep(
    duration: float | timedelta, *, summary: str | None = None, event_groups: Sequence[EventGroup] | None = None
) -> None:
    """Sleep by a durable timer.

    Args:
        duration: Seconds, or a timedelta.
        summary: One line for people.
        event_groups: Groups that it is to belong to in the history, besides those around it.
    """
    workflow = current()
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    about, groups = workflow.converters.summary(summary), _captured(event_groups)
    done = workflow.loop.create_future()
    timer = workflow.loop.start_timer(seconds, _resolve, (done,), summary=about, groups=groups)
    done.add_done_callback(lambda future: timer.cancel() if future.cancelled() else None)
    await done


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def wait_condition(
    fn: Callable[[], bool],
    *,
    timeout: timedelta | float | None = None,
    timeout_summary: str | None = None,
    event_groups: Sequence[EventGroup] | None = None,
) -> None:
    """Wait until a condition is true; it is evaluated whenever the workflow has made progress.

    Args:
        fn: The condition; not async, and without side effects.
        timeout: Seconds, or a timedelta, after which to give up, by a durable timer.
        timeout_summary: One line for people, on the timer.
        event_groups: Groups that it is to belong to in the history, besides those around it.

    Raises:
        asyncio.TimeoutError: It did not become true in time.
    """
    workflow = current()
    workflow.loop.refuse_changes("wait condition")
    future = workflow.loop.add_condition(fn)
    if timeout is None:
        await future
        return
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    summary: Payload | None = workflow.converters.summary(timeout_summary)
    with workflow.loop.timers_for(summary), _belonging_to(event_groups):
        await asyncio.wait_for(future, seconds)


# --- patches ----------------------------------------------------------------------------------------------------------


def patched(id: str, *, event_groups: Sequence[EventGroup] | None = None) -> bool:
    """Whether to take the new path of changed code: yes, unless the run has already been this way without it.

    Args:
        id: Name of the change; may be asked for repeatedly.
        event_groups: Groups that it is to belong to in the history, besides those around it.

    Returns:
        True for the new path.
    """
    return current().patch(id, deprecated=False, event_groups=event_groups)


def deprecate_patch(id: str, *, event_groups: Sequence[EventGroup] | None = None) -> None:
    """Mark that every run takes the new path of a change, whose old path is gone from the code.

    Args:
        id: Name of the change, as it was given to ``patched``.
        event_groups: Groups that it is to belong to in the history, besides those around it.
    """
    current().patch(id, deprecated=True, event_groups=event_groups)


# --- memo, search attributes, details ---------------------------------------------------------------------------------


def memo() -> Mapping[str, Any]:
    """The memo, decoded without type hints."""
    return current().memo.values()


@overload
def memo_value(key: str, default: Any = ...) -> Any: ...
@overload
def memo_value(key: str, *, type_hint: type[ParamType]) -> ParamType: ...
@overload
def memo_value(key: str, default: AnyType, *, type_hint: type[ParamType]) -> AnyType | ParamType: ...
def memo_value(key: str, default: Any = _arg_unset, *, type_hint: type | None = None) -> Any:
    """One value of the memo.

    Args:
        key: Its key.
        default: What to return if there is none.
        type_hint: What to decode it into.

    Returns:
        The value.

    Raises:
        KeyError: There is none, and no default was given.
    """
    return current().memo.value(key, default, type_hint)


def upsert_memo(updates: Mapping[str, Any], *, event_groups: Sequence[EventGroup] | None = None) -> None:
    """Change the memo.

    Args:
        updates: Values by key; None removes one.
        event_groups: Groups that it is to belong to in the history, besides those around it.
    """
    current().memo.upsert(updates, event_groups)


def upsert_search_attributes(
    attributes: SearchAttributes | Sequence[SearchAttributeUpdate[Any]],
    *,
    event_groups: Sequence[EventGroup] | None = None,
) -> None:
    """Change the search attributes.

    Args:
        attributes: Updates made by ``key.value_set`` and ``key.value_unset``; the form as a mapping is deprecated.
        event_groups: Groups that it is to belong to in the history, besides those around it.
    """
    if not attributes:
        return
    warn_untyped(attributes)
    current().search_attributes.upsert(attributes, event_groups)


def get_current_details() -> str:
    """What ``set_current_details`` set last."""
    return current().current_details


def set_current_details(description: str) -> None:
    """Tell people what the workflow is doing; a query shows it.

    Args:
        description: Any text; Markdown is shown as such by Temporal's tools.
    """
    workflow = current()
    workflow.loop.refuse_changes("set current details")
    workflow.current_details = description


# --- the run before ---------------------------------------------------------------------------------------------------


def has_last_completion_result() -> bool:
    """Whether an earlier run of a cron or schedule chain has a result."""
    return bool(current().details.started.last_completion_result)


@overload
def get_last_completion_result() -> Any | None: ...
@overload
def get_last_completion_result(type_hint: type[ParamType]) -> ParamType | None: ...
def get_last_completion_result(type_hint: type | None = None) -> Any | None:
    """Result of the last run of the chain that completed.

    Args:
        type_hint: What to decode it into.

    Returns:
        The result; None if there is none.
    """
    workflow = current()
    payloads = workflow.details.started.last_completion_result
    return workflow.converters.decode_one(payloads[0], type_hint) if payloads else None


def get_last_failure() -> BaseException | None:
    """How the last run of the chain failed; None if it did not."""
    workflow = current()
    failure = workflow.details.started.last_failure
    return None if failure is None else workflow.converters.from_failure(failure)
