"""Failures as they are recorded: the fields of Temporal's ``temporal.api.failure.v1.Failure``."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

import msgspec

from durability._core.payload import Payload

if TYPE_CHECKING:
    from durability._core.message_view import Message


class FailureInfoRecord(msgspec.Struct, array_like=True, tag_field="kind"):
    """Base of what distinguishes one kind of failure from another."""


class ApplicationFailureInfo(FailureInfoRecord, tag=1):
    """An error that application code raised."""

    type: str = ""
    non_retryable: bool = False
    details: list[Payload] | None = None
    next_retry_delay: int | None = None  # milliseconds
    category: int = 0


class TimeoutFailureInfo(FailureInfoRecord, tag=2):
    """Something took longer than its timeout; ``timeout_type`` as in ``durability.exceptions.TimeoutType``."""

    timeout_type: int = 0
    last_heartbeat_details: list[Payload] | None = None


class CanceledFailureInfo(FailureInfoRecord, tag=3):
    """Something was cancelled."""

    details: list[Payload] | None = None


class TerminatedFailureInfo(FailureInfoRecord, tag=4):
    """A workflow execution was terminated."""


class ServerFailureInfo(FailureInfoRecord, tag=5):
    """The engine itself failed the operation."""

    non_retryable: bool = False


class ActivityFailureInfo(FailureInfoRecord, tag=6):
    """An activity failed; the failure's cause says why."""

    scheduled_event_id: int = 0
    started_event_id: int = 0
    identity: str = ""
    activity_type: str = ""
    activity_id: str = ""
    retry_state: int = 0


class ChildWorkflowFailureInfo(FailureInfoRecord, tag=7):
    """A child workflow failed; the failure's cause says why."""

    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    workflow_type: str = ""
    initiated_event_id: int = 0
    started_event_id: int = 0
    retry_state: int = 0


class NexusOperationFailureInfo(FailureInfoRecord, tag=8):
    """An operation of a Nexus endpoint failed: here, a signal-with-start of a workflow."""

    scheduled_event_id: int = 0
    endpoint: str = ""
    service: str = ""
    operation: str = ""
    operation_token: str = ""


FailureInfo = (
    ApplicationFailureInfo
    | TimeoutFailureInfo
    | CanceledFailureInfo
    | TerminatedFailureInfo
    | ServerFailureInfo
    | ActivityFailureInfo
    | ChildWorkflowFailureInfo
    | NexusOperationFailureInfo
)


class Failure(msgspec.Struct, array_like=True):
    """An exception in recorded form, with its chain of causes."""

    message: str = ""
    source: str = ""
    stack_trace: str = ""
    cause: Failure | None = None
    info: FailureInfo | None = None
    encoded_attributes: Payload | None = None

    def CopyFrom(self, other: Failure) -> None:
        """Take over the fields of another failure. Payloads are shared, everything above them is copied."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))
        self.info = copy(other.info)
        if other.cause is not None:
            self.cause = Failure()
            self.cause.CopyFrom(other.cause)

    def HasField(self, name: str) -> bool:
        """Whether a field is set, as in protobuf; ``name`` is such as ``cause`` or ``application_failure_info``."""
        return self._message().HasField(name)

    def __getattr__(self, name: str) -> Any:
        """``application_failure_info`` and its likes, as protobuf has them; to be read only."""
        if name.endswith("_failure_info"):
            return getattr(self._message(), name)
        raise AttributeError(f"a failure has no field {name!r}")

    def _message(self) -> Message:
        # Both build on this module, and only code written for protobuf comes here.
        from durability._core.message_view import Message
        from durability._core.temporal_json import failure_json

        return Message(failure_json(self))


_TIMEOUT_NAMES = {1: "StartToClose", 2: "ScheduleToStart", 3: "ScheduleToClose", 4: "Heartbeat"}


def timeout_name(timeout_type: int) -> str:
    """Name of a timeout type, as Temporal's server writes it."""
    return _TIMEOUT_NAMES.get(timeout_type, "Unspecified")


def timeout_failure(
    timeout_type: int, *, last_heartbeat_details: list[Payload] | None = None, cause: Failure | None = None
) -> Failure:
    """Failure of an activity that took too long, with the message of Temporal's server.

    Args:
        timeout_type: A number of ``durability.exceptions.TimeoutType``.
        last_heartbeat_details: What the activity reported last.
        cause: Failure of the attempt before, for timeouts that end the retries.
    """
    return Failure(
        message=f"activity {timeout_name(timeout_type)} timeout",
        source="Server",
        cause=cause,
        info=TimeoutFailureInfo(timeout_type=timeout_type, last_heartbeat_details=last_heartbeat_details),
    )


def too_large_failure(message: str) -> Failure:
    """What stands in the place of payloads that are too large, with the message of Temporal's server."""
    return Failure(message=message, source="Server", info=ServerFailureInfo(non_retryable=True))


def shortened(failure: Failure, limit: int) -> Failure:
    """A failure whose texts, with those of its causes, have about so many bytes at the most; itself if they have."""
    chain = [failure]
    while chain[-1].cause is not None:
        chain.append(chain[-1].cause)
    if sum([len(text) for part in chain for text in _texts(part)]) <= limit // _BYTES_OF_CHARACTER:
        return failure
    if sum([len(text.encode("utf-8", "surrogatepass")) for part in chain for text in _texts(part)]) <= limit:
        return failure
    room = limit // (len(chain) * _TEXTS * _BYTES_OF_CHARACTER)
    cause: Failure | None = None
    for part in reversed(chain):
        message, stack_trace, kind = [_cut(text, room) for text in _texts(part)]
        info = part.info
        if isinstance(info, ApplicationFailureInfo):
            info = msgspec.structs.replace(info, type=kind)
        cause = msgspec.structs.replace(part, message=message, stack_trace=stack_trace, cause=cause, info=info)
    assert cause is not None
    return cause


_TEXTS: Final = 3
_BYTES_OF_CHARACTER: Final = 4


def _texts(failure: Failure) -> list[str]:
    kind = failure.info.type if isinstance(failure.info, ApplicationFailureInfo) else ""
    return [failure.message, failure.stack_trace, kind]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(room - 1, 0)]}…"
