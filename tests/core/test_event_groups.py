"""What commands belong to: recorded with them, and of no weight for anything else."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable

import msgspec
import pytest

from durability import workflow
from durability._core import history as h
from durability._core.commands import CommandBuffer
from durability._core.encoding import decode_delta, encode_delta
from durability._core.payload import Payload
from durability.exceptions import TemporalError
from tests.core.driving import Driver, fired, signal, update

A, B = h.EventGroupMarker("a"), h.EventGroupMarker("b", Payload({"encoding": b"json/plain"}, b'"B"'))


def grouped(commands: list[h.Command]) -> list[tuple[str, list[h.EventGroupMarker]]]:
    """The names of commands, each with what it belongs to."""
    found: list[tuple[str, list[h.EventGroupMarker]]] = []
    markers: list[h.EventGroupMarker] = []
    for command in commands:
        if isinstance(command, h.CommandGrouped):
            markers = command.markers
        else:
            found.append((type(command).__name__, markers))
            markers = []
    return found


@workflow.defn
class Grouping:
    def __init__(self) -> None:
        self.handled = 0

    @workflow.run
    async def run(self) -> None:
        a = workflow.create_event_group("a")
        with a.scope():
            tasks = [asyncio.create_task(workflow.sleep(5)) for _ in range(2)]
            await workflow.sleep(1, event_groups=[workflow.create_event_group("b", label="B")])
        tasks[0].cancel()
        await asyncio.wait(tasks)
        await workflow.wait_condition(lambda: self.handled == 2 and workflow.all_handlers_finished())
        with a.scope():
            workflow.continue_as_new()

    @workflow.signal
    async def told(self) -> None:
        asyncio.get_running_loop().call_later(1, self.count)
        self.handled += 1

    @workflow.update
    async def asked(self) -> None:
        await workflow.sleep(1)

    def count(self) -> None:
        self.handled += 1


def driven() -> Driver:
    driver = Driver(Grouping)
    driver.begin(signal("told"))
    driver.do(update("asked", id="an id"))
    driver.do(fired(2))
    return driver


def test_commands_with_what_they_belong_to() -> None:
    driver = driven()
    first, second, third = (commands for _, commands in driver.tasks)
    from_signal, from_update = h.EventGroupMarker(signal=1), h.EventGroupMarker(update="an id")
    assert grouped(first) == [
        ("TimerStarted", [from_signal]),
        ("TimerStarted", [A, B]),
        ("TimerStarted", [A]),
        ("TimerStarted", [A]),
    ]
    assert grouped(second) == [("WorkflowExecutionUpdateAccepted", []), ("TimerStarted", [from_update])]
    assert grouped(third) == [("TimerCanceled", [A])]
    ends = grouped([*driver.do(fired(1)), *driver.do(fired(4)), *driver.do(fired(5))])
    assert ends == [("WorkflowExecutionUpdateCompleted", []), ("WorkflowExecutionContinuedAsNew", [A])]
    assert driver.replay() == [commands for _, commands in driver.tasks]


def test_a_command_that_is_taken_back_leaves_no_groups() -> None:
    buffer = CommandBuffer()
    tickets = [buffer.add(h.TimerStarted(n, 1), [A]) for n in (1, 2)]
    assert buffer.withdraw(tickets[0])
    buffer.add(h.TimerStarted(3, 1))
    buffer.close(h.WorkflowExecutionContinuedAsNew("Next", "", []), [B])
    buffer.add(h.TimerStarted(4, 1), [A, B])
    buffer.close(h.WorkflowExecutionCompleted(), [A])
    assert grouped(buffer.take()) == [
        ("TimerStarted", [A]),
        ("TimerStarted", []),
        ("TimerStarted", [A, B]),
        ("WorkflowExecutionContinuedAsNew", [B]),
    ]
    again = buffer.add(h.TimerStarted(5, 1), [B])
    assert buffer.withdraw(again)
    assert not buffer.withdraw(tickets[1])


def test_only_commands_with_groups_have_something_stored_for_them() -> None:
    timer = h.TimerStarted(1, 2)
    plain = h.Delta(h.FORMAT, 5, [], [timer])
    # As version 1 of the format has had it from its beginning.
    assert encode_delta(plain) == b"\x01" + msgspec.msgpack.encode(
        [1, 5, [], [[17, 1, 2, None]], "", "", "", False, False, False]
    )
    marked = h.Delta(h.FORMAT, 5, [], [h.CommandGrouped([A, B]), timer])
    assert decode_delta(encode_delta(marked)) == marked
    assert len(encode_delta(h.Delta(h.FORMAT, 5, [], [h.CommandGrouped([A]), timer]))) == len(encode_delta(plain)) + 10


calls: list[Callable[[], object]] = []


@workflow.defn
class Calling:
    @workflow.run
    async def run(self) -> None:
        calls.pop()()
        await workflow.sleep(1)


def _in_a_workflow(call: Callable[[], object]) -> list[h.Command]:
    calls.append(call)
    return Driver(Calling).begin()


@pytest.mark.parametrize(
    ("arguments", "what"), [({"id": ""}, "group id cannot be empty"), ({"id": "x", "label": ""}, "label cannot be")]
)
def test_a_group_has_an_id_and_no_empty_label(arguments: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        _in_a_workflow(lambda: workflow.create_event_group(**arguments))


def test_what_is_no_group_is_refused_and_nothing_decided() -> None:
    def call() -> None:
        with pytest.raises(TypeError, match="created with workflow"):
            workflow.patched("p", event_groups=["a"])  # type: ignore[list-item]

    assert [name for name, _ in grouped(_in_a_workflow(call))] == ["TimerStarted"]


def test_groups_are_for_workflows() -> None:
    with pytest.raises(TemporalError):
        workflow.create_event_group("outside")


def test_a_scope_may_be_thrown_away_in_the_middle() -> None:
    async def inside() -> None:
        with workflow.create_event_group("a").scope():
            await asyncio.sleep(0)

    abandoned = []

    def call() -> None:
        coroutine = inside()
        contextvars.copy_context().run(coroutine.send, None)
        abandoned.append(coroutine)

    _in_a_workflow(call)
    abandoned.pop().close()
