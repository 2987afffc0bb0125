"""Digitising a film: hours of work in a container, between steps that take functions no time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from durability import activity, workflow

FUNCTIONS = "default"
STUDIO = "studio"
"""Task queues: of the stack's functions, and of the containers that stand beside the scanners."""


@dataclass
class Film:
    """A film, and how long the scanner takes for one of its frames."""

    title: str
    frames: int
    seconds_per_frame: float


@dataclass
class Recording:
    """What became of a film, and which frame each attempt began with."""

    title: str
    begun_at: list[int]


@activity.defn
async def digitise(film: Film) -> Recording:
    """Scan a film, frame by frame. Goes on where the attempt before has ended, in whichever container that was."""
    frame, begun_at = activity.info().heartbeat_details or (0, [])
    recording = Recording(film.title, [*begun_at, frame])
    while frame < film.frames:
        await asyncio.sleep(film.seconds_per_frame)  # the scanner at work
        frame += 1
        activity.heartbeat(frame, recording.begun_at)
    return recording


@activity.defn
async def enter_in_catalogue(recording: Recording) -> str:
    """Say where the recording is to be found."""
    return f"films/{recording.title.lower().replace(' ', '-')}.mkv"


@workflow.defn
class Digitisation:
    """Runs in functions; only the scanning leaves them."""

    @workflow.run
    async def run(self, film: Film) -> tuple[str, Recording]:
        """Digitise a film and enter it in the catalogue. Gives its place, and the recording."""
        recording = await workflow.execute_activity(
            digitise,
            film,
            task_queue=STUDIO,
            start_to_close_timeout=timedelta(hours=48),
            heartbeat_timeout=timedelta(minutes=1),  # how long it may go unnoticed that the container died
        )
        place = await workflow.execute_activity(
            enter_in_catalogue, recording, start_to_close_timeout=timedelta(seconds=10)
        )
        return place, recording
