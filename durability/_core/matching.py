"""Does the code still decide what the history says it decided?

The rule of the reference: on replay each event must match the next command by kind, and by id and type for
activities, children, timers and patches.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from durability._core import history
from durability._core.errors import NONDETERMINISM, NondeterminismError
from durability._core.history import Command

_IDENTITY: Final[dict[type, Callable[[Any], object]]] = {
    history.ActivityTaskScheduled: attrgetter("sequence", "activity_id", "activity_type"),
    history.TimerStarted: attrgetter("sequence"),
    history.TimerCanceled: attrgetter("sequence"),
    history.ActivityTaskCancelRequested: attrgetter("sequence"),
    history.StartChildWorkflowExecutionInitiated: attrgetter("sequence", "workflow_id", "workflow_type"),
    history.CancelChildWorkflowExecutionRequested: attrgetter("sequence", "number"),
    history.SignalExternalWorkflowExecutionInitiated: attrgetter("sequence", "workflow_id", "name"),
    history.SignalExternalWorkflowExecutionCanceled: attrgetter("sequence"),
    history.SignalWithStartScheduled: attrgetter("sequence", "workflow_id", "signal_name"),
    history.RequestCancelExternalWorkflowExecutionInitiated: attrgetter("sequence", "workflow_id"),
    history.PatchMarkerRecorded: attrgetter("patch_id"),
    history.WorkflowExecutionUpdateAccepted: attrgetter("key"),
    history.WorkflowExecutionUpdateCompleted: attrgetter("key"),
    history.WorkflowExecutionContinuedAsNew: attrgetter("workflow_type"),
}


_OPTIONAL: Final = (history.PatchMarkerRecorded, history.CommandGrouped, history.WorkflowExecutionUpdateRejected)


def match_commands(decided: list[Command], recorded: list[Command], sequence: int) -> None:
    """Compare what a replayed workflow task decided with what the history says.

    Args:
        decided: The commands that the code gave now.
        recorded: The commands of the delta.
        sequence: The delta's sequence number, for the message.

    Raises:
        NondeterminismError: They differ.
    """
    if len(decided) == len(recorded):
        for mine, theirs in zip(decided, recorded, strict=True):
            kind = mine.__class__
            if kind is not theirs.__class__:
                break
            identity = _IDENTITY.get(kind)
            if identity is not None and identity(mine) != identity(theirs):
                break
        else:
            return
    _match_leniently(decided, recorded, sequence)


def _match_leniently(decided: list[Command], recorded: list[Command], sequence: int) -> None:
    """As above, but event groups make no difference.

    Patch markers are compared as a set, in which deprecated ones may be missing on either side.
    """
    mine = [command for command in decided if not isinstance(command, _OPTIONAL)]
    theirs = [command for command in recorded if not isinstance(command, _OPTIONAL)]
    for position in range(max(len(mine), len(theirs))):
        left = mine[position] if position < len(mine) else None
        right = theirs[position] if position < len(theirs) else None
        if _describe(left) != _describe(right):
            raise NondeterminismError(
                NONDETERMINISM
                + f"the workflow code is not the code that wrote this history: in workflow task {sequence}, command "
                f"{position + 1}, the history has {_text(right)}, but the code now gives {_text(left)}. "
                "Deploy the code that started the run, or guard the change with workflow.patched()"
            )
    known = {command.patch_id for command in decided if isinstance(command, history.PatchMarkerRecorded)}
    for command in recorded:
        if (
            isinstance(command, history.PatchMarkerRecorded)
            and not command.deprecated
            and command.patch_id not in known
        ):
            raise NondeterminismError(
                NONDETERMINISM
                + f"the history has a marker of patch {command.patch_id!r} in workflow task {sequence}, but the code "
                "no longer asks for it. Keep workflow.patched() or workflow.deprecate_patch() until such runs end"
            )


def _describe(command: Command | None) -> object:
    if command is None:
        return None
    identity = _IDENTITY.get(command.__class__)
    return (command.__class__, identity(command) if identity else None)


def _text(command: Command | None) -> str:
    if command is None:
        return "nothing more"
    identity = _IDENTITY.get(command.__class__)
    return command.__class__.__name__ + (f" {identity(command)}" if identity else "")
