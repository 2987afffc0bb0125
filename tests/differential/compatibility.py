"""What of docs/compatibility.md follows from the ledger: ``python -m tests.differential.compatibility`` writes it."""

from __future__ import annotations

from pathlib import Path

from tests.differential.known_differences import KNOWN_DIFFERENCES, NOT_FOR_TEMPORALS_REPLAYER

GUIDE = Path(__file__).parents[2] / "docs" / "compatibility.md"
BEGIN, END = "<!-- from the ledger: begin -->\n", "<!-- from the ledger: end -->\n"

MEANINGS = {
    "scheduled_event_id": "`ActivityError.scheduled_event_id` is 0",
    "initiated_event_id": "`ChildWorkflowError.initiated_event_id` is 0",
    "retry_state": "`retry_state` of a failure differs or is not set",
    "histories": "events of the history differ",
    "message": "the text of an error differs",
    "class": "the type of an error, or which error wraps which, differs",
    "status": "the status of an `RPCError` differs",
}
"""What a path into an outcome means, by its last part; anything else is a difference in what the scenario returns."""


def section() -> str:
    """The table of everything that the differential suite knows to differ."""
    rows: dict[str, set[str]] = {}
    for scenario, paths in KNOWN_DIFFERENCES.items():
        for path in paths:
            meaning = MEANINGS.get(path.rpartition(".")[2], "what the scenario returns differs in some part")
            rows.setdefault(meaning, set()).add(scenario)
    if NOT_FOR_TEMPORALS_REPLAYER:
        rows["Temporal's replayer does not accept our history"] = set(NOT_FOR_TEMPORALS_REPLAYER)
    lines = ["| difference | scenarios |", "|---|---|"]
    for meaning, scenarios in sorted(rows.items()):
        lines.append(f"| {meaning} | {', '.join(f'`{name}`' for name in sorted(scenarios))} |")
    return "\n".join(lines) + "\n"


def updated(text: str) -> str:
    """The guide's text with the current table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + section() + END + after


if __name__ == "__main__":
    GUIDE.write_text(updated(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
