"""Stored records: what was written is read as it was, and anything else is told by one kind of error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability._core import encoding
from durability._core.encoding import DEFLATED, PLAIN
from durability._core.events_view import to_events
from durability._core.history import FORMAT, Command, Delta, Input, SignalWithStartScheduled, WorkflowExecutionStarted
from durability._core.payload import Payload, Payloads
from durability.exceptions import HistoryFormatError
from tests.fuzz.strategies import damaged, examples, values_of

deltas = values_of(Delta).map(lambda delta: msgspec.structs.replace(delta, format=FORMAT))
inputs, commands = values_of(Input), values_of(Command)


@given(deltas)
@examples(60)
def test_a_delta_is_read_as_it_was_written(delta: Delta) -> None:
    assert encoding.decode_delta(encoding.encode_delta(delta)) == delta


@given(inputs, commands)
@examples(60)
def test_messages_and_commands_are_read_as_they_were_written(message: Input, command: Command) -> None:
    assert encoding.decode_input(encoding.encode_input(message)) == message
    assert encoding.decode_command(encoding.encode_command(command)) == command


@given(
    st.one_of(
        st.binary(max_size=80).map(lambda body: PLAIN + body),
        damaged(deltas.map(encoding.encode_delta)),
        damaged(inputs.map(encoding.encode_input)),
        damaged(commands.map(encoding.encode_command)),
        st.binary(max_size=80),
    )
)
@examples(250)
def test_damaged_records_are_refused_by_one_kind_of_error(stored: bytes) -> None:
    for read in (encoding.decode_delta, encoding.decode_input, encoding.decode_command):
        with suppress(HistoryFormatError):
            read(stored)


@pytest.mark.parametrize("read", [encoding.decode_delta, encoding.decode_input, encoding.decode_command])
@pytest.mark.parametrize("nest", [b"\x91", b"\x81\xa1k", b"\x92\x01"])
def test_records_nested_too_deeply_are_refused(read: Callable[[bytes], Any], nest: bytes) -> None:
    with pytest.raises(HistoryFormatError):
        read(PLAIN + nest * 100_000 + b"\xc0")


@pytest.mark.parametrize("read", [encoding.decode_delta, encoding.decode_input, encoding.decode_command])
def test_every_prefix_of_a_record_is_refused(read: Callable[[bytes], Any]) -> None:
    delta = Delta(FORMAT, 1, [], [], "build")
    stored = encoding.encode_delta(delta)
    deflated = DEFLATED + stored[1:]
    for size in range(len(stored)):
        with pytest.raises(HistoryFormatError):
            read(stored[:size])
        with pytest.raises(HistoryFormatError):
            read(deflated[:size])


@given(deltas)
@examples(60)
def test_a_history_that_can_be_read_can_be_shown_or_is_refused(delta: Delta) -> None:
    try:
        events = to_events([delta])
    except HistoryFormatError:
        return
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))


def test_a_history_with_an_option_that_cannot_be_read_is_refused() -> None:
    signal = SignalWithStartScheduled(1, "w", "W", "q", [], "note", [], priority=[Payload()])
    with pytest.raises(HistoryFormatError, match="corrupt"):
        to_events([Delta(FORMAT, 1, [WorkflowExecutionStarted(1, "s", "W", "q", [])], [signal])])


@given(values_of(Payload))
@examples(60)
def test_a_payload_is_read_as_it_was_written(payload: Payload) -> None:
    assert Payload.FromString(payload.SerializeToString()) == payload
    both = Payloads([payload, payload])
    assert Payloads.FromString(both.SerializeToString()) == both


@given(damaged(values_of(Payload).map(Payload.SerializeToString)) | st.binary(max_size=60))
@examples(150)
def test_damaged_payloads_are_refused_by_one_kind_of_error(data: bytes) -> None:
    for kind in (Payload, Payloads):
        with suppress(ValueError):
            kind.FromString(data)
