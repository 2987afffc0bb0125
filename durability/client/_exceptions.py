"""Errors that client calls raise, besides those of ``durability.exceptions`` and ``RPCError``."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from durability.exceptions import TemporalError
from durability.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durability.activity import ActivityCancellationDetails
    from durability.client._executions import WorkflowExecutionStatus


class WorkflowFailureError(TemporalError):
    """A workflow did not complete; ``cause`` says how it ended."""

    def __init__(self, *, cause: BaseException) -> None:
        """Create the error.

        Args:
            cause: How the workflow ended: an ``ApplicationError``, ``CancelledError``, ``TerminatedError``,
                ``TimeoutError`` or whatever else it failed with.
        """
        super().__init__("Workflow execution failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """How the workflow ended."""
        assert self.__cause__ is not None
        return self.__cause__


class WorkflowContinuedAsNewError(TemporalError):
    """The run went on as another one, and the caller had asked not to follow."""

    def __init__(self, new_execution_run_id: str) -> None:
        """Create the error.

        Args:
            new_execution_run_id: The run that goes on.
        """
        super().__init__("Workflow continued as new")
        self._new_execution_run_id = new_execution_run_id

    @property
    def new_execution_run_id(self) -> str:
        """The run that goes on."""
        return self._new_execution_run_id


class WorkflowQueryRejectedError(TemporalError):
    """A query was not asked because of the workflow's status; see ``QueryRejectCondition``."""

    def __init__(self, status: WorkflowExecutionStatus | None) -> None:
        """Create the error.

        Args:
            status: The workflow's status.
        """
        super().__init__(f"Query rejected, status: {status}")
        self._status = status

    @property
    def status(self) -> WorkflowExecutionStatus | None:
        """The workflow's status."""
        return self._status


class WorkflowQueryFailedError(TemporalError):
    """A query's handler raised, or the workflow does not know the query."""

    def __init__(self, message: str) -> None:
        """Create the error.

        Args:
            message: What the handler said.
        """
        super().__init__(message)
        self._message = message

    @property
    def message(self) -> str:
        """What the handler said."""
        return self._message


class RPCTimeoutOrCancelledError(TemporalError):
    """A call was cancelled or took longer than its ``rpc_timeout``."""


class AsyncActivityCancelledError(TemporalError):
    """The workflow asked for the cancellation of an activity that is completed from outside."""

    def __init__(self, details: ActivityCancellationDetails | None = None) -> None:
        """Create the error.

        Args:
            details: Why the activity is cancelled.
        """
        super().__init__("Activity cancelled")
        self.details = details


class WorkflowUpdateFailedError(TemporalError):
    """An update was rejected or failed; ``cause`` says why."""

    def __init__(self, cause: BaseException) -> None:
        """Create the error.

        Args:
            cause: What the validator or the handler raised.
        """
        super().__init__("Workflow update failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """What the validator or the handler raised."""
        assert self.__cause__ is not None
        return self.__cause__


class WorkflowUpdateRPCTimeoutOrCancelledError(RPCTimeoutOrCancelledError):
    """A call about an update was cancelled or took longer than its ``rpc_timeout``. The update itself may go on."""

    def __init__(self) -> None:
        """Create the error."""
        super().__init__("Timeout or cancellation waiting for update")


@asynccontextmanager
async def update_call_errors(timeout: timedelta | None) -> AsyncIterator[None]:
    """Limit a call about an update, and raise what such calls raise when they are given up."""
    try:
        async with asyncio.timeout(timeout.total_seconds() if timeout is not None else None):
            yield
    except (builtins.TimeoutError, asyncio.CancelledError) as error:
        raise WorkflowUpdateRPCTimeoutOrCancelledError from error
    except RPCError as error:
        if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error
        raise
