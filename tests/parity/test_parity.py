"""The public surface is the reference's, but for what the ledgers list."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.parity.comparison import Comparison, compare
from tests.parity.ledgers import MISSING_MEMBERS, MISSING_NAMES, PARAMETERS

Ledger = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare()


def entries(ledger: Ledger) -> set[str]:
    return {
        f"{where}.{name}" for places in ledger.values() for where, names in places.items() for name in names.split()
    }


def test_names(found: Comparison) -> None:
    assert found.missing_names == entries(MISSING_NAMES)


def test_members(found: Comparison) -> None:
    assert found.missing_members == entries(MISSING_MEMBERS)


def test_parameters(found: Comparison) -> None:
    listed = {
        f"{where}({name})"
        for places in PARAMETERS.values()
        for where, names in places.items()
        for name in (names.split(" ") if names.strip() else [""])
    }
    assert found.different_parameters.keys() == listed, found.different_parameters


def test_enums(found: Comparison) -> None:
    assert found.different_enums == set()


def test_exceptions_can_be_caught_as_in_the_reference(found: Comparison) -> None:
    assert found.different_bases == set()


def test_what_is_covered(found: Comparison, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{figures(found)}")
    assert found.names > 500
    assert found.parameters > 1500


def figures(found: Comparison) -> str:
    """The figures, as lines."""
    rows = (
        ("names", found.names, len(found.missing_names)),
        ("members of classes that are here", found.members, len(found.missing_members)),
        ("parameters of functions that are here", found.parameters, len(found.different_parameters)),
    )
    return "\n".join(f"{what}: {total - missing} of {total}" for what, total, missing in rows)
