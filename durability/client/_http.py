"""The engine reached over its HTTP API."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from yarl import URL

from durability._core.history import Delta, RetryPolicyRecord
from durability._core.payload import Payload
from durability._core.temporal_json import failure_from_json, failure_json, time_from_json, time_json
from durability._rest import bodies as wire
from durability._runtime.frontend import (
    ActivityReport,
    Description,
    ListFilter,
    Outcome,
    Page,
    PendingActivity,
    Started,
    StartRequest,
    Status,
    UpdateRequest,
    UpdateStage,
    UpdateState,
)
from durability._runtime.health import HealthCheck
from durability._runtime.lifetime import PerLoop
from durability._runtime.queries import QueryFailedError
from durability.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durability.exceptions import WorkflowAlreadyStartedError
from durability.service import ConnectConfig, RPCError, RPCStatusCode

_Body = TypeVar("_Body")
_ATTEMPTS: Final = 11
_ATTEMPTS_TO_CONNECT: Final = 5
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
"""Tries of a call, and seconds between them: ten retries, at most five seconds apart, as Temporal's clients have it."""
_RETRIED: Final = frozenset({429, 502, 503, 504})
_EXECUTE_API: Final = re.compile(r"\.execute-api\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)(?:\.cn)?$")
_STATUSES: Final = {401: RPCStatusCode.UNAUTHENTICATED, 403: RPCStatusCode.PERMISSION_DENIED}
_delta_decoder: Final = msgspec.json.Decoder(list[Delta])


