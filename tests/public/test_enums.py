"""Enumerations have the names and numbers of Temporal's API."""

from __future__ import annotations

import pytest
import temporalio.api.enums.v1 as reference

from durability.api.enums import v1


@pytest.mark.parametrize("name", v1.__all__)
def test_names_and_numbers_are_those_of_the_reference(name: str) -> None:
    mine, theirs = getattr(v1, name), getattr(reference, name)
    known = dict(theirs.items())
    assert mine.items()
    for value, number in mine.items():
        assert known[value] == number
        assert getattr(mine, value) == getattr(v1, value) == mine.Value(value) == number
        assert mine.Name(number) == value
    if name != "EventType":
        assert set(mine.keys()) == set(known)
    with pytest.raises(ValueError, match="no value"):
        mine.Name(-1)
    with pytest.raises(AttributeError, match="no value"):
        _ = mine.NOTHING
    with pytest.raises(AttributeError, match="no attribute"):
        _ = v1.NOTHING
