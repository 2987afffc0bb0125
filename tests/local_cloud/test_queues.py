from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moto.sqs.models import sqs_backends

from durability._local import LocalCloud
from durability._local.identity import ACCOUNT, REGION
from durability._local.poller import Poller, parse_failures
from durability._local.queues import QueueWatch

from .conftest import TEMPLATE, marks, send, until

WORKER = "WorkerFunction"


def queue_size(cloud: LocalCloud, url: str) -> tuple[int, int]:
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]), int(attributes["ApproximateNumberOfMessagesNotVisible"])


def test_a_message_has_the_shape_of_an_sqs_event_and_is_deleted(cloud: LocalCloud, mark: Path) -> None:
    url = cloud.outputs["QueueUrl"]
    sent = cloud.client("sqs").send_message(
        QueueUrl=url,
        MessageBody=json.dumps({"mark": str(mark)}),
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "a"}},
    )
    until(lambda: marks(mark))
    cloud.wait_until_idle()
    (seen,) = marks(mark)
    record = seen["record"]
    assert record["messageId"] == sent["MessageId"]
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == cloud.resources["Queue"].attributes["Arn"]
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(record["attributes"])
    assert record["messageAttributes"]["kind"]["stringValue"] == "a"
    assert record["messageAttributes"]["kind"]["dataType"] == "String"
    assert queue_size(cloud, url) == (0, 0)


def test_only_failed_messages_of_a_batch_stay(cloud: LocalCloud, mark: Path) -> None:
    sqs, url = cloud.client("sqs"), cloud.outputs["QueueUrl"]
    send(cloud, {"mark": str(mark)}, {"mark": str(mark), "do": "fail"}, {"mark": str(mark)})
    until(lambda: len(marks(mark)) == 3)
    cloud.wait_until_idle()
    assert queue_size(cloud, url) == (0, 1)
    sqs.purge_queue(QueueUrl=url)


def test_a_batch_whose_invocation_fails_comes_back_whole(cloud: LocalCloud, mark: Path, tmp_path: Path) -> None:
    once = {"mark": str(mark), "do": "first-raise", "flag": str(tmp_path / "flag")}
    send(cloud, once, {"mark": str(mark)})
    until(lambda: len(marks(mark)) == 3)
    cloud.wait_until_idle()
    receives = [seen["record"]["attributes"]["ApproximateReceiveCount"] for seen in marks(mark)]
    assert receives == ["1", "2", "2"]
    assert queue_size(cloud, cloud.outputs["QueueUrl"]) == (0, 0)


def test_a_message_comes_back_when_its_process_is_killed(cloud: LocalCloud, mark: Path, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    send(cloud, {"mark": str(mark), "do": "wait", "for": str(go_on)})
    (first,) = until(lambda: marks(mark))
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: len(marks(mark)) == 2)
    go_on.touch()
    cloud.wait_until_idle()
    second = marks(mark)[1]
    assert second["pid"] != first["pid"]
    assert second["record"]["messageId"] == first["record"]["messageId"]
    assert second["record"]["attributes"]["ApproximateReceiveCount"] == "2"


def test_without_a_redelivery_delay_the_visibility_timeout_of_the_queue_counts(mark: Path) -> None:
    with LocalCloud(TEMPLATE, crash_redelivery_delay=None) as cloud:
        send(cloud, {"mark": str(mark), "do": "crash"})
        until(lambda: marks(mark))
        cloud.wait_until_idle()
        assert queue_size(cloud, cloud.outputs["QueueUrl"]) == (0, 1)
        assert len(marks(mark)) == 1


def test_a_message_received_too_often_goes_to_the_dead_letter_queue(cloud: LocalCloud, mark: Path) -> None:
    dead_letters = cloud.resources["DeadLetterQueue"].ref
    send(cloud, {"mark": str(mark), "do": "crash"})
    until(lambda: queue_size(cloud, dead_letters) == (1, 0))
    assert len(marks(mark)) == 3
    (message,) = cloud.client("sqs").receive_message(QueueUrl=dead_letters)["Messages"]
    assert json.loads(message["Body"])["do"] == "crash"
    cloud.client("sqs").delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])


def test_a_delayed_message_comes_when_it_is_due(cloud: LocalCloud, mark: Path) -> None:
    sent = time.time()
    send(cloud, {"mark": str(mark)}, delay=1)
    until(lambda: marks(mark))
    assert time.time() - sent >= 1


def test_an_idle_cloud_makes_no_requests(cloud: LocalCloud, mark: Path) -> None:
    send(cloud, {"mark": str(mark)})
    until(lambda: marks(mark))
    cloud.wait_until_idle()
    cloud.reset_requests()
    # Long enough for anything that polled: event source mappings of AWS ask several times a second.
    threading.Event().wait(1.0)
    assert cloud.requests == {}


