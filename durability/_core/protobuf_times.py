"""Times and durations as Python's own, with what code written for protobuf calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Timestamp(datetime):
    """A time, in UTC, that can be read like a protobuf timestamp."""

    @classmethod
    def from_milliseconds(cls, milliseconds: int) -> Timestamp:
        """The time so many milliseconds after the epoch."""
        value = _EPOCH + timedelta(milliseconds=milliseconds)
        return cls.combine(value.date(), value.timetz())

    def ToDatetime(self, tzinfo: tzinfo | None = None) -> datetime:
        """A plain datetime: in UTC and without a timezone by default, else in ``tzinfo``."""
        value = datetime.combine(self.date(), self.timetz())
        return value.replace(tzinfo=None) if tzinfo is None else value.astimezone(tzinfo)

    def ToSeconds(self) -> int:
        """Whole seconds since the epoch."""
        return self.ToMilliseconds() // 1000

    def ToMilliseconds(self) -> int:
        """Milliseconds since the epoch."""
        return (self.ToDatetime(UTC) - _EPOCH) // timedelta(milliseconds=1)

    def ToMicroseconds(self) -> int:
        """Microseconds since the epoch."""
        return (self.ToDatetime(UTC) - _EPOCH) // timedelta(microseconds=1)

    def ToNanoseconds(self) -> int:
        """Nanoseconds since the epoch; histories here are exact to the millisecond."""
        return self.ToMicroseconds() * 1000

    def ToJsonString(self) -> str:
        """As in protobuf's JSON, with three digits for the milliseconds if there are any."""
        return self.ToDatetime().isoformat(timespec="milliseconds").removesuffix(".000") + "Z"


class Duration(timedelta):
    """A duration that can be read like a protobuf duration."""

    def ToTimedelta(self) -> timedelta:
        """A plain timedelta."""
        return timedelta(microseconds=self // timedelta(microseconds=1))

    def ToSeconds(self) -> int:
        """Whole seconds."""
        return self // timedelta(seconds=1)

    def ToMilliseconds(self) -> int:
        """Milliseconds."""
        return self // timedelta(milliseconds=1)

    def ToMicroseconds(self) -> int:
        """Microseconds."""
        return self // timedelta(microseconds=1)

    def ToNanoseconds(self) -> int:
        """Nanoseconds."""
        return self.ToMicroseconds() * 1000
