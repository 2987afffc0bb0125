"""The examples as a person runs them, in this process."""

from __future__ import annotations

import re
import runpy
import sys

import pytest

from examples.tutorial import EXAMPLES as IN_TUTORIAL
from tests.examples.tutorial import EXAMPLES, PRINTED, WITH_AN_APPLICATION_OF_ITS_OWN

INDEX = EXAMPLES.parent / "docs/examples.md"


@pytest.mark.parametrize("name", PRINTED)
def test_running_it_prints_what_happens(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(EXAMPLES / f"{name.replace('.', '/')}.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


RUNNABLE = [path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*.py") if "example.run()" in path.read_text()]


def test_every_example_is_in_the_index() -> None:
    links = re.findall(r"\]\(\.\./examples/([^)]+)\)", INDEX.read_text())
    assert [link for link in links if not (EXAMPLES / link).exists()] == []
    assert [path for path in RUNNABLE if str(path) not in links and str(path.parent) not in links] == []


def test_every_example_is_tested() -> None:
    runnable = {".".join(path.with_suffix("").parts) for path in RUNNABLE}
    assert runnable == set(PRINTED)
    assert {name.removeprefix("examples.") for name in IN_TUTORIAL} == runnable - set(WITH_AN_APPLICATION_OF_ITS_OWN)