class HttpFrontend(HealthCheck):
    """Implements ``Frontend`` over the HTTP API. Requests carry ids, so all of them can be repeated safely."""

    def __init__(self, base_url: str, *, api_key: str | None = None) -> None:
        """Create the frontend; no connection is made.

        Args:
            base_url: URL of the API, with the stage if it has one.
            api_key: Bearer token. Without one, requests to API Gateway are signed: to ``execute-api`` hosts in the
                region of the host, to others in the region that ``DURABILITY_HTTP_SIGNING_REGION`` names, if set.
        """
        self.config = ConnectConfig(base_url, api_key=api_key)
        self._base_url = base_url.rstrip("/")
        self.api_key = api_key
        match = _EXECUTE_API.search(urlsplit(base_url).hostname or "")
        region = match[1] if match else os.environ.get("DURABILITY_HTTP_SIGNING_REGION")
        self._signer = _Signer(region) if region and not api_key else None
        self._sessions = PerLoop(_session, aiohttp.ClientSession.close)

    async def reach(self) -> None:
        """See ``HealthCheck.reach``."""
        await self._call("GET", "/health", wire.HealthBody, attempts=_ATTEMPTS_TO_CONNECT)

    # --- Frontend ---------------------------------------------------------------------------------------------------

    async def start(self, request: StartRequest) -> Started:
        started = await self._call("POST", "/workflows", wire.OutcomeBody, body=_start_body(request))
        return Started(
            workflow_id=started.workflow_id,
            run_id=started.run_id,
            existing=started.existing,
            first_run_id=started.first_run_id,
        )

    async def signal(
        self,
        workflow_id: str,
        run_id: str | None,
        name: str,
        arguments: list[Payload],
        *,
        request_id: str,
        headers: dict[str, Payload] | None = None,
        identity: str = "",
    ) -> None:
        body = wire.SignalBody(
            payloads=wire.from_payloads(arguments),
            request_id=request_id,
            headers=wire.from_payload_map(headers or {}),
            identity=identity,
        )
        path = f"{_path(workflow_id)}/signals/{wire.encode_segment(name)}"
        await self._call("POST", path, wire.AcceptedBody, run_id=run_id, body=body)

    async def cancel(
        self, workflow_id: str, run_id: str | None, *, request_id: str, reason: str = "", identity: str = ""
    ) -> bool:
        body = wire.CancelBody(reason=reason, request_id=request_id, identity=identity)
        answer = await self._call("POST", f"{_path(workflow_id)}/cancel", wire.AcceptedBody, run_id=run_id, body=body)
        return answer.accepted

    async def terminate(
        self,
        workflow_id: str,
        run_id: str | None,
        *,
        reason: str = "",
        details: list[Payload] | None = None,
        identity: str = "",
    ) -> None:
        body = wire.TerminateBody(reason=reason, payloads=wire.from_payloads(details or []), identity=identity)
        await self._call("POST", f"{_path(workflow_id)}/terminate", wire.AcceptedBody, run_id=run_id, body=body)

    async def query(
        self,
        workflow_id: str,
        run_id: str | None,
        name: str,
        arguments: list[Payload],
        *,
        headers: dict[str, Payload] | None = None,
    ) -> Payload | None:
        body = wire.QueryBody(payloads=wire.from_payloads(arguments), headers=wire.from_payload_map(headers or {}))
        path = f"{_path(workflow_id)}/queries/{wire.encode_segment(name)}"
        answer = await self._call(
            "POST", path, wire.QueryAnswerBody, run_id=run_id, body=body, query={"payloads": "true"}
        )
        return None if answer.payload is None else wire.to_payload(answer.payload)

    async def update(self, request: UpdateRequest, *, wait: float) -> UpdateState:
        stage: Any = request.stage.name.lower()
        body = wire.UpdateBody(
            payloads=wire.from_payloads(request.arguments),
            update_id=request.update_id,
            wait_for_stage=stage,
            wait=min(wait, wire.LONGEST_WAIT),
            headers=wire.from_payload_map(request.headers),
            identity=request.identity,
            start=None if request.start is None else _start_body(request.start),
        )
        path = f"{_path(request.workflow_id)}/updates/{wire.encode_segment(request.name)}"
        query = {"payloads": "true"}
        answer = await self._call(
            "POST", path, wire.UpdateStateBody, run_id=request.run_id or None, body=body, query=query
        )
        return _update_state(answer)

    async def update_outcome(
        self, workflow_id: str, run_id: str | None, update_id: str, *, stage: UpdateStage, wait: float
    ) -> UpdateState:
        query = {"payloads": "true", "stage": stage.name.lower(), "wait": f"{min(wait, wire.LONGEST_WAIT):g}"}
        path = f"{_path(workflow_id)}/updates/{wire.encode_segment(update_id)}/result"
        return _update_state(await self._call("GET", path, wire.UpdateStateBody, run_id=run_id, query=query))

    async def report_activity(self, report: ActivityReport) -> bool:
        body = wire.ActivityReportBody(
            task_token=report.task_token,
            workflow_id=report.workflow_id,
            run_id=report.run_id,
            activity_id=report.activity_id,
            payload=None if report.result is None else wire.from_payload(report.result),
            failure=None if report.failure is None else failure_json(report.failure),
            payloads=wire.from_payloads(report.details),
            identity=report.identity,
        )
        answer = await self._call("POST", f"/activities/{report.kind}", wire.ActivityReportedBody, body=body)
        return answer.cancel_requested

    async def delete(self, workflow_id: str, run_id: str | None) -> None:
        await self._call("DELETE", _path(workflow_id), wire.AcceptedBody, run_id=run_id)

    async def describe(self, workflow_id: str, run_id: str | None) -> Description:
        body = await self._call(
            "GET", _path(workflow_id), wire.DescriptionBody, run_id=run_id, query={"payloads": "true"}
        )
        return _description(body)

    async def outcome(self, workflow_id: str, run_id: str | None, *, wait: float) -> Outcome | None:
        query = {"payloads": "true", "wait": f"{min(wait, wire.LONGEST_WAIT):g}"}
        path = f"{_path(workflow_id)}/result"
        body = await self._call("GET", path, wire.OutcomeBody, run_id=run_id, query=query)
        if body.status == "running":
            return None
        return Outcome(
            run_id=body.run_id,
            status=Status[body.status.upper()],
            result=None if body.payload is None else wire.to_payload(body.payload),
            failure=None if body.failure is None else failure_from_json(body.failure),
            new_run_id=body.new_run_id,
            details=wire.to_payloads(body.details),
        )

    async def history(self, workflow_id: str, run_id: str | None) -> AsyncIterator[Delta]:
        query = {"view": "deltas"}
        while True:
            path = f"{_path(workflow_id)}/history"
            page = await self._call("GET", path, _DeltasPage, run_id=run_id, query=query)
            for delta in _delta_decoder.decode(page.deltas):
                yield delta
            if not page.next_page_token:
                return
            query["page_token"] = page.next_page_token

    async def list(self, filter: ListFilter) -> Page:
        query: dict[str, str] = {
            "type": filter.workflow_type,
            "id": filter.workflow_id,
            "status": Status(filter.status).name.lower() if filter.status else "",
            "started_after": time_json(filter.started_after) if filter.started_after else "",
            "started_before": time_json(filter.started_before) if filter.started_before else "",
            "task_queue": filter.task_queue,
            "search_attributes": msgspec.json.encode(filter.attributes).decode() if filter.attributes else "",
            "page_size": str(filter.page_size),
            "page_token": filter.page_token,
            "payloads": "true",
        }
        given = {name: value for name, value in query.items() if value}
        page = await self._call("GET", "/workflows", wire.PageBody, query=given)
        executions = [_description(execution) for execution in page.executions]
        return Page(executions=executions, next_page_token=page.next_page_token)

    async def close(self) -> None:
        await self._sessions.close()

    # --- requests ---------------------------------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        expected: type[_Body],
        *,
        run_id: str | None = None,
        query: Mapping[str, str] | None = None,
        body: msgspec.Struct | None = None,
        attempts: int = _ATTEMPTS,
    ) -> _Body:
        parameters = {**(query or {}), **({"run_id": run_id} if run_id else {})}
        url = f"{self._base_url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        content = b"" if body is None else msgspec.json.encode(body)
        for attempt in range(1, attempts + 1):
            try:
                status, answer = await self._send(method, url, content)
            except aiohttp.ClientError as error:
                if attempt == attempts:
                    raise RPCError(f"cannot reach {self._base_url}: {error}", RPCStatusCode.UNAVAILABLE, b"") from error
            else:
                if status < 300:
                    return _decode(answer, expected, url)
                if status not in _RETRIED or attempt == attempts:
                    raise _error(status, answer, url)
            await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(1, 2))
        raise AssertionError("unreachable")

    async def _send(self, method: str, url: str, content: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if content else {}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        if self._signer:
            headers = await self._signer.sign(method, url, headers, content)
        session = await self._sessions.get()
        async with session.request(
            method, URL(url, encoded=True), data=content or None, headers=headers, allow_redirects=False
        ) as response:
            return response.status, await response.read()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))


