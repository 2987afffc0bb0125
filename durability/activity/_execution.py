"""One attempt of an activity, while it runs."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from durability._core.failure import ApplicationFailureInfo, Failure, timeout_failure, too_large_failure
from durability._core.options import duration, priority_from
from durability._core.payload import Payload, payload_size
from durability._core.payload_fields import failure_size
from durability.activity._cancellation import ActivityCancellationDetails, Cancellation, Flag
from durability.activity._context import CompleteAsyncError, Context, Info, current_context
from durability.activity._definition import _Definition, is_async_callable
from durability.activity._interceptors import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
)
from durability.activity._logger import logger
from durability.activity._processes import ProcessCall
from durability.activity._task import (
    ActivityCancelled,
    ActivityCompleted,
    ActivityCompletesLater,
    ActivityFailed,
    ActivityResult,
    ActivityTask,
)
from durability.activity._threads import ThreadCanceller
from durability.common import RawValue, RetryPolicy
from durability.converter import ActivitySerializationContext, StorageDriverActivityInfo, StorageDriverWorkflowInfo
from durability.exceptions import (
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    PayloadTooLargeError,
    TimeoutType,
)

if TYPE_CHECKING:
    from durability.activity._runner import ActivityRunner

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEARTBEAT_ACCEPTED_WITHIN = 10.0
"""Seconds that a heartbeat in a thread waits for the event loop, as in the Temporal SDK."""


class Execution:
    """Runs an attempt, with everything that may happen to it meanwhile: heartbeats, cancellation, timeouts."""

    def __init__(
        self,
        runner: ActivityRunner,
        task: ActivityTask,
        heartbeat_sink: Callable[[list[Payload]], Awaitable[None] | None] | None,
        cancellation: Cancellation,
    ) -> None:
        self._runner = runner
        self._attempt = task
        self._heartbeat_sink = heartbeat_sink
        self._cancellation = cancellation
        self._cancelled = Flag()
        self._details: ActivityCancellationDetails | None = None
        self._canceller: ThreadCanceller | None = None
        self._is_async = True
        self._started = False
        self._ended = False
        self._timeout: TimeoutType | None = None
        self._info: Info | None = None
        self._heartbeat_details: list[Any] = []
        self._last_heartbeat: list[Payload] | None = task.heartbeat_details or None
        self._pending_heartbeat: Sequence[Any] | None = None
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._heartbeat_error: Exception | None = None
        self._heartbeat_timer: asyncio.TimerHandle | None = None
        self._data_converter = runner.data_converter.with_context(
            ActivitySerializationContext(
                namespace=task.namespace,
                activity_id=task.activity_id,
                activity_type=task.activity_type,
                activity_task_queue=task.task_queue,
                workflow_id=task.workflow_id or None,
                workflow_type=task.workflow_type or None,
                is_local=task.is_local,
            )
        )
        self._heartbeat_converter = self._data_converter
        if self._data_converter.external_storage is not None:
            activity = StorageDriverActivityInfo(
                namespace=task.namespace,
                id=task.activity_id,
                run_id=task.activity_run_id or None,
                type=task.activity_type,
            )
            self._heartbeat_converter = self._data_converter._for_target(activity)
            # What an activity gives belongs to its workflow, if it has one: there it is read again on replay.
            workflow = StorageDriverWorkflowInfo(
                namespace=task.namespace, id=task.workflow_id, run_id=task.run_id, type=task.workflow_type
            )
            self._data_converter = self._data_converter._for_target(workflow if task.workflow_id else activity)

    async def run(self) -> ActivityResult:
        """Run the attempt to its end, or until it is abandoned."""
        loop = self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._finished: asyncio.Future[ActivityResult] = loop.create_future()
        self._task = loop.create_task(self._run_to_result())
        self._task.add_done_callback(self._finish)
        self._cancellation.listen(self._cancel)
        timer = self._expect_end(loop)
        self._expect_heartbeat()
        try:
            return await self._finished
        except asyncio.CancelledError:
            self._cancel(ActivityCancellationDetails(worker_shutdown=True))
            self._task.cancel()
            raise
        finally:
            for pending in (timer, self._heartbeat_timer):
                if pending is not None:
                    pending.cancel()

    def _expect_end(self, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle | None:
        task = self._attempt
        limits = []
        if task.schedule_to_close_timeout:
            left = task.scheduled_time + task.schedule_to_close_timeout - task.started_time
            limits.append((max(0, left), TimeoutType.SCHEDULE_TO_CLOSE))
        if task.start_to_close_timeout:
            limits.append((task.start_to_close_timeout, TimeoutType.START_TO_CLOSE))
        if not limits:
            return None
        milliseconds, timeout = min(limits, key=itemgetter(0))
        return loop.call_later(milliseconds / 1000, self._exceed, timeout)

    def _finish(self, task: asyncio.Task[ActivityResult]) -> None:
        if self._finished.done():
            return
        if self._timeout is not None:
            self._finished.set_result(self._timed_out(self._timeout))
        elif task.cancelled():
            self._finished.cancel()
        elif error := task.exception():
            self._finished.set_exception(error)
        else:
            self._finished.set_result(task.result())

    # --- cancellation and timeouts ----------------------------------------------------------------------------------

    def _cancel(self, details: ActivityCancellationDetails) -> None:
        """Tell the code, once, that it is to stop, and make it stop if it can be made to."""
        if self._details is not None or self._ended:
            return
        self._details = details
        self._cancelled.set()
        if self._canceller is not None:
            self._canceller.cancel()
        elif self._is_async and self._started:
            self._task.cancel("Activity cancelled")

    def _exceed(self, timeout: TimeoutType) -> None:
        if self._timeout is not None or self._finished.done():
            return
        self._timeout = timeout
        self._cancel(ActivityCancellationDetails(timed_out=True))
        asyncio.get_running_loop().call_later(self._runner.abandon_after, self._abandon)

    def _abandon(self) -> None:
        if not self._finished.done() and self._timeout is not None:
            logger.base_logger.warning(
                "Activity %s (%s) does not end after exceeding its %s timeout; going on without it",
                self._attempt.activity_id,
                self._attempt.activity_type,
                self._timeout.name,
            )
            self._finished.set_result(self._timed_out(self._timeout))

    def _timed_out(self, timeout: TimeoutType) -> ActivityFailed:
        failure = timeout_failure(timeout, last_heartbeat_details=self._last_heartbeat)
        return ActivityFailed(failure, self._last_heartbeat)

    # --- from payloads to payloads ----------------------------------------------------------------------------------

    async def _run_to_result(self) -> ActivityResult:
        result: ActivityResult
        try:
            try:
                value = await self._execute()
            finally:
                self._ended = True
            [payload] = await self._data_converter.encode([value])
            self._check_size("the result", [payload])
            result = ActivityCompleted(payload)
        except GeneratorExit:
            raise
        except BaseException as error:  # user code may raise anything, and every end of it has a result
            result = await self._result_of_error(error)
        self._send_pending_heartbeat()
        if self._heartbeat_task is not None:
            await self._heartbeat_task
        if isinstance(result, ActivityFailed):
            result.heartbeat_details = self._last_heartbeat
        return result

    async def _execute(self) -> Any:
        task = self._attempt
        definition = self._runner.definition(task.activity_type, task.workflow_id)
        self._is_async = definition.is_async
        in_thread = not definition.is_async and self._runner.in_threads
        if in_thread and not definition.no_thread_cancel_exception:
            self._canceller = ThreadCanceller()
            if self._details is not None:
                self._canceller.cancel()
        arguments = await self._arguments(definition)
        if task.heartbeat_details:
            self._heartbeat_details = await self._decoded_heartbeat_details()
        context = Context(
            info=self.info,
            is_async=definition.is_async,
            cancelled=self._cancelled,
            worker_shutdown=self._runner.worker_shutdown,
            cancellation_details=lambda: self._details,
            payload_converter=self._data_converter.payload_converter,
            metric_meter=self._runner.metric_meter,
            client=self._runner.client,
            shield=self._canceller.shield if self._canceller else None,
        )
        current_context.set(context)
        chain: ActivityInboundInterceptor = _Inbound(self)
        for interceptor in reversed(self._runner.interceptors):
            chain = interceptor.intercept_activity(chain)
        chain.init(_Outbound(self))
        executor = None if definition.is_async else self._runner.executor
        headers = task.headers
        if self._runner.header_codec:
            inbound = self._data_converter._inbound
            headers = {name: (await inbound([payload]))[0] for name, payload in headers.items()}
        return await chain.execute_activity(ExecuteActivityInput(definition.fn, arguments, executor, headers))

    async def _arguments(self, definition: _Definition) -> list[Any]:
        payloads = self._attempt.arguments
        types: list[type] | None = definition.arg_types
        if definition.name is None:
            types = [RawValue] * len(payloads)
        elif types is not None and len(types) != len(payloads):
            types = None
        try:
            values = await self._data_converter.decode(payloads, types) if payloads else []
        except Exception as error:
            raise ApplicationError("Failed decoding arguments") from error
        return [values] if definition.name is None else values

    async def _decoded_heartbeat_details(self) -> list[Any]:
        try:
            return await self._data_converter.decode(self._attempt.heartbeat_details)
        except Exception as error:
            raise ApplicationError("Failed decoding heartbeat details", non_retryable=True) from error

    async def _result_of_error(self, error: BaseException) -> ActivityResult:
        if isinstance(error, CompleteAsyncError):
            return ActivityCompletesLater()
        try:
            if isinstance(error, asyncio.CancelledError | CancelledError):
                details = self._details or ActivityCancellationDetails()
                if self._heartbeat_error is not None:
                    error = self._heartbeat_error
                elif details.paused or details.reset:
                    error = _stopped("Pause" if details.paused else "Reset")
                elif details.cancel_requested or details.worker_shutdown:
                    return ActivityCancelled(await self._failure(CancelledError("Cancelled")))
            _log_failure(error)
            return ActivityFailed(await self._failure(error))
        except Exception as conversion_error:
            logger.exception("The error of the activity cannot be converted: %r", error)
            return ActivityFailed(
                Failure(message=f"Failed building exception result: {conversion_error}", info=ApplicationFailureInfo())
            )

    async def _failure(self, error: BaseException) -> Failure:
        failure = Failure()
        await self._data_converter.encode_failure(error, failure)
        limit = self._runner.payload_limit
        if limit is not None and failure_size(failure) > limit:
            return too_large_failure("Failure exceeds size limit.")
        return failure

    def _check_size(self, what: str, payloads: Sequence[Payload]) -> None:
        size, limit = sum(map(payload_size, payloads)), self._runner.payload_limit
        if limit is not None and size > limit:
            error = PayloadTooLargeError(f"{what} of activity {self._attempt.activity_type!r}", size=size, limit=limit)
            raise ApplicationError(str(error), type="PayloadsTooLarge")

    # --- what the innermost interceptors do -------------------------------------------------------------------------

    async def call(self, input: ExecuteActivityInput) -> Any:
        """Call the function, in a thread if it is not asynchronous."""
        if not is_async_callable(input.fn):
            return await self._call_in_thread(input.fn, input.args, input.executor)
        self._started = True
        if self._details is not None:
            raise asyncio.CancelledError("Activity cancelled")
        return await input.fn(*input.args)

    async def _call_in_thread(self, fn: Callable[..., Any], args: Sequence[Any], executor: Executor | None) -> Any:
        loop = asyncio.get_running_loop()
        context = Context.current()
        loop_side = contextvars.copy_context()
        send = context.heartbeat

        def heartbeat(*details: Any) -> None:
            accepted: Future[None] = Future()
            loop.call_soon_threadsafe(_complete, accepted, lambda: send and send(*details), context=loop_side)
            accepted.result(_HEARTBEAT_ACCEPTED_WITHIN)

        if executor is not None and not isinstance(executor, ThreadPoolExecutor):
            return await self._call_in_process(fn, args, executor, heartbeat)

        def call() -> Any:
            current_context.set(replace(context, heartbeat=heartbeat))
            if self._canceller is None:
                return fn(*args)
            with self._canceller.active():
                return fn(*args)

        return await loop.run_in_executor(executor, contextvars.copy_context().run, call)

    async def _call_in_process(
        self, fn: Callable[..., Any], args: Sequence[Any], executor: Executor, heartbeat: Callable[..., None]
    ) -> Any:
        context, runner = Context.current(), self._runner
        manager, shutdown = runner.shared_state
        info = context.info()
        sender = await manager.register_heartbeater(info.task_token, heartbeat)
        cancelled = self._cancelled.mirror(manager.new_event())
        call = ProcessCall(
            info=info,
            sender=sender,
            cancelled=cancelled,
            worker_shutdown=shutdown,
            payload_converter_class=self._data_converter.payload_converter_class,
            fn=fn,
            args=args,
        )
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, call)
        except BrokenExecutor as error:
            runner.on_broken(error)
            raise
        finally:
            self._cancelled.forget(cancelled)
            await manager.unregister_heartbeater(info.task_token)

    def info(self) -> Info:
        """The activity's info, made when it is first asked for."""
        if self._info is None:
            self._info = _info(self._attempt, self._heartbeat_details)
        return self._info

    def heartbeat(self, *details: Any) -> None:
        """Send a heartbeat. One that has not been sent when the next one comes is dropped.

        An asynchronous activity may call this in a thread of its own making, even while it blocks the event loop
        until that thread ends: so this does not wait for the loop, and ``_send_pending_heartbeat`` at the end of the
        attempt picks up what the loop had no time for.
        """
        if self._ended:
            return
        self._pending_heartbeat = details
        if threading.get_ident() == self._thread:
            self._send_pending_heartbeat()
        else:
            self._loop.call_soon_threadsafe(self._send_pending_heartbeat)

    def _send_pending_heartbeat(self) -> None:
        if self._pending_heartbeat is None or self._finished.done():
            return
        self._expect_heartbeat()
        if self._heartbeat_task is None or self._heartbeat_task.done():
            self._heartbeat_task = self._loop.create_task(self._send_heartbeats())

    def _expect_heartbeat(self) -> None:
        if self._attempt.heartbeat_timeout:
            if self._heartbeat_timer is not None:
                self._heartbeat_timer.cancel()
            self._heartbeat_timer = self._loop.call_later(
                self._attempt.heartbeat_timeout / 1000, self._exceed, TimeoutType.HEARTBEAT
            )

    async def _send_heartbeats(self) -> None:
        try:
            while self._pending_heartbeat is not None:
                details, self._pending_heartbeat = self._pending_heartbeat, None
                payloads = await self._heartbeat_converter.encode(details) if details else []
                self._check_size("the heartbeat", payloads)
                self._last_heartbeat = payloads
                sent = self._heartbeat_sink(payloads) if self._heartbeat_sink else None
                if sent is not None:
                    await sent
        except Exception as error:
            logger.warning("Cancelling the activity because its heartbeat cannot be recorded", exc_info=True)
            self._heartbeat_error = error
            self._cancel(ActivityCancellationDetails())


