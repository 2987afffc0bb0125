"""The guide's lists are those of the suite: known differences, and scenarios that it names."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from tests.differential import stage
from tests.differential.compatibility import BEGIN, GUIDE, updated


def test_the_guide_lists_every_known_difference_and_no_other() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text == updated(text), "run: python -m tests.differential.compatibility"


def test_the_guide_names_scenarios_that_exist() -> None:
    text, _, _ = GUIDE.read_text(encoding="utf-8").partition(BEGIN)
    scenarios = stage.load("durability")
    named = [name for name in re.findall(r"`([a-z0-9*-]+)`", text) if "-" in name]
    assert len(named) > 20
    assert [name for name in named if not any(fnmatch(scenario, name) for scenario in scenarios)] == []
