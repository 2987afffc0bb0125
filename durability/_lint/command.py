"""``durability lint``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_command(commands: Any) -> None:
    """Add the sub-command's parser."""
    parser = commands.add_parser(
        "lint",
        help="find what does not replay in workflow code",
        description="Reads the source of workflows and of what they call in the same file, without running it. A line "
        "with the comment '# durability: ignore[DUR101]' or '# durability: ignore' is let alone. "
        "Exit status: 0 without findings, 1 with findings, 2 if something could not be read.",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="files, folders, or names of modules")
    parser.add_argument("--json", action="store_true", help="write the findings as a JSON array")
    parser.add_argument("--rules", action="store_true", help="show the rules instead")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command. Returns its exit status."""
    from durability._lint.checker import check
    from durability._lint.rules import RULES

    if arguments.rules:
        for rule in RULES:
            print(f"{rule.id}  {rule.title}")
        return 0
    if not arguments.targets:
        print("durability lint: name files, folders or modules to check", file=sys.stderr)
        return 2
    try:
        findings = check(_files(arguments.targets))
    except SyntaxError as error:
        print(f"durability lint: {error.filename}:{error.lineno}: {error.msg}", file=sys.stderr)
        return 2
    except (OSError, UnicodeDecodeError) as error:
        print(f"durability lint: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        import json
        from dataclasses import asdict

        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
    return 1 if findings else 0


def _files(targets: list[str]) -> list[Path]:
    """The files that the targets stand for, each once.

    Raises:
        OSError: A target is neither a path nor a module that can be found.
    """
    files: dict[Path, None] = {}
    for target in targets:
        path = Path(target)
        if path.is_dir():
            hidden = (".", "__pycache__")
            found = [f for f in sorted(path.rglob("*.py")) if not any(p.startswith(hidden) for p in f.parts[1:])]
        elif path.exists():
            found = [path]
        else:
            found = _of_module(target)
        files.update(dict.fromkeys(found))
    return list(files)


def _of_module(name: str) -> list[Path]:
    import importlib.util

    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        raise FileNotFoundError(f"there is no file, folder or module {name!r}")
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
