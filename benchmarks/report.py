"""Tables in Markdown, aligned so that they can also be read in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """A line of the budget table.

    Attributes:
        work: What was done.
        budget: What it may cost, in words.
        measured: What it cost, in words.
        met: Whether that is within the budget; None if there is none.
        reason: Why it is missed.
    """

    work: str
    budget: str
    measured: str
    met: bool | None = None
    reason: str = ""

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """As a row of a table."""
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return self.work, self.budget, self.measured, verdict


@dataclass(frozen=True)
class Section:
    """A table with a title and some text.

    Attributes:
        title: Title.
        text: Paragraphs before the table.
        columns: Heads of the columns.
        rows: The table.
        after: Paragraphs after the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Sequence[str] = ()
    after: Sequence[str] = ()

    def render(self) -> str:
        """As Markdown."""
        parts = [f"## {self.title}", *self.text, table(self.columns, self.rows), *self.after]
        return "\n\n".join(parts)


def budget_section(title: str, budgets: Sequence[Budget], text: Sequence[str] = ()) -> Section:
    """A table of budgets, with the reasons of those that are missed below."""
    missed = [f"Missed: **{each.work}**. {each.reason}" for each in budgets if each.met is False]
    columns = ("work", "budget", "counted or measured", "")
    return Section(title, columns, [each.cells for each in budgets], text, missed)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    widths = [max(len(row[position]) for row in (columns, *rows)) for position in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(columns), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])
