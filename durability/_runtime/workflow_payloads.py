"""What payloads go through between a run's code and its history: codec, external storage, payload store.

A history holds payloads as the codec encoded them, so nothing that is stored or sent shows what they say. The workflow
is shown its inputs decoded; what it decides is encoded before it is recorded. Codec and drivers of an external storage
are told the context that Temporal's SDK tells them: an activity's payloads have the activity's, those of children and
of signals to other workflows have theirs, all others the workflow's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from durability._core import history
from durability._core.failure import Failure
from durability._core.history import ActivityTaskScheduled, Command, Delta, Input
from durability._core.payload import Payload
from durability._core.payload_fields import ABOUT, HEADERS, Transform, transform_failure, transformed
from durability._core.run import Run, effective
from durability._runtime.code import CodeRunner
from durability._runtime.large_payloads import LargePayloads, refers
from durability._runtime.together import together
from durability._runtime.validation import check_record
from durability.converter import (
    ActivitySerializationContext,
    DataConverter,
    PayloadCodec,
    SerializationContext,
    StorageDriverWorkflowInfo,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from durability.exceptions import ApplicationError

_Rec = TypeVar("_Rec", Input, Command)
_CHILD_ENDS = (
    history.ChildWorkflowExecutionCompleted,
    history.ChildWorkflowExecutionFailed,
    history.ChildWorkflowExecutionCanceled,
)


class PayloadCodecError(RuntimeError):
    """The application's codec could not encode or decode; fails the workflow task."""


@dataclass(frozen=True, slots=True)
class PayloadOptions:
    """What an application wants to happen to the payloads of its workflows.

    Attributes:
        converter: Whose codec and external storage are applied.
        headers: Whether headers go through the codec.
        concurrency: Calls to the external storage at a time, in one workflow task.
        limited: Whether commands whose payloads are too large fail the workflow task.
    """

    converter: DataConverter = DataConverter.default
    headers: bool = False
    concurrency: int = 3
    limited: bool = True


@dataclass(frozen=True, slots=True)
class WorkflowPayloads:
    """Encodes and decodes for the runs of one application; ``large`` is where payloads too large for the table go."""

    options: PayloadOptions
    large: LargePayloads
    code: CodeRunner

    @property
    def plain(self) -> bool:
        """Whether there is neither codec nor external storage."""
        return not self.options.converter._changes_payloads

    # --- runs -------------------------------------------------------------------------------------------------------

    async def replay(self, run: Run, deltas: Iterable[tuple[int, Delta, int]]) -> None:
        """Have a run replay deltas: triples of sequence number, delta, stored bytes.

        Raises:
            Exception: As ``Run.replay``, and what codec and storages raise.
        """
        chosen = list(effective(deltas))
        if self.plain and not any(delta.refers for _, delta, _ in chosen):
            await self.code.call(run, lambda: run.replay(chosen))
            return
        referring = [delta for _, delta, _ in chosen if delta.refers]
        brought = await together(self.large.bring_back(message) for d in referring for message in d.inputs)
        whole = iter(brought)
        for sequence, delta, size in chosen:
            inputs = [next(whole) for _ in delta.inputs] if delta.refers else delta.inputs
            seen = await self.decoded(run, inputs)
            await self.code.call(run, partial(run.replay_one, sequence, delta, size, seen))

    async def seen(self, run: Run, inputs: list[Input]) -> list[Input]:
        """Inputs as the workflow is shown them, before the run absorbs them.

        Raises:
            Exception: What codec and storages raise.
        """
        if refers(inputs):
            inputs = await together(map(self.large.bring_back, inputs))
        return await self.decoded(run, inputs)

    async def recorded(self, run: Run, commands: list[Command]) -> list[Command]:
        """What a workflow has decided, as it is to be recorded.

        Raises:
            PayloadTooLargeError: A command's payloads are.
            Exception: What codec and storages raise.
        """
        if self.options.converter.payload_codec is not None:
            commands = [await self._with_codec(run, command, encodes=True) for command in commands]
        if self.options.converter.external_storage is not None:
            commands = await self._with_storage(run, commands, stores=True)
        if self.options.limited:
            for command in commands:
                check_record(command)
        return commands

    async def stored(self, run: Run, records: list[_Rec]) -> list[_Rec]:
        """Records as they are to be stored with a run: with references to large payloads."""
        large, namespace, run_id = self.large, run.namespace, run.run_id
        if not any(large.must_move(record, namespace, run_id) for record in records):
            return records
        return await together(large.put_away(record, namespace, run_id) for record in records)

    async def decoded(self, run: Run, inputs: list[Input], *, thorough: bool = False) -> list[Input]:
        """Inputs through external storage and codec, before the run absorbs them; what it is not shown stays.

        ``thorough`` is for histories of others: without an external storage, there may be references in them none the
        less, which are an error.
        """
        if self.plain and not thorough:
            return inputs
        inputs = await self._with_storage(run, inputs, stores=False)
        if self.options.converter.payload_codec is None:
            return inputs
        return [
            message
            if isinstance(message, history.UNSEEN_INPUTS)
            else await self._with_codec(run, message, encodes=False)
            for message in inputs
        ]

    async def _with_codec(self, run: Run, record: _Rec, *, encodes: bool) -> _Rec:
        codec = self._codec(lambda: _context(run, record))
        try:
            if not encodes:
                return await transformed(record, codec.decode, self._is_shown)
            record = await transformed(record, codec.encode, self._is_shown)
            own = self._codec(lambda: _own_context(run))
            return await transformed(record, own.encode, ABOUT.__contains__)
        except Exception as error:
            if isinstance(error, ApplicationError) and error.non_retryable:
                raise  # as in the reference, it fails the workflow for good
            raise PayloadCodecError(
                f"the payload codec {type(codec).__name__} failed {'encoding' if encodes else 'decoding'} the payloads "
                f"of {type(record).__name__} of workflow {run.workflow_id!r}: {type(error).__name__}: {error}"
            ) from error

    def _is_shown(self, field: str) -> bool:
        return field not in ABOUT and (self.options.headers or field != HEADERS)

    def _codec(self, context: Callable[[], SerializationContext]) -> PayloadCodec:
        codec = self.options.converter.payload_codec
        assert codec is not None
        return codec.with_context(context()) if isinstance(codec, WithSerializationContext) else codec

    async def _with_storage(self, run: Run, records: list[_Rec], *, stores: bool) -> list[_Rec]:
        room = asyncio.Semaphore(self.options.concurrency)

        def limited(call: Transform) -> Transform:
            async def limited_call(payloads: Sequence[Payload]) -> Sequence[Payload]:
                async with room:
                    return await call(payloads)

            return limited_call

        bare = self.options.converter._with_parts(payload_codec=None)

        async def one(record: _Rec) -> _Rec:
            if isinstance(record, history.UNSEEN_INPUTS):
                return record
            if not stores:
                return await transformed(record, limited(bare._inbound), self._is_shown)
            record = await transformed(
                record, limited(bare._for_target(_target(run, record))._outbound), self._is_shown
            )
            return await transformed(record, limited(bare._for_target(_of(run))._outbound), ABOUT.__contains__)

        return await together(map(one, records))

    # --- queries ----------------------------------------------------------------------------------------------------

    async def decoded_values(self, run: Run, payloads: list[Payload]) -> list[Payload]:
        """Payloads that came to the run outside of its history, as its code is shown them."""
        return payloads if self.plain or not payloads else await self._own(run)._inbound(payloads)

    async def encoded_values(self, run: Run, payloads: list[Payload]) -> list[Payload]:
        """Payloads that the run's code gave, for whoever asked."""
        return payloads if self.plain else await self._own(run)._outbound(payloads)

    async def encode_failure(self, run: Run, failure: Failure) -> None:
        """Encode the payloads of a failure in place, for whoever asked."""
        if not self.plain:
            await transform_failure(failure, self._own(run)._outbound)

    def _own(self, run: Run) -> DataConverter:
        return self.options.converter.with_context(_own_context(run))._for_target(_of(run))


