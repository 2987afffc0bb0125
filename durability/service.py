"""Errors of calls to the engine, with the status codes of gRPC that Temporal's service answers with; payload limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from durability.exceptions import TemporalError

__all__ = ["PayloadLimitsConfig", "RPCError", "RPCStatusCode"]


class RPCStatusCode(IntEnum):
    """Status of a call; numbers and meanings as in gRPC's ``google.rpc.Code``."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RPCError(TemporalError):
    """A call to the engine was refused or did not succeed."""

    def __init__(self, message: str, status: RPCStatusCode, raw_grpc_status: bytes = b"") -> None:
        """Create the error.

        Args:
            message: What went wrong.
            status: The kind of error; programs decide by it.
            raw_grpc_status: Kept for compatibility. There is no gRPC here, so the engine leaves it empty.
        """
        super().__init__(message)
        self._message = message
        self._status = status
        self._raw_grpc_status = raw_grpc_status

    @property
    def message(self) -> str:
        """What went wrong."""
        return self._message

    @property
    def status(self) -> RPCStatusCode:
        """The kind of error."""
        return self._status

    @property
    def raw_grpc_status(self) -> bytes:
        """Serialized gRPC status; empty, as there is no gRPC here."""
        return self._raw_grpc_status


@dataclass(frozen=True)
class PayloadLimitsConfig:
    """From which sizes on a client warns of what it sends, in the log.

    Attributes:
        payloads_warn_size: Bytes of the payloads of one field; 0 for no warning. Temporal's default
            ``limit.blobSize.warn``.
        memo_warn_size: Bytes of a memo; 0 for no warning. Temporal's default ``limit.memoSize.warn``.
    """

    payloads_warn_size: int = 512 * 1024
    memo_warn_size: int = 2 * 1024
