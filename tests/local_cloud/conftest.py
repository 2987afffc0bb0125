from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durability._local import LocalCloud

TEMPLATE = Path(__file__).parent / "sample_functions" / "template.yaml"


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(TEMPLATE, crash_redelivery_delay=0, asynchronous_retry_delay=0.01) as running:
        yield running


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file to which the worker appends a line for every message that it acts on."""
    return tmp_path / "mark"


def marks(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What the condition gives once it is true; processes other than this one make it so."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "has not come true"
        time.sleep(0.005)
    return value


def send(cloud: LocalCloud, *commands: dict[str, Any], delay: int = 0) -> None:
    entries = [
        {"Id": str(index), "MessageBody": json.dumps(command), "DelaySeconds": delay}
        for index, command in enumerate(commands)
    ]
    cloud.client("sqs").send_message_batch(QueueUrl=cloud.outputs["QueueUrl"], Entries=entries)
