"""``workflow.Info`` of a run, from the record of its start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from durability._core.activation import RunDetails
from durability._core.options import duration, priority_from
from durability.common import RetryPolicy
from durability.converter._search_attributes import (
    search_attributes_from_payloads,
    typed_search_attributes_from_payloads,
)
from durability.workflow._info import Info, ParentInfo, RootInfo

_DEFAULT_TASK_TIMEOUT: Final = timedelta(seconds=10)
"""Temporal's default workflow task timeout."""


def build_info(details: RunDetails, first_task: int) -> Info:
    """The run as workflow code sees it; ``first_task`` is the time of its first workflow task, in milliseconds."""
    started = details.started
    parent, root, retry_policy = started.parent, started.root, started.retry_policy
    return Info(
        attempt=started.attempt,
        continued_run_id=started.continued_run_id or None,
        cron_schedule=started.cron_schedule or None,
        execution_timeout=duration(started.execution_timeout),
        first_execution_run_id=started.first_run_id or details.run_id,
        headers=dict(started.headers),
        namespace=details.namespace,
        original_execution_run_id=details.run_id,
        parent=ParentInfo(parent.namespace, parent.run_id, parent.workflow_id) if parent else None,
        root=RootInfo(root.run_id, root.workflow_id) if root else None,
        priority=priority_from(started.priority),
        raw_memo=dict(started.memo),
        retry_policy=RetryPolicy._from_record(retry_policy) if retry_policy else None,
        run_id=details.run_id,
        run_timeout=duration(started.run_timeout),
        search_attributes=search_attributes_from_payloads(started.search_attributes),
        start_time=_datetime(first_task),
        task_queue=started.task_queue,
        task_timeout=duration(started.task_timeout) or _DEFAULT_TASK_TIMEOUT,
        typed_search_attributes=typed_search_attributes_from_payloads(started.search_attributes),
        workflow_id=details.workflow_id,
        workflow_start_time=_datetime(started.time),
        workflow_type=started.workflow_type,
    )


def _datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
