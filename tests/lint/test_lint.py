"""The rules find the mistakes in the samples, each on its line, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from durability._cli import main
from durability._lint.checker import check
from durability._lint.rules import RULES

HERE = Path(__file__).parent
WORKFLOWS, ACTIVITIES = HERE / "sample_workflows.py", HERE / "sample_activities.py"
REPOSITORY = HERE.parents[1]


def expected() -> list[tuple[int, str]]:
    lines = WORKFLOWS.read_text().splitlines()
    return [(n, match[1]) for n, line in enumerate(lines, 1) if (match := re.search(r"# (DUR\d+)$", line))]


def test_every_mistake_is_found_and_nothing_else() -> None:
    found = sorted({(finding.line, finding.rule) for finding in check([WORKFLOWS, ACTIVITIES])})
    assert found == expected()


def test_every_rule_has_a_mistake() -> None:
    assert {rule.id for rule in RULES} == {rule for _, rule in expected()}


def lint(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["lint", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_findings_name_the_place_the_call_and_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(str(WORKFLOWS)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"{WORKFLOWS}:69:9: DUR101 time.sleep() reads the clock; use await workflow.sleep()" in lines
    assert any("DUR301 an_activity() calls an activity instead of scheduling it; use await" in line for line in lines)


def test_findings_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--json", str(HERE)) == 1
    findings = json.loads(capsys.readouterr().out)
    assert [(one["line"], one["rule"]) for one in findings] == [
        (one.line, one.rule) for one in check([ACTIVITIES, WORKFLOWS])
    ]
    assert findings[0].keys() == {"path", "line", "column", "rule", "message", "remedy"}


def test_modules_are_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("examples.hello.greetings") == 0
    assert capsys.readouterr().out == ""


def test_the_examples_have_no_findings() -> None:
    assert check(sorted((REPOSITORY / "examples").rglob("*.py"))) == []


def test_the_differential_scenarios_have_no_findings() -> None:
    assert check(sorted((REPOSITORY / "tests" / "differential" / "scenarios").rglob("*.py"))) == []


def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def :")
    assert lint(str(broken)) == 2
    assert f"{broken}:1:" in capsys.readouterr().err
    assert lint("no.such.module") == 2
    assert "there is no file, folder or module 'no.such.module'" in capsys.readouterr().err
    assert lint() == 2


def test_the_rules_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--rules") == 0
    assert capsys.readouterr().out.startswith("DUR101  reads the clock\n")
