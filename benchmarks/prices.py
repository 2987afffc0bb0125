"""What a run costs: counted units by the prices in ``deploy/prices.toml``, beside what others charge."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from benchmarks.usage import Usage

ROOT: Final = Path(__file__).resolve().parent.parent
MILLION: Final = 1_000_000
MONTH_MINUTES: Final = 30 * 24 * 60


def load_prices() -> dict[str, Any]:
    """The price file."""
    return tomllib.loads((ROOT / "deploy" / "prices.toml").read_text(encoding="utf-8"))


def load_rivals() -> dict[str, Any]:
    """What others cost."""
    return tomllib.loads((Path(__file__).parent / "rivals.toml").read_text(encoding="utf-8"))


def bill(usage: Usage, prices: dict[str, Any]) -> dict[str, float]:
    """US dollars for some usage, by what they are paid for; without compute and storage.

    A message of the queue is its sends, a receive and a delete.
    """
    return {
        "table, writes": usage.write_units * prices["dynamodb"]["write_request_unit"],
        "table, reads": usage.read_units * prices["dynamodb"]["read_request_unit"],
        "queue": (usage.sends + 2 * usage.messages) * prices["sqs"]["request"],
        "schedules": usage.schedules * prices["scheduler"]["invocation"],
        "invocations": usage.invocations * prices["lambda"]["request"],
    }


def rival_bills(prices: dict[str, Any], counts: dict[str, int]) -> dict[str, tuple[float, float]]:
    """US dollars a run for the same work, the least and the most, compute left out."""
    durable = counts["lambda_durable_functions"] * prices["lambda_durable_functions"]["operation"]
    transitions = counts["step_functions_standard"] * prices["step_functions_standard"]["transition"]
    actions, cloud = counts["temporal_cloud"], prices["temporal_cloud"]
    return {
        "AWS Lambda durable functions": (durable, durable),
        "Step Functions, Standard": (transitions, transitions),
        "Temporal Cloud": (actions * cloud["action_lowest"], actions * cloud["action_highest"]),
    }
