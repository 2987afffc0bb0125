"""Workflow code with mistakes: a comment names the rule that finds each. It is read, never imported."""

import asyncio
import concurrent.futures
import datetime as dt
import os
import random as chance
import threading
import time
from asyncio import as_completed
from collections import deque
from datetime import datetime, timedelta
from os import environ
from pathlib import Path
from time import sleep as doze
from uuid import uuid4, uuid5

import requests

from durability import activity, workflow
from durability.workflow import execute_activity

from .sample_activities import other_activity

COUNTS = {}
RECENT = deque()
LIMITS = (1, 2)
TIMEOUT = timedelta(seconds=5)


@activity.defn
async def an_activity(value: int) -> int:
    time.sleep(1)
    COUNTS["activities"] = value
    return helper_of_activities()


def helper_of_activities() -> float:
    return time.time()


def helper() -> float:
    return time.monotonic()  # DUR101


class Report:
    def __init__(self) -> None:
        self.made = datetime.now()  # DUR101

    def used_by_activities(self) -> None:
        open("report")


class Mixin:
    def roll(self) -> int:
        return chance.randint(1, 6)  # DUR102


@workflow.defn
class Mistakes(Mixin):
    def __init__(self) -> None:
        self.id = uuid4()  # DUR102

    @workflow.run
    async def run(self, seen: set) -> None:
        helper()
        Report()
        time.sleep(1)  # DUR101
        doze(1)  # DUR101
        dt.datetime.utcnow()  # DUR101
        dt.date.today()  # DUR101
        os.environ["HOME"]  # DUR104
        environ.get("HOME")  # DUR104
        os.getenv("HOME")  # DUR104
        os.urandom(3)  # DUR102
        open("file")  # DUR103
        requests.get("http://example.com")  # DUR103
        threading.Thread(target=print).start()  # DUR105
        concurrent.futures.ThreadPoolExecutor()  # DUR105
        await asyncio.to_thread(print)  # DUR105
        await asyncio.get_running_loop().run_in_executor(None, print)  # DUR105
        for coroutine in as_completed([]):  # DUR202
            await coroutine
        await asyncio.wait([])  # DUR202
        await an_activity(1)  # DUR301
        await other_activity()  # DUR301
        workflow.sleep(1)  # DUR302
        asyncio.sleep(1)  # DUR302
        workflow.execute_activity(an_activity, 1, start_to_close_timeout=TIMEOUT)  # DUR302
        await execute_activity(an_activity, 1)  # DUR303
        await workflow.execute_local_activity(an_activity, 1, retry_policy=None)  # DUR303

    @workflow.signal
    async def sets(self) -> None:
        for name in {"a", "b"}:  # DUR201
            await workflow.sleep(1)
        names = set()
        for name in names:  # DUR201
            workflow.logger.info(name)
        await asyncio.gather(*{workflow.sleep(1)})  # DUR201
        for name in frozenset(names):  # DUR201
            workflow.start_activity(an_activity, name, start_to_close_timeout=TIMEOUT)

    @workflow.query
    def state(self) -> int:
        global LIMITS  # DUR401
        LIMITS = ()
        COUNTS["queries"] = 1  # DUR401
        del COUNTS["queries"]  # DUR401
        RECENT.append(1)  # DUR401
        return 1

    @workflow.update
    async def nothing_is_wrong(self, random: list, **options: object) -> list:
        await workflow.sleep(1)
        await workflow.wait_condition(lambda: bool(random))
        await workflow.execute_activity(an_activity, 1, **options)
        handle = workflow.start_activity(an_activity, 1, schedule_to_close_timeout=TIMEOUT)
        results = await asyncio.gather(handle, *[workflow.sleep(1)])
        await workflow.wait([asyncio.create_task(workflow.sleep(1))])
        with workflow.unsafe.sandbox_unrestricted():
            print(time.time(), os.environ["HOME"])
        started = time.time()  # durability: ignore[DUR101]
        both = time.time(), open("file")  # durability: ignore
        random.append(workflow.random().random())
        time_of_day = datetime(2026, 1, 2) + timedelta(hours=workflow.now().hour)
        path = os.path.join("a", os.path.basename(__file__)), Path("a") / "b"
        ordered = [value for value in {1, 2, 3} if value > 1]
        for value in sorted({1, 2, 3}):
            await workflow.sleep(value)
        for value in {1, 2, 3}:
            ordered.append(value)
        COUNTS = {}
        COUNTS["mine"] = 1
        return [results, started, both, time_of_day, path, uuid5, chance.Random(1), COUNTS]


def not_called_by_workflows() -> None:
    time.sleep(1)


def test_that_defines_a_workflow() -> None:
    @workflow.defn
    class Inside:
        @workflow.run
        async def run(self) -> None:
            time.time()  # DUR101
