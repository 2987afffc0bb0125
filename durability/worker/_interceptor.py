"""Interceptors of workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from durability._core.interceptors import WorkflowInboundInterceptor
from durability.activity._interceptors import ActivityInboundInterceptor


@dataclass(frozen=True)
class WorkflowInterceptorClassInput:
    """Input of ``Interceptor.workflow_interceptor_class``.

    Attributes:
        unsafe_extern_functions: Functions that workflow code can get with ``workflow.extern_functions``, by name; add
            to it. What they do is not replayed.
    """

    unsafe_extern_functions: MutableMapping[str, Callable[..., Any]]


def workflow_interceptors(
    interceptors: Iterable[Interceptor],
) -> tuple[list[type[WorkflowInboundInterceptor]], dict[str, Callable[..., Any]]]:
    """The classes of interceptors that runs go through, outermost first, and what they lend to workflow code."""
    extern: dict[str, Callable[..., Any]] = {}
    given = WorkflowInterceptorClassInput(unsafe_extern_functions=extern)
    return [cls for one in interceptors if (cls := one.workflow_interceptor_class(given)) is not None], extern


class Interceptor:
    """Intercepts what a worker runs.

    Pass an instance to ``Worker``, or, if it is a ``durability.client.Interceptor`` as well, to the client: the
    workers of a client have its interceptors before their own.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return what an attempt of an activity goes through.

        Args:
            next: What it went through so far; the returned interceptor hands calls on to it.
        """
        return next

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Return the class of which every run gets an instance, or None.

        Args:
            input: May be changed, to lend functions to workflow code.
        """
        return None