class _Inbound(ActivityInboundInterceptor):
    """The end of the inbound chain."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        context = Context.current()
        context.info = outbound.info
        context.heartbeat = outbound.heartbeat

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await self._execution.call(input)


class _Outbound(ActivityOutboundInterceptor):
    """The end of the outbound chain."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def info(self) -> Info:
        return self._execution.info()

    def heartbeat(self, *details: Any) -> None:
        self._execution.heartbeat(*details)


def _info(task: ActivityTask, heartbeat_details: list[Any]) -> Info:
    return Info(
        activity_id=task.activity_id,
        activity_type=task.activity_type,
        attempt=task.attempt,
        current_attempt_scheduled_time=_time(task.current_attempt_scheduled_time or task.scheduled_time),
        heartbeat_details=heartbeat_details,
        heartbeat_timeout=duration(task.heartbeat_timeout),
        is_local=task.is_local,
        namespace=task.namespace,
        schedule_to_close_timeout=duration(task.schedule_to_close_timeout),
        scheduled_time=_time(task.scheduled_time),
        start_to_close_timeout=duration(task.start_to_close_timeout),
        started_time=_time(task.started_time),
        task_queue=task.task_queue,
        task_token=task.task_token,
        workflow_id=task.workflow_id or None,
        workflow_namespace=task.namespace if task.workflow_id else None,
        workflow_run_id=task.run_id or None,
        workflow_type=task.workflow_type or None,
        priority=priority_from(task.priority),
        retry_policy=RetryPolicy._from_record(task.retry_policy) if task.retry_policy else None,
        activity_run_id=task.activity_run_id or None,
    )


def _time(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _complete(future: Future[None], call: Callable[[], object]) -> None:
    try:
        call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


def _stopped(how: str) -> ApplicationError:
    return ApplicationError(
        f"Unhandled activity cancel error produced by activity {how.lower()}", type=f"Activity{how}"
    )


def _log_failure(error: BaseException) -> None:
    benign = isinstance(error, ApplicationError) and error.category == ApplicationErrorCategory.BENIGN
    (logger.debug if benign else logger.warning)(
        "Completing activity as failed",
        exc_info=error,
        extra={"__temporal_error_identifier": "ActivityFailure"},
    )
