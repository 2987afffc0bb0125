"""The command: ``make soak MINUTES=60``."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from examples.orders.services import Books, running

from .api import Api
from .application import SETTINGS
from .disturber import Disturber
from .faults import FaultPlan
from .load import Load
from .local import local_cloud
from .ministack import ministack
from .proxy import Proxy
from .report import Report
from .target import PARAMETERS, PERIOD, WORKFLOW_TIMEOUT, Target, bound
from .watch import Table, Watch, describe

SECRET = "whsec_" + base64.b64encode(os.urandom(24)).decode()
LOOK = 1.0
LINGER = 45.0
PROGRESS = 60.0
TARGETS: dict[str, Callable[[Proxy, Mapping[str, str], Path], AbstractContextManager[Target]]] = {
    "local": local_cloud,
    "ministack": ministack,
}


class Stop:
    """The first signal ends the soak early, with its report; the second one at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: object) -> None:
        if self.asked:
            sys.exit(1)
        self.asked = True


async def soak(
    target: Target, arguments: argparse.Namespace, plan: FaultPlan, watch: Watch, books: Books, stop: Stop
) -> Load:
    """Run everything, until all that was started has ended or has had the time to."""
    table = Table(target.client("dynamodb"), target.table)
    began = time.monotonic()
    ends = began + arguments.minutes * 60
    async with (
        httpx.AsyncClient(base_url=target.http_url, trust_env=False) as http,
        httpx.AsyncClient(base_url=arguments.shop_url, trust_env=False, timeout=60) as shop,
    ):
        await shop.post("/webhook", json={"url": f"{target.http_url}/webhooks/warehouse"})
        api = Api(http, arguments.seed)
        load = Load(
            api, shop, books, watch, table, plan, arguments.seed, linger=LINGER, patience=bound() + WORKFLOW_TIMEOUT
        )
        disturber = Disturber(
            target,
            plan,
            watch.befell,
            arguments.seed,
            pause=arguments.disturb_every,
            redeployment=300,
            longest_stop=WORKFLOW_TIMEOUT + 5,
        )
        looking = asyncio.create_task(look(watch, table))
        disturbing = asyncio.create_task(disturber.run())
        telling = asyncio.create_task(tell(load, plan, watch, table))
        await load.run(lambda: stop.asked or time.monotonic() > ends, arguments.start_every, arguments.most)
        load.minutes = (time.monotonic() - began) / 60
        print("no more starts; faults go on for a while", flush=True)
        await drained(load, bound())
        plan.active = False
        await disturbing
        print("no more faults; what is open goes on to its end", flush=True)
        await drained(load, 3 * bound() + LINGER)
        telling.cancel()
        looking.cancel()
        load.resent = api.repeated
    return load


async def look(watch: Watch, table: Table) -> None:
    """Look at the heads of all that are watched, again and again."""
    while True:
        watch.look(await asyncio.to_thread(table.heads, watch.watched))
        await asyncio.sleep(LOOK)


async def tell(load: Load, plan: FaultPlan, watch: Watch, table: Table) -> None:
    """Say now and then how it goes."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS)
        print(
            f"{(time.monotonic() - began) / 60:5.1f} min: {load.findings.started} started, {len(watch.open)} open, "
            f"{load.findings.checked} results checked, {sum(plan.tally.values())} faults, "
            f"{sum(map(len, load.findings.problems.values()))} problems, {len(watch.stuck)} stuck, "
            f"longest standstill {watch.longest.seconds} s ({watch.longest.workflow_id})",
            flush=True,
        )
        if not plan.active:
            for workflow_id, head in (await asyncio.to_thread(table.heads, watch.open)).items():
                print(f"  still open: {workflow_id}: {describe(head)}", flush=True)


async def drained(load: Load, seconds: float) -> None:
    """Wait until every story has been told to its end, or the time is over."""
    deadline = time.monotonic() + seconds
    while load.stories and time.monotonic() < deadline:
        await asyncio.wait(list(load.stories.values()), timeout=1)


def letters(target: Target) -> dict[str, list[str]]:
    """What lies in the dead-letter queues."""
    sqs = target.client("sqs")
    found: dict[str, list[str]] = {}
    for name, url in target.dead_letter_queues.items():
        found[name] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found[name] += [message["Body"] for message in messages]
    return found


def conclude(target: Target, arguments: argparse.Namespace, plan: FaultPlan, watch: Watch, load: Load) -> Report:
    """Look at what is left, and sum up."""
    table = Table(target.client("dynamodb"), target.table)
    heads = table.heads(list(load.stories))
    not_ended = {
        workflow_id: describe(heads[workflow_id]) if workflow_id in heads else "there is no such workflow"
        for workflow_id in load.stories
    }
    for task in load.stories.values():
        task.cancel()
    return Report(
        target=target.name,
        settings={
            "seed": arguments.seed,
            "WorkflowTimeout": f"{WORKFLOW_TIMEOUT} s",
            "overdue": f"{SETTINGS.overdue // 1000} s",
            "reconciler every": f"{PERIOD} s",
            "visibility timeout": f"{6 * WORKFLOW_TIMEOUT} s",
            "bound": f"{bound():.0f} s",
        },
        minutes=load.minutes,
        findings=load.findings,
        faults=dict(plan.tally),
        resent=dict(load.resent),
        requests=arguments.requests(),
        invocations=target.invocations(),
        charges=sum(kind == "charges" for kind, _ in load.books.entries),
        stuck=watch.stuck,
        longest=watch.longest,
        not_ended=not_ended,
        dead_letters=letters(target),
        leftovers=[] if not_ended else table.keys(),
        failed_tasks=dict(watch.failed_tasks),
    )


def main(words: list[str] | None = None) -> int:
    """Run the soak; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--target", choices=list(TARGETS), default="local")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--start-every", type=float, default=4.0, help="seconds between two starts, on average")
    parser.add_argument("--disturb-every", type=float, default=8.0, help="seconds between two process faults")
    parser.add_argument("--most", type=int, default=25, help="workflows that are open at once")
    parser.add_argument("--output", type=Path, default=Path("build/soak"), help="folder for summary, histories, logs")
    arguments = parser.parse_args(words)
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    arguments.output.mkdir(parents=True, exist_ok=True)
    plan = FaultPlan(arguments.seed)
    watch = Watch(bound())
    books = Books(stock={"kettle": 10**9, "teapot": 10**9, "cup": 10**9})
    with Proxy(plan, watch.befell) as proxy, running(SECRET, books) as arguments.shop_url:
        arguments.requests = lambda: proxy.requests
        variables = {"SHOP_URL": arguments.shop_url, "WAREHOUSE_WEBHOOK_SECRET": SECRET}
        with TARGETS[arguments.target](proxy, variables, arguments.output) as target:
            print(f"soak on {target.name}: {PARAMETERS}, seed {arguments.seed}, bound {bound():.0f} s", flush=True)
            load = asyncio.run(soak(target, arguments, plan, watch, books, stop))
            report = conclude(target, arguments, plan, watch, load)
    print(report.text(), flush=True)
    (arguments.output / "summary.json").write_text(json.dumps(report.json(), indent=1))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
