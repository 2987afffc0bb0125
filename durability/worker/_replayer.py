"""Replaying histories through the workflow code of this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Required, TypedDict

from durability._core.deadlock import DeadlockDetector
from durability._core.errors import NONDETERMINISM, NondeterminismError
from durability._core.from_events import recorded_tasks
from durability._core.history import WorkflowExecutionFailed
from durability._core.recorded_task import RecordedTask
from durability._core.replaying import replay_tasks
from durability._runtime.code import InPlace
from durability._runtime.large_payloads import IN_THE_TABLE
from durability._runtime.replayable import decoded_tasks
from durability._runtime.workflow_payloads import WorkflowPayloads
from durability.client import WorkflowHistory
from durability.common import HeaderCodecBehavior
from durability.converter import DataConverter
from durability.exceptions import FailureError
from durability.worker._debugger import with_breakpoints
from durability.worker._interceptor import Interceptor
from durability.worker._plugin import Plugin
from durability.worker._registries import Workflows
from durability.worker._runner import UNSANDBOXED, WorkflowRunner
from durability.worker.workflow_sandbox._runner import SANDBOXED


class ReplayerConfig(TypedDict, total=False):
    """Keyword arguments of ``Replayer``, as plugins may change them."""

    workflows: Required[Sequence[type]]
    workflow_task_executor: ThreadPoolExecutor | None
    workflow_runner: WorkflowRunner
    unsandboxed_workflow_runner: WorkflowRunner
    namespace: str
    data_converter: DataConverter
    interceptors: Sequence[Interceptor]
    build_id: str | None
    identity: str | None
    workflow_failure_exception_types: Sequence[type[BaseException]]
    debug_mode: bool
    runtime: Any
    disable_safe_workflow_eviction: bool
    header_codec_behavior: HeaderCodecBehavior


@dataclass(frozen=True)
class WorkflowReplayResult:
    """What came of replaying one history.

    Attributes:
        history: The history.
        replay_failure: Why its workflow task would fail with this code; None if it would not. That the workflow
            itself failed, back then and now, is no replay failure.
    """

    history: WorkflowHistory
    replay_failure: Exception | None


@dataclass(frozen=True)
class WorkflowReplayResults:
    """What came of replaying histories.

    Attributes:
        replay_failures: Failures by run id.
    """

    replay_failures: Mapping[str, Exception]


_Replay = Callable[
    ["Replayer", AsyncIterator[WorkflowHistory]], AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]
]


class Replayer:
    """Tells whether workflow code still does what histories say it did.

    Histories may be fetched from a client or read from Temporal's JSON format.
    """

    def __init__(
        self,
        *,
        workflows: Sequence[type],
        workflow_task_executor: ThreadPoolExecutor | None = None,
        workflow_runner: WorkflowRunner = SANDBOXED,
        unsandboxed_workflow_runner: WorkflowRunner = UNSANDBOXED,
        namespace: str = "ReplayNamespace",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = [],
        plugins: Sequence[Plugin] = [],
        build_id: str | None = None,
        identity: str | None = None,
        workflow_failure_exception_types: Sequence[type[BaseException]] = [],
        debug_mode: bool = False,
        runtime: Any = None,
        disable_safe_workflow_eviction: bool = False,
        header_codec_behavior: HeaderCodecBehavior = HeaderCodecBehavior.NO_CODEC,
    ) -> None:
        """Create a replayer; what a worker had when the histories were made belongs here too.

        Args:
            workflows: Classes decorated with ``workflow.defn``.
            workflow_task_executor: Accepted for compatibility: replay runs in the event loop's thread.
            workflow_runner: Makes the instances of workflows; the default one guards them.
            unsandboxed_workflow_runner: The same for classes that are declared with ``sandboxed=False``.
            namespace: What workflows see as their namespace.
            data_converter: Converts, decodes and retrieves payloads.
            interceptors: Intercept workflows.
            plugins: Change the configuration and wrap replays.
            build_id: Accepted for compatibility; the histories' own build ids are used.
            identity: Accepted for compatibility.
            workflow_failure_exception_types: Exceptions that fail a workflow instead of its workflow task.
            debug_mode: Let workflow code take its time and call ``breakpoint()``.
            runtime: Accepted for compatibility.
            disable_safe_workflow_eviction: Accepted for compatibility.
            header_codec_behavior: Whether headers go through the codec.

        Raises:
            ValueError: There is no workflow, or two have the same name.
        """
        config = ReplayerConfig(
            workflows=list(workflows),
            workflow_task_executor=workflow_task_executor,
            workflow_runner=workflow_runner,
            unsandboxed_workflow_runner=unsandboxed_workflow_runner,
            namespace=namespace,
            data_converter=data_converter,
            interceptors=interceptors,
            build_id=build_id,
            identity=identity,
            workflow_failure_exception_types=workflow_failure_exception_types,
            debug_mode=debug_mode,
            runtime=runtime,
            disable_safe_workflow_eviction=disable_safe_workflow_eviction,
            header_codec_behavior=header_codec_behavior,
        )
        self._initial_config = config.copy()
        self.plugins = plugins
        for plugin in plugins:
            config = plugin.configure_replayer(config)
        self._config = config
        if not config.get("workflows"):
            raise ValueError("At least one workflow must be specified")
        runner = config.get("workflow_runner", SANDBOXED)
        self._workflows = Workflows(
            config["workflows"],
            data_converter=config.get("data_converter") or DataConverter.default,
            interceptors=config.get("interceptors", ()),
            failure_exception_types=config.get("workflow_failure_exception_types", ()),
            deadlock_detector=None if config.get("debug_mode") else DeadlockDetector(),
            header_codec=config.get("header_codec_behavior") not in (None, HeaderCodecBehavior.NO_CODEC),
            runner=with_breakpoints(runner) if config.get("debug_mode") else runner,
            unsandboxed_runner=config.get("unsandboxed_workflow_runner", UNSANDBOXED),
        )

    def config(self, *, active_config: bool = False) -> ReplayerConfig:
        """The keyword arguments that make a replayer like this one.

        Args:
            active_config: Whether with the changes that plugins made.
        """
        config = (self._config if active_config else self._initial_config).copy()
        config["workflows"] = list(config.get("workflows", []))
        return config

    async def replay_workflow(
        self, history: WorkflowHistory, *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResult:
        """Replay one history.

        Args:
            history: What to replay.
            raise_on_replay_failure: Whether to raise a replay failure instead of returning it.

        Raises:
            NondeterminismError: The code does not decide what the history says it decided.
            RuntimeError: The code fails the workflow task for another reason, which is the cause.
        """

        async def single() -> AsyncIterator[WorkflowHistory]:
            yield history

        async with self.workflow_replay_iterator(single()) as results:
            async for result in results:
                if raise_on_replay_failure and result.replay_failure:
                    raise result.replay_failure
                return result
        raise RuntimeError("No histories")

    async def replay_workflows(
        self, histories: AsyncIterator[WorkflowHistory], *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResults:
        """Replay histories.

        Args:
            histories: What to replay.
            raise_on_replay_failure: Whether to raise the first replay failure instead of collecting them all.

        Raises:
            NondeterminismError: See ``replay_workflow``.
            RuntimeError: See ``replay_workflow``.
        """
        failures: dict[str, Exception] = {}
        async with self.workflow_replay_iterator(histories) as results:
            async for result in results:
                if result.replay_failure:
                    if raise_on_replay_failure:
                        raise result.replay_failure
                    failures[result.history.run_id] = result.replay_failure
        return WorkflowReplayResults(replay_failures=failures)

    def workflow_replay_iterator(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Replay histories one by one, in an ``async with`` statement whose value is to be iterated over.

        Args:
            histories: What to replay.
        """

        def wrapped(plugin: Plugin, inner: _Replay) -> _Replay:
            return lambda replayer, given: plugin.run_replayer(replayer, given, inner)

        call: _Replay = Replayer._replay_all
        for plugin in reversed(self.plugins):
            call = wrapped(plugin, call)
        return call(self, histories)

    @asynccontextmanager
    async def _replay_all(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AsyncIterator[AsyncIterator[WorkflowReplayResult]]:
        async def results() -> AsyncIterator[WorkflowReplayResult]:
            async for history in histories:
                yield WorkflowReplayResult(history, await self._failure(history))

        yield results()

    async def _failure(self, history: WorkflowHistory) -> Exception | None:
        payloads = WorkflowPayloads(self._workflows.payload_options, IN_THE_TABLE, InPlace())
        names = (self._config.get("namespace", "ReplayNamespace"), history.workflow_id, history.run_id)
        try:
            tasks = recorded_tasks(history.events)
            decoded, unreadable = await decoded_tasks(payloads, tasks, *names)
            if decoded:
                replay_tasks(decoded, *names, self._workflows.create)
            if unreadable is not None:
                _fail_as_when_run(unreadable, tasks[len(decoded)])
        except NondeterminismError as error:
            return error
        except Exception as error:
            failure = RuntimeError(f"The workflow task fails: {': '.join(_reasons(error))}")
            failure.__cause__ = error
            return failure
        return None


def _fail_as_when_run(error: Exception, task: RecordedTask) -> None:
    """What a codec or a storage raises fails the workflow if it is a failure, else the workflow task.

    Raises:
        NondeterminismError: The workflow would fail now, and has not failed then.
        Exception: The error itself.
    """
    if not isinstance(error, FailureError):
        raise error
    if not any(isinstance(command, WorkflowExecutionFailed) for command in task.delta.commands):
        raise NondeterminismError(
            f"{NONDETERMINISM}the workflow fails, as its payloads cannot be read: {': '.join(_reasons(error))}"
        ) from error


def _reasons(error: BaseException) -> list[str]:
    """An error and its causes."""
    cause = error.__cause__
    return [type(error).__name__, str(error), *(_reasons(cause) if cause is not None else ())]
