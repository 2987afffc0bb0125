"""Codecs and storage drivers are given the same payloads, in the same contexts, as by Temporal's SDK."""

from __future__ import annotations

import logging
import types
from pathlib import Path
from typing import Any

import pytest
import temporalio.client

from durability.testing import WorkflowEnvironment
from tests.differential.test_same_behaviour import server  # noqa: F401

PROGRAM = Path(__file__).with_name("programs") / "payload_contexts.py"


def program(engine: str) -> Any:
    """The program with the imports of one engine."""
    source = PROGRAM.read_text(encoding="utf-8").replace("from durability", f"from {engine}")
    module = types.ModuleType(f"tests_differential_{engine}_payload_contexts")
    exec(compile(source, f"{PROGRAM}:{engine}", "exec"), module.__dict__)
    return module


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("what", ["codec", "storage"])
async def test_same_payloads_in_same_contexts(
    what: str,
    server: Any,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    theirs: set[str] = set()
    mine: set[str] = set()
    reference = program("temporalio")
    client = temporalio.client.Client(
        server.client.service_client,
        namespace=server.client.namespace,
        data_converter=reference.watching_converter(theirs, what),
    )
    await reference.play(client)
    ours = program("durability")
    async with await WorkflowEnvironment.start_local(data_converter=ours.watching_converter(mine, what)) as environment:
        await ours.play(environment.client)
    assert len(theirs) > 20
    assert mine == theirs
