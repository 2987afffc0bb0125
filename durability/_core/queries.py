"""Queries: the handlers, and the ones that every workflow has."""

from __future__ import annotations

import asyncio
import inspect
import linecache
import traceback
import warnings
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from durability import __version__
from durability._core import messages
from durability._core.activation import QueryRequest
from durability._core.handlers import Registry, decode_arguments
from durability._core.interceptors import HandleQueryInput
from durability._core.payload import Payload
from durability.workflow._handlers import _HandlerDefinition, _QueryDefinition, _warn_varargs

if TYPE_CHECKING:
    from durability._core.instance import Instance


class QueryNotFoundError(RuntimeError):
    """The workflow has no handler for this query."""


class Queries:
    """Query handlers of a run."""

    def __init__(self, instance: Instance, definitions: Mapping[str | None, _QueryDefinition]) -> None:
        self.handlers: Registry[_QueryDefinition] = Registry(definitions)
        self._instance = instance
        for name, fn in (
            ("__stack_trace", self.stack_trace),
            ("__enhanced_stack_trace", self._enhanced_stack_trace),
            ("__temporal_workflow_metadata", self._metadata),
        ):
            self.handlers[name] = _QueryDefinition(name=name, fn=fn, is_method=False, arg_types=[])

    def set_handler(self, name: str | None, fn: Callable[..., Any] | None) -> None:
        """Register or remove a handler."""
        self._instance.loop.refuse_changes("set query handler")
        if fn is None:
            self.handlers.pop(name, None)
            return
        if inspect.iscoroutinefunction(fn):
            warnings.warn("Queries as async def functions are deprecated", DeprecationWarning, stacklevel=3)
        definition = self.handlers[name] = _QueryDefinition(name=name, fn=fn, is_method=False)
        _warn_varargs(definition, "queries")

    async def answer(self, request: QueryRequest) -> Payload:
        """Call the handler and encode what it returns; nothing may be changed meanwhile.

        Raises:
            QueryNotFoundError: There is no handler.
            Exception: Whatever the handler raised.
        """
        instance = self._instance
        with instance.read_only(live=True):
            definition = self.handlers.for_name(request.name)
            if definition is None:
                known = " ".join(sorted(name for name in self.handlers if name is not None))
                raise QueryNotFoundError(
                    f"Query handler for '{request.name}' expected but not found, known queries: [{known}]"
                )
            arguments = decode_arguments(instance, definition, request.name, request.arguments)
            result = await instance.inbound.handle_query(
                HandleQueryInput(id=request.id, query=request.name, args=arguments, headers=request.headers)
            )
            return instance.converters.encode_one(result)

    def stack_trace(self) -> str:
        """Where every task of the workflow stands."""
        stacks = []
        for task in self._tasks():
            frames = [
                traceback.FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
                for frame in _frames(task)
            ]
            stacks.append(f"Stack for {task!r} (most recent call last):\n" + "\n".join(traceback.format_list(frames)))
        return "\n\n".join(stacks)

    def _tasks(self) -> list[asyncio.Task[Any]]:
        loop = self._instance.loop
        asking = asyncio.current_task(loop)
        return [task for task in loop.tasks if task is not asking]

    def _enhanced_stack_trace(self) -> messages.EnhancedStackTrace:
        """The same for tools."""
        sources: dict[str, messages.StackTraceFileSlice] = {}
        stacks = []
        for task in self._tasks():
            locations = []
            for frame in _frames(task):
                code = frame.f_code
                if code.co_filename not in sources:
                    text = "".join(linecache.getlines(code.co_filename))
                    sources[code.co_filename] = messages.StackTraceFileSlice(content=text)
                locations.append(
                    messages.StackTraceFileLocation(
                        file_path=code.co_filename, line=frame.f_lineno, function_name=code.co_name
                    )
                )
            stacks.append(messages.StackTrace(locations=locations))
        sdk = messages.StackTraceSDKInfo(name="durability", version=__version__)
        return messages.EnhancedStackTrace(sdk=sdk, sources=sources, stacks=stacks)

    def _metadata(self) -> messages.WorkflowMetadata:
        """What the workflow can be asked and told."""
        instance = self._instance
        return messages.WorkflowMetadata(
            definition=messages.WorkflowDefinition(
                type=instance.details.started.workflow_type,
                query_definitions=_describe(self.handlers),
                signal_definitions=_describe(instance.signals.handlers),
                update_definitions=_describe(instance.updates.handlers),
            ),
            current_details=instance.current_details,
        )


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """The frames of a suspended task, outermost first; asyncio itself only shows the outermost one."""
    frames: list[FrameType] = []
    waiting: Any = task.get_coro()
    while inspect.iscoroutine(waiting) and waiting.cr_frame is not None:
        frames.append(waiting.cr_frame)
        waiting = waiting.cr_await
    return frames


def _describe(handlers: Mapping[str | None, _HandlerDefinition]) -> list[messages.WorkflowInteractionDefinition]:
    described = [
        messages.WorkflowInteractionDefinition(name=definition.name or "", description=definition.description or "")
        for definition in handlers.values()
    ]
    return sorted(described, key=lambda entry: entry.name)
