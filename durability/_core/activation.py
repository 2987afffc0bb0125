"""The contract between the runtime and a workflow instance: activations in, commands out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from durability._core.history import Command, ExecutionReference, Input, WorkflowExecutionStarted
from durability._core.payload import Payload


@dataclass(frozen=True)
class Activation:
    """All inputs of one workflow task.

    Attributes:
        time: Milliseconds since the epoch, frozen for the length of the activation.
        inputs: In the order in which they are recorded; the instance puts them in the order of ``determinism.md``.
        is_replaying: Whether the outcome is already in the history.
        patches: Ids of the patch markers among the recorded commands of this very task (replay only).
        events_before: Events in the history before those of the inputs, counted as Temporal counts them.
        events_until_commands: The same before those of what this activation decides.
        history_length: The same until the task was started.
        history_size: Bytes of history so far.
        continue_as_new_suggested: Whether the history has grown long.
        build: Build id of the code that decides, or decided, this task.
        drop_after_end: Whether what is decided after the end of the run is left out, as by old SDKs of Temporal's
            (replay only).
        outcomes_win: Whether a cancellation is lost that arrives together with the outcome of what it would cancel, as
            with old SDKs of Temporal's (replay only).
    """

    time: int
    inputs: list[Input]
    is_replaying: bool = False
    patches: tuple[str, ...] = ()
    events_before: int = 0
    events_until_commands: int = 0
    history_length: int = 0
    history_size: int = 0
    continue_as_new_suggested: bool = False
    build: str = ""
    drop_after_end: bool = False
    outcomes_win: bool = False


@dataclass(frozen=True)
class RunDetails:
    """What an instance knows of its run before the first activation."""

    namespace: str
    workflow_id: str
    run_id: str
    started: WorkflowExecutionStarted
    extern_functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    @property
    def parent(self) -> ExecutionReference | None:
        """The execution that started this one as its child."""
        return self.started.parent


@dataclass(frozen=True)
class QueryRequest:
    """A query to be answered by an instance."""

    name: str
    arguments: list[Payload]
    headers: Mapping[str, Payload] = field(default_factory=dict)
    id: str = ""


class WorkflowInstance(Protocol):
    """One run of a workflow, alive in this process."""

    def activate(self, activation: Activation) -> list[Command]:
        """Apply the inputs, run until nothing is ready, and return the commands in program order.

        Raises:
            Exception: Whatever user code raised that is not a workflow failure. It fails the workflow task, and
                the instance must not be used again.
        """

    def query(self, request: QueryRequest) -> Payload | None:
        """Answer a query; read-only.

        Raises:
            Exception: What the handler raised, or a ``WorkflowQueryRejected``-like error for an unknown query.
        """

    def is_failure_exception(self, error: BaseException) -> bool:
        """Whether an exception fails the workflow, and not just its workflow task."""

    def guarded(self) -> AbstractContextManager[object]:
        """Keep what does not replay out of the code's reach; entered around many activations it costs once."""

    def stack_trace(self) -> str:
        """Where the workflow's tasks stand, as text."""

    def close(self) -> None:
        """Cancel what still hangs in the instance's loop, without any command and without any warning."""
