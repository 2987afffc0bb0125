"""What the soak says in the end: for people, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from .load import Findings
from .stories import LOST, TWICE
from .watch import Standstill


@dataclass
class Report:
    """The end of a soak.

    Args:
        target: where it ran.
        settings: what was set, by name.
        minutes: how long workflows were started.
        findings: what became of the workflows.
        faults: how often each fault was injected.
        resent: how often clients had to send a request again, by why.
        requests: requests of the functions to AWS.
        invocations: of the functions.
        charges: charges in the ledger.
        stuck: who stood still for longer than allowed.
        longest: the longest standstill.
        not_ended: who has not ended, with where it stands.
        dead_letters: what lies in dead-letter queues, by queue.
        leftovers: what lies in the table although everything has been deleted.
        failed_tasks: workflow tasks that have been seen to fail, by what they failed with.
    """

    target: str
    settings: dict[str, Any]
    minutes: float
    findings: Findings
    faults: dict[str, int]
    resent: dict[str, int]
    requests: int
    invocations: int
    charges: int
    stuck: dict[str, Standstill]
    longest: Standstill
    not_ended: dict[str, str]
    dead_letters: dict[str, list[str]]
    leftovers: list[str]
    failed_tasks: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        wrong = (self.findings.problems, self.stuck, self.not_ended, any(self.dead_letters.values()), self.leftovers)
        return not any(wrong)

    def count(self, mark: str) -> int:
        """Problems of a kind."""
        return sum(problem.startswith(mark) for problems in self.findings.problems.values() for problem in problems)

    def text(self) -> str:
        """For people."""
        findings = self.findings
        other = sum(map(len, findings.problems.values())) - self.count(LOST) - self.count(TWICE)
        verdict = "nothing lost, nothing twice" if self.ok else "FAILED"
        lines = [
            f"Soak on {self.target}, {self.minutes:.1f} minutes: {verdict}",
            f"  settings                 {', '.join(f'{name} {value}' for name, value in self.settings.items())}",
            f"  workflows started        {findings.started} ({findings.unacknowledged} starts without an answer, of "
            f"which {findings.never_started} had no effect)",
            *(f"    {outcome:<23}{count}" for outcome, count in sorted(findings.outcomes.items())),
            f"  invocations, requests    {self.invocations}, {self.requests}",
            f"  faults                   {sum(self.faults.values())}",
            *(f"    {fault:<55}{count}" for fault, count in sorted(self.faults.items())),
            "  sent again by clients    " + (", ".join(f"{why} {n}" for why, n in sorted(self.resent.items())) or "0"),
            f"  results checked          {findings.checked} (each twice: at the end, and before deletion)",
            f"  runs deleted             {findings.deleted}",
            f"  charges made             {self.charges}",
            f"  charges made twice       {self.count(TWICE)}",
            f"  charges lost             {self.count(LOST)}",
            f"  other violations         {other}",
            f"  workflows not ended      {len(self.not_ended)}",
            f"  stuck                    {len(self.stuck)}",
            f"  longest standstill       {self.longest.seconds} s ({self.longest.workflow_id})",
            f"  failed workflow tasks    {sum(self.failed_tasks.values())} {self.failed_tasks or ''}",
            f"  in dead-letter queues    {sum(map(len, self.dead_letters.values()))}",
            f"  left in the table        {len(self.leftovers)}",
        ]
        for workflow_id, problems in findings.problems.items():
            lines += [f"VIOLATION {workflow_id}: {problem}" for problem in problems]
        for standstill in self.stuck.values():
            lines.append(f"STUCK {standstill.workflow_id} for {standstill.seconds} s: {standstill.head}")
        lines += [f"NOT ENDED {workflow_id}: {head}" for workflow_id, head in self.not_ended.items()]
        for queue, bodies in self.dead_letters.items():
            lines += [f"DEAD LETTER {queue}: {body}" for body in bodies]
        lines += [f"LEFT {key}" for key in self.leftovers[:50]]
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """For programs."""
        return {"ok": self.ok, **msgspec.to_builtins(self)}
