"""What a worker tells of its workflows and activities by itself, under the names of Temporal's SDKs.

Names, units and attributes are those that ``temporalio`` 1.35.0 was seen to record
(https://docs.temporal.io/references/sdk-metrics). Metrics of requests, pollers and the workflow cache have no
counterpart.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from time import perf_counter
from typing import Final

from durability._core import history
from durability._core.activation import Activation, QueryRequest, RunDetails, WorkflowInstance
from durability._core.failure import ApplicationFailureInfo, Failure
from durability._core.history import Command
from durability._core.payload import Payload
from durability.activity._task import (
    ActivityCancelled,
    ActivityCompleted,
    ActivityCompletesLater,
    ActivityResult,
    ActivityTask,
)
from durability.common import MetricAttributes, MetricHistogramTimedelta, MetricMeter
from durability.exceptions import ApplicationErrorCategory
from durability.workflow import NondeterminismError

_ENDS: Final = {
    history.WorkflowExecutionCompleted: ("workflow_completed", "Count of successfully completed workflows"),
    history.WorkflowExecutionFailed: ("workflow_failed", "Count of failed workflows"),
    history.WorkflowExecutionCanceled: ("workflow_canceled", "Count of canceled workflows"),
    history.WorkflowExecutionContinuedAsNew: ("workflow_continue_as_new", "Count of continued-as-new workflows"),
}


class WorkflowMetrics:
    """Metrics of a worker's workflow tasks."""

    def __init__(self, meter: MetricMeter, prefix: str) -> None:
        """Create the metrics.

        Args:
            meter: Records them.
            prefix: What their names begin with.
        """
        self.ends = {kind: meter.create_counter(prefix + name, text) for kind, (name, text) in _ENDS.items()}
        self.whole = _latency(meter, prefix, "workflow_endtoend_latency", "total workflow execution")
        self.task = _latency(meter, prefix, "workflow_task_execution_latency", "workflow task execution (not replay)")
        self.replay = _latency(meter, prefix, "workflow_task_replay_latency", "workflow task replay")
        self.failed = meter.create_counter(
            f"{prefix}workflow_task_execution_failed", "Count of workflow task execution failures"
        )

    def measured(
        self, instance: WorkflowInstance, details: RunDetails, attributes: MetricAttributes
    ) -> WorkflowInstance:
        """An instance that does the same and is measured.

        Args:
            instance: The instance.
            details: Its run.
            attributes: Attributes of all that is recorded.
        """
        return _MeasuredInstance(self, instance, details, attributes)


class _MeasuredInstance(WorkflowInstance):
    """See ``WorkflowMetrics.measured``."""

    def __init__(
        self, metrics: WorkflowMetrics, instance: WorkflowInstance, details: RunDetails, attributes: MetricAttributes
    ) -> None:
        self._metrics = metrics
        self._instance = instance
        self._started = details.started.time
        self._attributes = attributes

    def activate(self, activation: Activation) -> list[Command]:
        metrics, attributes = self._metrics, self._attributes
        begun = perf_counter()
        try:
            commands = self._instance.activate(activation)
        except Exception as error:
            reason = "NonDeterminismError" if isinstance(error, NondeterminismError) else "WorkflowError"
            metrics.failed.add(1, {**attributes, "failure_reason": reason})
            raise
        took = timedelta(seconds=perf_counter() - begun)
        if activation.is_replaying:
            metrics.replay.record(took, attributes)
            return commands
        metrics.task.record(took, attributes)
        for command in commands:
            counter = metrics.ends.get(type(command))
            if counter is not None:
                counter.add(1, attributes)
                metrics.whole.record(timedelta(milliseconds=activation.time - self._started), attributes)
        return commands

    def query(self, request: QueryRequest) -> Payload | None:
        return self._instance.query(request)

    def is_failure_exception(self, error: BaseException) -> bool:
        return self._instance.is_failure_exception(error)

    def guarded(self) -> AbstractContextManager[object]:
        return self._instance.guarded()

    def stack_trace(self) -> str:
        return self._instance.stack_trace()

    def close(self) -> None:
        self._instance.close()


class ActivityMetrics:
    """Metrics of a worker's activities, or of its local ones."""

    def __init__(self, meter: MetricMeter, prefix: str, *, local: bool) -> None:
        """Create the metrics.

        Args:
            meter: Records them.
            prefix: What their names begin with.
            local: Whether they are those of local activities.
        """
        if local:
            prefix, what = f"{prefix}local_", "local activity"
            begun = "activity_total", "Count of local activities executed"
            failed = "Count of local activity executions that failed"
        else:
            what = "activity"
            begun = "activity_task_received", "Count of activity task queue poll successes"
            failed = "Count of activity task execution failures"
        self._begun = meter.create_counter(prefix + begun[0], begun[1])
        self._waited = _latency(meter, prefix, "activity_schedule_to_start_latency", f"{what} schedule-to-start")
        self._took = _latency(meter, prefix, "activity_execution_latency", f"{what} execution")
        self._whole = _latency(meter, prefix, "activity_succeed_endtoend_latency", f"successful {what} execution")
        self._failed = meter.create_counter(f"{prefix}activity_execution_failed", failed)
        self._cancelled = meter.create_counter(
            f"{prefix}activity_execution_cancelled", f"Count of {what} executions that were cancelled"
        )

    def begin(self, task: ActivityTask) -> Callable[[ActivityResult], None]:
        """Count an attempt that begins.

        Args:
            task: The attempt.

        Returns:
            What its end is to be told to.
        """
        queue: dict[str, str] = {"namespace": task.namespace, "task_queue": task.task_queue}
        attributes = {**queue, "activity_type": task.activity_type, "workflow_type": task.workflow_type}
        self._begun.add(1, attributes)
        if not task.is_local:
            scheduled = task.current_attempt_scheduled_time or task.scheduled_time
            self._waited.record(timedelta(milliseconds=task.started_time - scheduled), queue)
        begun = perf_counter()

        def end(result: ActivityResult) -> None:
            if isinstance(result, ActivityCompletesLater):
                return
            took = timedelta(seconds=perf_counter() - begun)
            self._took.record(took, attributes)
            if isinstance(result, ActivityCompleted):
                self._whole.record(timedelta(milliseconds=task.started_time - task.scheduled_time) + took, attributes)
            elif isinstance(result, ActivityCancelled):
                self._cancelled.add(1, attributes)
            elif not _is_benign(result.failure):
                self._failed.add(1, {**attributes, "failure_reason": "ActivityError"})

        return end


def _is_benign(failure: Failure) -> bool:
    info = failure.info
    return isinstance(info, ApplicationFailureInfo) and info.category == ApplicationErrorCategory.BENIGN


def _latency(meter: MetricMeter, prefix: str, name: str, what: str) -> MetricHistogramTimedelta:
    return meter.create_histogram_timedelta(prefix + name, f"Histogram of {what} latencies", "duration")
