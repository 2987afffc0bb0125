"""Operations on workflows."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET

from durability._core.events_view import to_events
from durability._core.failure import ApplicationFailureInfo, Failure
from durability._core.history import RetryPolicyRecord
from durability._core.payload import Payload
from durability._core.temporal_json import failure_from_json, failure_json, time_json
from durability._http.errors import ApiError, invalid
from durability._http.requests import ApiRequest
from durability._http.responses import Response, respond
from durability._http.values import Values, encode_search_attributes
from durability._rest import bodies as wire
from durability._rest.list_filter import parse_status
from durability._runtime.frontend import (
    ActivityReport,
    AttributeValue,
    Description,
    Frontend,
    ListFilter,
    Outcome,
    PendingActivity,
    StartRequest,
    UpdateRequest,
    UpdateStage,
    UpdateState,
)
from durability._runtime.leftovers import decode_failure, encode_failure
from durability._runtime.queries import QueryFailedError
from durability.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

_HISTORY_PAGE: Final = 4_000_000
"""Bytes of history in one response: a function's response may have 6 MB."""
_GENERATED_IDS: Final = uuid.UUID("5b8ab1cf-6fdc-4a57-9d52-5c5e5b8c1f3e")


class Workflows:
    """Handlers of everything below ``/workflows``."""

    def __init__(
        self, frontend: Callable[[], Awaitable[Frontend]], values: Values, namespace: str, task_queue: str
    ) -> None:
        self._frontend = frontend
        self._values = values
        self._namespace = namespace
        self._task_queue = task_queue

    async def start(self, request: ApiRequest) -> Response:
        as_payload = request.wants_payloads
        body = await request.body(wire.StartBody)
        start = await self._start_request(body, request.header("idempotency-key"))
        frontend = await self._frontend()
        started = await frontend.start(start)
        outcome = None
        if body.wait or started.existing:
            outcome = await frontend.outcome(started.workflow_id, started.run_id, wait=body.wait)
        answer = await self._outcome(started.workflow_id, started.run_id, outcome, as_payload)
        answer.existing, answer.first_run_id = started.existing, started.first_run_id
        location = f"/workflows/{wire.encode_segment(started.workflow_id)}?run_id={started.run_id}"
        status = 202 if body.wait and outcome is None else 200 if body.wait or started.existing else 201
        return respond(answer, status, location=location)

    async def _start_request(self, body: wire.StartBody, idempotency_key: str) -> StartRequest:
        task_queue = body.task_queue or self._task_queue
        if not task_queue:
            raise invalid("there is no task_queue: give one", field="task_queue")
        if body.id_reuse_policy == "terminate_if_running" and body.id_conflict_policy != "unspecified":
            raise invalid("id_reuse_policy terminate_if_running cannot be combined with an id_conflict_policy")
        request_id = idempotency_key or body.request_id or str(uuid.uuid4())
        # Derived from the request id, so that a repeated request finds the workflow that the first one started.
        generated = str(uuid.uuid5(_GENERATED_IDS, f"{body.workflow_type}:{request_id}"))
        workflow_id = generated if body.workflow_id is UNSET else body.workflow_id
        values = self._values
        arguments = await values.encode(workflow_id, "the arguments", body.args, body.payloads)
        await values.check_arguments(body.workflow_type, workflow_id, arguments)
        signal = body.signal
        return StartRequest(
            workflow_id=workflow_id,
            workflow_type=body.workflow_type,
            task_queue=task_queue,
            arguments=arguments,
            request_id=request_id,
            headers=wire.to_payload_map(body.headers),
            memo=await values.encode_map(workflow_id, "the values of the memo", body.memo, body.memo_payloads),
            search_attributes=encode_search_attributes(body.search_attributes)
            | wire.to_payload_map(body.search_attribute_payloads),
            execution_timeout=_milliseconds(body.execution_timeout),
            run_timeout=_milliseconds(body.run_timeout),
            task_timeout=_milliseconds(body.task_timeout),
            id_reuse_policy=WorkflowIDReusePolicy[body.id_reuse_policy.upper()],
            id_conflict_policy=WorkflowIDConflictPolicy[body.id_conflict_policy.upper()],
            retry_policy=_retry_policy(body.retry_policy),
            cron_schedule=body.cron_schedule,
            start_delay=_milliseconds(body.start_delay),
            identity=body.identity or "http",
            static_summary=await self._text(workflow_id, body.static_summary, body.static_summary_payload),
            static_details=await self._text(workflow_id, body.static_details, body.static_details_payload),
            priority=None if body.priority is None else wire.to_payloads(body.priority),
            signal_name=signal.name if signal else "",
            signal_arguments=await values.encode(workflow_id, "the signal's arguments", signal.args, signal.payloads)
            if signal
            else [],
        )

    async def _text(self, workflow_id: str, text: str | None, payload: wire.PayloadBody | None) -> Payload | None:
        if payload is not None:
            return wire.to_payload(payload)
        return None if text is None else (await self._values.converter(workflow_id).encode([text]))[0]

    async def list(self, request: ApiRequest) -> Response:
        as_payloads = request.wants_payloads
        status = request.query("status")
        selected = ListFilter(
            workflow_type=request.query("type"),
            workflow_id=request.query("id"),
            status=parse_status(status) if status else 0,
            started_after=request.time("started_after"),
            started_before=request.time("started_before"),
            task_queue=request.query("task_queue"),
            attributes=_attributes(request.query("search_attributes")),
            page_size=int(request.number("page_size", 100, 1, 1000)),
            page_token=request.query("page_token"),
        )
        page = await (await self._frontend()).list(selected)
        executions = [await self._description(execution, as_payloads) for execution in page.executions]
        return respond(wire.PageBody(executions, page.next_page_token))

    async def describe(self, request: ApiRequest) -> Response:
        as_payloads = request.wants_payloads
        frontend = await self._frontend()
        description = await frontend.describe(request.parameters["workflow_id"], request.run_id)
        return respond(await self._description(description, as_payloads))

    async def result(self, request: ApiRequest) -> Response:
        workflow_id = request.parameters["workflow_id"]
        as_payload = request.wants_payloads
        wait = request.number("wait", 0, 0, wire.LONGEST_WAIT)
        frontend = await self._frontend()
        outcome = await frontend.outcome(workflow_id, request.run_id, wait=wait)
        answer = await self._outcome(workflow_id, request.run_id or "", outcome, as_payload)
        return respond(answer, 200 if outcome else 202)

    async def history(self, request: ApiRequest) -> Response:
        workflow_id = request.parameters["workflow_id"]
        view = request.query("view") or "events"
        if view not in ("events", "deltas"):
            raise invalid(f"there is no view {view!r}: give events or deltas", parameter="view")
        first = int(request.number("page_token", 0, 0, 10**9))
        frontend = await self._frontend()
        deltas = [delta async for delta in frontend.history(workflow_id, request.run_id)]
        if view == "deltas":
            page, token = _page([msgspec.json.encode(delta) for delta in deltas], first)
            return respond(wire.HistoryBody(deltas=[msgspec.Raw(item) for item in page], next_page_token=token))
        outcome = await frontend.outcome(workflow_id, request.run_id, wait=0)
        events = to_events(
            deltas,
            workflow_id=workflow_id,
            run_id=outcome.run_id if outcome else request.run_id or "",
            namespace=self._namespace,
            new_run_id=outcome.new_run_id if outcome else "",
        )
        page, token = _page([msgspec.json.encode(event.to_json()) for event in events], first)
        raw: Any = [msgspec.Raw(item) for item in page]
        return respond(wire.HistoryBody(events=raw, next_page_token=token))

    async def signal(self, request: ApiRequest) -> Response:
        body = await request.body(wire.SignalBody)
        workflow_id = request.parameters["workflow_id"]
        arguments = await self._values.encode(workflow_id, "the arguments", body.args, body.payloads)
        await (await self._frontend()).signal(
            workflow_id,
            request.run_id,
            request.parameters["name"],
            arguments,
            request_id=request.header("idempotency-key") or body.request_id or str(uuid.uuid4()),
            headers=wire.to_payload_map(body.headers),
            identity=body.identity or "http",
        )
        return respond(wire.AcceptedBody(True), 202)

    async def query(self, request: ApiRequest) -> Response:
        as_payload = request.wants_payloads
        if request.method == "POST":
            body = await request.body(wire.QueryBody)
        else:
            args = request.json_query("args")
            if args is not None and not isinstance(args, list):
                raise invalid("the query parameter 'args' is not a JSON array", parameter="args")
            body = wire.QueryBody(args=args or [])
        workflow_id = request.parameters["workflow_id"]
        arguments = await self._values.encode(workflow_id, "the arguments", body.args, body.payloads)
        frontend = await self._frontend()
        try:
            payload = await frontend.query(
                workflow_id,
                request.run_id,
                request.parameters["name"],
                arguments,
                headers=wire.to_payload_map(body.headers),
            )
        except QueryFailedError as error:
            if as_payload:
                raise
            raise QueryFailedError(await self._values.readable(workflow_id, error.failure)) from error
        answer = wire.QueryAnswerBody()
        await self._put_value(answer, workflow_id, payload, as_payload)
        return respond(answer)

    async def update(self, request: ApiRequest) -> Response:
        as_payload = request.wants_payloads
        body = await request.body(wire.UpdateBody)
        workflow_id = request.parameters["workflow_id"]
        update_id = request.header("idempotency-key") or body.update_id or str(uuid.uuid4())
        start = None
        if body.start is not None:
            if body.start.workflow_id not in (UNSET, workflow_id) or body.start.signal is not None or body.start.wait:
                raise invalid("start has another workflow_id, a signal or a wait: leave them out", field="start")
            body.start.workflow_id = workflow_id
            start = await self._start_request(body.start, f"update:{update_id}")
        update = UpdateRequest(
            workflow_id=workflow_id,
            run_id=request.run_id or "",
            update_id=update_id,
            name=request.parameters["name"],
            arguments=await self._values.encode(workflow_id, "the arguments", body.args, body.payloads),
            headers=wire.to_payload_map(body.headers),
            identity=body.identity or "http",
            stage=UpdateStage[body.wait_for_stage.upper()],
            start=start,
        )
        state = await (await self._frontend()).update(update, wait=body.wait)
        return await self._update_state(state, update.stage, as_payload)

    async def update_result(self, request: ApiRequest) -> Response:
        as_payload = request.wants_payloads
        stage = request.query("stage") or "completed"
        if stage not in ("admitted", "accepted", "completed"):
            raise invalid(
                f"there is no stage {stage!r} to wait for: give admitted, accepted or completed", parameter="stage"
            )
        wanted = UpdateStage[stage.upper()]
        state = await (await self._frontend()).update_outcome(
            request.parameters["workflow_id"],
            request.run_id,
            request.parameters["update_id"],
            stage=wanted,
            wait=request.number("wait", 0, 0, wire.LONGEST_WAIT),
        )
        return await self._update_state(state, wanted, as_payload)

    async def _update_state(self, state: UpdateState, wanted: UpdateStage, as_payload: bool) -> Response:
        stage: Any = state.stage.name.lower()
        answer = wire.UpdateStateBody(state.workflow_id, state.run_id, state.update_id, stage)
        answer.existing, answer.first_run_id = state.existing, state.first_run_id
        if state.failure is not None:
            answer.failure = await self._failure_json(state.workflow_id, state.failure, as_payload)
        elif state.stage == UpdateStage.COMPLETED:
            await self._put_value(answer, state.workflow_id, state.result, as_payload)
        return respond(answer, 200 if state.stage >= wanted else 202)

    async def cancel(self, request: ApiRequest) -> Response:
        body = await request.body(wire.CancelBody)
        accepted = await (await self._frontend()).cancel(
            request.parameters["workflow_id"],
            request.run_id,
            request_id=request.header("idempotency-key") or body.request_id or str(uuid.uuid4()),
            reason=body.reason,
            identity=body.identity or "http",
        )
        return respond(wire.AcceptedBody(accepted), 202)

    async def delete(self, request: ApiRequest) -> Response:
        await (await self._frontend()).delete(request.parameters["workflow_id"], request.run_id)
        return respond(wire.AcceptedBody(True))

    async def terminate(self, request: ApiRequest) -> Response:
        body = await request.body(wire.TerminateBody)
        workflow_id = request.parameters["workflow_id"]
        details = await self._values.encode(workflow_id, "the details", body.details, body.payloads)
        await (await self._frontend()).terminate(
            workflow_id,
            request.run_id,
            reason=body.reason,
            details=details or None,
            identity=body.identity or "http",
        )
        return respond(wire.AcceptedBody(True), 202)

    async def report_activity(self, request: ApiRequest) -> Response:
        body = await request.body(wire.ActivityReportBody)
        kind: Any = request.parameters["report"]
        if kind not in ("completed", "failed", "canceled", "heartbeat"):
            raise ApiError("NOT_FOUND", f"there is no report {kind!r}: completed, failed, canceled or heartbeat")
        if bool(body.task_token) == bool(body.workflow_id and body.activity_id):
            raise invalid("give either the task_token, or workflow_id and activity_id")
        results = [] if body.result is UNSET else [body.result]
        payloads = [] if body.payload is None else [body.payload]
        encode = self._values.encode
        result = await encode(body.workflow_id, "the result", results, payloads)
        report = ActivityReport(
            kind=kind,
            task_token=body.task_token,
            workflow_id=body.workflow_id,
            run_id=body.run_id,
            activity_id=body.activity_id,
            result=result[0] if result else None,
            failure=None if body.failure is None else _failure(body.failure),
            details=await encode(body.workflow_id, "the details", body.details, body.payloads),
            identity=body.identity or "http",
        )
        return respond(wire.ActivityReportedBody(await (await self._frontend()).report_activity(report)))

    # --- answers ----------------------------------------------------------------------------------------------------

    async def _outcome(
        self, workflow_id: str, run_id: str, outcome: Outcome | None, as_payload: bool
    ) -> wire.OutcomeBody:
        if outcome is None:
            return wire.OutcomeBody(workflow_id, run_id, "running")
        status: Any = outcome.status.name.lower()
        answer = wire.OutcomeBody(workflow_id, outcome.run_id, status, new_run_id=outcome.new_run_id)
        answer.details = wire.from_payloads(outcome.details)
        if outcome.failure is not None:
            answer.failure = await self._failure_json(workflow_id, outcome.failure, as_payload)
        elif answer.status == "completed":
            await self._put_value(answer, workflow_id, outcome.result, as_payload)
        return answer

    async def _failure_json(self, workflow_id: str, failure: Failure, as_payload: bool) -> Any:
        return failure_json(failure if as_payload else await self._values.readable(workflow_id, failure))

    async def _put_value(
        self,
        answer: wire.OutcomeBody | wire.QueryAnswerBody | wire.UpdateStateBody,
        workflow_id: str,
        payload: Payload | None,
        as_payload: bool,
    ) -> None:
        if as_payload:
            answer.payload = None if payload is None else wire.from_payload(payload)
            return
        try:
            answer.result = await self._values.decode(workflow_id, payload)
        except Exception:  # whatever a converter raises, the payload itself can still be given
            assert payload is not None
            answer.payload = wire.from_payload(payload)

    async def _description(self, description: Description, as_payloads: bool) -> wire.DescriptionBody:
        status: Any = description.status.name.lower()
        body = wire.DescriptionBody(
            workflow_id=description.workflow_id,
            run_id=description.run_id,
            workflow_type=description.workflow_type,
            task_queue=description.task_queue,
            status=status,
            start_time=time_json(description.start_time),
            close_time=_time(description.close_time),
            execution_time=_time(description.execution_time),
            history_length=description.history_length,
            parent_workflow_id=description.parent_workflow_id,
            parent_run_id=description.parent_run_id,
            first_run_id=description.first_run_id,
            root_workflow_id=description.root_workflow_id,
            root_run_id=description.root_run_id,
            task_attempts=description.task_attempts,
            task_failure=description.task_failure,
            next_wake_up=_time(description.next_wake_up),
            pending_activities=[_pending(activity) for activity in description.pending_activities],
        )
        for name, text in (
            ("static_summary", description.static_summary),
            ("static_details", description.static_details),
        ):
            if text is not None and not as_payloads:
                with contextlib.suppress(Exception):  # as in _put_value
                    setattr(body, name, await self._values.decode(description.workflow_id, text))
            if text is not None and getattr(body, name) is None:
                setattr(body, f"{name}_payload", wire.from_payload(text))
        for name, values in (("memo", description.memo), ("search_attributes", description.search_attributes)):
            plain: dict[str, Any] = {}
            payloads: dict[str, Payload] = {}
            for key, payload in values.items():
                if as_payloads:
                    payloads[key] = payload
                    continue
                try:
                    plain[key] = await self._values.decode(description.workflow_id, payload)
                except Exception:  # as in _put_value
                    payloads[key] = payload
            setattr(body, name, plain)
            setattr(body, f"{name.rstrip('s')}_payloads", wire.from_payload_map(payloads))
        return body


