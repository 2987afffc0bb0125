"""The guide's list of differences is the ledger's."""

from __future__ import annotations

from tests.differential.compatibility import GUIDE, updated


def test_the_guide_lists_every_known_difference_and_no_other() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text == updated(text), "run: python -m tests.differential.compatibility"
