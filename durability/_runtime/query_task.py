"""Answering a query: replay, let the workflow see what has been accepted already, ask, and write nothing.

Messages that are in the inbox and in no delta yet are applied to a copy that is thrown away: their sender was told
that they are accepted, so a query that comes after them shall see them, but recording them is an executor's work.
A worker, which is one, does record them first (``Settings.queries_catch_up``).
"""

from __future__ import annotations

import logging

from durability._core.activation import QueryRequest
from durability._core.encoding import decode_deltas
from durability._core.errors import NondeterminismError
from durability._core.history import Input
from durability._core.run import Run
from durability._runtime import closing
from durability._runtime.direct import check_here
from durability._runtime.engine import Engine
from durability._runtime.inbox import waiting_messages
from durability._runtime.ports import Head, WorkflowKey
from durability._runtime.queries import QueryAnswer, WorkflowQuery
from durability._runtime.validation import check_payloads, workflow_not_found
from durability._runtime.workflow_task import catch_up
from durability.service import RPCError, RPCStatusCode

logger = logging.getLogger("durability.runtime")


async def answer(engine: Engine, query: WorkflowQuery, *, deadline: int) -> QueryAnswer:
    """Answer a query; every error becomes part of the answer."""
    try:
        if engine.settings.queries_catch_up:
            await _catch_up(engine, query, deadline)
        async with engine.turns.of(query.workflow_id):
            return await _answer(engine, query)
    except RPCError as error:
        return QueryAnswer(error=error.message, status=int(error.status))


async def _catch_up(engine: Engine, query: WorkflowQuery, deadline: int) -> None:
    """What has been accepted is recorded before the query is answered: what it tells of has happened."""
    head = await engine.store.head(WorkflowKey(engine.namespace, query.workflow_id))
    if head is None or not head.open or not head.inbox or head.task_attempts or query.run_id not in ("", head.run_id):
        return
    await check_here(engine, head.task_queue)
    await catch_up(engine, head.wake_up_at(0), deadline=deadline)


async def _answer(engine: Engine, query: WorkflowQuery) -> QueryAnswer:
    key = WorkflowKey(engine.namespace, query.workflow_id)
    run_id = query.run_id
    if not run_id:
        head = await engine.store.head(key)
        if head is None:
            raise workflow_not_found(query.workflow_id)
        await check_here(engine, head.task_queue)
        run_id = head.run_id
    held = engine.sessions.take(query.workflow_id, run_id)
    run = held or engine.new_run(query.workflow_id, run_id)
    untouched = False
    try:
        loaded = await engine.store.load(key, run_id, run.last)
        if loaded.head is None or (loaded.head.run_id != run_id and not loaded.deltas):
            raise workflow_not_found(query.workflow_id, run_id)
        await check_here(engine, loaded.head.task_queue)
        try:
            deltas = decode_deltas(loaded.deltas)
            superseded = await closing.replay(engine.payloads, run, loaded.head, deltas)
            untouched = not await _look_ahead(engine, run, loaded.head, superseded or [])
        except Exception as error:
            untouched = False
            if isinstance(error, NondeterminismError) and not (loaded.head.open and loaded.head.task_attempts):
                return QueryAnswer(failure=engine.to_failure(error))  # nothing but the query fails
            raise RPCError(
                f"the workflow task of {query.workflow_id!r} fails, so its state cannot be asked for: "
                f"{type(error).__name__}: {error}",
                RPCStatusCode.FAILED_PRECONDITION,
                b"",
            ) from error
        if not run.ready:
            raise RPCError(
                f"workflow {query.workflow_id!r} closed before its first workflow task, so it has no state to ask for",
                RPCStatusCode.FAILED_PRECONDITION,
                b"",
            )
        return await _ask(engine, run, query)
    finally:
        if untouched and not run.closed and run.last:
            engine.sessions.put(run)
        else:
            engine.code.close(run)


async def _ask(engine: Engine, run: Run, query: WorkflowQuery) -> QueryAnswer:
    payloads = engine.payloads
    try:
        arguments = await payloads.decoded_values(run, query.arguments)
        headers = query.headers
        if payloads.options.headers:
            headers = {name: (await payloads.decoded_values(run, [one]))[0] for name, one in headers.items()}
        request = QueryRequest(query.name, arguments, headers)
        result = await engine.code.call(run, lambda: run.query(request))
        if result is not None:
            [result] = await payloads.encoded_values(run, [result])
            check_payloads("the query's result", [result])
        return QueryAnswer(result=result)
    except RPCError:
        raise
    except Exception as error:
        failure = engine.to_failure(error)
        await payloads.encode_failure(run, failure)
        return QueryAnswer(failure=failure)


async def _look_ahead(engine: Engine, run: Run, head: Head, superseded: list[Input]) -> bool:
    """Apply what is accepted and not recorded. True if there was anything."""
    if head.run_id != run.run_id or run.closed:
        return False
    known = set(map(closing.identity, superseded))
    waiting = [message for _, message in waiting_messages(head)]
    inputs = superseded + [m for m in waiting if closing.identity(m) not in known and run.accepts(m)]
    if not inputs:
        return False
    seen = await engine.payloads.seen(run, inputs)
    await engine.code.call(run, lambda: run.decide(inputs, engine.clock(), seen, build=engine.build))
    return True
