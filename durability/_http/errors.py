"""Errors of the HTTP API: one JSON shape, stable codes, and never a stack trace."""

from __future__ import annotations

from typing import Any, Final

from durability._core.temporal_json import failure_json
from durability._rest.bodies import Error, ErrorBody
from durability._runtime.queries import QueryFailedError
from durability.exceptions import PayloadTooLargeError, WorkflowAlreadyStartedError
from durability.service import RPCError, RPCStatusCode

STATUS_OF_CODE: Final = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "FAILED_PRECONDITION": 409,
    "EXPIRED": 410,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "QUERY_FAILED": 422,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""Codes are those of gRPC, as in ``RPCStatusCode``, and a few that only HTTP has. Statuses as google.rpc maps them,
except that a failed precondition is a conflict."""


class ApiError(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details

    @property
    def status(self) -> int:
        """HTTP status."""
        return STATUS_OF_CODE[self.code]

    def body(self) -> ErrorBody:
        """Body of the response."""
        return ErrorBody(Error(self.code, str(self), self.details))


def invalid(message: str, **details: Any) -> ApiError:
    """A request that cannot mean anything."""
    return ApiError("INVALID_ARGUMENT", message, **details)


def too_large(what: str, size: int, limit: int) -> ApiError:
    """A request that holds too much."""
    return ApiError(
        "PAYLOAD_TOO_LARGE", f"{what} {size:,} bytes, the limit is {limit:,}: pass a reference instead", limit=limit
    )


def to_api_error(error: Exception) -> ApiError | None:
    """What an engine's error is answered with; None for one that should not have happened."""
    match error:
        case ApiError():
            return error
        case RPCError():
            return ApiError(RPCStatusCode(error.status).name, error.message)
        case WorkflowAlreadyStartedError():
            return ApiError(
                "ALREADY_EXISTS",
                f"workflow {error.workflow_id!r} exists already, and the id policies forbid to start it again",
                workflow_id=error.workflow_id,
                workflow_type=error.workflow_type,
                run_id=error.run_id,
            )
        case QueryFailedError():
            return ApiError("QUERY_FAILED", error.failure.message, failure=failure_json(error.failure))
        case PayloadTooLargeError():
            return ApiError("PAYLOAD_TOO_LARGE", str(error))
        case _:
            return None
