"""What asyncio offers inside of a workflow: timeouts, groups, locks, queues, and the engine's own waits."""

import asyncio
import contextvars
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.exceptions import ActivityError, ApplicationError
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)


@activity.defn
async def echo(value: Any) -> Any:
    return value


@activity.defn
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@activity.defn
async def fails(text: str) -> None:
    raise ApplicationError(text, non_retryable=True)


def act(value: Any) -> Any:
    return workflow.execute_activity(echo, value, start_to_close_timeout=SECONDS)


def failing(text: str) -> Any:
    return workflow.execute_activity(fails, text, start_to_close_timeout=SECONDS)


def sleeping(seconds: float) -> Any:
    return workflow.execute_activity(slow, seconds, start_to_close_timeout=SECONDS)


async def timeout_in_time() -> Any:
    async with asyncio.timeout(5):
        return await act(1)


async def timeout_around_sleep() -> Any:
    try:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(10)
    except TimeoutError as error:
        return [type(error).__name__, type(error.__cause__).__name__]
    return None


async def timeout_rescheduled() -> Any:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(0.05) as timeout:
        timeout.reschedule(loop.time() + 5)
        await asyncio.sleep(0.1)
    return timeout.expired()


async def timeout_at() -> Any:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(loop.time() + 0.05):
            await workflow.wait_condition(lambda: False)
    except TimeoutError:
        return "timed out"
    return None


async def timeouts_nested() -> Any:
    seen = []
    try:
        async with asyncio.timeout(1.5):
            try:
                async with asyncio.timeout(0.05):
                    await asyncio.sleep(5)
            except TimeoutError:
                seen.append("inner")
            await asyncio.sleep(5)
    except TimeoutError:
        seen.append("outer")
    return seen


async def timeout_zero() -> Any:
    return await attempt(asyncio.wait_for(asyncio.sleep(1), 0))


async def wait_for_activity_in_time() -> Any:
    return await asyncio.wait_for(act("in time"), 5)


async def wait_for_activity_too_slow() -> Any:
    result = await attempt(asyncio.wait_for(sleeping(5), 0.2))
    return [result["class"], result.get("cause", {}).get("class")]


async def wait_for_condition() -> Any:
    return await attempt(asyncio.wait_for(workflow.wait_condition(lambda: False), 0.05))


async def gather_in_order() -> Any:
    return await asyncio.gather(act(1), asyncio.sleep(0.05, "slept"), act(2))


async def gather_fails() -> Any:
    task = asyncio.create_task(asyncio.sleep(0.2, "goes on"))
    try:
        await asyncio.gather(task, failing("first"))
    except ActivityError as error:
        return [str(error.cause), await task]
    return None


async def gather_with_exceptions() -> Any:
    results = await asyncio.gather(act(1), failing("a"), failing("b"), return_exceptions=True)
    return [str(value) for value in results]


async def gather_of_nothing() -> Any:
    return await asyncio.gather()


async def group_of_tasks() -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(act(number)) for number in range(3)]
    return [task.result() for task in tasks]


async def group_with_failures() -> Any:
    cancelled: list[str] = []

    async def waits(name: str) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(waits("a"))
            group.create_task(failing("in a group"))
    except* ActivityError as errors:
        cancelled += [str(errors), *(str(error.__cause__) for error in errors.exceptions)]
    return sorted(cancelled)


async def group_inside_timeout() -> Any:
    try:
        async with asyncio.timeout(0.05), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(100))
            group.create_task(workflow.wait_condition(lambda: False))
    except TimeoutError:
        return "timed out"
    return None


async def group_left_by_an_error() -> Any:
    seen = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(100))
            await act(1)
            raise ValueError("body")
    except* ValueError as errors:
        seen += [str(error) for error in errors.exceptions]
    return seen


async def shield_survives() -> Any:
    inner = asyncio.create_task(act("kept"))
    outer = asyncio.create_task(asyncio.wait_for(asyncio.shield(inner), 5))
    await asyncio.sleep(0)
    outer.cancel()
    return [(await attempt(outer))["class"], await inner]


async def event() -> Any:
    ready = asyncio.Event()
    seen = []

    async def waits(name: str) -> None:
        await ready.wait()
        seen.append(name)

    tasks = [asyncio.create_task(waits(name)) for name in "abc"]
    await asyncio.sleep(0.02)
    ready.set()
    await asyncio.gather(*tasks)
    ready.clear()
    return [seen, ready.is_set()]


async def lock() -> Any:
    mutex = asyncio.Lock()
    seen = []

    async def critical(name: str) -> None:
        async with mutex:
            seen.append(f"{name} in")
            await asyncio.sleep(0.01)
            seen.append(f"{name} out")

    await asyncio.gather(*(critical(name) for name in "abc"))
    return seen


async def semaphore() -> Any:
    slots = asyncio.Semaphore(2)
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        async with slots:
            running += 1
            most = max(most, running)
            await act(number)
            running -= 1
        return number

    return [await asyncio.gather(*(work(number) for number in range(5))), most]


async def bounded_semaphore() -> Any:
    slots = asyncio.BoundedSemaphore(1)
    async with slots:
        pass
    try:
        slots.release()
    except ValueError as error:
        return str(error)
    return None


async def queue() -> Any:
    channel: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    got = []

    async def consumer() -> None:
        while (value := await channel.get()) >= 0:
            got.append(await act(value))
            channel.task_done()

    task = asyncio.create_task(consumer())
    for number in range(4):
        await channel.put(number)
    await channel.join()
    await channel.put(-1)
    await task
    return got