class _DeltasPage(msgspec.Struct):
    deltas: msgspec.Raw
    next_page_token: str = ""


class _Signer:
    """Signs requests with the process's AWS credentials (Signature Version 4 for ``execute-api``)."""

    def __init__(self, region: str) -> None:
        from botocore.session import Session

        self._region = region
        self._session = Session()

    async def sign(self, method: str, url: str, headers: dict[str, str], content: bytes) -> dict[str, str]:
        # Credentials may have to be fetched or refreshed, which blocks.
        return await asyncio.to_thread(self._sign, method, url, headers, content)

    def _sign(self, method: str, url: str, headers: dict[str, str], content: bytes) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = self._session.get_credentials()
        if credentials is None:
            raise RPCError(
                "there are no AWS credentials to sign requests with: configure some, or pass api_key",
                RPCStatusCode.UNAUTHENTICATED,
                b"",
            )
        request = AWSRequest(method=method, url=url, data=content, headers=headers)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(request)
        return dict(request.headers.items())


def _path(workflow_id: str) -> str:
    return f"/workflows/{wire.encode_segment(workflow_id)}"


def _decode(answer: bytes, expected: type[_Body], url: str) -> _Body:
    try:
        return msgspec.json.decode(answer, type=expected)
    except msgspec.MsgspecError as error:
        raise RPCError(
            f"{url} did not answer as the HTTP API does ({error}): is the URL right?", RPCStatusCode.UNKNOWN, b""
        ) from error


def _error(status: int, answer: bytes, url: str) -> Exception:
    try:
        error = msgspec.json.decode(answer, type=wire.ErrorBody).error
    except msgspec.MsgspecError:
        text = answer[:200].decode(errors="replace")
        code = _STATUSES.get(status, RPCStatusCode.UNAVAILABLE if status >= 500 else RPCStatusCode.UNKNOWN)
        return RPCError(f"{url} answered with status {status}: {text}", code, b"")
    details = error.details
    if error.code == "ALREADY_EXISTS" and "workflow_id" in details:
        return WorkflowAlreadyStartedError(
            details["workflow_id"], details.get("workflow_type", ""), run_id=details.get("run_id")
        )
    if error.code == "QUERY_FAILED" and "failure" in details:
        return QueryFailedError(failure_from_json(details["failure"]))
    names = RPCStatusCode.__members__
    return RPCError(error.message, names.get(error.code) or _STATUSES.get(status, _by_class(status)), b"")


