"""What queues bring to the functions: a message that cannot be read fails alone and is never acknowledged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability._aws.handlers import activity_handler, workflow_handler
from durability._aws.queues import encode_wake_up
from durability._runtime.ports import WakeUp
from tests.fuzz.deployment import Deployment, deployment
from tests.fuzz.strategies import damaged, examples, json_values, texts

GOOD = encode_wake_up(WakeUp("shop", "018bcfe5-7b88-7260-8190-faf20f314de0", task_queue="default"))
ATTEMPT = json.dumps(
    {
        "workflow_id": "shop",
        "run_id": "018bcfe5-7b88-7260-8190-faf20f314de0",
        "workflow_type": "Shop",
        "sequence": 1,
        "attempt": 1,
        "due": 0,
        "scheduled": 0,
        "task_queue": "default",
        "body": "AZEK",
    }
)


class Context:
    """What Lambda tells a function."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def receive(deployed: Deployment, kind: str, bodies: list[Any]) -> list[str]:
    """Bring a batch to a function; the messages that it wants again."""
    make = workflow_handler if kind == "workflow" else activity_handler
    handler = make(deployed.cloud.engine, deployed.run)
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    answer = handler({"Records": records}, Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


broken = st.one_of(
    damaged(st.just(GOOD.encode())).map(lambda data: data.decode("utf-8", "replace")),
    damaged(st.just(ATTEMPT.encode())).map(lambda data: data.decode("utf-8", "replace")),
    st.dictionaries(st.sampled_from(sorted(json.loads(ATTEMPT))), json_values(1)).map(
        lambda changes: json.dumps({**json.loads(ATTEMPT), **changes})
    ),
    json_values().map(json.dumps),
    texts(),
    st.just("[" * 100_000),
)


@pytest.mark.parametrize("kind", ["workflow", "activity"])
@pytest.mark.usefixtures("_quiet")
def test_a_message_that_cannot_be_read_stops_no_other(kind: str) -> None:
    @given(st.lists(broken, min_size=1, max_size=4))
    @examples(25)
    def play(bodies: list[str]) -> None:
        with deployment() as deployed:
            started = {"workflow_type": "Shop", "workflow_id": "shop", "args": [{"item": "tea"}, 1]}
            answer = deployed.post("/workflows", started)
            good = encode_wake_up(WakeUp("shop", answer.body["run_id"], task_queue="default"))
            alone = [receive(deployed, kind, [body]) for body in bodies]
            if kind == "workflow":
                assert deployed.post("/workflows/shop/signals/note", {"args": ["x"]}).status == 202
                assert str(len(bodies)) not in receive(deployed, kind, [*bodies, good])
            failed = receive(deployed, kind, bodies)
            assert failed == [str(number) for number, one in enumerate(alone) if one]
            for number, body in enumerate(bodies):
                if not readable(kind, body):
                    assert str(number) in failed

    play()


def readable(kind: str, body: str) -> bool:
    """Whether a body has the form of the function's messages."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and all(
        type(fields.get(name)) is type(value) or name in ("due",)
        for name, value in json.loads(GOOD if kind == "workflow" else ATTEMPT).items()
    )


@pytest.fixture
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "durability.functions")
