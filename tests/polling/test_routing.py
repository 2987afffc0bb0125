"""Tasks go to whoever serves their task queue: functions, or workers."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import aiohttp
import pytest

from durability import activity, workflow
from durability._aws.connect import ConnectedGateway, connect_gateway, milliseconds
from durability._local.cloud import LocalCloud
from durability._runtime.engine import Engine
from durability._runtime.reconciler import reconcile
from durability._runtime.registry import WorkflowRegistry
from durability.activity._runner import ActivityRunner
from durability.callbacks import CREATE_URL_ACTIVITY, CallbackAddress
from durability.client import Client, WithStartWorkflowOperation, WorkflowExecutionStatus
from durability.common import WorkflowIDConflictPolicy
from durability.converter import DataConverter
from durability.exceptions import ConfigurationError
from durability.service import RPCError, RPCStatusCode
from durability.testing._cloud import LocalCloudEnvironment
from durability.worker import Worker

from .application import ACTIVITIES, WORKFLOWS, Calls, Counter, Moves, Sends, SendsChild, where

pytestmark = pytest.mark.asyncio(loop_scope="session")

FUNCTIONS = "default"


def new_queue() -> str:
    return f"queue/{uuid.uuid4()}"


def both(client: Client, task_queue: str) -> Worker:
    return Worker(client, task_queue=task_queue, workflows=WORKFLOWS, activities=ACTIVITIES)


async def execute(client: Client, run: object, *args: object, task_queue: str) -> object:
    return await client.execute_workflow(run, args=args, id=str(uuid.uuid4()), task_queue=task_queue)  # type: ignore[call-overload]


async def test_a_workflow_in_functions_sends_an_activity_to_a_worker(env: LocalCloudEnvironment) -> None:
    queue = new_queue()
    async with Worker(env.client, task_queue=queue, activities=[where]):
        assert str(await execute(env.client, Sends.run, queue, task_queue=FUNCTIONS)).startswith("worker")


async def test_a_workflow_in_a_worker_sends_an_activity_to_the_functions(env: LocalCloudEnvironment) -> None:
    queue = new_queue()
    async with both(env.client, queue):
        assert await execute(env.client, Sends.run, FUNCTIONS, task_queue=queue) == "local-activity"
        assert str(await execute(env.client, Sends.run, None, task_queue=queue)).startswith("worker")


async def test_a_workers_client_is_replaced_by_one_with_connections_of_its_own(
    env: LocalCloudEnvironment, stranger: Client
) -> None:
    seen: list[Client] = []

    @activity.defn(name="where")
    async def looks() -> str:
        seen.append(activity.client())
        return "worker"

    queue = new_queue()
    async with Worker(env.client, task_queue=queue, activities=[looks]) as worker:
        await execute(env.client, Sends.run, queue, task_queue=FUNCTIONS)
        worker.client = stranger
        await execute(env.client, Sends.run, queue, task_queue=FUNCTIONS)
    assert seen == [env.client, stranger]


async def test_the_functions_make_callback_urls_for_workers(env: LocalCloudEnvironment) -> None:
    queue = new_queue()
    async with Worker(env.client, task_queue=queue, workflows=[Calls], activities=[where]):
        handle = await env.client.start_workflow(Calls.run, id=str(uuid.uuid4()), task_queue=queue)
        url = await handle.execute_update(Calls.callback_url)
        assert url.startswith(f"{env.http_url}/callbacks/")
        async with aiohttp.ClientSession() as session, session.post(url, json={"came": 1}) as answer:
            assert answer.status == 200
        assert await handle.result() == {"came": 1}


async def test_a_worker_may_have_a_stand_in_for_an_activity_of_the_engine(env: LocalCloudEnvironment) -> None:
    @activity.defn(name=CREATE_URL_ACTIVITY)
    async def stand_in(address: CallbackAddress) -> str:
        return f"https://example.org/{address.name}"

    queue = new_queue()
    async with Worker(env.client, task_queue=queue, workflows=[Calls], activities=[stand_in]):
        handle = await env.client.start_workflow(Calls.run, id=str(uuid.uuid4()), task_queue=queue)
        assert await handle.execute_update(Calls.callback_url) == "https://example.org/anybody"
        await handle.cancel()


async def test_children_run_where_their_task_queue_is_served(env: LocalCloudEnvironment) -> None:
    queue = new_queue()
    async with both(env.client, queue):
        assert str(await execute(env.client, SendsChild.run, queue, task_queue=FUNCTIONS)).startswith("worker")
        assert str(await execute(env.client, SendsChild.run, FUNCTIONS, task_queue=queue)).startswith("local-")


async def test_a_client_of_the_same_address_has_the_same_runs(env: LocalCloudEnvironment) -> None:
    queue, address = new_queue(), env.client.service_client.config.target_host
    async with await Client.connect(address, namespace=env.client.namespace) as other, both(other, queue):
        assert other.service_client.config.target_host == address
        assert await other.service_client.check_health()
        assert str(await execute(env.client, Sends.run, None, task_queue=queue)).startswith("worker")


async def test_a_workflow_moves_between_task_queues(env: LocalCloudEnvironment) -> None:
    first, second = new_queue(), new_queue()
    async with both(env.client, first), both(env.client, second):
        trace = await execute(env.client, Moves.run, [first, second, FUNCTIONS, first], [], task_queue=FUNCTIONS)
    assert [place.split()[0] for place in trace] == [  # type: ignore[attr-defined]
        "local-workflow",
        "worker",
        "worker",
        "local-workflow",
        "worker",
    ]


async def test_tasks_wait_for_a_worker(env: LocalCloudEnvironment) -> None:
    queue = new_queue()
    handle = await env.client.start_workflow(Sends.run, queue, id=str(uuid.uuid4()), task_queue=FUNCTIONS)
    late = await env.client.start_workflow(Counter.run, id=str(uuid.uuid4()), task_queue=queue)
    await late.signal(Counter.stop)
    async with both(env.client, queue):
        assert (await handle.result()).startswith("worker")
        assert await late.result() == 0


async def test_two_workers_share_a_task_queue(env: LocalCloudEnvironment) -> None:
    queue = new_queue()
    async with (
        Worker(env.client, task_queue=queue, workflows=[Counter], identity="one", max_cached_workflows=1),
        Worker(env.client, task_queue=queue, workflows=[Counter], identity="two", max_cached_workflows=1),
    ):
        handles = [
            await env.client.start_workflow(Counter.run, id=str(uuid.uuid4()), task_queue=queue) for _ in range(8)
        ]
        for handle in handles:
            await handle.execute_update(Counter.add, 3)
            await handle.signal(Counter.stop)
        assert [await handle.result() for handle in handles] == [3] * 8


async def test_timers_come_back_to_the_worker(env: LocalCloudEnvironment, stack: LocalCloud) -> None:
    queue = new_queue()
    async with both(env.client, queue):
        soon = await env.client.start_workflow(Counter.run, 2.0, id=str(uuid.uuid4()), task_queue=queue)
        far = await env.client.start_workflow(Counter.run, 86_400.0, id=str(uuid.uuid4()), task_queue=queue)
        assert await soon.result() == 0
        async with asyncio.timeout(20):
            while not (schedules := await asyncio.to_thread(lambda: stack.schedules)):  # noqa: ASYNC110 - its process says
                await asyncio.sleep(0.02)
        assert "-worker-workflow-queue-" in schedules[-1].target_arn
        await asyncio.to_thread(stack.fire_schedule, schedules[-1].name)
        await far.terminate()
        assert (await far.describe()).status == WorkflowExecutionStatus.TERMINATED


# --- queries and updates ---------------------------------------------------------------------------------------------


async def test_queries_and_updates_reach_a_worker_from_anywhere(env: LocalCloudEnvironment, stranger: Client) -> None:
    queue, workflow_id = new_queue(), str(uuid.uuid4())
    async with both(env.client, queue), await Client.connect(env.http_url) as remote:
        handle = await env.client.start_workflow(Counter.run, id=workflow_id, task_queue=queue)
        assert await handle.execute_update(Counter.add, 1) == 1
        for client in (stranger, remote):
            other = client.get_workflow_handle_for(Counter.run, workflow_id)
            before = await other.query(Counter.count)
            assert await other.execute_update(Counter.add, 1) == before + 1
            assert await other.query(Counter.count) == before + 1
            with pytest.raises(Exception, match="no_such_query"):
                await other.query("no_such_query")
        await handle.signal(Counter.stop)
        assert await handle.result() == 3


async def test_an_update_that_waited_for_a_worker_belongs_to_the_first_workflow_task(
    env: LocalCloudEnvironment,
) -> None:
    queue = new_queue()
    handle = await env.client.start_workflow(Counter.run, id=str(uuid.uuid4()), task_queue=queue)
    await handle.signal(Counter.stop)
    update = asyncio.create_task(handle.execute_update(Counter.add, 5))
    assert isinstance(env.client.frontend, ConnectedGateway)
    connection, ports = env.client.frontend.connection, env.client.frontend.ports
    url = await ports.task_queues.find(queue, "workflow")
    waiting = "ApproximateNumberOfMessages"
    while True:  # the wake-up and the update
        told = await connection.caller.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=[waiting])
        if told["Attributes"][waiting] == "2":
            break
        await asyncio.sleep(0.02)
    async with both(env.client, queue):
        assert await update == 5
        assert await handle.result() == 5


@workflow.defn
class Prompt:
    """Ends in its first workflow task."""

    def __init__(self) -> None:
        self._notes: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        return self._notes

    @workflow.update
    def note(self, text: str) -> int:
        self._notes.append(text)
        return len(self._notes)


async def test_an_update_with_start_belongs_to_the_first_workflow_task(
    env: LocalCloudEnvironment, stranger: Client
) -> None:
    async def started(client: Client, queue: str) -> list[str]:
        start = WithStartWorkflowOperation(
            Prompt.run, id=str(uuid.uuid4()), task_queue=queue, id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        assert (
            await client.execute_update_with_start_workflow(Prompt.note, "first", start_workflow_operation=start) == 1
        )
        return await (await start.workflow_handle()).result()

    async with Worker(env.client, task_queue=(queue := new_queue()), workflows=[Prompt]):
        for client in (env.client, stranger) * 4:
            assert await started(client, queue) == ["first"]


async def test_what_a_query_tells_of_has_happened(env: LocalCloudEnvironment) -> None:
    queue = new_queue()
    async with both(env.client, queue):
        handle = await env.client.start_workflow(Counter.run, id=str(uuid.uuid4()), task_queue=queue)
        await handle.signal(Counter.stop)
        assert await handle.query(Counter.count) == 0
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


MADE: list[str] = []


@workflow.defn
class Crowded:
    """Updates that come all at once."""

    def __init__(self) -> None:
        MADE.append(workflow.info().workflow_id)
        self._numbers: list[int] = []

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: len(self._numbers) == 20)
        return await workflow.execute_activity(where, start_to_close_timeout=timedelta(seconds=5)) and sum(
            self._numbers
        )

    @workflow.update
    async def add(self, number: int) -> int:
        await workflow.sleep(0.01)
        self._numbers.append(number)
        return len(self._numbers)


async def test_what_comes_at_once_takes_turns_in_a_process(env: LocalCloudEnvironment) -> None:
    queue, workflow_id = new_queue(), str(uuid.uuid4())
    async with Worker(env.client, task_queue=queue, workflows=[Crowded], activities=[where]):
        handle = await env.client.start_workflow(Crowded.run, id=workflow_id, task_queue=queue)
        await asyncio.gather(*(handle.execute_update(Crowded.add, number) for number in range(20)))
        assert await handle.result() == sum(range(20))
    assert MADE.count(workflow_id) == 1  # nobody had to replay it


async def test_a_query_without_a_worker_says_so(
    env: LocalCloudEnvironment, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = new_queue()
    async with both(env.client, queue):
        handle = await env.client.start_workflow(Counter.run, id=str(uuid.uuid4()), task_queue=queue)
        await handle.execute_update(Counter.add, 1)
    monkeypatch.setattr(stranger.frontend.ports.mailbox, "_patience", 0.3)  # type: ignore[attr-defined]
    with pytest.raises(RPCError, match="no worker of task queue") as caught:
        await stranger.get_workflow_handle(handle.id).query("count")
    assert caught.value.status == RPCStatusCode.DEADLINE_EXCEEDED
    async with both(env.client, queue):
        assert await stranger.get_workflow_handle(handle.id).query("count") == 1
        await handle.terminate()


# --- what goes wrong -------------------------------------------------------------------------------------------------


async def test_terminating_takes_no_worker(env: LocalCloudEnvironment) -> None:
    handle = await env.client.start_workflow(Counter.run, id=str(uuid.uuid4()), task_queue=new_queue())
    await handle.terminate("nobody comes")
    assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED


async def test_the_stacks_own_task_queue_is_not_for_workers(env: LocalCloudEnvironment) -> None:
    with pytest.raises(ConfigurationError, match="the stack's own"):
        async with both(env.client, FUNCTIONS):
            pytest.fail("the worker has started")


async def test_the_reconciler_leaves_runs_that_wait_for_their_worker(
    env: LocalCloudEnvironment, stack: LocalCloud
) -> None:
    queue = new_queue()
    handle = await env.client.start_workflow(Counter.run, id=str(uuid.uuid4()), task_queue=queue)
    await handle.signal(Counter.stop)
    environment = {**env.environment, **stack.environment}
    gateway = await connect_gateway(environment=environment)
    assert isinstance(gateway, ConnectedGateway)
    ports = gateway.ports
    url = str(await ports.task_queues.find(queue, "workflow"))

    async def messages() -> int:
        answer = await asyncio.to_thread(stack.client("sqs").get_queue_attributes, QueueUrl=url, AttributeNames=["All"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    nobody = WorkflowRegistry([], data_converter=DataConverter.default)
    engine = Engine(
        namespace="default",
        store=ports.store,
        queue=ports.queue,
        timers=ports.timers,
        invoker=ports.invoker,
        factory=nobody.create,
        runner=ActivityRunner([]),
        clock=lambda: milliseconds() + 3_600_000,
        to_failure=nobody.to_failure,
    )
    assert await messages() == 1
    await reconcile(engine)
    assert await messages() == 1
    await asyncio.to_thread(stack.client("sqs").purge_queue, QueueUrl=url)  # the wake-up is lost
    await reconcile(engine)
    assert await messages() == 1
    await gateway.close()
    async with both(env.client, queue):
        assert await handle.result() == 0


async def test_all_workers_of_a_task_queue_keep_one_pace(env: LocalCloudEnvironment, stranger: Client) -> None:
    queue, now = new_queue(), 1_800_000_000_000
    one, other = (client.frontend.ports.task_queues for client in (env.client, stranger))  # type: ignore[attr-defined]
    turns = [await queues.take_turn("paced", 250, now) for queues in (one, other, one)]
    assert turns == [now, now + 250, now + 500]
    assert await other.take_turn("paced", 250, now + 10_000) == now + 10_000
    async with (
        Worker(env.client, task_queue=queue, workflows=[Sends]),
        Worker(env.client, task_queue=queue, activities=[where], max_task_queue_activities_per_second=50),
        Worker(stranger, task_queue=queue, activities=[where], max_activities_per_second=50),
    ):
        results = await asyncio.gather(*(execute(env.client, Sends.run, None, task_queue=queue) for _ in range(5)))
    assert all(str(result).startswith("worker") for result in results)
