"""Type checkers accept right calls, infer their results (``assert_type``), and refuse wrong ones (``# error``)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))
Places = set[tuple[str, int]]


def expected() -> Places:
    return {
        (path.name, number)
        for path in CASES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"# error\b", line)
    }


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command, *map(str, CASES)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def mypy() -> Iterator[tuple[str, int, str]]:
    for line in run("mypy", "--strict", "--no-error-summary", "--no-pretty", "--explicit-package-bases").splitlines():
        match = re.match(r"(.*?):(\d+): error: (.*)", line)
        if match:
            yield Path(match[1]).name, int(match[2]), match[3]


def pyright() -> Iterator[tuple[str, int, str]]:
    for one in json.loads(run("pyright", "--outputjson"))["generalDiagnostics"]:
        if one["severity"] == "error":
            yield Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_errors_are_where_they_belong(checker: type[Iterator[tuple[str, int, str]]]) -> None:
    found = list(checker())
    places = {(file, line) for file, line, _ in found}
    assert [one for one in found if (one[0], one[1]) not in expected()] == []
    assert sorted(expected() - places) == []
