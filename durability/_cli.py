"""The command `durability`.

A sub-command is a module with a function `add_command(commands)`, which adds its parser and sets `run` on it: a
function that takes the parsed arguments and returns the exit status. The module imports what it runs inside of that
function, so that `durability --help` needs none of it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

# One line a module: new sub-commands are added here.
_COMMAND_MODULES = (
    "durability._local.dev",
    "durability._aws.stack_commands",
    "durability.client._history_command",
    "durability._lint.command",
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line, with every sub-command."""
    parser = argparse.ArgumentParser(prog="durability", description="Durable execution on AWS Lambda and DynamoDB.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMAND_MODULES:
        importlib.import_module(name).add_command(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    Args:
        arguments: arguments after the program's name; those of the process if None.
    """
    parsed = build_parser().parse_args(arguments)
    sys.exit(parsed.run(parsed))
