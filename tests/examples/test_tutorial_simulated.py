"""The examples print the same, whatever goes wrong around them."""

from __future__ import annotations

import importlib

import pytest

from durability import Application
from durability.testing import simulate
from examples.running import Example
from tests.examples.tutorial import PRINTED

SEEDS = range(5)
TELLS_OF_ATTEMPTS = ("hello.retry", "hello.heartbeat", "hello.cancellation")
"""Examples that print what a crash changes: which attempt it is, from where it goes on, how it ended."""
A_YEAR = ("sleep_for_days",)
"""Takes ten seconds, for half a million rounds of the reconciler that find nothing."""


def application(example: Example) -> Application:
    return Application(
        workflows=example.workflows,
        activities=example.activities,
        data_converter=example.data_converter,
        interceptors=example.interceptors,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", [name for name in PRINTED if name not in A_YEAR])
def test_it_prints_what_it_prints_undisturbed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    example: Example = importlib.import_module(f"examples.{name}").example
    for seed in SEEDS:
        simulated = simulate(application(example), example.main, seed=seed)
        printed = capsys.readouterr().out.splitlines()
        if name not in TELLS_OF_ATTEMPTS or not simulated.faults:
            assert printed == PRINTED[name], simulated
