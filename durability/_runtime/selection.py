"""Which of the runs that an index gives a listing selects."""

from __future__ import annotations

import json
from typing import Any

from durability._core.payload import Payload
from durability._runtime.frontend import AttributeValue, ListFilter, Status
from durability._runtime.ports import Head


def selects(filter: ListFilter, head: Head) -> bool:
    """Whether a run is what a listing asks for."""
    return (
        (not filter.workflow_type or head.workflow_type == filter.workflow_type)
        and (not filter.status or head.status == Status(filter.status))
        and (not filter.workflow_id or head.key.workflow_id == filter.workflow_id)
        and (not filter.started_after or head.start_time >= filter.started_after)
        and (not filter.started_before or head.start_time < filter.started_before)
        and (not filter.task_queue or head.task_queue == filter.task_queue)
        and all(_has(head.record.search_attributes.get(name), value) for name, value in filter.attributes.items())
    )


def _has(payload: Payload | None, wanted: AttributeValue) -> bool:
    """Whether a search attribute has a value, or one of several."""
    if payload is None or not payload.data:
        return False
    value: Any = json.loads(payload.data)
    return any(_equal(one, wanted) for one in (value if isinstance(value, list) else [value]))


def _equal(value: Any, wanted: AttributeValue) -> bool:
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)
