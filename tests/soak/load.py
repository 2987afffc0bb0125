"""The callers: customers, the warehouse, and whoever talks to collectors. Gentle: a few workflows at a time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx

from examples.orders.services import Books, Entry, Faults

from .api import Api, Unanswered, attempts, workflow_path
from .faults import FaultPlan
from .stories import CollectorStory, OrderStory, Plot, Story
from .watch import Table, Watch

_PLOTS = {Plot.FULFILLED: 50, Plot.SHORT: 12, Plot.DECLINED: 8, Plot.CANCELLED: 30}
_COLLECTORS = 0.2
_IMPATIENT = 0.1
_TROUBLED = 0.12
_LOOK = 0.2
_LATE = 60.0


@dataclass
class Findings:
    """What the soak has to tell."""

    started: int = 0
    unacknowledged: int = 0
    never_started: int = 0
    checked: int = 0
    deleted: int = 0
    repeated_updates: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: dict[str, list[str]] = field(default_factory=dict)
    histories: dict[str, Any] = field(default_factory=dict)

    def blame(self, workflow_id: str, problems: list[str], history: Any = None) -> None:
        """Note what is wrong with a workflow."""
        if problems:
            self.problems.setdefault(workflow_id, []).extend(problems)
            print(f"PROBLEM {workflow_id}: {'; '.join(problems)}", flush=True)
            if history is not None:
                self.histories[workflow_id] = history


class Load:
    """Starts workflows, tells them what their stories say, and holds their ends against the ledger.

    Args:
        api: the HTTP API.
        shop: client of the services.
        books: their ledger.
        watch: sees workflows end.
        table: knows the runs.
        plan: counts the faults of the services.
        seed: of all decisions.
        linger: seconds that a closed workflow is kept, to see that it stays closed, until it is deleted.
        patience: seconds after which a start that was not acknowledged has not taken effect.
    """

    def __init__(
        self,
        api: Api,
        shop: httpx.AsyncClient,
        books: Books,
        watch: Watch,
        table: Table,
        plan: FaultPlan,
        seed: int,
        *,
        linger: float,
        patience: float,
    ) -> None:
        self.findings = Findings()
        self.stories: dict[str, asyncio.Task[None]] = {}
        self._api = api
        self._shop = shop
        self.books = books
        self._watch = watch
        self._table = table
        self._plan = plan
        self._seed = seed
        self._random = random.Random(seed)
        self._linger = linger
        self._patience = patience
        self._number = 0

    async def run(self, until: Callable[[], bool], pause: float, most: int) -> None:
        """Begin stories.

        Args:
            until: when to begin no more.
            pause: seconds between two, on average.
            most: workflows that are open at once.
        """
        while not until():
            if len(self._watch.open) < most:
                self._begin()
            await asyncio.sleep(self._random.expovariate(1 / pause))

    def _begin(self) -> None:
        self._number += 1
        chance = random.Random(f"{self._seed}/{self._number}")
        story: Story
        tell: Coroutine[Any, Any, None]
        if chance.random() < _COLLECTORS:
            story = CollectorStory(f"collector-{self._number}")
            tell = self._tell_collector(story, chance)
        else:
            story = self._order(chance)
            tell = self._tell_order(story, chance)
        self.stories[story.workflow_id] = asyncio.create_task(self._tell(story, tell))

    def _order(self, chance: random.Random) -> OrderStory:
        (plot,) = chance.choices(list(_PLOTS), list(_PLOTS.values()))
        quantity = 30 if plot is Plot.DECLINED else 1
        lines = [{"sku": "kettle", "quantity": quantity, "unit_price": 4900}]
        for sku, price in (("teapot", 2350), ("cup", 450)):
            if chance.random() < 0.6:
                lines.append({"sku": sku, "quantity": chance.randint(1, 6), "unit_price": price})
        order = {
            "id": str(self._number),
            "customer": "alex@example.com",
            "address": "12 Harbour Street, Bergen",
            "currency": "EUR",
            "lines": lines,
        }
        return OrderStory(f"order-{self._number}", plot, order, parcels=chance.randint(1, 4))

    async def _tell(self, story: Story, rest: Coroutine[Any, Any, None]) -> None:
        try:
            await rest
        except Exception as error:
            self.findings.blame(story.workflow_id, [f"its story could not be told: {error!r}"])
        finally:
            self.stories.pop(story.workflow_id, None)
            for workflow_id in (story.workflow_id, *story.children):
                self._watch.drop(workflow_id)

    # --- orders -----------------------------------------------------------------------------------------------------

    async def _tell_order(self, story: OrderStory, chance: random.Random) -> None:
        if chance.random() < _TROUBLED:
            self._trouble(chance)
        if not await self._start(story, "OrderWorkflow", story.order, chance):
            return
        warehouse = asyncio.create_task(self._pick(story, chance))
        try:
            if story.plot is Plot.CANCELLED:
                await asyncio.sleep(chance.uniform(0, 8))
                await self._tell_it(story, "cancel", {}, key=f"{story.workflow_id}/cancel")
            await self._watch.closed(story.workflow_id)
        finally:
            warehouse.cancel()
        await self._check(story)

    async def _pick(self, story: OrderStory, chance: random.Random) -> None:
        """The warehouse reports, and reports again until its webhook is taken; sometimes once more than that."""
        delay, again = chance.uniform(0, 6), chance.random() < 0.3
        if story.plot is Plot.CANCELLED and chance.random() < 0.5:
            # Seldom needed: a step that is waited for and succeeds takes the cancellation with it, as in Temporal.
            delay = _LATE
        while (picking := story.entry(self.books, "pickings", "picking")) is None:  # noqa: ASYNC110 - a server's book
            await asyncio.sleep(_LOOK)
        await asyncio.sleep(delay)
        status = "short" if story.plot is Plot.SHORT else "picked"
        report = {"status": status, "parcels": story.parcels}
        taken = await self._deliver(picking, "report", report)
        while not taken or again:
            again = again and not taken
            await asyncio.sleep(chance.uniform(0.2, 2))
            taken = await self._deliver(picking, "redeliver", None) or taken

    async def _deliver(self, picking: Entry, how: str, report: dict[str, Any] | None) -> bool:
        try:
            answer = await self._shop.post(f"/pickings/{picking.id}/{how}", json=report)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.json()["status"] in (200, 202, 204, 404)

    def _trouble(self, chance: random.Random) -> None:
        """Have one of the services fail, or be slow: sometimes slower than its caller waits."""
        kind = chance.choice(("charges", "charges", "reservations", "pickings", "shipments", "refunds"))
        if chance.random() < 0.5:
            self.books.faults[kind] = Faults(errors=chance.randint(1, 2))
        else:
            self.books.faults[kind] = Faults(slow=1, seconds=chance.uniform(0.5, 7))
        self._plan.count("service: fails or is slow")

    # --- collectors -------------------------------------------------------------------------------------------------

    async def _tell_collector(self, story: CollectorStory, chance: random.Random) -> None:
        empty = {"rounds": 0, "signals": [], "updates": [], "tracking": [], "finish": False}
        if not await self._start(story, "Collector", empty, chance):
            return
        for number in range(chance.randint(3, 10)):
            await asyncio.sleep(chance.uniform(0, 2))
            if chance.random() < 0.7:
                story.signals[number] = False
                key = f"{story.workflow_id}/signal/{number}"
                story.signals[number] = await self._tell_it(story, "signals/note", {"args": [number]}, key=key)
            else:
                await self._update(story, number)
        await self._tell_it(story, "signals/finish", {}, key=f"{story.workflow_id}/finish")
        await self._watch.closed(story.workflow_id)
        await self._check(story)

    async def _update(self, story: CollectorStory, number: int) -> None:
        """An update belongs to one run, so it is not sent again: it might reach the next one."""
        story.updates[number] = False
        path = f"{workflow_path(story.workflow_id)}/updates/add"
        try:
            answer = await self._api.send("POST", path, {"args": [number]}, patience=0)
        except Unanswered:
            return
        story.updates[number] = answer.status_code == 200 and "failure" not in answer.json()

    # --- all --------------------------------------------------------------------------------------------------------

    async def _start(self, story: Story, workflow_type: str, argument: Any, chance: random.Random) -> bool:
        """Start the workflow; an impatient caller does so once, and hears nothing if it takes long."""
        impatient = chance.random() < _IMPATIENT
        body = {"workflow_type": workflow_type, "workflow_id": story.workflow_id, "args": [argument]}
        patience, timeout = (0.0, chance.uniform(0.005, 0.3)) if impatient else (900.0, 30.0)
        for workflow_id in (story.workflow_id, *story.children):
            self._watch.add(workflow_id)
        try:
            key = f"{story.workflow_id}/start"
            answer = await self._api.send("POST", "/workflows", body, key=key, patience=patience, timeout=timeout)
            story.acknowledged = answer.status_code in (200, 201)
            if not story.acknowledged:
                self.findings.blame(story.workflow_id, [f"its start was answered {answer.status_code} {answer.text}"])
                return False
        except Unanswered:
            self.findings.unacknowledged += 1
            if not await self._appears(story.workflow_id):
                self.findings.never_started += 1
                return False
        self.findings.started += 1
        return True

    async def _appears(self, workflow_id: str) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                while not self._watch.seen(workflow_id):  # noqa: ASYNC110 - there may never be anything to see
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            return False
        return True

    async def _tell_it(self, story: Story, what: str, body: dict[str, Any], *, key: str) -> bool:
        """Send a message to a workflow; whether it was taken before the workflow ended."""
        answer = await self._api.send("POST", f"{workflow_path(story.workflow_id)}/{what}", body, key=key)
        if answer.status_code not in (202, 404):
            self.findings.blame(story.workflow_id, [f"{what} was answered {answer.status_code} {answer.text}"])
        return answer.status_code == 202

    async def _check(self, story: Story) -> None:
        """Check how a workflow ended, and after a while that nothing has changed; then delete it."""
        await self._check_end(story)
        await asyncio.sleep(self._linger)
        await self._check_end(story, again=True)
        for workflow_id in (story.workflow_id, *story.children):
            for run_id in await asyncio.to_thread(self._table.runs, workflow_id):
                await self._delete(workflow_id, run_id)

    async def _check_end(self, story: Story, again: bool = False) -> None:
        outcome = await self._api.outcome(story.workflow_id)
        if outcome is None:
            self.findings.blame(story.workflow_id, ["has ended and is not there"])
            return
        events = await self._api.events(story.workflow_id)
        outcome.attempts = attempts(events)
        self.findings.checked += 1
        if not again:
            self.findings.repeated_updates += outcome.repeated_updates
            self.findings.outcomes[f"{type(story).__name__.removesuffix('Story').lower()} {outcome.status}"] += 1
        problems = story.problems(outcome, self.books)
        histories = await self._histories(story) if problems else None
        self.findings.blame(story.workflow_id, problems, histories)

    async def _histories(self, story: Story) -> dict[str, Any]:
        """The histories of all runs of a story, for who has to find out what happened."""
        return {
            run_id: await self._api.events(workflow_id, run_id)
            for workflow_id in (story.workflow_id, *story.children)
            for run_id in await asyncio.to_thread(self._table.runs, workflow_id)
        }

    async def _delete(self, workflow_id: str, run_id: str) -> None:
        answer = await self._api.send("DELETE", f"{workflow_path(workflow_id)}?run_id={run_id}")
        if answer.status_code >= 300 and answer.status_code != 404:
            self.findings.blame(workflow_id, [f"its deletion was answered {answer.status_code} {answer.text}"])
        self.findings.deleted += 1
