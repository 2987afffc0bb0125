"""Exceptions of the programming model, and of the engine itself.

::

    Exception
    └── TemporalError
        ├── FailureError                         what a workflow or activity can fail with
        │   ├── ApplicationError
        │   ├── CancelledError
        │   ├── TerminatedError
        │   ├── TimeoutError
        │   ├── ServerError
        │   ├── ActivityError
        │   ├── ChildWorkflowError
        │   ├── NexusOperationError              of workflow.signal_with_start_workflow
        │   ├── WorkflowAlreadyStartedError
        │   ├── ActivityAlreadyStartedError
        │   └── InvalidVersioningOverrideError
        ├── RPCError                             in durability.service
        └── DurabilityError                      what the engine refuses, by itself
            ├── ConfigurationError           a RuntimeError, too
            ├── HistoryFormatError
            ├── PayloadTooLargeError
            └── StoredPayloadError

Names, arguments and enum numbers are those of ``temporalio.exceptions``, so that code moves between the two by its
import alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any

from durability._core.failure import Failure

__all__ = [
    "ActivityAlreadyStartedError",
    "ActivityError",
    "ApplicationError",
    "ApplicationErrorCategory",
    "CancelledError",
    "ChildWorkflowError",
    "ConfigurationError",
    "DurabilityError",
    "FailureError",
    "HistoryFormatError",
    "InvalidVersioningOverrideError",
    "NexusOperationError",
    "PayloadTooLargeError",
    "RetryState",
    "ServerError",
    "StoredPayloadError",
    "TemporalError",
    "TerminatedError",
    "TimeoutError",
    "TimeoutType",
    "WorkflowAlreadyStartedError",
    "is_cancelled_exception",
]


class TemporalError(Exception):
    """Root of every exception that this package defines."""

    @property
    def cause(self) -> BaseException | None:
        """What led to this exception: its ``__cause__``."""
        return self.__cause__


class FailureError(TemporalError):
    """Root of the errors that a workflow or an activity can fail with."""

    def __init__(
        self, message: str, *, failure: Failure | None = None, exc_args: tuple[Any, ...] | None = None
    ) -> None:
        """Create the error.

        Args:
            message: What went wrong.
            failure: The recorded failure that the error was made from, if it was.
            exc_args: Arguments of ``Exception``; the message by default.
        """
        super().__init__(*((message,) if exc_args is None else exc_args))
        self._message = message
        self._failure = failure

    @property
    def message(self) -> str:
        """What went wrong, without any prefix."""
        return self._message

    @property
    def failure(self) -> Failure | None:
        """The recorded failure that the error was made from, or None."""
        return self._failure


class WorkflowAlreadyStartedError(FailureError):
    """A workflow with this id is open, or the id may not be used again.

    Attributes:
        workflow_id: The id asked for.
        workflow_type: The type asked for.
        run_id: The existing run, if known; a client knows it, a workflow does not.
        first_run_id: The first run of the existing execution's chain, if known.
    """

    def __init__(
        self, workflow_id: str, workflow_type: str, *, run_id: str | None = None, first_run_id: str | None = None
    ) -> None:
        """Create the error; see the attributes of the class."""
        super().__init__("Workflow execution already started")
        self.workflow_id = workflow_id
        self.workflow_type = workflow_type
        self.run_id = run_id
        self.first_run_id = first_run_id


class ActivityAlreadyStartedError(FailureError):
    """A standalone activity with this id is running, or the id may not be used again.

    Attributes:
        activity_id: The id asked for.
        activity_type: The type asked for.
        run_id: The existing run, if known.
    """

    def __init__(self, activity_id: str, activity_type: str, *, run_id: str | None = None) -> None:
        """Create the error; see the attributes of the class."""
        super().__init__("Activity execution already started")
        self.activity_id = activity_id
        self.activity_type = activity_type
        self.run_id = run_id


class InvalidVersioningOverrideError(FailureError):
    """A child workflow cannot start because its versioning override is not valid."""

    def __init__(self) -> None:
        """Create the error."""
        super().__init__("Invalid versioning override")


class ApplicationErrorCategory(IntEnum):
    """How much attention an application error deserves."""

    UNSPECIFIED = 0
    BENIGN = 1
    """Expected in normal operation: logged at debug level, not counted as a failure in metrics."""


class ApplicationError(FailureError):
    """An error that workflow or activity code raises on purpose."""

    def __init__(
        self,
        message: str,
        *details: Any,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: timedelta | None = None,
        category: ApplicationErrorCategory = ApplicationErrorCategory.UNSPECIFIED,
    ) -> None:
        """Create the error.

        Args:
            message: What went wrong.
            details: Any values that the payload converter can serialize.
            type: Name of the kind of error, as retry policies list it.
            non_retryable: Whether to fail at once, whatever the retry policy says.
            next_retry_delay: Delay before the next attempt, in place of the one computed from the retry policy.
            category: How much attention the error deserves.
        """
        super().__init__(message, exc_args=(f"{type}: {message}" if type else message,))
        self._details = details
        self._type = type
        self._non_retryable = non_retryable
        self._next_retry_delay = next_retry_delay
        self._category = category

    @property
    def details(self) -> Sequence[Any]:
        """The values given with the error."""
        return self._details

    @property
    def type(self) -> str | None:
        """Name of the kind of error."""
        return self._type

    @property
    def non_retryable(self) -> bool:
        """Whether whoever raised the error ruled retries out. A retry policy may rule them out as well."""
        return self._non_retryable

    @property
    def next_retry_delay(self) -> timedelta | None:
        """Delay before the next attempt, in place of the retry policy's."""
        return self._next_retry_delay

    @property
    def category(self) -> ApplicationErrorCategory:
        """How much attention the error deserves."""
        return self._category


