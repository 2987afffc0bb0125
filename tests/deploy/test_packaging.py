from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

LOCKS = ["dev", "functions", "uv"]


def locked(root: Path, name: str) -> dict[str, str]:
    text = (root / f"requirements/{name}.lock").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE))


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@pytest.fixture(scope="session")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_hashes_and_no_host(root: Path, name: str) -> None:
    text = (root / f"requirements/{name}.lock").read_text()
    entries = [e for e in re.split(r"\n(?=[a-z0-9])", text) if "==" in e.splitlines()[0]]
    assert len(entries) == len(re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)) > 0
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "--index" not in text


def test_functions_run_on_the_versions_that_the_tests_run_on(root: Path) -> None:
    dev, functions = locked(root, "dev"), locked(root, "functions")
    assert functions
    assert functions.items() <= dev.items()


def test_every_declared_dependency_is_locked(root: Path, project: dict[str, Any]) -> None:
    runtime = {name_of(r) for r in project["project"]["dependencies"]}
    optional = {name_of(r) for extra in project["project"]["optional-dependencies"].values() for r in extra}
    development = {name_of(r) for r in project["dependency-groups"]["dev"]}
    assert runtime <= locked(root, "functions").keys()
    assert runtime | optional | development <= locked(root, "dev").keys()


def test_functions_carry_nothing_that_is_for_development(root: Path) -> None:
    assert not locked(root, "functions").keys() & {"moto", "pytest", "temporalio", "pydantic", "aws-sam-translator"}


def test_bundles_are_built_for_what_the_template_deploys(root: Path, source: dict[str, Any]) -> None:
    defaults = dict(re.findall(r"^([A-Z_]+) \?= (\S+)$", (root / "Makefile").read_text(), re.MULTILINE))
    assert defaults["RUNTIME"] == source["Parameters"]["Runtime"]["Default"]
    assert defaults["ARCHITECTURE"] == source["Parameters"]["Architecture"]["Default"]
    application = source["Parameters"]["Application"]["Default"]
    assert application.partition(".")[0] in defaults["APPLICATION_PACKAGES"].split()


@pytest.mark.parametrize("function", ["WorkflowFunction", "ActivityFunction", "HttpFunction", "ReconcilerFunction"])
def test_make_knows_how_to_build_each_function(root: Path, tmp_path: Path, function: str) -> None:
    command = ["make", "--dry-run", f"build-{function}", f"ARTIFACTS_DIR={tmp_path}"]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert str(tmp_path) in printed.stdout


def test_the_package_itself_imports_no_adapter() -> None:
    code = (
        "import sys, durability; durability.__version__; "
        "print([m for m in sys.modules if m.partition('.')[0] in ('boto3', 'botocore', 'starlette', 'pydantic')"
        " or m.startswith('durability.')])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


def test_unknown_names_of_the_package_are_attribute_errors() -> None:
    import durability

    with pytest.raises(AttributeError, match="nonsense"):
        durability.nonsense  # noqa: B018


def test_the_licence_is_apache_2_unmodified(root: Path) -> None:
    text = (root / "LICENSE").read_text()
    assert text.split("\n", 2)[1].strip() == "Apache License"
    assert "Copyright [yyyy] [name of copyright owner]" in text
    assert text.count("\n") == 202


def test_the_wheel_has_the_stack_that_runs_without_a_template(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = ["template.yaml", *(f"functions/{path.name}" for path in (root / "functions").glob("*.py"))]
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            assert archive.read(f"durability/_stack/{name}") == (root / name).read_bytes()
