"""The examples as a person runs them, in this process."""

from __future__ import annotations

import runpy
import sys

import pytest

from examples.tutorial import EXAMPLES as IN_TUTORIAL
from tests.examples.tutorial import EXAMPLES, PRINTED


@pytest.mark.parametrize("name", PRINTED)
def test_running_it_prints_what_happens(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(EXAMPLES / f"{name.replace('.', '/')}.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


def test_every_example_is_tested() -> None:
    runnable = {
        ".".join(path.relative_to(EXAMPLES).with_suffix("").parts)
        for path in EXAMPLES.rglob("*.py")
        if "example.run()" in path.read_text()
    }
    assert runnable == set(PRINTED)
    assert {name.removeprefix("examples.") for name in IN_TUTORIAL} == runnable - {
        "custom_converter.shelving",
        "pydantic_models.lending",
    }