class CancelledError(FailureError):
    """A workflow or an activity was cancelled."""

    def __init__(self, message: str = "Cancelled", *details: Any) -> None:
        """Create the error with the details that the cancelled code gives."""
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """The values given with the error."""
        return self._details


class TerminatedError(FailureError):
    """A workflow was terminated: ended from outside without its code being asked."""

    def __init__(self, message: str, *details: Any) -> None:
        """Create the error with the details that the terminating client gave."""
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """The values given with the error."""
        return self._details


class TimeoutType(IntEnum):
    """Which of its timeouts a workflow or an activity exceeded."""

    START_TO_CLOSE = 1
    SCHEDULE_TO_START = 2
    SCHEDULE_TO_CLOSE = 3
    HEARTBEAT = 4


class TimeoutError(FailureError):
    """A workflow or an activity took longer than it may."""

    def __init__(self, message: str, *, type: TimeoutType | None, last_heartbeat_details: Sequence[Any]) -> None:
        """Create the error.

        Args:
            message: What went wrong.
            type: Which timeout it was, if known.
            last_heartbeat_details: What the activity reported last.
        """
        super().__init__(message)
        self._type = type
        self._last_heartbeat_details = last_heartbeat_details

    @property
    def type(self) -> TimeoutType | None:
        """Which timeout it was."""
        return self._type

    @property
    def last_heartbeat_details(self) -> Sequence[Any]:
        """What the activity reported last, if it was an activity that reported."""
        return self._last_heartbeat_details


class ServerError(FailureError):
    """The engine itself failed an operation."""

    def __init__(self, message: str, *, non_retryable: bool = False) -> None:
        """Create the error."""
        super().__init__(message)
        self._non_retryable = non_retryable

    @property
    def non_retryable(self) -> bool:
        """Whether trying again is pointless."""
        return self._non_retryable


class RetryState(IntEnum):
    """Why an activity or a workflow is retried, or is not."""

    IN_PROGRESS = 1
    NON_RETRYABLE_FAILURE = 2
    TIMEOUT = 3
    MAXIMUM_ATTEMPTS_REACHED = 4
    RETRY_POLICY_NOT_SET = 5
    INTERNAL_SERVER_ERROR = 6
    CANCEL_REQUESTED = 7


