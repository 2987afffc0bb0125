"""The error for a payload that converts but is not valid."""

from __future__ import annotations

from typing import Any

from durability.exceptions import ApplicationError


def create_payload_validation_error(details: Any) -> ApplicationError:
    """Return the error that says that a converted payload is not valid.

    Args:
        details: What is wrong with it; None for no details.

    Returns:
        An error of type ``PayloadValidationError`` that is not retried.
    """
    given = () if details is None else (details,)
    return ApplicationError("Payload validation failed", *given, type="PayloadValidationError", non_retryable=True)
