"""``breakpoint()`` in workflow code, for workers and replayers in debug mode.

Their workflow code runs in the event loop's thread, as a debugger at a terminal needs the process's main thread.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from types import FrameType
from typing import Any, Final

from durability._guards.exemptions import unrestricted
from durability.worker._runner import WorkflowRunner
from durability.worker.workflow_sandbox._runner import SandboxedWorkflowRunner
from durability.workflow import in_workflow

_ENGINE: Final = "durability"

_hook_before: Any = None


def with_breakpoints(runner: WorkflowRunner) -> WorkflowRunner:
    """The runner of a worker in debug mode: its guard lets ``breakpoint()`` through to a debugger."""
    global _hook_before
    if sys.breakpointhook is not _hook:
        _hook_before, sys.breakpointhook = sys.breakpointhook, _hook
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    members = runner.restrictions.invalid_module_members.with_child_unrestricted("__builtins__", "breakpoint")
    return replace(runner, restrictions=replace(runner.restrictions, invalid_module_members=members))


def _hook(*args: Any, **kwargs: Any) -> Any:
    """What ``breakpoint()`` calls: outside of workflows, what it called before."""
    if not in_workflow():
        return _hook_before(*args, **kwargs)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_of_the_engine(frame):
        frame = frame.f_back
    token = unrestricted.set(True)
    try:
        _debugger().set_trace(frame)
    finally:
        unrestricted.reset(token)
    return None


def _is_of_the_engine(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == _ENGINE


def _debugger() -> Any:
    import pdb  # only those who debug need it

    class WorkflowDebugger(pdb.Pdb):
        """Stops in no code of the engine. While it waits for commands, nothing is refused."""

        def interaction(self, *args: Any, **kwargs: Any) -> None:
            token = unrestricted.set(True)
            try:
                super().interaction(*args, **kwargs)
            finally:
                unrestricted.reset(token)

        def do_quit(self, arg: str) -> bool | None:
            """Go on: an exception here would fail the workflow task, and it would be tried again and again."""
            self.message("The workflow goes on without the debugger. End the worker's process to stop it.")
            return self.do_continue(arg)

        do_q = do_exit = do_EOF = do_quit

    return WorkflowDebugger(skip=[f"{_ENGINE}.*"])