class ActivityError(FailureError):
    """An activity failed; ``cause`` says why."""

    def __init__(
        self,
        message: str,
        *,
        scheduled_event_id: int,
        started_event_id: int,
        identity: str,
        activity_type: str,
        activity_id: str,
        retry_state: RetryState | None,
    ) -> None:
        """Create the error; see the properties of the class."""
        super().__init__(message)
        self._scheduled_event_id = scheduled_event_id
        self._started_event_id = started_event_id
        self._identity = identity
        self._activity_type = activity_type
        self._activity_id = activity_id
        self._retry_state = retry_state

    @property
    def scheduled_event_id(self) -> int:
        """Number of the event that scheduled the activity."""
        return self._scheduled_event_id

    @property
    def started_event_id(self) -> int:
        """Number of the event that started the last attempt."""
        return self._started_event_id

    @property
    def identity(self) -> str:
        """Who ran the last attempt."""
        return self._identity

    @property
    def activity_type(self) -> str:
        """Type of the activity."""
        return self._activity_type

    @property
    def activity_id(self) -> str:
        """Id of the activity."""
        return self._activity_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why there was no further attempt."""
        return self._retry_state


class ChildWorkflowError(FailureError):
    """A child workflow failed; ``cause`` says why."""

    def __init__(
        self,
        message: str,
        *,
        namespace: str,
        workflow_id: str,
        run_id: str,
        workflow_type: str,
        initiated_event_id: int,
        started_event_id: int,
        retry_state: RetryState | None,
    ) -> None:
        """Create the error; see the properties of the class."""
        super().__init__(message)
        self._namespace = namespace
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._workflow_type = workflow_type
        self._initiated_event_id = initiated_event_id
        self._started_event_id = started_event_id
        self._retry_state = retry_state

    @property
    def namespace(self) -> str:
        """Namespace of the child."""
        return self._namespace

    @property
    def workflow_id(self) -> str:
        """Workflow id of the child."""
        return self._workflow_id

    @property
    def run_id(self) -> str:
        """Run id of the child."""
        return self._run_id

    @property
    def workflow_type(self) -> str:
        """Type of the child."""
        return self._workflow_type

    @property
    def initiated_event_id(self) -> int:
        """Number of the event that asked for the child."""
        return self._initiated_event_id

    @property
    def started_event_id(self) -> int:
        """Number of the event that recorded the child's start."""
        return self._started_event_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why there was no further attempt."""
        return self._retry_state


class NexusOperationError(FailureError):
    """``workflow.signal_with_start_workflow`` failed; ``cause`` says why.

    The name is Temporal's, where this is an operation of a Nexus endpoint that the server itself has.
    """

    def __init__(
        self,
        message: str,
        *,
        scheduled_event_id: int,
        endpoint: str,
        service: str,
        operation: str,
        operation_token: str,
    ) -> None:
        """Create the error; see the properties of the class."""
        super().__init__(message)
        self._scheduled_event_id = scheduled_event_id
        self._endpoint = endpoint
        self._service = service
        self._operation = operation
        self._operation_token = operation_token

    @property
    def scheduled_event_id(self) -> int:
        """Number of the event that asked for the operation."""
        return self._scheduled_event_id

    @property
    def endpoint(self) -> str:
        """Name of the endpoint."""
        return self._endpoint

    @property
    def service(self) -> str:
        """Name of the service."""
        return self._service

    @property
    def operation(self) -> str:
        """Name of the operation."""
        return self._operation

    @property
    def operation_token(self) -> str:
        """Token of the operation; empty, as it ends with the call that starts it."""
        return self._operation_token


class DurabilityError(TemporalError):
    """The engine refuses an operation."""

    def __init__(self, message: str | None = None) -> None:
        """Create the error.

        Args:
            message: What is wrong and what to do about it; the first line of the class's docstring by default.
        """
        super().__init__(message or (type(self).__doc__ or type(self).__name__).partition("\n")[0])


class ConfigurationError(DurabilityError, RuntimeError):
    """The application or its environment is not configured as it must be."""


class HistoryFormatError(DurabilityError):
    """A recorded history cannot be read: its format number is unknown or its bytes are corrupt."""


class StoredPayloadError(DurabilityError):
    """A payload that is kept outside of the table is missing, corrupt, or out of reach for lack of configuration."""


class PayloadTooLargeError(DurabilityError):
    """A payload is larger than the engine accepts."""

    def __init__(self, what: str, *, size: int, limit: int) -> None:
        """Create the error.

        Args:
            what: Names the payload, such as ``"Result of activity 'charge'"``.
            size: Its size in bytes.
            limit: The largest size accepted, in bytes.
        """
        super().__init__(
            "[TMPRL1103] Attempted to upload payloads with size that exceeded the error limit. "
            f"{what} has {size:,} bytes, the limit is {limit:,}; keep large data in a store of its own and pass a "
            "reference to it"
        )
        self.what = what
        self.size = size
        self.limit = limit


def is_cancelled_exception(exception: BaseException) -> bool:
    """Tell whether an exception means "cancelled".

    Args:
        exception: Any exception.

    Returns:
        True for ``asyncio.CancelledError``, for ``CancelledError``, and for an ``ActivityError`` or
        ``ChildWorkflowError`` whose cause is a ``CancelledError``.
    """
    return isinstance(exception, asyncio.CancelledError | CancelledError) or (
        isinstance(exception, ActivityError | ChildWorkflowError) and isinstance(exception.cause, CancelledError)
    )
