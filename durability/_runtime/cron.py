"""Cron schedules, in the notation of Temporal's server (``robfig/cron``'s standard parser).

Five fields, ``@hourly`` and the like, ``@every 90m``; a leading ``CRON_TZ=Europe/Berlin`` names the time zone, which is
UTC otherwise.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from durability.service import RPCError, RPCStatusCode

_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONGEST_INTERVAL: Final = 100 * 366 * 86_400_000
_UNITS: Final = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")


def delay_until_next(schedule: str, started: int, now: int) -> int:
    """Milliseconds from ``now`` to the next time of a schedule.

    Args:
        schedule: The schedule.
        started: When the run was to begin for which the next one is looked for, which is always later; ``@every``
            counts from there.
        now: The earliest time that may be answered. Both are milliseconds since the epoch.

    Raises:
        RPCError: INVALID_ARGUMENT if the schedule cannot be read.
    """
    expression, zone = _split_zone(schedule)
    if expression.startswith("@every "):
        interval = _interval(schedule, expression.removeprefix("@every ").strip())
        periods = max(1, -(-(now - started) // interval))
        return started + periods * interval - now
    fields = _DESCRIPTORS.get(expression, expression)
    return _next_after(schedule, fields, zone, max(started, now - 1)) - now


def _split_zone(schedule: str) -> tuple[str, tzinfo]:
    expression = schedule.strip()
    match = re.match(r"(?:CRON_TZ|TZ)=(\S+)\s+(.*)", expression)
    if match is None:
        return expression, UTC
    try:
        return match[2].strip(), ZoneInfo(match[1])
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise _invalid(schedule, f"there is no time zone {match[1]!r}") from error


def _interval(schedule: str, text: str) -> int:
    if not _DURATION.fullmatch(text):
        raise _invalid(schedule, f"{text!r} is no duration such as 1h30m")
    interval = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if interval > _LONGEST_INTERVAL:
        raise _invalid(schedule, f"{text!r} is more than a hundred years")
    return max(1_000, round(interval) // 1_000 * 1_000)


def _next_after(schedule: str, fields: str, zone: tzinfo, moment: int) -> int:
    from cronsim import CronSim, CronSimError

    if len(fields.split()) != 5:
        raise _invalid(schedule, "it has not five fields")
    try:
        found = next(CronSim(fields, datetime.fromtimestamp(moment / 1000, zone)), None)
    except CronSimError as error:
        raise _invalid(schedule, str(error)) from error
    if found is None:
        raise _invalid(schedule, "that time never comes")
    return round(found.timestamp() * 1000)


def _invalid(schedule: str, why: str) -> RPCError:
    return RPCError(
        f"the cron schedule {schedule!r} cannot be read: {why}. Give five fields (minute, hour, day, month, weekday), "
        "@hourly, @daily, @weekly, @monthly, @yearly, or @every with a duration",
        RPCStatusCode.INVALID_ARGUMENT,
        b"",
    )
