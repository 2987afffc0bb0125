"""The stored form of history: what goes in comes out, and nothing else is taken for history."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability._core import history
from durability._core.encoding import (
    COMPRESS_FROM,
    decode_command,
    decode_delta,
    decode_input,
    encode_command,
    encode_delta,
    encode_input,
)
from durability._core.failure import Failure
from durability._core.history import FORMAT, Delta
from durability._core.payload import Payload
from durability.exceptions import HistoryFormatError

payloads = st.builds(Payload, st.dictionaries(st.text(max_size=8), st.binary(max_size=8), max_size=2), st.binary())
inputs = st.one_of(
    st.builds(
        history.WorkflowExecutionSignaled,
        time=st.integers(0, 2**50),
        key=st.text(),
        name=st.text(),
        arguments=st.lists(payloads, max_size=3),
    ),
    st.builds(history.TimerFired, time=st.integers(0, 2**50), sequence=st.integers(1, 2**31)),
    st.builds(
        history.ActivityRetryScheduled,
        time=st.integers(0, 2**50),
        sequence=st.integers(1, 9),
        attempt=st.integers(1, 9),
        due=st.integers(0, 2**50),
        deadline=st.integers(-1, 2**50),
        failure=st.none() | st.builds(Failure, message=st.text()),
    ),
)
commands = st.one_of(
    st.builds(history.TimerStarted, sequence=st.integers(1, 9), duration=st.integers(0, 2**50)),
    st.builds(history.WorkflowExecutionCompleted, result=st.none() | payloads),
)
deltas = st.builds(
    Delta,
    format=st.just(FORMAT),
    time=st.integers(0, 2**50),
    inputs=st.lists(inputs, max_size=4),
    commands=st.lists(commands, max_size=4),
    build=st.text(max_size=5),
    identity=st.text(max_size=5),
    supersedes=st.booleans(),
)


@given(deltas)
def test_deltas_come_back_as_they_were(delta: Delta) -> None:
    assert decode_delta(encode_delta(delta)) == delta


@given(inputs)
def test_inputs_come_back_as_they_were(message: history.Input) -> None:
    assert decode_input(encode_input(message)) == message


@given(commands)
def test_commands_come_back_as_they_were(command: history.Command) -> None:
    assert decode_command(encode_command(command)) == command


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(body: bytes) -> None:
    for prefix in (b"", b"\x01", b"\x02"):
        for decode in (decode_delta, decode_input, decode_command):
            with contextlib.suppress(HistoryFormatError):
                decode(prefix + body)


@given(deltas, st.data())
def test_a_truncated_delta_is_refused(delta: Delta, data: st.DataObject) -> None:
    stored = encode_delta(delta)
    length = data.draw(st.integers(0, len(stored) - 1))
    with pytest.raises(HistoryFormatError):
        decode_delta(stored[:length])


@pytest.mark.parametrize("number", [0, 2, 99])
def test_another_format_number_is_named(number: int) -> None:
    delta = Delta(number, 0, [], [])
    with pytest.raises(HistoryFormatError, match=f"format number {number}.*upgrade"):
        decode_delta(encode_delta(delta))


def test_a_newer_format_with_other_records_is_named_too() -> None:
    stored = b"\x01" + msgspec.msgpack.encode([2, {"records": "of another shape"}])
    with pytest.raises(HistoryFormatError, match="format number 2"):
        decode_delta(stored)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(HistoryFormatError, match="unknown encoding"):
        decode_delta(b"\x07rest")


def test_a_record_of_an_older_version_lacks_the_fields_that_came_later() -> None:
    stored = b"\x01" + msgspec.msgpack.encode([FORMAT, 5, [[26, 7, "key", "name", []]], []])
    delta = decode_delta(stored)
    assert delta.inputs == [history.WorkflowExecutionSignaled(7, "key", "name", [])]


def test_large_bodies_are_deflated_and_incompressible_ones_are_not() -> None:
    def signal(data: bytes) -> history.WorkflowExecutionSignaled:
        return history.WorkflowExecutionSignaled(0, "", "", [Payload({}, data)])

    assert len(encode_input(signal(bytes(100_000)))) < 1_000
    noise = bytes(pow(7, n, 251) ^ (n * n >> 3 & 255) for n in range(COMPRESS_FROM + 10))
    for data in (b"", noise, noise * 50):
        message = signal(data)
        stored = encode_input(message)
        assert len(stored) <= len(msgspec.msgpack.encode(message)) + 1
        assert decode_input(stored) == message


def test_one_step_fits_into_one_write_unit() -> None:
    """The budget: keys, names and the mark of the writer beside a kilobyte less the payload."""
    payload = Payload({"encoding": b"json/plain"}, b"1234")
    step = Delta(
        FORMAT,
        1_700_000_000_000,
        [history.ActivityTaskCompleted(1_700_000_000_000, "activity:1:1", 1, 1, 1_700_000_000_000, "i" * 60, payload)],
        [
            history.ActivityTaskScheduled(
                2, "2", "charge_card", "", [payload], start_to_close_timeout=10_000, eager_deadline=1_700_000_010_000
            )
        ],
        "build",
        "i" * 60,
        "3.12",
    )
    assert len(encode_delta(step)) < 500