def _by_class(status: int) -> RPCStatusCode:
    return RPCStatusCode.INTERNAL if status >= 500 else RPCStatusCode.INVALID_ARGUMENT


def _start_body(request: StartRequest) -> wire.StartBody:
    signal = None
    if request.signal_name:
        signal = wire.StartSignalBody(request.signal_name, payloads=wire.from_payloads(request.signal_arguments))
    summary, details = request.static_summary, request.static_details
    reuse: Any = WorkflowIDReusePolicy(request.id_reuse_policy).name.lower()
    conflict: Any = WorkflowIDConflictPolicy(request.id_conflict_policy).name.lower()
    return wire.StartBody(
        workflow_type=request.workflow_type,
        workflow_id=request.workflow_id,
        task_queue=request.task_queue,
        payloads=wire.from_payloads(request.arguments),
        request_id=request.request_id,
        execution_timeout=request.execution_timeout / 1000,
        run_timeout=request.run_timeout / 1000,
        task_timeout=request.task_timeout / 1000,
        start_delay=request.start_delay / 1000,
        id_reuse_policy=reuse,
        id_conflict_policy=conflict,
        retry_policy=_retry_policy(request.retry_policy),
        cron_schedule=request.cron_schedule,
        memo_payloads=wire.from_payload_map(request.memo),
        search_attribute_payloads=wire.from_payload_map(request.search_attributes),
        headers=wire.from_payload_map(request.headers),
        static_summary_payload=None if summary is None else wire.from_payload(summary),
        static_details_payload=None if details is None else wire.from_payload(details),
        priority=None if request.priority is None else wire.from_payloads(request.priority),
        signal=signal,
        identity=request.identity,
    )


def _update_state(body: wire.UpdateStateBody) -> UpdateState:
    return UpdateState(
        workflow_id=body.workflow_id,
        run_id=body.run_id,
        update_id=body.update_id,
        stage=UpdateStage[body.stage.upper()],
        result=None if body.payload is None else wire.to_payload(body.payload),
        failure=None if body.failure is None else failure_from_json(body.failure),
        existing=body.existing,
        first_run_id=body.first_run_id,
    )


def _retry_policy(policy: RetryPolicyRecord | None) -> wire.RetryPolicyBody | None:
    if policy is None:
        return None
    return wire.RetryPolicyBody(
        initial_interval=policy.initial_interval / 1000,
        backoff_coefficient=policy.backoff_coefficient,
        maximum_interval=policy.maximum_interval / 1000,
        maximum_attempts=policy.maximum_attempts,
        non_retryable_error_types=list(policy.non_retryable_error_types),
    )


def _description(body: wire.DescriptionBody) -> Description:
    return Description(
        workflow_id=body.workflow_id,
        run_id=body.run_id,
        workflow_type=body.workflow_type,
        task_queue=body.task_queue,
        status=Status[body.status.upper()],
        start_time=time_from_json(body.start_time),
        close_time=_time(body.close_time),
        execution_time=_time(body.execution_time),
        history_length=body.history_length,
        parent_workflow_id=body.parent_workflow_id,
        parent_run_id=body.parent_run_id,
        first_run_id=body.first_run_id,
        root_workflow_id=body.root_workflow_id,
        root_run_id=body.root_run_id,
        static_summary=wire.to_payload(body.static_summary_payload) if body.static_summary_payload else None,
        static_details=wire.to_payload(body.static_details_payload) if body.static_details_payload else None,
        memo=wire.to_payload_map(body.memo_payloads),
        search_attributes=wire.to_payload_map(body.search_attribute_payloads),
        task_attempts=body.task_attempts,
        task_failure=body.task_failure,
        next_wake_up=_time(body.next_wake_up),
        pending_activities=[_pending_activity(activity) for activity in body.pending_activities],
    )


def _pending_activity(body: wire.PendingActivityBody) -> PendingActivity:
    details = body.last_heartbeat_details
    return PendingActivity(
        activity_id=body.activity_id,
        activity_type=body.activity_type,
        state=body.state,
        attempt=body.attempt,
        scheduled=_time(body.scheduled_time),
        next_attempt=_time(body.next_attempt_time),
        last_failure=None if body.last_failure is None else failure_from_json(body.last_failure),
        last_heartbeat_details=None if details is None else wire.to_payloads(details),
    )


def _time(text: str | None) -> int:
    return time_from_json(text) if text else 0
