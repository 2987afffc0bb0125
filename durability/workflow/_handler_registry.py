"""Looking up and replacing handlers while the workflow runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durability.workflow._runtime import current


def get_signal_handler(name: str) -> Callable[..., Any] | None:
    """The handler of a signal; not the dynamic one, if there is no other."""
    return _get_signal_handler(name)


def get_dynamic_signal_handler() -> Callable[..., Any] | None:
    """The handler of all signals that have no other."""
    return _get_signal_handler(None)


def _get_signal_handler(name: str | None) -> Callable[..., Any] | None:
    instance = current()
    definition = instance.signals.handlers.get(name)
    return None if definition is None else definition.bind_fn(instance.object)


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set the handler of a signal; it gets at once what came before there was one.

    Args:
        name: The signal's name.
        handler: The new handler; None removes the old one.
    """
    current().signals.set_handler(name, handler)


def set_dynamic_signal_handler(handler: Callable[..., Any] | None) -> None:
    """Set the handler of all signals that have no other; it gets at once what came before there was one.

    Args:
        handler: Takes the name and ``Sequence[RawValue]``; None removes the old one.
    """
    current().signals.set_handler(None, handler)


def get_query_handler(name: str) -> Callable[..., Any] | None:
    """The handler of a query; not the dynamic one, if there is no other."""
    return _get_query_handler(name)


def get_dynamic_query_handler() -> Callable[..., Any] | None:
    """The handler of all queries that have no other."""
    return _get_query_handler(None)


def _get_query_handler(name: str | None) -> Callable[..., Any] | None:
    instance = current()
    definition = instance.queries.handlers.get(name)
    return None if definition is None else definition.bind_fn(instance.object)


def set_query_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set the handler of a query.

    Args:
        name: The query's name.
        handler: The new handler; None removes the old one.
    """
    current().queries.set_handler(name, handler)


def set_dynamic_query_handler(handler: Callable[..., Any] | None) -> None:
    """Set the handler of all queries that have no other.

    Args:
        handler: Takes the name and ``Sequence[RawValue]``; None removes the old one.
    """
    current().queries.set_handler(None, handler)


def get_update_handler(name: str) -> Callable[..., Any] | None:
    """The handler of an update; not the dynamic one, if there is no other."""
    return _get_update_handler(name)


def get_dynamic_update_handler() -> Callable[..., Any] | None:
    """The handler of all updates that have no other."""
    return _get_update_handler(None)


def _get_update_handler(name: str | None) -> Callable[..., Any] | None:
    instance = current()
    definition = instance.updates.handlers.get(name)
    return None if definition is None else definition.bind_fn(instance.object)


def set_update_handler(
    name: str, handler: Callable[..., Any] | None, *, validator: Callable[..., None] | None = None
) -> None:
    """Set the handler of an update.

    Args:
        name: The update's name.
        handler: The new handler; None removes the old one.
        validator: May refuse the update; not async.
    """
    current().updates.set_handler(name, handler, validator)


def set_dynamic_update_handler(
    handler: Callable[..., Any] | None, *, validator: Callable[..., None] | None = None
) -> None:
    """Set the handler of all updates that have no other.

    Args:
        handler: Takes the name and ``Sequence[RawValue]``; None removes the old one.
        validator: May refuse the update; not async.
    """
    current().updates.set_handler(None, handler, validator)


def all_handlers_finished() -> bool:
    """Whether no signal or update is being handled; worth waiting for before the workflow ends."""
    return current().all_handlers_finished()
