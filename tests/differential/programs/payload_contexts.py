"""Which payloads a codec is given, and in which context: written with either engine's imports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.api.common.v1 import Payload
from durability.converter import (
    DataConverter,
    ExternalStorage,
    PayloadCodec,
    SerializationContext,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    WithSerializationContext,
)
from durability.exceptions import ApplicationError
from durability.worker import UnsandboxedWorkflowRunner, Worker

T = timedelta(seconds=5)


class WatchingCodec(PayloadCodec, WithSerializationContext):
    def __init__(self, seen: set[str], context: SerializationContext | None = None) -> None:
        self.seen = seen
        self.context = context

    def with_context(self, context: SerializationContext) -> WatchingCodec:
        return WatchingCodec(self.seen, context)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        self.note("encode", payloads)
        return [Payload(metadata={"encoding": b"wrapped"}, data=payload.SerializeToString()) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        inner = [Payload.FromString(payload.data) for payload in payloads]
        self.note("decode", inner)
        return inner

    def note(self, operation: str, payloads: Sequence[Payload]) -> None:
        context = "none"
        if self.context is not None:
            fields: dict[str, Any] = dataclasses.asdict(self.context)  # type: ignore[call-overload]
            context = f"{type(self.context).__name__} {sorted(fields.items(), key=str)}"
        for payload in payloads:
            value = json.loads(payload.data) if payload.data else None
            self.seen.add(f"{operation} {value} for {context}")


class WatchingDriver(StorageDriver):
    def __init__(self, seen: set[str]) -> None:
        self.seen = seen
        self.stored: dict[str, bytes] = {}

    def name(self) -> str:
        return "watching"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        claims = []
        for payload in payloads:
            target: Any = dataclasses.asdict(context.target) if context.target else {}  # type: ignore[arg-type]
            target["run_id"] = "known" if target.get("run_id") else None
            value = json.loads(payload.data) if payload.data else None
            self.seen.add(f"store {value} for {type(context.target).__name__} {sorted(target.items(), key=str)}")
            key = str(len(self.stored))
            self.stored[key] = payload.SerializeToString()
            claims.append(StorageDriverClaim({"key": key}))
        return claims

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        return [Payload.FromString(self.stored[claim.claim_data["key"]]) for claim in claims]


@activity.defn
async def act(text: str) -> str:
    activity.heartbeat(f"heartbeat of {text}")
    return f"result of {text}"


@activity.defn
async def fail(text: str) -> str:
    raise ApplicationError("no", f"detail of {text}", non_retryable=True)


@workflow.defn
class Child:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self, text: str) -> str:
        if text == "fail":
            raise ApplicationError("no", "detail of the child")
        await workflow.wait_condition(lambda: self.told)
        return f"result of {text}"

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told = True


@workflow.defn
class Everything:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self, text: str) -> str:
        await workflow.execute_activity(act, "eager", start_to_close_timeout=T, summary="summary of eager")
        await workflow.execute_activity(
            act, "dispatched", start_to_close_timeout=T, heartbeat_timeout=T, activity_id="chosen"
        )
        await workflow.execute_local_activity(act, "local", start_to_close_timeout=T)
        with suppress(Exception):
            await workflow.execute_activity(fail, "failing", start_to_close_timeout=T)
        child = await workflow.start_child_workflow(
            Child.run, "child", id="child", memo={"key": "memo of the child"}, static_summary="summary of the child"
        )
        await child.signal(Child.tell, "signal to the child")
        await child
        with suppress(Exception):
            await workflow.execute_child_workflow(Child.run, "fail", id="failing-child")
        await workflow.get_external_workflow_handle("other").signal(Child.tell, "signal to another")
        workflow.upsert_memo({"new": "new memo"})
        await workflow.sleep(0.01, summary="summary of a timer")
        await workflow.wait_condition(lambda: self.told)
        return "result"

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told = True

    @workflow.query
    def ask(self, text: str) -> str:
        return "answer"

    @workflow.update
    async def update(self, text: str) -> str:
        return "result of the update"


def watching_converter(seen: set[str], what: str) -> DataConverter:
    if what == "codec":
        return DataConverter(payload_codec=WatchingCodec(seen))
    return DataConverter(external_storage=ExternalStorage(drivers=[WatchingDriver(seen)], payload_size_threshold=1))


async def play(client: Any) -> None:
    worker = Worker(
        client,
        task_queue="contexts",
        workflows=[Everything, Child],
        activities=[act, fail],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        other = await client.start_workflow(Child.run, "other", id="other", task_queue="contexts")
        handle = await client.start_workflow(
            Everything.run,
            "argument",
            id="everything",
            task_queue="contexts",
            memo={"key": "memo"},
            static_summary="static summary",
        )
        await handle.execute_update(Everything.update, "argument of the update")
        await handle.query(Everything.ask, "argument of the query")
        await handle.signal(Everything.tell, "signal")
        assert await handle.result() == "result"
        assert await other.result() == "result of other"
        assert await (await handle.describe()).memo() == {"key": "memo", "new": "new memo"}
