"""Applications in simulated deployments: what they rely on holds whatever goes wrong, and what they do wrong shows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from durability import Application, activity, workflow
from durability.client import Client, WorkflowFailureError
from durability.exceptions import ApplicationError
from durability.testing import NoProgressError, simulate

MINUTE = timedelta(minutes=1)
SEEDS = range(60)


class Bank:
    """Keeps to its idempotency keys, or does not."""

    def __init__(self, *, careful: bool = True) -> None:
        self.careful = careful
        self.balances = Counter(ada=100)
        self._done: set[str] = set()

    def _post(self, account: str, amount: int) -> None:
        key = f"{activity.info().workflow_id}/{activity.info().activity_id}"
        if self.careful and key in self._done:
            return
        self._done.add(key)
        self.balances[account] += amount

    @activity.defn
    async def withdraw(self, amount: int) -> None:
        self._post("ada", -amount)

    @activity.defn
    def deposit(self, amount: int) -> None:
        self._post("bob", amount)


@workflow.defn
class Transfer:
    def __init__(self) -> None:
        self.approved = False

    @workflow.run
    async def run(self, amount: int) -> str:
        await workflow.execute_activity_method(Bank.withdraw, amount, start_to_close_timeout=MINUTE)
        await asyncio.sleep(86_400)
        await workflow.wait_condition(lambda: self.approved)
        await workflow.execute_activity_method(Bank.deposit, amount, start_to_close_timeout=MINUTE)
        return "done"

    @workflow.signal
    def approve(self) -> None:
        self.approved = True

    @workflow.query
    def is_approved(self) -> bool:
        return self.approved


async def transfer(client: Client) -> str:
    handle = await client.start_workflow(Transfer.run, 100, id="transfer", task_queue="any")
    await asyncio.sleep(3 * 86_400)
    assert not await handle.query(Transfer.is_approved)
    await handle.signal(Transfer.approve)
    return await handle.result()


def bank_application(bank: Bank) -> Application:
    return Application(workflows=[Transfer], activities=[bank.withdraw, bank.deposit])


def test_what_holds_whatever_goes_wrong() -> None:
    faults: Counter[str] = Counter()
    repeated = 0
    for seed in SEEDS:
        bank = Bank()
        simulated = simulate(bank_application(bank), transfer, seed=seed)
        assert simulated.result == "done"
        assert bank.balances == {"ada": 0, "bob": 100}
        assert timedelta(days=3) <= simulated.duration < timedelta(days=4)
        assert set(simulated.attempts) == {"withdraw", "deposit"}
        repeated += sum(simulated.attempts.values()) > 2
        faults.update(simulated.faults)
    assert repeated
    assert {"crash before", "freeze after", "answer lost", "delivered twice", "to the dead-letter queue"} <= set(faults)


def test_activities_that_cannot_be_repeated_are_found() -> None:
    def balances(seed: int) -> Counter[str]:
        bank = Bank(careful=False)
        simulate(bank_application(bank), transfer, seed=seed)
        return bank.balances

    assert any(balances(seed) != {"ada": 0, "bob": 100} for seed in SEEDS)


def test_nothing_goes_wrong_unless_it_is_asked_for() -> None:
    bank = Bank(careful=False)
    simulated = simulate(bank_application(bank), transfer, seed=3, faults=0)
    assert (simulated.faults, simulated.attempts) == ({}, {"withdraw": 1, "deposit": 1})
    assert bank.balances == {"ada": 0, "bob": 100}


# --- code that does not replay --------------------------------------------------------------------------------------

started: list[str] = []


@workflow.defn
class Remembers:
    """Decides by what other executions have left in the process."""

    @workflow.run
    async def run(self) -> None:
        started.append("")
        if len(started) == 1:
            await asyncio.sleep(600)
        await workflow.execute_activity("step", start_to_close_timeout=MINUTE)
        await asyncio.sleep(600)


@activity.defn
async def step() -> None: ...


def test_code_that_does_not_replay_is_found() -> None:
    async def scenario(client: Client) -> None:
        started.clear()
        await client.execute_workflow(Remembers.run, id="w", task_queue="any")

    application = Application(workflows=[Remembers], activities=[step])
    with pytest.raises(NoProgressError, match=r"'w' fails again and again: .*\[TMPRL1100\]") as caught:
        play_all(application, scenario)
    assert "Simulated with seed=" in caught.value.__notes__[0]


def play_all(application: Application, scenario: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    for seed in SEEDS:
        simulate(application, scenario, seed=seed)


# --- another version of the code ------------------------------------------------------------------------------------


@workflow.defn(name="Sequence")
class Before:
    @workflow.run
    async def run(self) -> None:
        for _ in range(3):
            await workflow.execute_activity("step", start_to_close_timeout=MINUTE)
            await asyncio.sleep(600)


@workflow.defn(name="Sequence")
class Changed:
    @workflow.run
    async def run(self) -> None:
        for _ in range(3):
            await asyncio.sleep(600)
            await workflow.execute_activity("step", start_to_close_timeout=MINUTE)


@workflow.defn(name="Sequence")
class Patched:
    @workflow.run
    async def run(self) -> None:
        if workflow.patched("sleep-first"):
            await Changed.run(self)  # type: ignore[arg-type]
        else:
            await Before.run(self)  # type: ignore[arg-type]


def upgraded(after: type) -> None:
    async def scenario(client: Client) -> None:
        await client.execute_workflow("Sequence", id="w", task_queue="any")

    before = Application(workflows=[Before], activities=[step])
    for seed in SEEDS:
        simulate(before, scenario, seed=seed, upgrade=Application(workflows=[after], activities=[step]))


def test_a_change_that_histories_do_not_allow_is_found() -> None:
    with pytest.raises(NoProgressError, match="TMPRL1100"):
        upgraded(Changed)


def test_a_change_behind_a_patch_holds() -> None:
    upgraded(Patched)


# --- scenarios ------------------------------------------------------------------------------------------------------


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.notes: list[str] = []

    @workflow.run
    async def run(self, count: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.notes) >= count)
        return self.notes

    @workflow.update
    async def note(self, text: str) -> int:
        await workflow.execute_activity(step, start_to_close_timeout=MINUTE)
        self.notes.append(text)
        return len(self.notes)

    @workflow.update
    async def note_when_more_have_come(self, text: str) -> None:
        await workflow.wait_condition(lambda: bool(self.notes))
        self.notes.append(text)


def test_every_update_comes_once() -> None:
    async def scenario(client: Client) -> list[str]:
        handle = await client.start_workflow(Waits.run, 4, id="w", task_queue="any")
        answers = await asyncio.gather(*(handle.execute_update(Waits.note, f"note {n}") for n in range(4)))
        assert sorted(answers) == [1, 2, 3, 4]
        history = await handle.fetch_history()
        assert history.events[0].HasField("workflow_execution_started_event_attributes")
        return sorted(await handle.result())

    application = Application(workflows=[Waits], activities=[step])
    for seed in SEEDS:
        assert simulate(application, scenario, seed=seed).result == [f"note {n}" for n in range(4)]


def test_the_same_seed_gives_the_same_execution() -> None:
    async def scenario(client: Client) -> tuple[str | None, float]:
        handle = await client.start_workflow(Waits.run, 1, id="w", task_queue="any")
        await handle.execute_update(Waits.note, "x")
        await handle.result()
        return handle.first_execution_run_id, asyncio.get_running_loop().time()

    application = Application(workflows=[Waits], activities=[step])
    first, again = (simulate(application, scenario, seed=9, faults=5) for _ in range(2))
    assert first == again


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("no")


def test_what_the_scenario_raises_is_raised_with_what_had_gone_wrong() -> None:
    async def scenario(client: Client) -> None:
        await client.execute_workflow(Fails.run, id="w", task_queue="any")

    with pytest.raises(WorkflowFailureError) as caught:
        simulate(Application(workflows=[Fails]), scenario, seed=5, faults=0)
    assert caught.value.__notes__ == ["Simulated with seed=5. What had gone wrong: nothing."]


def test_a_scenario_that_waits_for_ever_is_given_up() -> None:
    async def scenario(client: Client) -> None:
        handle = await client.start_workflow(Waits.run, 1, id="w", task_queue="any")
        await handle.execute_update(Waits.note_when_more_have_come, "x")

    with pytest.raises(NoProgressError, match="not over after 90 days"):
        simulate(Application(workflows=[Waits]), scenario, seed=1, limit=timedelta(days=90))


async def test_it_is_not_for_tests_that_are_asynchronous() -> None:
    async def scenario(client: Client) -> None: ...

    with pytest.raises(RuntimeError, match="not async"):
        simulate(Application(), scenario, seed=1)
