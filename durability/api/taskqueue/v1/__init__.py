"""Messages of ``temporal.api.taskqueue.v1``."""

from __future__ import annotations

from typing import Annotated

from durability._core.api_message import ApiMessage

__all__ = [
    "TaskQueue",
]

_TaskQueueKind = Annotated[int, "TaskQueueKind"]


class TaskQueue(ApiMessage):
    name: str = ""
    kind: _TaskQueueKind = 0
    normal_name: str = ""
