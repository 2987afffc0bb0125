"""Task queues that a worker registers while the functions serve all others, and the commands about them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from moto import mock_aws

from durability import workflow
from durability._aws.callers import AwsError
from durability._aws.stack_commands import VARIABLES
from durability._aws.task_queues import LONGEST_NAME, REMEMBER_NOTHING, queue_name
from durability._cli import main
from durability.client import WorkflowHandle
from durability.testing import WorkflowEnvironment
from durability.testing._cloud import LocalCloudEnvironment
from durability.worker import Worker

from .application import Moves, Sends, where

LONGER_THAN_REMEMBERED = timedelta(seconds=REMEMBER_NOTHING + 1)
OUTPUTS = {name: f"value-of-{name}" for name in VARIABLES if name != "KmsKeyArn"}


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out or output.err


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def env() -> AsyncIterator[LocalCloudEnvironment]:
    parameters = {"OtherTaskQueues": "FUNCTIONS"}
    starting = WorkflowEnvironment.start_local_cloud("tests.polling.application:app", parameters=parameters)
    async with await starting as environment:
        yield environment


@pytest.mark.asyncio(loop_scope="module")
async def test_the_functions_serve_a_task_queue_until_a_worker_registers_it(env: LocalCloudEnvironment) -> None:
    async def run(name: str, queue: str) -> str:
        return await env.client.execute_workflow(Sends.run, queue, id=name, task_queue=queue)

    assert (await run("before", "late")).startswith("local-")
    waiting = await env.client.start_workflow(
        Moves.run, args=[["late"], []], id="postponed", task_queue="late", start_delay=LONGER_THAN_REMEMBERED
    )
    async with Worker(env.client, task_queue="late", workflows=[Sends, Moves], activities=[where]):
        assert (await run("after", "late")).startswith("worker")
        # Its first wake-up was on its way to the functions, which hand it on.
        assert [place.split()[0] for place in await waiting.result()] == ["worker", "worker"]


@workflow.defn
class Novel:
    """What the functions know nothing of."""

    @workflow.run
    async def run(self) -> str:
        return "known to the worker"


async def failed(handle: WorkflowHandle[Any, Any]) -> None:
    while True:
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                return


@pytest.mark.asyncio(loop_scope="module")
async def test_a_worker_that_registers_wakes_the_runs_that_the_functions_failed_with(
    env: LocalCloudEnvironment,
) -> None:
    handles = [
        await env.client.start_workflow(Novel.run, id=f"novel-{number}", task_queue="novel") for number in range(3)
    ]
    elsewhere = await env.client.start_workflow(Novel.run, id="novel-elsewhere", task_queue="somewhere-else")
    await asyncio.gather(*map(failed, [*handles, elsewhere]))
    env._cloud.record()
    async with Worker(env.client, task_queue="novel", workflows=[Novel]):
        assert {await handle.result() for handle in handles} == {"known to the worker"}
    sent = [
        json.loads(each["request"])["Entries"]
        for each in env._cloud.records()
        if (each["principal"], each["operation"]) == ("WorkerPolicy", "SendMessageBatch")
    ]
    assert [len(entries) for entries in sent] == [len(handles)]
    env._cloud.record(False)
    await elsewhere.terminate()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_worker_of_activities_leaves_the_workflows_to_the_functions(env: LocalCloudEnvironment) -> None:
    async with Worker(env.client, task_queue="halved", activities=[where]):
        trace = await env.client.execute_workflow(Moves.run, args=[["halved"], []], id="halved", task_queue="halved")
    assert [place.split()[0] for place in trace] == ["worker", "worker"]


@pytest.mark.asyncio(loop_scope="module")
async def test_commands(
    env: LocalCloudEnvironment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (env.environment | env._cloud.environment).items():
        monkeypatch.setenv(name, value)

    async def run(*arguments: str) -> tuple[int, str]:
        return await asyncio.to_thread(command, capsys, *arguments)

    assert await run("task-queue", "create", "default") == (
        1,
        "durability task-queue: task queue 'default' is the stack's own, which its functions serve: name another\n",
    )
    status, created = await run("task-queue", "create", "gpu", "--kind", "activity", "--visibility-timeout", "5")
    url = created.strip()
    attributes = env._cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (status, attributes["VisibilityTimeout"], attributes["SqsManagedSseEnabled"]) == (0, "5", "true")
    assert f"gpu  activity  {url}\n" in (await run("task-queue", "list"))[1]
    assert (await run("task-queue", "create", "gpu", "--kind", "activity"))[0] == 0  # again, with another timeout
    handle = await env.client.start_workflow(Sends.run, "gpu", id="gpu", task_queue="default")
    async with Worker(env.client, task_queue="gpu", activities=[where]):
        assert (await handle.result()).startswith("worker")
    assert (await run("task-queue", "delete", "gpu"))[0] == 0
    assert "gpu" not in (await run("task-queue", "list"))[1]
    # Whoever knew the queue finds it gone.
    result = await env.client.execute_workflow(Sends.run, "gpu", id="gpu-gone", task_queue="default")
    assert result == "local-activity"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_worker_whose_task_queue_is_deleted_fails(env: LocalCloudEnvironment) -> None:
    told: list[BaseException] = []

    async def tell(error: BaseException) -> None:
        told.append(error)

    async def serve() -> None:
        async with Worker(env.client, task_queue="doomed", activities=[where], on_fatal_error=tell):
            sqs = env._cloud.client("sqs")
            (url,) = sqs.list_queues(QueueNamePrefix="local-worker-activity-doomed")["QueueUrls"]
            sqs.delete_queue(QueueUrl=url)
            await asyncio.sleep(30)

    with pytest.raises(RuntimeError, match="Activity worker failed") as failed:
        await serve()
    assert isinstance(failed.value.__cause__, AwsError)
    assert told == [failed.value]


def test_names_of_queues() -> None:
    name = queue_name("stack-worker-", "default", "my/queue with äll", "workflow")
    assert name == "stack-worker-workflow-my-queue-with-ll-" + name[-12:]
    assert len(queue_name("s" * 53 + "-worker-", "default", "q" * 200, "activity")) == LONGEST_NAME
    names = {queue_name("p-", n, q, k) for n in ("a", "b") for q in ("a", "a ") for k in ("workflow", "activity")}  # type: ignore[arg-type]
    assert len(names) == 8


def test_variables_of_a_stack(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in OUTPUTS.items()},
    }
    with mock_aws():
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(StackName="orders", TemplateBody=json.dumps(template))
        status, printed = command(capsys, "env", "orders")
        assert status == 0
        assert "export DURABILITY_TABLE=value-of-TableName\n" in printed
        assert len(printed.splitlines()) == len(OUTPUTS)
        assert command(capsys, "env", "orders", "--format", "env-file")[1].startswith("DURABILITY_NAMESPACE=value-of-")
        assert command(capsys, "env", "another")[0] == 1
        del template["Outputs"]["TableName"]
        cloudformation.update_stack(StackName="orders", TemplateBody=json.dumps(template))
        status, printed = command(capsys, "env", "orders")
        assert (status, "TableName" in printed) == (1, True)