def _page(items: list[bytes], first: int) -> tuple[list[bytes], str]:
    """As many items as fit into a response, and where the rest begins."""
    size = 0
    for index in range(first, len(items)):
        size += len(items[index])
        if size > _HISTORY_PAGE and index > first:
            return items[first:index], str(index)
    return items[first:], ""


def _failure(body: dict[str, Any]) -> Failure:
    """A failure as the body gives it; one that says no more than its message is an application's."""
    try:
        # Nothing above looks at the types of the fields; what is stored must be readable.
        failure = decode_failure(encode_failure(failure_from_json(body))) or Failure()
    except Exception as error:  # whatever is wrong with the shape
        raise invalid(f"the failure has not the form of Temporal's JSON failures: {error}", field="failure") from error
    failure.info = failure.info or ApplicationFailureInfo()
    return failure


def _pending(activity: PendingActivity) -> wire.PendingActivityBody:
    details = activity.last_heartbeat_details
    return wire.PendingActivityBody(
        activity_id=activity.activity_id,
        activity_type=activity.activity_type,
        state=activity.state,
        attempt=activity.attempt,
        scheduled_time=_time(activity.scheduled),
        next_attempt_time=_time(activity.next_attempt),
        last_failure=failure_json(activity.last_failure) if activity.last_failure else None,
        last_heartbeat_details=wire.from_payloads(details) if details else None,
    )


