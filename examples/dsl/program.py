"""A small language: what a program may consist of. Programs are data, so they may be written without deploying code."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Call:
    """Call an activity with variables, and keep what it gives in one."""

    activity: str
    arguments: list[str] = field(default_factory=list)
    result: str | None = None


@dataclass
class Statement:
    """Exactly one of these."""

    call: Call | None = None
    sequence: list[Statement] | None = None
    parallel: list[Statement] | None = None


@dataclass
class Program:
    """Variables to begin with, and what to do."""

    variables: dict[str, str]
    root: Statement