async def priority_and_lifo_queues() -> Any:
    first: asyncio.PriorityQueue[int] = asyncio.PriorityQueue()
    last: asyncio.LifoQueue[int] = asyncio.LifoQueue()
    for number in (3, 1, 2):
        first.put_nowait(number)
        last.put_nowait(number)
    return [[await first.get() for _ in range(3)], [await last.get() for _ in range(3)]]


async def condition() -> Any:
    state = asyncio.Condition()
    items: list[int] = []

    async def consumer(name: str) -> str:
        async with state:
            await state.wait_for(lambda: bool(items))
            return f"{name}{items.pop(0)}"

    tasks = [asyncio.create_task(consumer(name)) for name in "ab"]
    await asyncio.sleep(0.01)
    async with state:
        items += [1, 2]
        state.notify_all()
    return await asyncio.gather(*tasks)


async def barrier() -> Any:
    meeting = asyncio.Barrier(3)
    return sorted(await asyncio.gather(*(meeting.wait() for _ in range(3))))


async def workflow_wait() -> Any:
    tasks = [asyncio.create_task(asyncio.sleep(delay, delay)) for delay in (1.5, 0.01, 50)]
    done, pending = await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    first = [task.result() for task in done]
    done, pending = await workflow.wait(tasks, timeout=3)
    for task in pending:
        task.cancel()
    return [first, [task.result() for task in done], len(pending)]


async def workflow_wait_for_an_exception() -> Any:
    tasks = [asyncio.create_task(failing("x")), asyncio.create_task(asyncio.sleep(50))]
    done, pending = await workflow.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in pending:
        task.cancel()
    return [str(task.exception()) for task in done]


async def workflow_as_completed() -> Any:
    tasks = [asyncio.sleep(delay, delay) for delay in (2.5, 0.01, 1.3)]
    return [await next_done for next_done in workflow.as_completed(tasks)]


async def workflow_as_completed_with_timeout() -> Any:
    seen: list[Any] = []
    for next_done in workflow.as_completed([asyncio.sleep(0.01, "quick"), asyncio.sleep(50, "slow")], timeout=1.5):
        seen.append(await attempt(next_done))
    return [seen[0], seen[1]["class"]]


async def sleep_zero_and_negative() -> Any:
    await asyncio.sleep(0)
    await asyncio.sleep(-1)
    return [await attempt(workflow.sleep(0)), await attempt(workflow.sleep(timedelta(0)))]


async def sleep_with_a_result() -> Any:
    return await asyncio.sleep(0.01, result="value")


async def sleep_cancelled() -> Any:
    task = asyncio.create_task(workflow.sleep(50, summary="long"))
    await asyncio.sleep(0.01)
    task.cancel("no need")
    return [(await attempt(task))["message"], task.cancelled()]


async def sleep_cancelled_before_it_began() -> Any:
    task = asyncio.create_task(workflow.sleep(50))
    task.cancel()
    return (await attempt(task))["class"]


async def wait_condition_with_timeouts() -> Any:
    value = []
    asyncio.get_running_loop().call_later(0.05, value.append, 1)
    await workflow.wait_condition(lambda: bool(value), timeout=timedelta(seconds=5))
    return [value, await attempt(workflow.wait_condition(lambda: False, timeout=0.01, timeout_summary="brief"))]


async def wait_condition_true_at_once() -> Any:
    await workflow.wait_condition(lambda: True)
    return await attempt(workflow.wait_condition(lambda: True, timeout=5))


async def wait_condition_timeout_of_zero() -> Any:
    return [
        await attempt(workflow.wait_condition(lambda: False, timeout=0)),
        await attempt(workflow.wait_condition(lambda: True, timeout=0)),
    ]


async def task_results() -> Any:
    task = asyncio.create_task(act(3), name="mine")
    seen = [task.get_name().partition(" (workflow: ")[0], task.done()]
    await task
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(4)
    return [*seen, task.done(), task.result(), await future]


async def task_cancelled_twice() -> Any:
    async def stubborn() -> str:
        for _ in range(2):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                continue
        return "in the end"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    return [await task, task.cancelling()]


async def contextvars_follow_tasks() -> Any:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("v", default=0)

    async def inner(value: int) -> int:
        variable.set(value)
        await asyncio.sleep(0.01)
        return variable.get()

    return [await asyncio.gather(inner(1), inner(2)), variable.get()]


async def what_is_not_there() -> Any:
    loop = asyncio.get_running_loop()
    seen = []
    for call in (
        lambda: loop.run_in_executor(None, print),
        lambda: asyncio.to_thread(print),
        lambda: asyncio.open_connection("localhost", 1),
        lambda: asyncio.create_subprocess_exec("true"),
    ):
        try:
            await call()
        except NotImplementedError:
            seen.append("not implemented")
    return seen


PROGRAMS = {
    name: program
    for name, program in list(globals().items())
    if asyncio.iscoroutinefunction(program) and program.__module__ == __name__ and program not in (echo, slow, fails)
}
RACING = {
    name for name in PROGRAMS if name.startswith(("gather", "group", "semaphore", "workflow_", "wait_for", "timeouts"))
}
"""Those in which things that finish at about the same time may share a workflow task."""


@workflow.defn
class Primitive:
    @workflow.run
    async def run(self, name: str) -> Any:
        return await PROGRAMS[name]()


@scenario(Primitive, activities=[echo, slow, fails], cases=sorted(PROGRAMS.keys() - RACING))
async def asyncio_primitive(stage: Stage, name: str) -> Any:
    return await stage.execute(Primitive.run, name)


@scenario(Primitive, activities=[echo, slow, fails], histories=False, cases=sorted(RACING))
async def asyncio_primitives(stage: Stage, name: str) -> Any:
    return await stage.execute(Primitive.run, name)