def _attributes(text: str) -> dict[str, AttributeValue]:
    try:
        return msgspec.json.decode(text, type=dict[str, AttributeValue]) if text else {}
    except (msgspec.DecodeError, UnicodeError) as error:
        name = "search_attributes"
        raise invalid(
            f"the query parameter {name!r} is no JSON object of texts, numbers, true and false: {error}", parameter=name
        ) from error


def _retry_policy(body: wire.RetryPolicyBody | None) -> RetryPolicyRecord | None:
    if body is None:
        return None
    initial = _milliseconds(body.initial_interval) or 1000
    maximum = initial * 100 if body.maximum_interval is None else _milliseconds(body.maximum_interval)
    if body.maximum_interval is not None and maximum < initial:
        raise invalid("retry_policy.maximum_interval is less than initial_interval", field="retry_policy")
    return RetryPolicyRecord(
        initial_interval=initial,
        backoff_coefficient=body.backoff_coefficient,
        maximum_interval=maximum,
        maximum_attempts=body.maximum_attempts,
        non_retryable_error_types=tuple(body.non_retryable_error_types),
    )


def _milliseconds(seconds: float) -> int:
    if seconds > 10 * 365 * 86400 * 10:
        raise invalid(f"a duration of {seconds:g} s is too long")
    return round(seconds * 1000)


def _time(milliseconds: int) -> str | None:
    return time_json(milliseconds) if milliseconds else None
