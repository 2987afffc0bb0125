"""Codecs between workflow code and its history: in workers, replayers and environments."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.api.common.v1 import Payload
from durability.client import Client, OutboundInterceptor, StartWorkflowInput, WorkflowFailureError, WorkflowHandle
from durability.client import Interceptor as ClientInterceptor
from durability.common import HeaderCodecBehavior, RawValue
from durability.converter import DataConverter, PayloadCodec
from durability.exceptions import ApplicationError
from durability.testing import WorkflowEnvironment
from durability.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    StartActivityInput,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

QUEUE = "codecs"
SHORT = timedelta(seconds=5)


class Reversing(PayloadCodec):
    """Turns the serialized payload round."""

    def __init__(self) -> None:
        self.broken: Exception | None = None

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload({"encoding": b"reversed"}, payload.SerializeToString()[::-1]) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self.broken is not None:
            raise self.broken
        for payload in payloads:
            assert payload.metadata["encoding"] == b"reversed", payload
        return [Payload.FromString(payload.data[::-1]) for payload in payloads]


@activity.defn
async def shout(text: str) -> str:
    return text.upper()


@workflow.defn
class Shouting:
    def __init__(self) -> None:
        self.more: list[str] = []
        self.begun = False

    @workflow.run
    async def run(self, text: str, wait: bool) -> list[str]:
        first = await workflow.execute_activity(shout, text, start_to_close_timeout=SHORT)
        second = await workflow.execute_local_activity(shout, f"local {text}", start_to_close_timeout=SHORT)
        self.begun = True
        if wait:
            await workflow.wait_condition(lambda: bool(self.more))
        return [first, second, *self.more]

    @workflow.signal
    def add(self, text: str) -> None:
        self.more.append(text)

    @workflow.update
    async def beginning(self) -> None:
        await workflow.wait_condition(lambda: self.begun)


@workflow.defn
class Grouping:
    @workflow.run
    async def run(self) -> None:
        label, no_label = workflow.create_event_group("a", label="Label"), workflow.create_event_group("b")
        await workflow.sleep(1, event_groups=[label, no_label])


@asynccontextmanager
async def at_work(codec: PayloadCodec, **options: Any) -> AsyncIterator[Client]:
    converter = DataConverter(payload_codec=codec)
    async with (
        await WorkflowEnvironment.start_time_skipping(data_converter=converter) as environment,
        Worker(environment.client, task_queue=QUEUE, workflows=[Shouting, Grouping], activities=[shout], **options),
    ):
        yield environment.client


async def start(client: Client, *, wait: bool = False) -> WorkflowHandle[Any, list[str]]:
    handle = await client.start_workflow(Shouting.run, args=["hello", wait], id="a", task_queue=QUEUE)
    if wait:
        await handle.execute_update(Shouting.beginning)
    return handle


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_labels_of_event_groups_are_encoded_and_their_ids_are_not() -> None:
    codec = Reversing()
    async with at_work(codec) as client:
        handle = await client.start_workflow(Grouping.run, id="a", task_queue=QUEUE)
        await handle.result()
        history = await handle.fetch_history()
    [timer] = [event for event in history.events if event.event_group_markers]
    labelled, bare = (marker.label for marker in timer.event_group_markers)
    assert (timer.name, labelled.id, bare.id) == ("TimerStarted", "a", "b")
    assert await codec.decode([labelled.label]) == [Payload({"encoding": b"json/plain"}, b'"Label"')]
    assert not bare.HasField("label")


async def test_a_history_is_replayed_with_the_codec_and_not_without() -> None:
    codec = Reversing()
    async with at_work(codec) as client:
        handle = await start(client)
        assert await handle.result() == ["HELLO", "LOCAL HELLO"]
        history = await handle.fetch_history()
    converter = DataConverter(payload_codec=codec)
    result = await Replayer(workflows=[Shouting], data_converter=converter).replay_workflow(history)
    assert result.replay_failure is None
    without = await Replayer(workflows=[Shouting]).replay_workflow(history, raise_on_replay_failure=False)
    assert "reversed" in str(without.replay_failure.__cause__.__cause__)  # type: ignore[union-attr]


async def test_a_run_that_nobody_holds_is_read_from_its_history() -> None:
    async with at_work(Reversing(), max_cached_workflows=0) as client:
        handle = await start(client, wait=True)
        await handle.signal(Shouting.add, "more")
        assert await handle.result() == ["HELLO", "LOCAL HELLO", "more"]


async def test_a_broken_codec_fails_the_workflow_task_and_the_run_goes_on_when_it_is_mended() -> None:
    codec = Reversing()
    async with at_work(codec) as client:
        handle = await start(client, wait=True)

        async def failed() -> bool:
            told = (await client.frontend.describe("a", None)).task_failure
            return "Reversing failed decoding the payloads of" in told and "no key" in told

        codec.broken = RuntimeError("no key")
        await handle.signal(Shouting.add, "more")
        await until(failed)
        codec.broken = None
        assert await handle.result() == ["HELLO", "LOCAL HELLO", "more"]


async def test_a_codec_may_fail_the_workflow_for_good() -> None:
    codec = Reversing()
    async with at_work(codec) as client:
        handle = await start(client, wait=True)
        codec.broken = ApplicationError("the key is lost", non_retryable=True)
        await handle.signal(Shouting.add, "more")
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert str(caught.value.cause) == "the key is lost"


@workflow.defn
class Raw:
    @workflow.run
    async def run(self, value: RawValue) -> RawValue:
        assert value.payload.metadata["encoding"] == b"json/plain"
        return value


async def test_raw_values_are_what_the_codec_was_given() -> None:
    converter = DataConverter(payload_codec=Reversing())
    async with (
        await WorkflowEnvironment.start_time_skipping(data_converter=converter) as environment,
        Worker(environment.client, task_queue=QUEUE, workflows=[Raw]),
    ):
        result = await environment.client.execute_workflow("Raw", "text", id="raw", task_queue=QUEUE)
        assert result == "text"


# --- headers ---------------------------------------------------------------------------------------------------------

PLAIN = Payload({"encoding": b"json/plain"}, b'"header"')


class Sends(ClientInterceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
                input.headers = {"h": PLAIN}
                return await super().start_workflow(input)

        return Outbound(next)


class Looks(Interceptor):
    """Notes the headers that arrive at workflow and activity, and passes the workflow's on."""

    def __init__(self) -> None:
        self.seen: dict[str, Payload] = {}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        seen = self.seen

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                seen["activity"] = input.headers["h"]
                return await super().execute_activity(input)

        return Inbound(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        seen = self.seen

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> Any:
                input.headers = {"h": PLAIN}
                return super().start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                seen["workflow"] = input.headers["h"]
                return await super().execute_workflow(input)

        return Inbound


@workflow.defn
class One:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(shout, "x", start_to_close_timeout=SHORT)


@pytest.mark.parametrize(
    ("behavior", "at_rest"),
    [
        (HeaderCodecBehavior.NO_CODEC, {"workflow": b"json/plain", "activity": b"json/plain"}),
        (HeaderCodecBehavior.CODEC, {"workflow": b"reversed", "activity": b"reversed"}),
    ],
)
async def test_headers_go_through_the_codec_if_asked_for(
    behavior: HeaderCodecBehavior, at_rest: dict[str, bytes]
) -> None:
    looks = Looks()
    async with await WorkflowEnvironment.start_time_skipping() as environment:
        client = await environment.connect_client(
            data_converter=DataConverter(payload_codec=Reversing()),
            header_codec_behavior=behavior,
            interceptors=[Sends()],
        )
        async with Worker(client, task_queue=QUEUE, workflows=[One], activities=[shout], interceptors=[looks]):
            handle = await client.start_workflow(One.run, id="one", task_queue=QUEUE)
            assert await handle.result() == "X"
        events = (await handle.fetch_history()).to_json_dict()["events"]
        assert looks.seen == {"workflow": PLAIN, "activity": PLAIN}
        encodings = {}
        for name, kind in (("workflow", "workflowExecutionStarted"), ("activity", "activityTaskScheduled")):
            [attributes] = [e[f"{kind}EventAttributes"] for e in events if f"{kind}EventAttributes" in e]
            encodings[name] = attributes["header"]["fields"]["h"]["metadata"]["encoding"]
        assert encodings == {name: base64.b64encode(encoding).decode() for name, encoding in at_rest.items()}
