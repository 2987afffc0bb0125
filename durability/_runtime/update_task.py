"""Delivering an update: the invocation that is asked advances the run itself, and answers with what it saw.

No eager activity is begun here, as the caller waits: what the update schedules is left to another invocation.
"""

from __future__ import annotations

from durability._core import history
from durability._runtime.direct import check_here
from durability._runtime.engine import Engine
from durability._runtime.frontend import Started, UpdateRequest, UpdateState
from durability._runtime.ports import WorkflowKey
from durability._runtime.updates import PendingUpdate, UpdateAnswer
from durability._runtime.validation import workflow_closed
from durability._runtime.workflow_task import deliver_update
from durability.exceptions import WorkflowAlreadyStartedError
from durability.service import RPCError, RPCStatusCode


async def answer(engine: Engine, request: UpdateRequest, *, deadline: int) -> UpdateAnswer:
    """Deliver an update; every error becomes part of the answer."""
    try:
        return await _answer(engine, request, deadline)
    except WorkflowAlreadyStartedError as error:
        return UpdateAnswer(
            error=str(error), status=int(RPCStatusCode.ALREADY_EXISTS), existing_run_id=error.run_id or ""
        )
    except RPCError as error:
        return UpdateAnswer(error=error.message, status=int(error.status))


async def _answer(engine: Engine, request: UpdateRequest, deadline: int) -> UpdateAnswer:
    started: Started | None = None
    if request.start is not None:
        started = await engine.gateway.start(request.start, wake=False, update_id=request.update_id)
        if started.attached:
            request.run_id = started.run_id
    update = PendingUpdate(
        history.WorkflowExecutionUpdateAdmitted(
            time=engine.clock(),
            key=request.update_id,
            name=request.name,
            arguments=request.arguments,
            headers=request.headers,
            identity=request.identity,
        ),
        request.run_id,
        request.stage,
    )
    key = WorkflowKey(engine.namespace, request.workflow_id)
    while True:
        head = await engine.store.head(key)
        if head is None or not head.open or request.run_id not in ("", head.run_id):
            return await _answer_closed(engine, request, started)
        await check_here(engine, head.task_queue)
        await deliver_update(engine, head.wake_up_at(0), update, deadline=deadline)
        if update.state is not None:
            _note_start(update.state, started)
            return UpdateAnswer(state=update.state)
        after = await engine.store.head(key)
        if after is not None and after.run_id == head.run_id and after.open:
            return UpdateAnswer(failed_attempts=after.task_attempts)


def _note_start(state: UpdateState, started: Started | None) -> None:
    if started is not None:
        state.existing, state.first_run_id = started.existing, started.first_run_id


async def _answer_closed(engine: Engine, request: UpdateRequest, started: Started | None) -> UpdateAnswer:
    """A run that has ended takes no updates, but remembers those that it took."""
    try:
        state = await engine.gateway.update_outcome(
            request.workflow_id, request.run_id or None, request.update_id, stage=request.stage, wait=0
        )
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        head = await engine.gateway.head_of(request.workflow_id, request.run_id or None)
        current = await engine.gateway.head_of(request.workflow_id, None)
        if head.run_id != current.run_id:
            raise RPCError(
                f"workflow execution not found: run {head.run_id} of {request.workflow_id!r} has ended, and another "
                "run has its workflow id by now",
                RPCStatusCode.NOT_FOUND,
                b"",
            ) from error
        raise workflow_closed() from error
    _note_start(state, started)
    return UpdateAnswer(state=state)