def _context(run: Run, record: Input | Command) -> SerializationContext:
    match record:
        case ActivityTaskScheduled():
            return _activity_context(run, record)
        case history.ActivityOutcome():
            activity = run.activities.get(record.sequence)
            return _own_context(run) if activity is None else _activity_context(run, activity.record)
        case (
            history.StartChildWorkflowExecutionInitiated()
            | history.SignalExternalWorkflowExecutionInitiated()
            | history.SignalWithStartScheduled()
        ):
            return WorkflowSerializationContext(run.namespace, record.workflow_id)
    if isinstance(record, _CHILD_ENDS):
        child = run.children.get(record.sequence)
        if child is not None:
            return WorkflowSerializationContext(run.namespace, child.workflow_id)
    return _own_context(run)


def _own_context(run: Run) -> WorkflowSerializationContext:
    return WorkflowSerializationContext(run.namespace, run.workflow_id)


def _activity_context(run: Run, record: ActivityTaskScheduled) -> ActivitySerializationContext:
    assert run.started is not None
    chosen = record.activity_id != str(record.sequence)  # otherwise the id is the engine's, as in the reference
    return ActivitySerializationContext(
        namespace=run.namespace,
        activity_id=record.activity_id if chosen else None,
        activity_type=record.activity_type,
        activity_task_queue=record.task_queue or run.started.task_queue,
        workflow_id=run.workflow_id,
        workflow_type=run.started.workflow_type,
        is_local=record.local,
    )


def _of(run: Run) -> StorageDriverWorkflowInfo:
    kind = run.started.workflow_type if run.started is not None else None
    return StorageDriverWorkflowInfo(namespace=run.namespace, id=run.workflow_id, run_id=run.run_id, type=kind)


def _target(run: Run, command: Input | Command) -> StorageDriverWorkflowInfo:
    """Whom a command's payloads are for."""
    assert run.started is not None
    parent = run.started.parent
    match command:
        case history.StartChildWorkflowExecutionInitiated() | history.SignalWithStartScheduled():
            return StorageDriverWorkflowInfo(
                namespace=run.namespace, id=command.workflow_id, type=command.workflow_type
            )
        case history.SignalExternalWorkflowExecutionInitiated():
            return StorageDriverWorkflowInfo(namespace=command.namespace or run.namespace, id=command.workflow_id)
        case history.WorkflowExecutionCompleted() if parent is not None and not run.started.continued_run_id:
            return StorageDriverWorkflowInfo(namespace=parent.namespace, id=parent.workflow_id, run_id=parent.run_id)
    return _of(run)
