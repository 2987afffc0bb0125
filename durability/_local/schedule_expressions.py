"""Schedule expressions: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html ."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_AT = re.compile(r"^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$")
_RATE = re.compile(r"^rate\((\d+) (minute|minutes|hour|hours|day|days)\)$")


def parse_at(expression: str, timezone: str | None) -> datetime | None:
    """The instant of an `at(yyyy-mm-ddThh:mm:ss)` expression, or None if it is of another kind.

    Args:
        expression: a schedule expression.
        timezone: IANA name in which it is meant, UTC if None.

    Raises:
        ValueError: the date or the time zone does not exist.
    """
    match = _AT.match(expression)
    if match is None:
        return None
    try:
        zone = ZoneInfo(timezone or "UTC")
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"unknown time zone {timezone!r}") from error
    return datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC)


def parse_rate(expression: str) -> timedelta | None:
    """The period of a `rate(value unit)` expression, or None if it is of another kind.

    Args:
        expression: a schedule expression.

    Raises:
        ValueError: the value is zero, or the unit is singular for more than one or plural for one.
    """
    match = _RATE.match(expression)
    if match is None:
        return None
    value, unit = int(match[1]), match[2]
    if value == 0 or (value == 1) == unit.endswith("s"):
        raise ValueError(f"{expression}: the unit is singular for 1 and plural for more, and the value is not 0")
    return timedelta(**{unit.rstrip("s") + "s": value})
