"""Reaching a chain of runs: the first one and those that continue it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from durability._runtime.frontend import Frontend, Status
from durability.service import RPCError, RPCStatusCode

_Result = TypeVar("_Result")


async def call_run(
    frontend: Frontend,
    workflow_id: str,
    run_id: str | None,
    first_run_id: str | None,
    call: Callable[[str | None], Awaitable[_Result]],
) -> _Result:
    """Make a call to a run, or to the chain that began with ``first_run_id``, or to whichever run is current.

    Args:
        frontend: Where to look up the current run.
        workflow_id: The workflow id.
        run_id: The run.
        first_run_id: First run of the chain; it makes no difference if a run is named.
        call: Makes the call to the run with the id that it is given.

    Returns:
        What the call returned.

    Raises:
        RPCError: See ``call_in_chain``.
    """
    if run_id or not first_run_id:
        return await call(run_id)
    return await call_in_chain(frontend, workflow_id, first_run_id, call)


async def call_in_chain(
    frontend: Frontend,
    workflow_id: str,
    first_run_id: str,
    call: Callable[[str], Awaitable[_Result]],
) -> _Result:
    """Make a call to the open run of the chain that began with a run, and to no other chain of the workflow id.

    The first run is tried before anything is read: mostly it is the one.

    Args:
        frontend: Where to look up the current run.
        workflow_id: The workflow id.
        first_run_id: First run of the chain.
        call: Makes the call to the run with the id that it is given.

    Returns:
        What the call returned.

    Raises:
        RPCError: NOT_FOUND if the chain is unknown or has ended; whatever the call raises.
    """
    run_id = first_run_id
    while True:
        try:
            return await call(run_id)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            current = await frontend.describe(workflow_id, None)
            if current.run_id == run_id:
                raise
            is_of_chain = (current.first_run_id or current.run_id) == first_run_id
            if current.status == Status.RUNNING and not is_of_chain:
                raise RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND, b"") from None
            # One of another chain that has ended says so.
            # A run may end, and be continued, between the look-up and the call.
            run_id = current.run_id
