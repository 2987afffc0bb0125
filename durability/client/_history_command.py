"""``durability history``: a run's history for people, or as a document for tools."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Any

from durability._core.payload import Payload

_LONGEST_VALUE = 100


def add_command(commands: Any) -> None:
    """Add the sub-command's parser."""
    parser = commands.add_parser("history", help="show the history of a workflow")
    parser.add_argument("workflow_id", help="workflow id")
    parser.add_argument("--run-id", help="run id; the current run by default")
    parser.add_argument("--address", default="", help="URL of the HTTP API; the DURABILITY_* variables by default")
    parser.add_argument("--namespace", default="default", help="namespace (default: %(default)s)")
    parser.add_argument("--api-key", help="bearer token for the HTTP API")
    parser.add_argument("--values", action="store_true", help="show arguments and results")
    parser.add_argument("--json", action="store_true", help="write Temporal's JSON history format, for replayers")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command. Returns its exit status."""
    from durability.exceptions import TemporalError

    try:
        print(asyncio.run(history_text(arguments)))
    except TemporalError as error:
        print(f"durability history: {error}", file=sys.stderr)
        return 1
    return 0


async def history_text(arguments: argparse.Namespace) -> str:
    """What the sub-command prints."""
    from durability._core.timeline import render_timeline
    from durability.client import Client

    target, namespace = arguments.address, arguments.namespace
    async with await Client.connect(target, namespace=namespace, api_key=arguments.api_key) as client:
        if arguments.json:
            handle = client.get_workflow_handle(arguments.workflow_id, run_id=arguments.run_id)
            return (await handle.fetch_history()).to_json()
        deltas = [delta async for delta in client.frontend.history(arguments.workflow_id, arguments.run_id)]
        return render_timeline(
            deltas,
            workflow_id=arguments.workflow_id,
            show=show_payload if arguments.values else None,
            now=time.time_ns() // 1_000_000,
        )


def show_payload(payload: Payload) -> str:
    """A payload for people: its JSON, cut if it is long, or what it is instead."""
    encoding = payload.metadata.get("encoding", b"").decode()
    if encoding == "binary/null":
        return "null"
    if not encoding.startswith("json/"):
        return f"<{len(payload.data)} bytes of {encoding or 'unknown encoding'}>"
    text = payload.data.decode(errors="replace")
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
