"""Playing many seeds, and making smaller what fails."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.simulation.checks import check
from tests.simulation.scenario import Scenario, play, scenario_of, smaller


@dataclass
class Report:
    """What came of many seeds.

    Attributes:
        seeds: How many were played.
        points: Requests and effects at which something might have happened.
        faults: What happened, by kind.
        findings: What failed, with the smallest scenario that fails in the same way.
    """

    seeds: int = 0
    points: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take over what came of others."""
        self.seeds += other.seeds
        self.points += other.points
        self.faults += other.faults
        self.findings += other.findings


def failure_of(scenario: Scenario) -> tuple[str, Report]:
    """How a scenario fails; empty if it does not. What an engine raises that it should not counts as well."""
    report = Report(seeds=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of programs that end while handlers run
        try:
            world, told = play(scenario)
            report.points = len(world.points)
            report.faults = world.happened
            check(scenario, world, told)
        except Exception as error:
            return f"{type(error).__name__}: {error}", report
    return "", report


def explore(seeds: Iterable[int], *, enough: int = 5) -> Report:
    """Play seeds until some have failed."""
    report = Report()
    for seed in seeds:
        failure, one = failure_of(scenario_of(seed))
        report.add(one)
        if failure:
            small = shrink(scenario_of(seed), lambda scenario: bool(failure_of(scenario)[0]))
            report.findings.append(f"seed {seed}: {failure}\nsmallest: {small!r}\nfails by: {failure_of(small)[0]}")
        if len(report.findings) >= enough:
            break
    return report


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """The scenario with everything left out without which it still fails."""
    while True:
        for candidate in smaller(scenario):
            if fails(candidate):
                scenario = candidate
                break
        else:
            return scenario


def fingerprint(seeds: Iterable[int]) -> str:
    """A digest of all that took effect."""
    digest = hashlib.sha256()
    for seed in seeds:
        digest.update(repr(play(scenario_of(seed))[0].log.entries).encode())
    return digest.hexdigest()
