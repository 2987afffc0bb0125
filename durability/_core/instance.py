"""One run of a workflow, alive in this process: activations in, commands out.

How it behaves follows the Python SDK of Temporal, in the mode that is its default in version 1.35: the inputs of an
activation are applied in two sets, signals and updates first, and after each set the loop runs until nothing is
ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final

from durability._core import history
from durability._core.activation import Activation, QueryRequest, RunDetails
from durability._core.activities import Activities
from durability._core.attributes import Memo, SearchAttributesOfRun
from durability._core.chain import InboundEnd, OutboundEnd
from durability._core.children import Children
from durability._core.commands import CommandBuffer
from durability._core.conversion import RunConverters
from durability._core.deadlock import DeadlockDetector, DeadlockError
from durability._core.event_count import count_inputs, has_event
from durability._core.external import ExternalWorkflows
from durability._core.handlers import Signals, Updates, warn_unfinished
from durability._core.history import Command, Input, Record
from durability._core.interceptors import (
    ExecuteWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)
from durability._core.loop import DeterministicLoop, _WorkflowBeingEvictedError
from durability._core.main_task import MainTask
from durability._core.metrics import ReplaySafeMeter
from durability._core.payload import Payload
from durability._core.queries import Queries
from durability._core.randomness import Randomness
from durability._core.run_info import build_info
from durability._core.signals_with_start import SignalsWithStart
from durability.common import MetricMeter, RawValue
from durability.converter import FailureConverter, PayloadConverter
from durability.exceptions import FailureError
from durability.workflow._definition import DynamicWorkflowConfig, _Definition
from durability.workflow._event_groups import EventGroup, _captured
from durability.workflow._info import Info

_CLOSING_ROUNDS: Final = 100
"""How often tasks are cancelled again that catch their cancellation, before they are given up."""


def create_instance(
    definition: _Definition,
    details: RunDetails,
    *,
    payload_converter: PayloadConverter,
    failure_converter: FailureConverter,
    interceptors: Sequence[type[WorkflowInboundInterceptor]] = (),
    failure_exception_types: Sequence[type[BaseException]] = (),
    disable_eager_activity_execution: bool = False,
    metric_meter: MetricMeter | None = None,
    deadlock_detector: DeadlockDetector | None = None,
    patch_activation_callback: Callable[[Info, str], bool] | None = None,
    guard: AbstractContextManager[object] | None = None,
) -> Instance:
    """Create the instance of a run, ready for its first activation.

    Args:
        definition: The workflow class, as ``@workflow.defn`` describes it.
        details: The run.
        payload_converter: Converts values.
        failure_converter: Converts exceptions.
        interceptors: Classes of inbound interceptors, outermost first.
        failure_exception_types: Exceptions that fail any workflow instead of its workflow task, besides those that
            the definition names.
        disable_eager_activity_execution: Have every activity dispatched.
        metric_meter: Where ``workflow.metric_meter()`` records; nowhere by default.
        deadlock_detector: Watches for code that does not yield; nobody does by default.
        patch_activation_callback: Asked whether a patch that the history knows nothing of is to be taken; always by
            default.
        guard: Entered while code of the workflow runs, and known to its event loop.

    Returns:
        The instance.
    """
    return Instance(
        definition,
        details,
        payload_converter,
        failure_converter,
        interceptors=interceptors,
        failure_exception_types=failure_exception_types,
        disable_eager_activity_execution=disable_eager_activity_execution,
        metric_meter=metric_meter,
        deadlock_detector=deadlock_detector,
        patch_activation_callback=patch_activation_callback,
        guard=guard,
    )


class Instance:
    """See the module's text. The attributes are what the parts of an instance and ``durability.workflow`` work with.

    Attributes:
        details: The run.
        activation: The current activation, or the last one.
        loop: The event loop.
        commands: What was decided.
        object: The instance of the user's class; None until the first activation.
        info: What ``workflow.info()`` answers.
        cancel_reason: Reason of the request to cancel the workflow; None if there was none.
        is_live: Whether a query or an update validator runs, which replay does not repeat.
        is_answering: Whether a query runs.
    """

    info: Info
    memo: Memo
    search_attributes: SearchAttributesOfRun
    inbound: WorkflowInboundInterceptor
    outbound: WorkflowOutboundInterceptor

    def __init__(
        self,
        definition: _Definition,
        details: RunDetails,
        payload_converter: PayloadConverter,
        failure_converter: FailureConverter,
        *,
        interceptors: Sequence[type[WorkflowInboundInterceptor]],
        failure_exception_types: Sequence[type[BaseException]],
        disable_eager_activity_execution: bool,
        metric_meter: MetricMeter | None,
        deadlock_detector: DeadlockDetector | None,
        patch_activation_callback: Callable[[Info, str], bool] | None,
        guard: AbstractContextManager[object] | None,
    ) -> None:
        self.definition = definition
        self.details = details
        self.namespace = details.namespace
        self.task_queue = details.started.task_queue
        self.metric_meter: MetricMeter = (
            MetricMeter.noop if metric_meter is None else ReplaySafeMeter(metric_meter, self.is_replaying_history)
        )
        self.disable_eager_activity_execution = disable_eager_activity_execution
        self.activation = Activation(time=0, inputs=[])
        self.commands = CommandBuffer()
        self.loop = DeterministicLoop(self.commands, self, self._timer_is_over)  # type: ignore[abstract] # what is missing raises
        self.loop.guard = guard
        self.object: Any = None
        self.cancel_reason: str | None = None
        self.is_live = False
        self.is_answering = False
        self.current_details = ""
        self.converters = RunConverters(
            payload_converter,
            failure_converter,
            self.is_failure_exception,
            namespace=details.namespace,
            workflow_id=details.workflow_id,
            workflow_type=details.started.workflow_type,
        )
        self.main = MainTask(self)
        self.activities = Activities(self)
        self.children = Children(self)
        self.external = ExternalWorkflows(self)
        self.signals_with_start = SignalsWithStart(self)
        self.signals = Signals(self, definition.signals)
        self.updates = Updates(self, definition.updates)
        self.queries = Queries(self, definition.queries)
        self._interceptors = interceptors
        self._failure_types = (
            FailureError,
            asyncio.TimeoutError,
            *definition.failure_exception_types,
            *failure_exception_types,
        )
        self._general_failure_types = tuple(failure_exception_types)
        self._guard = guard or nullcontext()
        self._deadlock_detector = deadlock_detector
        self._patch_activation_callback = patch_activation_callback
        self._input: ExecuteWorkflowInput | None = None
        self._patches_in_history: set[str] = set()
        self._patches: dict[str, bool] = {}
        self._deferred: list[Callable[[], None]] = []
        self._arriving: set[tuple[type[Record], int]] = set()
        self._only_updates = False
        self.randomness = Randomness(details.run_id)

    # --- activations ------------------------------------------------------------------------------------------------

    def activate(self, activation: Activation) -> list[Command]:
        """Apply inputs, run until nothing is ready, and return the commands in program order.

        Raises:
            Exception: Whatever user code raised that is not a workflow failure; the instance must not be used again.
        """
        self.activation = activation
        self.loop.now = activation.time
        self.updates.accepted = False
        with self._guard, self._watched():
            try:
                self._apply(activation)
            except Exception as error:
                if not self.is_failure_exception(error):
                    raise
                self.main.fail(error)
        if self.commands.closed:
            warn_unfinished(self.signals, self.updates)
        commands = self.commands.take(drop_after_end=self.activation.drop_after_end)
        self._number(commands)
        return commands

    def _number(self, commands: list[Command]) -> None:
        """Tell those who wait for an activity or a child which event of the history they began with."""
        local = self.activities.local
        event_id = self.activation.events_until_commands
        for command in commands:
            if has_event(command, local):
                event_id += 1
                if isinstance(command, history.ActivityTaskScheduled):
                    self.activities.scheduled(command.sequence, event_id)
                elif isinstance(command, history.StartChildWorkflowExecutionInitiated):
                    self.children.initiated(command.sequence, event_id)
                elif isinstance(command, history.SignalWithStartScheduled):
                    self.signals_with_start.scheduled(command.sequence, event_id)

    def event_id_of(self, message: Input) -> int:
        """The event of an input of this activation; of an activity's outcome, that of the attempt's start, if any."""
        activation, local = self.activation, self.activities.local
        before = activation.inputs[: next(n for n, other in enumerate(activation.inputs) if other is message)]
        return activation.events_before + count_inputs(before, local) + 1

    def _apply(self, activation: Activation) -> None:
        first: list[Input] = []
        rest: list[Input] = []
        for message in activation.inputs:
            kind = message.__class__
            if kind is history.WorkflowExecutionSignaled or kind is history.WorkflowExecutionUpdateAdmitted:
                first.append(message)
            elif kind is history.WorkflowExecutionStarted:
                rest.insert(0, message)
                self._begin()
            elif kind not in history.UNSEEN_INPUTS:
                rest.append(message)
        if len(rest) > 1:
            rest.sort(key=self.activities.is_local)
        self._only_updates = not rest and not activation.patches and all(map(_is_update, first))
        if activation.patches:
            self._patches_in_history.update(activation.patches)
            self.loop.run(self._instantiate, _never)
        if first:
            self._arriving = {(message.__class__, message.sequence) for message in rest if hasattr(message, "sequence")}
            for message in first:
                self._apply_one(message)
            self.loop.run(self._instantiate, self._may_check_conditions)
            self._arriving = set()
        if rest:
            for message in rest:
                self._apply_one(message)
            self.loop.run(self._instantiate, self._may_check_conditions)
        while self._deferred and not self.commands.closed:
            deferred, self._deferred = self._deferred, []
            for resolve in deferred:
                resolve()
            self.loop.run(self._instantiate, self._may_check_conditions)

    def _apply_one(self, message: Input) -> None:
        match message:
            case history.ActivityOutcome():
                self.activities.resolve(message)
            case history.TimerFired(sequence=sequence):
                self.loop.fire(sequence)
            case history.WorkflowExecutionSignaled():
                self.signals.receive(message)
            case history.WorkflowExecutionUpdateAdmitted():
                self.updates.receive(message)
            case history.WorkflowExecutionStarted():
                assert self._input is not None
                self.main.start(self._input)
            case history.WorkflowExecutionCancelRequested(reason=reason):
                self.cancel_reason = reason
                self.main.cancel()
            case (
                history.ExternalWorkflowExecutionSignaled()
                | history.SignalExternalWorkflowExecutionFailed()
                | history.ExternalWorkflowExecutionCancelRequested()
                | history.RequestCancelExternalWorkflowExecutionFailed()
            ):
                self.external.resolve(message)
            case history.SignalWithStartCompleted() | history.SignalWithStartFailed():
                self.signals_with_start.resolve(message)
            case history.ChildWorkflowCancelDelivered():
                pass
            case history.WorkflowExecutionTerminated() | history.WorkflowExecutionTimedOut():
                raise RuntimeError(f"{type(message).__name__} ends a run without its code; it must not get here")
            case _:
                self.children.resolve(message)

    def _timer_is_over(self, sequence: int) -> bool:
        return self.is_over((history.TimerFired,), sequence)

    def is_over(self, kinds: tuple[type[Record], ...], sequence: int) -> bool:
        """Whether an input of this activation, not applied yet, ends what is being cancelled: then it is too late."""
        return any((kind, sequence) in self._arriving for kind in kinds)

    def defer(self, resolve: Callable[[], None]) -> None:
        """Have something resolved once nothing is ready any more: what the engine itself decides at once."""
        self._deferred.append(resolve)

    def _may_check_conditions(self) -> bool:
        # A rejected update leaves no history, so a condition that it made true would not be true on replay.
        return not self._only_updates or self.updates.accepted

    def _begin(self) -> None:
        """Prepare what needs the time of the first workflow task: information, interceptors, arguments."""
        self.info = build_info(self.details, self.activation.time)
        raw_memo, untyped, typed = self.info.raw_memo, self.info.search_attributes, self.info.typed_search_attributes
        assert isinstance(raw_memo, dict)
        assert isinstance(untyped, dict)
        pairs: Any = typed.search_attributes
        assert isinstance(pairs, list)
        self.memo = Memo(self, raw_memo)
        self.search_attributes = SearchAttributesOfRun(self, untyped, pairs)
        self.loop.run(self._build_chains, _never)
        definition, started = self.definition, self.details.started
        arguments: list[Any] = (
            self.converters.decode(started.arguments, definition.arg_types)
            if definition.name is not None
            else [self.converters.decode(started.arguments, [RawValue] * len(started.arguments))]
        )
        self._input = ExecuteWorkflowInput(
            type=definition.cls, run_fn=definition.run_fn, args=arguments, headers=started.headers
        )

    def _build_chains(self) -> None:
        self.inbound = InboundEnd(self)
        for interceptor in reversed(self._interceptors):
            self.inbound = interceptor(self.inbound)
        self.inbound.init(OutboundEnd(self))

    def _instantiate(self) -> None:
        """Create the user's object: after the first inputs were applied, before any callback runs."""
        if self.object is not None:
            return
        if self._input is None:
            raise RuntimeError(f"run {self.details.run_id} was activated before it was started")
        definition = self.definition
        self.object = definition.cls(*self._input.args) if definition.has_init else definition.cls()
        if definition.name is None and definition.dynamic_config_fn is not None:
            with self.read_only(live=False):
                config: DynamicWorkflowConfig = definition.dynamic_config_fn(self.object)
            if config is not None and config.failure_exception_types is not None:
                self._failure_types = (
                    FailureError,
                    asyncio.TimeoutError,
                    *config.failure_exception_types,
                    *self._general_failure_types,
                )

    def guarded(self) -> AbstractContextManager[object]:
        """See ``WorkflowInstance.guarded``."""
        return self._guard

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self._deadlock_detector is None:
            yield
        else:
            try:
                with self._deadlock_detector.watch(self.details.workflow_id):
                    yield
            except DeadlockError:
                # The interrupted task has an exception that nobody will retrieve.
                self.loop.closing = True
                raise

    def is_failure_exception(self, error: BaseException) -> bool:
        """Whether an exception fails the workflow; any other one fails the workflow task."""
        return isinstance(error, self._failure_types)

    # --- what workflow code asks of its instance --------------------------------------------------------------------

    @property
    def is_replaying(self) -> bool:
        """Whether the history already says what comes of the current activation."""
        return self.activation.is_replaying or self.loop.closing or self.is_answering

    def is_replaying_history(self) -> bool:
        """As ``is_replaying``, but not in queries and update validators, which are never repeated."""
        return self.is_replaying and not self.is_live

    @contextmanager
    def read_only(self, *, live: bool) -> Iterator[None]:
        """Have every change refused for a while; ``live`` if replay does not repeat what runs."""
        before = self.loop.read_only, self.is_live
        self.loop.read_only, self.is_live = True, live
        try:
            yield
        finally:
            self.loop.read_only, self.is_live = before

    def patch(self, patch_id: str, deprecated: bool, event_groups: Sequence[EventGroup] | None) -> bool:
        """Whether to take the code path of a patch; decided once per run and recorded by a marker."""
        self.loop.refuse_changes("patch")
        known = self._patches.get(patch_id)
        if known is not None:
            return known
        in_history = patch_id in self._patches_in_history
        if deprecated or self.activation.is_replaying or in_history or self._patch_activation_callback is None:
            taken = in_history or not self.activation.is_replaying
        else:
            with self.read_only(live=False):
                taken = self._patch_activation_callback(self.info, patch_id)
            if type(taken) is not bool:
                raise TypeError("Patch activation callback must return true or false")
        self._patches[patch_id] = taken
        if taken:
            self.commands.add(history.PatchMarkerRecorded(patch_id, deprecated), _captured(event_groups))
        return taken

    @property
    def extern_functions(self) -> Mapping[str, Callable[..., Any]]:
        """Functions that the worker lends to workflow code."""
        return self.details.extern_functions

    def all_handlers_finished(self) -> bool:
        """Whether no signal or update is being handled."""
        return not self.signals.running and not self.updates.running

    # --- queries and the end ----------------------------------------------------------------------------------------

    def query(self, request: QueryRequest) -> Payload | None:
        """Answer a query.

        Raises:
            QueryNotFoundError: There is no handler for it.
            Exception: What the handler raised.
        """
        self.is_answering = True
        try:
            with self._guard, self._watched():
                task = self.loop.create_task(self.queries.answer(request), name=f"query: {request.name}")
                self.loop.run(self._instantiate, _never)
        finally:
            self.is_answering = False
        if not task.done():
            task.cancel()
            self.loop.run(self._instantiate, _never)
            raise RuntimeError(f"query {request.name!r} waits for something; a query handler has to answer at once")
        return task.result()

    def stack_trace(self) -> str:
        """Where the workflow's tasks stand, as text."""
        return self.queries.stack_trace()

    def close(self) -> None:
        """Cancel what still hangs in the loop, without any command and without any warning."""
        loop = self.loop
        loop.closing = True
        for _ in range(_CLOSING_ROUNDS):
            if not loop.tasks:
                return
            for task in list(loop.tasks):
                # Tasks that wait for each other in a circle cannot be cancelled: asyncio recurses without end.
                with suppress(RecursionError):
                    task.cancel()
            with suppress(Exception, _WorkflowBeingEvictedError):
                loop.run(_nothing, _never)


def _never() -> bool:
    return False


def _nothing() -> None:
    pass


def _is_update(message: Input) -> bool:
    return message.__class__ is history.WorkflowExecutionUpdateAdmitted
