"""What a workflow can know of its own run."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from durability._core.payload import Payload
from durability.common import Priority, RetryPolicy, SearchAttributes, TypedSearchAttributes, WorkerDeploymentVersion
from durability.workflow._runtime import current


@dataclass(frozen=True)
class Info:
    """The running workflow; ``workflow.info()`` gives it.

    Only ``search_attributes`` and ``typed_search_attributes`` change, when the workflow upserts them.

    Attributes:
        attempt: Number of this attempt, from 1, when the workflow has a retry policy.
        continued_run_id: The run that continued as this one.
        cron_schedule: The cron expression it was started with.
        execution_timeout: Limit of the whole chain of runs.
        first_execution_run_id: First run of the chain.
        headers: Headers of the start.
        namespace: Namespace it runs in.
        original_execution_run_id: The run id recorded when the run started.
        parent: The workflow that started this one as its child.
        root: The top of the tree of parents.
        priority: Priority it was started with.
        raw_memo: The memo, not decoded.
        retry_policy: Retry policy of the workflow itself.
        run_id: This run.
        run_timeout: Limit of this run.
        search_attributes: Search attributes by name; deprecated, use ``typed_search_attributes``.
        start_time: When the first workflow task was executed.
        task_queue: Its task queue.
        task_timeout: Limit of a workflow task.
        typed_search_attributes: Search attributes.
        workflow_id: Its workflow id.
        workflow_start_time: When the run was started.
        workflow_type: Its type's name.
    """

    attempt: int
    continued_run_id: str | None
    cron_schedule: str | None
    execution_timeout: timedelta | None
    first_execution_run_id: str
    headers: Mapping[str, Payload]
    namespace: str
    original_execution_run_id: str
    parent: ParentInfo | None
    root: RootInfo | None
    priority: Priority
    raw_memo: Mapping[str, Payload]
    retry_policy: RetryPolicy | None
    run_id: str
    run_timeout: timedelta | None
    search_attributes: SearchAttributes
    start_time: datetime
    task_queue: str
    task_timeout: timedelta
    typed_search_attributes: TypedSearchAttributes
    workflow_id: str
    workflow_start_time: datetime
    workflow_type: str

    def _logger_details(self) -> Mapping[str, Any]:
        return {
            "attempt": self.attempt,
            "namespace": self.namespace,
            "run_id": self.run_id,
            "task_queue": self.task_queue,
            "workflow_id": self.workflow_id,
            "workflow_type": self.workflow_type,
        }

    def get_current_build_id(self) -> str:
        """Build id of the code that decides, or decided, the current workflow task; "" when it has none."""
        return current().activation.build

    def get_current_deployment_version(self) -> WorkerDeploymentVersion | None:
        """The build of the current workflow task as a deployment version, or None when it has no build id."""
        build = current().activation.build
        return WorkerDeploymentVersion(deployment_name="", build_id=build) if build else None

    def get_current_history_length(self) -> int:
        """Number of events in the history up to the current workflow task."""
        return current().activation.history_length

    def get_current_history_size(self) -> int:
        """Bytes of history up to the current workflow task."""
        return current().activation.history_size

    def is_continue_as_new_suggested(self) -> bool:
        """Whether the history has grown so long that the workflow should continue as new."""
        return current().activation.continue_as_new_suggested

    def is_target_worker_deployment_version_changed(self) -> bool:
        """Always false: a run stays with the build that started it."""
        return False


@dataclass(frozen=True)
class ParentInfo:
    """The workflow that started this one as its child.

    Attributes:
        namespace: Its namespace.
        run_id: Its run.
        workflow_id: Its workflow id.
    """

    namespace: str
    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class RootInfo:
    """The top of the tree of parents.

    Attributes:
        run_id: Its run.
        workflow_id: Its workflow id.
    """

    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class UpdateInfo:
    """The update that the calling code handles.

    Attributes:
        id: The update's id.
        name: The update's name.
    """

    id: str
    name: str

    @property
    def _logger_details(self) -> Mapping[str, Any]:
        return {"update_id": self.id, "update_name": self.name}


current_update: Final[ContextVar[UpdateInfo | None]] = ContextVar("current_update", default=None)
"""Set in the task of an update handler, and so in every task that it starts."""
