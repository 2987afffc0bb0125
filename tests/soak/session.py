"""One soak from its first start to its last check."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import httpx

from examples.orders.services import Books

from .api import Api
from .application import SETTINGS
from .disturber import Disturber
from .faults import FaultPlan
from .load import Load
from .report import Report
from .target import PERIOD, WORKFLOW_TIMEOUT, Target, bound
from .watch import Table, Watch, describe

_LOOK = 1.0
_LINGER = 45.0
_PROGRESS = 60.0
_DEPLOYMENT = 300.0


@dataclass(frozen=True)
class Pace:
    """How long and how much.

    Args:
        seed: of all decisions.
        minutes: for which workflows are started.
        start_every: seconds between two starts, on average.
        disturb_every: seconds between two faults of processes, on average.
        most: workflows that are open at once.
    """

    seed: int
    minutes: float
    start_every: float
    disturb_every: float
    most: int


class Session:
    """Runs callers, faults and the watch against a deployment.

    Args:
        target: the deployment.
        shop_url: the services that its activities call.
        books: their ledger.
        plan: the faults of requests, which the proxy asks.
        watch: sees workflows end, and stand still.
        pace: how long and how much.
    """

    def __init__(self, target: Target, shop_url: str, books: Books, plan: FaultPlan, watch: Watch, pace: Pace) -> None:
        self.interrupted = False
        self._target = target
        self._shop_url = shop_url
        self._books = books
        self._plan = plan
        self._watch = watch
        self._pace = pace
        self._table = Table(target.client("dynamodb"), target.table)
        self._began = time.monotonic()

    async def run(self) -> Report:
        """Run until all that was started has ended, or has had the time to."""
        pace = self._pace
        async with (
            httpx.AsyncClient(base_url=self._target.http_url, trust_env=False) as http,
            httpx.AsyncClient(base_url=self._shop_url, trust_env=False, timeout=60) as shop,
        ):
            await shop.post("/webhook", json={"url": f"{self._target.http_url}/webhooks/warehouse"})
            api = Api(http, pace.seed)
            load = Load(
                api,
                shop,
                self._books,
                self._watch,
                self._table,
                self._plan,
                pace.seed,
                linger=_LINGER,
                patience=bound() + WORKFLOW_TIMEOUT,
            )
            disturber = Disturber(
                self._target,
                self._plan,
                self._watch.befell,
                pace.seed,
                pause=pace.disturb_every,
                redeployment=_DEPLOYMENT,
                longest_stop=WORKFLOW_TIMEOUT + 5,
            )
            background = [asyncio.create_task(self._look()), asyncio.create_task(self._tell(load))]
            disturbing = asyncio.create_task(disturber.run())
            await load.run(self._is_over, pace.start_every, pace.most)
            minutes = self._minutes()
            print("no more starts; faults go on for a while", flush=True)
            await _drained(load, bound())
            self._plan.active = False
            await disturbing
            print("no more faults; what is open goes on to its end", flush=True)
            await _drained(load, 3 * bound() + _LINGER)
            for task in background:
                task.cancel()
            return await asyncio.to_thread(self._report, load, minutes, api.repeated)

    def _minutes(self) -> float:
        return (time.monotonic() - self._began) / 60

    def _is_over(self) -> bool:
        return self.interrupted or self._minutes() > self._pace.minutes

    async def _look(self) -> None:
        """Look at the heads of all that are watched, again and again."""
        while True:
            self._watch.look(await asyncio.to_thread(self._table.heads, self._watch.watched))
            await asyncio.sleep(_LOOK)

    async def _tell(self, load: Load) -> None:
        """Say now and then how it goes."""
        watch = self._watch
        while True:
            await asyncio.sleep(_PROGRESS)
            print(
                f"{self._minutes():5.1f} min: {load.findings.started} started, {len(watch.open)} open, "
                f"{load.findings.checked} results checked, {sum(self._plan.tally.values())} faults, "
                f"{sum(map(len, load.findings.problems.values()))} problems, {len(watch.stuck)} stuck, "
                f"longest standstill {watch.longest.seconds} s ({watch.longest.workflow_id})",
                flush=True,
            )

    def _report(self, load: Load, minutes: float, repeated: Counter[str]) -> Report:
        """Look at what is left, and sum up."""
        heads = self._table.heads(list(load.stories))
        not_ended = {
            workflow_id: describe(heads[workflow_id]) if workflow_id in heads else "there is no such workflow"
            for workflow_id in load.stories
        }
        return Report(
            target=self._target.name,
            settings={
                "seed": self._pace.seed,
                "WorkflowTimeout": f"{WORKFLOW_TIMEOUT} s",
                "overdue": f"{SETTINGS.overdue // 1000} s",
                "reconciler every": f"{PERIOD} s",
                "visibility timeout": f"{6 * WORKFLOW_TIMEOUT} s",
                "bound": f"{bound():.0f} s",
            },
            minutes=minutes,
            findings=load.findings,
            faults=dict(self._plan.tally),
            resent=dict(repeated),
            invocations=self._target.invocations(),
            charges=sum(kind == "charges" for kind, _ in self._books.entries),
            stuck=self._watch.stuck,
            longest=self._watch.longest,
            not_ended=not_ended,
            dead_letters=self._letters(),
            leftovers=[] if not_ended else self._table.keys(),
            failed_tasks=dict(self._watch.failed_tasks),
        )

    def _letters(self) -> dict[str, list[str]]:
        """What lies in the dead-letter queues."""
        sqs = self._target.client("sqs")
        found: dict[str, list[str]] = {}
        for name, url in self._target.dead_letter_queues.items():
            found[name] = []
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                found[name] += [message["Body"] for message in messages]
        return found


async def _drained(load: Load, seconds: float) -> None:
    """Wait until every story has been told to its end, or the time is over."""
    deadline = time.monotonic() + seconds
    while load.stories and time.monotonic() < deadline:
        await asyncio.wait(list(load.stories.values()), timeout=1)
