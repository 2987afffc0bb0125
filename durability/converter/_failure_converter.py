"""Conversion between exceptions and failures."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from contextlib import suppress
from copy import copy
from datetime import timedelta
from typing import Any, ClassVar

from durability import exceptions
from durability._core import failure as failures
from durability._core.failure import Failure
from durability._core.payload import Payload
from durability.converter._payload_converter import PayloadConverter

_MILLISECOND = timedelta(milliseconds=1)


class FailureConverter(ABC):
    """Converts exceptions to failures and back."""

    default: ClassVar[FailureConverter]
    """The converter of ``DataConverter.default``."""

    @abstractmethod
    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Convert an exception, which is left unchanged.

        Args:
            exception: The exception. In workflows it is always a ``FailureError``.
            payload_converter: For the values in the exception.
            failure: Where to put the result.
        """

    @abstractmethod
    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        """Convert a failure, which is left unchanged.

        Args:
            failure: The failure.
            payload_converter: For the payloads in the failure.

        Returns:
            The exception.
        """


class DefaultFailureConverter(FailureConverter):
    """Converts the exceptions of ``durability.exceptions``, and any other as an ``ApplicationError`` of its type."""

    def __init__(self, *, encode_common_attributes: bool = False) -> None:
        """Create the converter.

        Args:
            encode_common_attributes: Whether to move message and stack trace into a payload, where a codec can
                encrypt them.
        """
        self._encode_common_attributes = encode_common_attributes

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Convert an exception with its causes."""
        if isinstance(exception, exceptions.FailureError):
            self._convert_error(exception, payload_converter, failure)
        else:
            self._convert_foreign(exception, payload_converter, failure)
        if self._encode_common_attributes:
            attributes = {"message": failure.message, "stack_trace": failure.stack_trace}
            failure.encoded_attributes = payload_converter.to_payload(attributes)
            failure.message = "Encoded failure"
            failure.stack_trace = ""

    def _convert_error(
        self, error: exceptions.FailureError, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        if error.failure is not None:
            failure.CopyFrom(error.failure)
            return
        failure.message = error.message
        failure.info = _info(error, payload_converter)
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        self._set_origin(error, cause, payload_converter, failure)

    def _convert_foreign(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        failure.message = str(exception)
        failure.info = failures.ApplicationFailureInfo(type=type(exception).__name__)
        self._set_origin(exception, exception.__cause__, payload_converter, failure)

    def _set_origin(
        self,
        exception: BaseException,
        cause: BaseException | None,
        payload_converter: PayloadConverter,
        failure: Failure,
    ) -> None:
        if exception.__traceback__:
            failure.stack_trace = "\n".join(traceback.format_tb(exception.__traceback__))
        if cause is not None:
            failure.cause = Failure()
            self.to_failure(cause, payload_converter, failure.cause)

    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        """Convert a failure with its causes."""
        if failure.encoded_attributes is not None:
            failure = _with_encoded_attributes(failure, failure.encoded_attributes, payload_converter)
        error = _error(failure, payload_converter)
        error._failure = failure
        if failure.cause is not None:
            error.__cause__ = self.from_failure(failure.cause, payload_converter)
        return error


class DefaultFailureConverterWithEncodedAttributes(DefaultFailureConverter):
    """Default failure converter that puts message and stack trace where a codec can encrypt them."""

    def __init__(self) -> None:
        """Create the converter."""
        super().__init__(encode_common_attributes=True)


def read_encoded_attributes(failure: Failure, payload_converter: PayloadConverter) -> None:
    """Put encoded messages and stack traces of a failure and of its causes where they belong, in place."""
    part: Failure | None = failure
    while part is not None:
        if part.encoded_attributes is not None:
            read = _with_encoded_attributes(part, part.encoded_attributes, payload_converter)
            part.message, part.stack_trace, part.encoded_attributes = read.message, read.stack_trace, None
        part = part.cause


def _with_encoded_attributes(failure: Failure, attributes: Payload, payload_converter: PayloadConverter) -> Failure:
    failure = copy(failure)
    with suppress(Exception):  # what cannot be read stays encoded; the rest of the failure still tells something
        values = payload_converter.from_payload(attributes)
        if isinstance(values.get("message"), str):
            failure.message = values["message"]
        if isinstance(values.get("stack_trace"), str):
            failure.stack_trace = values["stack_trace"]
    return failure


def _info(error: exceptions.FailureError, payload_converter: PayloadConverter) -> failures.FailureInfo | None:
    def payloads(values: Any) -> list[Payload] | None:
        return payload_converter.to_payloads(values) if values else None

    match error:
        case exceptions.ApplicationError():
            return failures.ApplicationFailureInfo(
                type=error.type or "",
                non_retryable=error.non_retryable,
                details=payloads(error.details),
                next_retry_delay=error.next_retry_delay // _MILLISECOND if error.next_retry_delay else None,
                category=int(error.category),
            )
        case exceptions.TimeoutError():
            return failures.TimeoutFailureInfo(
                timeout_type=int(error.type or 0), last_heartbeat_details=payloads(error.last_heartbeat_details)
            )
        case exceptions.CancelledError():
            return failures.CanceledFailureInfo(details=payloads(error.details))
        case exceptions.TerminatedError():
            return failures.TerminatedFailureInfo()
        case exceptions.ServerError():
            return failures.ServerFailureInfo(non_retryable=error.non_retryable)
        case exceptions.ActivityError():
            return failures.ActivityFailureInfo(
                scheduled_event_id=error.scheduled_event_id,
                started_event_id=error.started_event_id,
                identity=error.identity,
                activity_type=error.activity_type,
                activity_id=error.activity_id,
                retry_state=int(error.retry_state or 0),
            )
        case exceptions.ChildWorkflowError():
            return failures.ChildWorkflowFailureInfo(
                namespace=error.namespace,
                workflow_id=error.workflow_id,
                run_id=error.run_id,
                workflow_type=error.workflow_type,
                initiated_event_id=error.initiated_event_id,
                started_event_id=error.started_event_id,
                retry_state=int(error.retry_state or 0),
            )
        case exceptions.NexusOperationError():
            return failures.NexusOperationFailureInfo(
                scheduled_event_id=error.scheduled_event_id,
                endpoint=error.endpoint,
                service=error.service,
                operation=error.operation,
                operation_token=error.operation_token,
            )
        case _:
            return None


def _error(failure: Failure, payload_converter: PayloadConverter) -> exceptions.FailureError:
    def values(payloads: list[Payload] | None) -> list[Any]:
        return payload_converter.from_payloads(payloads) if payloads else []

    match failure.info:
        case failures.ApplicationFailureInfo() as info:
            delay = info.next_retry_delay
            return exceptions.ApplicationError(
                failure.message or "Application error",
                *values(info.details),
                type=info.type or None,
                non_retryable=info.non_retryable,
                next_retry_delay=None if delay is None else timedelta(milliseconds=delay),
                category=exceptions.ApplicationErrorCategory(info.category),
            )
        case failures.TimeoutFailureInfo() as info:
            return exceptions.TimeoutError(
                failure.message or "Timeout",
                type=exceptions.TimeoutType(info.timeout_type) if info.timeout_type else None,
                last_heartbeat_details=values(info.last_heartbeat_details),
            )
        case failures.CanceledFailureInfo() as info:
            return exceptions.CancelledError(failure.message or "Cancelled", *values(info.details))
        case failures.TerminatedFailureInfo():
            return exceptions.TerminatedError(failure.message or "Terminated")
        case failures.ServerFailureInfo() as info:
            return exceptions.ServerError(failure.message or "Server error", non_retryable=info.non_retryable)
        case failures.ActivityFailureInfo() as info:
            return exceptions.ActivityError(
                failure.message or "Activity error",
                scheduled_event_id=info.scheduled_event_id,
                started_event_id=info.started_event_id,
                identity=info.identity,
                activity_type=info.activity_type,
                activity_id=info.activity_id,
                retry_state=_retry_state(info.retry_state),
            )
        case failures.ChildWorkflowFailureInfo() as info:
            return exceptions.ChildWorkflowError(
                failure.message or "Child workflow error",
                namespace=info.namespace,
                workflow_id=info.workflow_id,
                run_id=info.run_id,
                workflow_type=info.workflow_type,
                initiated_event_id=info.initiated_event_id,
                started_event_id=info.started_event_id,
                retry_state=_retry_state(info.retry_state),
            )
        case failures.NexusOperationFailureInfo() as info:
            return exceptions.NexusOperationError(
                failure.message or "Nexus operation error",
                scheduled_event_id=info.scheduled_event_id,
                endpoint=info.endpoint,
                service=info.service,
                operation=info.operation,
                operation_token=info.operation_token,
            )
        case _:
            return exceptions.FailureError(failure.message or "Failure error")


def _retry_state(number: int) -> exceptions.RetryState | None:
    return exceptions.RetryState(number) if number else None
