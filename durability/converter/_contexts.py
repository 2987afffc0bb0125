"""What converters and codecs may know about the payload at hand."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import Self


class SerializationContext(ABC):  # noqa: B024 - a closed set of alternatives, with nothing to call
    """Whose payload is being converted: that of a workflow, or that of an activity.

    A client's payloads have the context of the workflow that it talks to; in workflow code, a child's
    payloads have the child's context and an activity's payloads the activity's.
    """


@dataclass(frozen=True)
class WorkflowSerializationContext(SerializationContext):
    """The payload is an argument or a result of a workflow, or of a signal, query or update to it.

    Attributes:
        namespace: Namespace of the workflow.
        workflow_id: Id of the workflow.
    """

    namespace: str
    workflow_id: str


@dataclass(frozen=True)
class ActivitySerializationContext(SerializationContext):
    """The payload is an argument, a result or a heartbeat of an activity.

    Attributes:
        namespace: Namespace of the activity.
        activity_id: Id of the activity; None if the workflow did not choose one.
        activity_type: Type of the activity.
        activity_task_queue: Task queue of the activity.
        workflow_id: Id of the workflow that scheduled the activity; None for a standalone activity.
        workflow_type: Type of that workflow.
        is_local: Whether it is a local activity.
    """

    namespace: str
    activity_id: str | None
    activity_type: str | None
    activity_task_queue: str | None
    workflow_id: str | None
    workflow_type: str | None
    is_local: bool


class WithSerializationContext(ABC):  # noqa: B024 - implementing it is optional for converters, its method is not
    """Implemented by payload converters, encoding payload converters, codecs and failure converters that use context.

    They are replaced by what ``with_context`` returns for as long as the context applies.
    """

    def with_context(self, context: SerializationContext) -> Self:
        """Return an instance that works in the context; itself if the context makes no difference."""
        raise NotImplementedError