def test_requests_are_counted_by_who_makes_them(cloud: LocalCloud, mark: Path) -> None:
    cloud.reset_requests()
    send(cloud, {"mark": str(mark)}, {"mark": str(mark)})
    until(lambda: len(marks(mark)) == 2)
    cloud.wait_until_idle()
    assert cloud.requests_of("client") == {"sqs.SendMessageBatch": 1}
    assert cloud.requests_of("poller") == {"sqs.ReceiveMessage": 1, "sqs.DeleteMessageBatch": 1}
    assert sum(cloud.requests.values()) == 3


def test_a_long_poll_waits_for_a_message_and_does_not_hold_up_others(cloud: LocalCloud) -> None:
    sqs, url = cloud.client("sqs"), cloud.resources["DeadLetterQueue"].ref
    received: list[dict[str, Any]] = []
    thread = threading.Thread(
        target=lambda: received.extend(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", []))
    )
    started = time.monotonic()
    thread.start()
    until(lambda: cloud.requests["sqs.ReceiveMessage"])
    sqs.send_message(QueueUrl=url, MessageBody="here")
    thread.join()
    assert [message["Body"] for message in received] == ["here"]
    assert time.monotonic() - started < 15
    sqs.purge_queue(QueueUrl=url)


def watched(name: str) -> tuple[QueueWatch, Any, bytes]:
    """A watch, a queue for it, and the body of a request about that queue."""
    queue = sqs_backends[ACCOUNT][REGION].create_queue(name)
    return QueueWatch(lambda news: None), queue, json.dumps({"QueueUrl": f"http://here/{name}"}).encode()


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(6))
async def test_a_poll_that_is_broken_off_while_the_queue_changes_ends(turns: int) -> None:
    """It would be given the next message, and that one would be away until its visibility timeout."""
    watch, _, request = watched("broken-off")

    async def poll() -> None:
        while True:
            await watch.wait("broken-off", time.time(), time.time() + 20)

    polling = asyncio.create_task(poll())
    await asyncio.sleep(0)
    watch.changed("DeleteMessage", request, b"{}", REGION)
    for _ in range(turns):
        await asyncio.sleep(0)
    polling.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert polling.cancelled()


@pytest.mark.asyncio
async def test_what_becomes_due_just_after_a_look_is_not_waited_for() -> None:
    watch, queue, request = watched("just-due")
    queue._messages.append(SimpleNamespace(visible_at=0.0, delayed_until=time.time() * 1000 + 20))
    watch.changed("SendMessage", request, b"{}", REGION)
    looked = time.time()
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await watch.wait("just-due", looked, looked + 20)


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(6))
async def test_a_mapping_can_be_stopped_while_its_queue_changes(turns: int) -> None:
    spec: Any = SimpleNamespace(queue_arn="arn:queue", maximum_concurrency=1)
    poller = Poller(spec, cast(Any, SimpleNamespace(concurrency=1)), cast(Any, None), "", None)
    poller.due_at(time.time() + 100)
    poller.start()
    await asyncio.sleep(0)
    poller.due_at(time.time() + 100)
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await poller.stop()


def test_concurrent_invocations_stay_within_the_scaling_limit(cloud: LocalCloud, mark: Path, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    wait = {"mark": str(mark), "do": "wait", "for": str(go_on)}

    def running(expected: int) -> bool:
        return sum(process.request_id is not None for process in cloud.functions[WORKER].processes) == expected

    for number in range(1, 5):
        send(cloud, wait)
        until(partial(running, number))
    send(cloud, wait, wait)
    assert queue_size(cloud, cloud.outputs["QueueUrl"]) == (2, 4)
    assert running(4)
    go_on.touch()
    until(lambda: len(marks(mark)) == 6)
    cloud.wait_until_idle()


def test_a_batching_window_gathers_messages_that_are_sent_apart(mark: Path, tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Queue: {{Type: AWS::SQS::Queue}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.worker.handler
      Runtime: python3.11
      CodeUri: {TEMPLATE.parent}
      Events:
        Messages:
          Type: SQS
          Properties: {{Queue: !GetAtt Queue.Arn, BatchSize: 3, MaximumBatchingWindowInSeconds: 60}}
Outputs:
  QueueUrl: {{Value: !Ref Queue}}
"""
    )
    with LocalCloud(template) as cloud:
        for _ in range(3):
            send(cloud, {"mark": str(mark)})
        until(lambda: len(marks(mark)) == 3)
        assert cloud.functions["Function"].invocations == 1


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({}, set()),
        (None, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, None),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, None),
        ({"batchItemFailures": [{"itemIdentifier": "unknown"}]}, None),
        ({"batchItemFailures": [{"wrong": "a"}]}, None),
        ({"batchItemFailures": "a"}, None),
        ("text", None),
    ],
)
def test_reported_failures_are_read_as_lambda_reads_them(response: Any, failed: set[str] | None) -> None:
    assert parse_failures(json.dumps(response).encode(), {"a", "b"}) == failed
