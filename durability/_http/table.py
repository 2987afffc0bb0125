"""The route table of the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from durability._http.routes import Answer, Query, Route, RouteTable
from durability._rest import bodies as wire

if TYPE_CHECKING:
    from durability._http.app import HttpApplication

_RUN: Final = Query("run_id", "Run of the workflow; the current one by default.")
_PAYLOADS: Final = Query(
    "payloads", "Give values as payloads, with nothing lost, instead of as JSON.", {"type": "boolean"}
)
_WAIT: Final = Query(
    "wait",
    "Seconds to wait for the run to end.",
    {"type": "number", "minimum": 0, "maximum": wire.LONGEST_WAIT, "default": 0},
)
_STAGE: Final = Query(
    "stage",
    "What to wait for.",
    {"type": "string", "enum": ["admitted", "accepted", "completed"], "default": "completed"},
)
_WAIT_FOR_UPDATE: Final = Query(
    "wait",
    "Seconds to wait.",
    {"type": "number", "minimum": 0, "maximum": wire.LONGEST_WAIT, "default": 0},
)
_KEY: Final = Query("Idempotency-Key", "Makes the request safe to repeat: it takes effect once.")
_STATUS: Final = {
    "type": "string",
    "enum": ["running", "completed", "failed", "canceled", "terminated", "continued_as_new", "timed_out"],
}
_TIME: Final = {"type": "string", "format": "date-time"}
_BODY_ERRORS: Final = (400, 413, 415)
_ONE: Final = "/workflows/{workflow_id}"


def route_table(app: HttpApplication) -> RouteTable:
    """All operations, with their handlers bound to an application."""
    workflows, callbacks, webhooks = app.workflows, app.callbacks, app.webhooks
    accepted = {202: Answer("Taken, durably.", wire.AcceptedBody)}
    answered = {200: Answer("The answer.", wire.QueryAnswerBody)}
    called = {200: Answer("Taken, durably, or a duplicate that changes nothing.", wire.AcceptedBody)}
    outcome = {
        200: Answer("How the run ended.", wire.OutcomeBody),
        202: Answer("The run is still open.", wire.OutcomeBody),
    }
    updated = {
        200: Answer("The update is at the stage that was waited for.", wire.UpdateStateBody),
        202: Answer("It is not there yet.", wire.UpdateStateBody),
    }
    query_errors = (404, 422, 503, 504)
    return RouteTable(
        [
            Route(
                "POST",
                "/workflows",
                "startWorkflow",
                "Start a workflow, and optionally wait for its result.",
                workflows.start,
                {201: Answer("Started.", wire.OutcomeBody), **outcome},
                (*_BODY_ERRORS, 409),
                body=wire.StartBody,
                body_required=True,
                queries=(_PAYLOADS,),
                headers=(_KEY,),
            ),
            Route(
                "GET",
                "/workflows",
                "listWorkflows",
                "List workflow executions, newest first; eventually consistent.",
                workflows.list,
                {200: Answer("A page of executions.", wire.PageBody)},
                (400,),
                queries=(
                    Query("type", "Workflow type."),
                    Query("status", "Status.", _STATUS),
                    Query("id", "Workflow id."),
                    Query("started_after", "Earliest start, included.", _TIME),
                    Query("started_before", "Latest start, excluded.", _TIME),
                    Query("task_queue", "Task queue; looked for among what the others select."),
                    Query("search_attributes", "Values of search attributes by name, as a JSON object; as task_queue."),
                    Query(
                        "page_size",
                        "Most executions in the page.",
                        {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
                    ),
                    Query("page_token", "next_page_token of the page before."),
                    _PAYLOADS,
                ),
            ),
            Route(
                "GET",
                _ONE,
                "describeWorkflow",
                "Tell how a workflow stands.",
                workflows.describe,
                {200: Answer("The workflow execution.", wire.DescriptionBody)},
                (400, 404),
                queries=(_RUN, _PAYLOADS),
            ),
            Route(
                "GET",
                f"{_ONE}/result",
                "getResult",
                "Wait for a run to end.",
                workflows.result,
                outcome,
                (400, 404),
                queries=(_RUN, _WAIT, _PAYLOADS),
            ),
            Route(
                "GET",
                f"{_ONE}/history",
                "getHistory",
                "Fetch a run's history: events in Temporal's JSON format, or the engine's records.",
                workflows.history,
                {200: Answer("A page of history, oldest first.", wire.HistoryBody)},
                (400, 404),
                queries=(
                    _RUN,
                    Query(
                        "view", "What to give.", {"type": "string", "enum": ["events", "deltas"], "default": "events"}
                    ),
                    Query("page_token", "next_page_token of the page before."),
                ),
            ),
            Route(
                "POST",
                f"{_ONE}/signals/{{name}}",
                "signalWorkflow",
                "Send a signal. 404 if the workflow is unknown or has ended.",
                workflows.signal,
                accepted,
                (*_BODY_ERRORS, 404, 429),
                body=wire.SignalBody,
                queries=(_RUN,),
                headers=(_KEY,),
            ),
            Route(
                "POST",
                f"{_ONE}/queries/{{name}}",
                "queryWorkflow",
                "Ask a query. 422 if its handler raised.",
                workflows.query,
                answered,
                (*_BODY_ERRORS, *query_errors),
                body=wire.QueryBody,
                queries=(_RUN, _PAYLOADS),
            ),
            Route(
                "GET",
                f"{_ONE}/queries/{{name}}",
                "queryWorkflowWithGet",
                "Ask a query. 422 if its handler raised.",
                workflows.query,
                answered,
                (400, *query_errors),
                queries=(_RUN, _PAYLOADS, Query("args", "Arguments: a JSON array.")),
            ),
            Route(
                "POST",
                f"{_ONE}/updates/{{name}}",
                "updateWorkflow",
                "Send an update and wait for it, starting the workflow first if the body says how.",
                workflows.update,
                updated,
                (*_BODY_ERRORS, 404, 409, 429, 503, 504),
                body=wire.UpdateBody,
                queries=(_RUN, _PAYLOADS),
                headers=(_KEY,),
            ),
            Route(
                "GET",
                f"{_ONE}/updates/{{update_id}}/result",
                "getUpdateResult",
                "Wait for an update to complete.",
                workflows.update_result,
                updated,
                (400, 404),
                queries=(_RUN, _STAGE, _WAIT_FOR_UPDATE, _PAYLOADS),
            ),
            Route(
                "POST",
                f"{_ONE}/cancel",
                "cancelWorkflow",
                "Ask a workflow to cancel itself. 404 if it is unknown or has ended.",
                workflows.cancel,
                accepted,
                (*_BODY_ERRORS, 404, 429),
                body=wire.CancelBody,
                queries=(_RUN,),
                headers=(_KEY,),
            ),
            Route(
                "POST",
                f"{_ONE}/terminate",
                "terminateWorkflow",
                "End a workflow without asking it. 404 if it is unknown or has ended.",
                workflows.terminate,
                accepted,
                (*_BODY_ERRORS, 404, 429),
                body=wire.TerminateBody,
                queries=(_RUN,),
            ),
            Route(
                "DELETE",
                _ONE,
                "deleteWorkflow",
                "Delete a run and everything that belongs to it. One that is open is terminated first.",
                workflows.delete,
                {200: Answer("Deleted.", wire.AcceptedBody)},
                (400, 404, 429, 503),
                queries=(_RUN,),
            ),
            Route(
                "POST",
                "/activities/{report}",
                "reportActivity",
                "Report on an activity that is completed from outside: completed, failed, canceled or heartbeat.",
                workflows.report_activity,
                {200: Answer("Taken, durably.", wire.ActivityReportedBody)},
                (*_BODY_ERRORS, 404, 429),
                body=wire.ActivityReportBody,
                body_required=True,
            ),
            Route(
                "POST",
                "/callbacks/{token}",
                "callBack",
                "Complete a callback with a body. The first call wins.",
                callbacks.call,
                called,
                (*_BODY_ERRORS, 401, 404, 410),
                media_types=("application/json", "application/x-www-form-urlencoded", "text/plain"),
                public=True,
            ),
            Route(
                "GET",
                "/callbacks/{token}",
                "callBackWithGet",
                "Complete a callback with the query parameters. The first call wins.",
                callbacks.call,
                called,
                (400, 401, 404, 410),
                public=True,
            ),
            Route(
                "POST",
                "/webhooks/{endpoint}",
                "deliverWebhook",
                "Deliver a signed webhook. 404 if the endpoint or the workflow is unknown or the workflow has ended.",
                webhooks.deliver,
                {200: Answer("Taken, durably; or ignored, as accepted tells.")},
                (400, 401, 404, 413, 429),
                media_types=("application/json", "application/x-www-form-urlencoded"),
                public=True,
            ),
            Route(
                "GET",
                "/openapi.json",
                "getOpenApi",
                "This document.",
                app.openapi,
                {200: Answer("An OpenAPI 3.1 document.")},
            ),
            Route(
                "GET",
                "/health",
                "getHealth",
                "Tell whether the API answers.",
                app.health,
                {200: Answer("It does.", wire.HealthBody)},
            ),
        ]
    )
