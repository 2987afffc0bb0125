"""Ids and names as clients give them: what is taken can be found again by the same one, everywhere."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given

from durability._rest.bodies import decode_segment, encode_segment
from durability.client import Client
from durability.service import RPCError, RPCStatusCode
from tests.fuzz.deployment import deployment
from tests.fuzz.strategies import examples, texts


@given(texts())
@examples(200)
def test_an_id_survives_a_path(text: str) -> None:
    assert decode_segment(encode_segment(text)) == text
    if not text.startswith("~"):
        assert decode_segment(quote(text, safe="")) == text


@given(texts(), texts())
@examples(30)
def test_a_workflow_is_found_by_the_id_that_it_was_started_with(workflow_id: str, signal: str) -> None:
    with deployment() as deployed:
        client = Client(deployed.cloud.gateway)
        try:
            handle = deployed.run(client.start_workflow("Sleeper", id=workflow_id, task_queue="default"))
        except RPCError as refused:
            check(workflow_id, refused)
            assert not deployed.changes
            return
        assert deployed.run(handle.describe()).id == workflow_id
        assert deployed.request("GET", f"/workflows/{encode_segment(workflow_id)}").body["workflow_id"] == workflow_id
        listed = deployed.request("GET", "/workflows", query=f"id={quote(workflow_id, safe='')}").body["executions"]
        assert [execution["workflow_id"] for execution in listed] == [workflow_id]
        try:
            deployed.run(handle.signal(signal))
        except RPCError as refused:
            check(signal, refused)
        deployed.run(handle.terminate())
        deployed.settle()
        assert not deployed.failing()


def check(text: str, refused: RPCError) -> None:
    assert refused.status == RPCStatusCode.INVALID_ARGUMENT
    assert not text or len(text.encode()) > 1_000 or any(not character.isprintable() for character in text)
