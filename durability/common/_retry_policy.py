"""How often and how fast to try again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durability._core.history import RetryPolicyRecord

_MILLISECOND = timedelta(milliseconds=1)


@dataclass
class RetryPolicy:
    """How often and how fast a workflow or an activity is tried again.

    Attributes:
        initial_interval: Delay after the first attempt.
        backoff_coefficient: What the delay is multiplied by after each further attempt.
        maximum_interval: Largest delay; 100 times the initial interval if None.
        maximum_attempts: How often to try in all; 0 for no limit.
        non_retryable_error_types: Error types (as in ``ApplicationError.type``) after which not to try again.
    """

    initial_interval: timedelta = timedelta(seconds=1)
    backoff_coefficient: float = 2.0
    maximum_interval: timedelta | None = None
    maximum_attempts: int = 0
    non_retryable_error_types: Sequence[str] | None = None

    @staticmethod
    def from_proto(proto: Any) -> RetryPolicy:
        """Return the policy of a ``temporal.api.common.v1.RetryPolicy`` message.

        Args:
            proto: The message; of any package that has it.
        """
        return RetryPolicy(
            initial_interval=proto.initial_interval.ToTimedelta(),
            backoff_coefficient=proto.backoff_coefficient,
            maximum_interval=proto.maximum_interval.ToTimedelta() if proto.HasField("maximum_interval") else None,
            maximum_attempts=proto.maximum_attempts,
            non_retryable_error_types=list(proto.non_retryable_error_types) or None,
        )

    def apply_to_proto(self, proto: Any) -> None:
        """Write the policy into a ``temporal.api.common.v1.RetryPolicy`` message.

        Args:
            proto: The message; of any package that has it.

        Raises:
            ValueError: The policy is not valid.
        """
        self._validate()
        _set_duration(proto, "initial_interval", self.initial_interval)
        proto.backoff_coefficient = self.backoff_coefficient
        _set_duration(proto, "maximum_interval", self.maximum_interval or self.initial_interval * 100)
        proto.maximum_attempts = self.maximum_attempts
        if self.non_retryable_error_types:
            proto.non_retryable_error_types.extend(self.non_retryable_error_types)

    def _validate(self) -> None:
        """Raise ValueError with Temporal's messages; a policy that never retries is not looked at further."""
        if self.maximum_attempts == 1:
            return
        if self.initial_interval < timedelta(0):
            raise ValueError("Initial interval cannot be negative")
        if self.backoff_coefficient < 1:
            raise ValueError("Backoff coefficient cannot be less than 1")
        if self.maximum_interval:
            if self.maximum_interval < timedelta(0):
                raise ValueError("Maximum interval cannot be negative")
            if self.maximum_interval < self.initial_interval:
                raise ValueError("Maximum interval cannot be less than initial interval")
        if self.maximum_attempts < 0:
            raise ValueError("Maximum attempts cannot be negative")

    def _to_record(self) -> RetryPolicyRecord:
        """Return the recorded form, with defaults filled in as Temporal's server does.

        Raises:
            ValueError: The policy is not valid.
        """
        self._validate()
        initial = _milliseconds(self.initial_interval) or RetryPolicyRecord().initial_interval
        return RetryPolicyRecord(
            initial_interval=initial,
            backoff_coefficient=float(self.backoff_coefficient),
            maximum_interval=_milliseconds(self.maximum_interval or timedelta(0)) or initial * 100,
            maximum_attempts=self.maximum_attempts,
            non_retryable_error_types=tuple(self.non_retryable_error_types or ()),
        )

    @staticmethod
    def _from_record(record: RetryPolicyRecord) -> RetryPolicy:
        """Return the policy of a record."""
        return RetryPolicy(
            initial_interval=timedelta(milliseconds=record.initial_interval),
            backoff_coefficient=record.backoff_coefficient,
            maximum_interval=timedelta(milliseconds=record.maximum_interval),
            maximum_attempts=record.maximum_attempts,
            non_retryable_error_types=list(record.non_retryable_error_types) or None,
        )


def _milliseconds(duration: timedelta) -> int:
    """Whole milliseconds, rounded up so that a short interval does not turn into none."""
    return -(-duration // _MILLISECOND)


def _set_duration(proto: Any, name: str, value: timedelta) -> None:
    field = getattr(proto, name)
    if hasattr(field, "FromTimedelta"):
        field.FromTimedelta(value)
    else:  # a message of this package, whose durations are timedeltas
        setattr(proto, name, type(field)(microseconds=value // timedelta(microseconds=1)))
