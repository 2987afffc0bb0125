"""What the README shows is what the example files hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("path", ["examples/hello/greetings.py", "examples/hello/app.py"])
def test_the_smallest_application_is_shown_whole(path: str) -> None:
    assert (ROOT / path).read_text() in SNIPPETS


def test_every_python_snippet_is_part_of_an_example() -> None:
    sources = [path.read_text() for path in (ROOT / "examples").rglob("*.py")]
    strangers = [snippet for snippet in SNIPPETS if not any(snippet in source for source in sources)]
    assert strangers == []


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
