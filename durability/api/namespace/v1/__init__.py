"""Messages of ``temporal.api.namespace.v1``."""

from __future__ import annotations

from typing import Annotated, Any

from durability._core.api_message import UNSET, ApiMessage
from durability._core.protobuf_times import Duration

__all__ = [
    "NamespaceConfig",
    "NamespaceInfo",
]

_ArchivalState = Annotated[int, "ArchivalState"]
_NamespaceState = Annotated[int, "NamespaceState"]


class NamespaceInfo(ApiMessage):
    class Capabilities(ApiMessage):
        eager_workflow_start: bool = False
        sync_update: bool = False
        async_update: bool = False
        worker_heartbeats: bool = False
        reported_problems_search_attribute: bool = False
        workflow_pause: bool = False
        standalone_activities: bool = False
        worker_poll_complete_on_shutdown: bool = False
        poller_autoscaling: bool = False
        worker_commands: bool = False
        standalone_nexus_operation: bool = False
        workflow_update_callbacks: bool = False
        poller_autoscaling_auto_enroll: bool = False
        workflow_task_completion_pagination: bool = False
        standalone_activity_start_delay: bool = False
        standalone_activity_batch_operations: bool = False
        standalone_activity_operator_commands: bool = False

    class Limits(ApiMessage):
        blob_size_limit_error: int = 0
        memo_size_limit_error: int = 0
        workflow_task_completion_size_limit_error: int = 0

    name: str = ""
    state: _NamespaceState = 0
    description: str = ""
    owner_email: str = ""
    data: dict[str, str] = UNSET
    id: str = ""
    capabilities: Capabilities = UNSET
    limits: Limits = UNSET
    supports_schedules: bool = False


class NamespaceConfig(ApiMessage):
    workflow_execution_retention_ttl: Duration = UNSET
    bad_binaries: Any = UNSET
    history_archival_state: _ArchivalState = 0
    history_archival_uri: str = ""
    visibility_archival_state: _ArchivalState = 0
    visibility_archival_uri: str = ""
    custom_search_attribute_aliases: dict[str, str] = UNSET
