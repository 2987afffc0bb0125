"""List queries: the part of Temporal's list filter language that the table's indexes answer."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from durability._core.temporal_json import time_from_json
from durability._runtime.frontend import ListFilter, Status
from durability.service import RPCError, RPCStatusCode

_CONDITION: Final = re.compile(
    r"""\s*`?(?P<name>[A-Za-z_]\w*)`?\s*(?P<operator>!=|>=|<=|=|>|<)\s*"""
    r"""(?:(?P<quote>['"])(?P<value>.*?)(?P=quote)|(?P<literal>true|false|-?\d{1,18}(?:\.\d{1,18})?)\b)\s*""",
    re.DOTALL | re.IGNORECASE,
)
_GROUP_BY: Final = re.compile(r"group\s+by\s+(?P<fields>[^'\"]+?)\s*$", re.IGNORECASE)
_BUILT_IN: Final = frozenset(
    {
        *("BatcherUser", "BuildIds", "CloseTime", "ExecutionDuration", "ExecutionStatus", "ExecutionTime"),
        *("HistoryLength", "HistorySizeBytes", "ParentRunId", "ParentWorkflowId", "RootRunId", "RootWorkflowId"),
        *("RunId", "StartTime", "StateTransitionCount", "TaskQueue", "TemporalChangeVersion", "WorkflowId"),
        "WorkflowType",
    }
)
"""Search attributes that Temporal has of itself; any other name is one of the application's."""
_AND: Final = re.compile(r"and\b", re.IGNORECASE)
_SUPPORTED: Final = (
    "supported are WorkflowType = 'X', WorkflowId = 'x', ExecutionStatus = 'Running', TaskQueue = 'x', "
    "StartTime >, >=, <, <= '2026-01-31T00:00:00Z' and a search attribute = a text, a number or true or false, "
    "joined by AND"
)


def parse_list_query(query: str | None) -> ListFilter:
    """Turn a list query into a filter.

    Args:
        query: Conditions joined by AND; nothing selects everything.

    Returns:
        The filter, without page size and page token.

    Raises:
        RPCError: INVALID_ARGUMENT, saying what is not supported.
    """
    selected = ListFilter()
    rest = (query or "").strip()
    seen: set[str] = set()
    while rest:
        match = _CONDITION.match(rest)
        if match is None:
            raise _invalid(f"cannot read the list query from {rest!r} on: {_SUPPORTED}")
        literal = match["literal"]
        value = match["value"] if literal is None else json.loads(literal.lower())
        _apply(selected, match["name"], match["operator"], value, seen)
        rest = rest[match.end() :]
        if rest:
            joined = _AND.match(rest)
            if joined is None or not rest[joined.end() :].strip():
                raise _invalid(f"cannot read the list query from {rest!r} on: {_SUPPORTED}")
            rest = rest[joined.end() :]
    return selected


def parse_count_query(query: str | None) -> tuple[ListFilter, bool]:
    """Turn the query of a count into a filter, and whether executions are to be counted by their status.

    Raises:
        RPCError: INVALID_ARGUMENT, saying what is not supported. What is said of grouping are Temporal's words.
    """
    text = query or ""
    grouped = _GROUP_BY.search(text)
    if grouped is None:
        return parse_list_query(text), False
    fields = [field.strip().strip("`") for field in grouped["fields"].split(",")]
    if len(fields) > 1:
        raise _invalid("invalid query: operation is not supported: 'GROUP BY' clause supports only a single field")
    if fields != ["ExecutionStatus"]:
        raise _invalid(
            "invalid query: operation is not supported: 'GROUP BY' clause is not supported for search attribute "
            + fields[0]
        )
    return parse_list_query(text[: grouped.start()]), True


def _apply(selected: ListFilter, name: str, operator: str, value: Any, seen: set[str]) -> None:
    side = operator[0] if name == "StartTime" else ""
    if name + side in seen:
        raise _invalid(f"the list query has more than one condition on {name} {side}".rstrip())
    seen.add(name + side)
    if name in _BUILT_IN and not isinstance(value, str):
        raise _invalid(f"the list query compares {name} with {value!r}: give a text in quotes")
    match name, operator:
        case "WorkflowType", "=":
            selected.workflow_type = value
        case "WorkflowId", "=":
            selected.workflow_id = value
        case "ExecutionStatus", "=":
            selected.status = parse_status(value)
        case "TaskQueue", "=":
            selected.task_queue = value
        case _, "=" if name not in _BUILT_IN:
            selected.attributes[name] = value
        case "StartTime", ">" | ">=" | "<" | "<=":
            _apply_start_time(selected, operator, value)
        case _:
            raise _invalid(f"the list query has the condition {name} {operator} {value!r}: {_SUPPORTED}")


def _apply_start_time(selected: ListFilter, operator: str, value: str) -> None:
    try:
        time = time_from_json(value)
    except ValueError as error:
        raise _invalid(f"the list query has a StartTime that is no RFC 3339 time: {error}") from error
    if operator.startswith(">"):
        selected.started_after = time + (operator == ">")  # a filter's lower bound is included, its upper one is not
    else:
        selected.started_before = time + (operator == "<=")


def parse_status(name: str) -> int:
    """Number of a status from its name, such as ``Running`` or ``TIMED_OUT``.

    Raises:
        RPCError: INVALID_ARGUMENT, listing the names.
    """
    wanted = name.replace("_", "").lower()
    for status in Status:
        if status.name.replace("_", "").lower() == wanted:
            return int(status)
    names = ", ".join(status.name.title().replace("_", "") for status in Status)
    raise _invalid(f"there is no execution status {name!r}; there are {names}")


def _invalid(message: str) -> RPCError:
    return RPCError(message, RPCStatusCode.INVALID_ARGUMENT, b"")
