"""The digitisation example: a workflow in functions, and an activity in containers that come and go."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path

from durability.client import WorkflowHandle
from durability.testing import WorkflowEnvironment
from durability.worker import Worker
from examples.digitisation.film import FUNCTIONS, STUDIO, Digitisation, Film, Recording, digitise, enter_in_catalogue

ROOT = Path(__file__).parents[2]
PLACE = "films/city-lights.mkv"


async def test_in_memory() -> None:
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue=FUNCTIONS, workflows=[Digitisation], activities=[enter_in_catalogue]),
        Worker(env.client, task_queue=STUDIO, activities=[digitise]),
    ):
        film = Film("City Lights", frames=3, seconds_per_frame=0)
        result = await env.client.execute_workflow(Digitisation.run, film, id="film", task_queue=FUNCTIONS)
    assert result == (PLACE, Recording("City Lights", [0]))


async def test_a_container_hands_its_work_on_when_it_is_stopped() -> None:
    async with await WorkflowEnvironment.start_local_cloud("examples.digitisation.app:app") as env:
        film = Film("City Lights", frames=150, seconds_per_frame=0.02)
        handle = await env.client.start_workflow(Digitisation.run, film, id="film", task_queue=FUNCTIONS)
        first = await container(env.environment)
        await scanned_some(handle)
        first.send_signal(signal.SIGTERM)
        assert await first.wait() == 0
        second = await container(env.environment)
        try:
            place, recording = await handle.result()
        finally:
            second.send_signal(signal.SIGTERM)
            await second.communicate()
    assert place == PLACE
    assert len(recording.begun_at) == 2
    assert 0 < recording.begun_at[1] < film.frames


async def container(environment: Mapping[str, str]) -> Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.digitisation.worker"),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"at work\n"
    return process


async def scanned_some(handle: WorkflowHandle[Digitisation, tuple[str, Recording]]) -> None:
    while True:
        pending = (await handle.describe()).raw_description.pending_activities
        if any(each.HasField("heartbeat_details") for each in pending):
            return
