"""What does not replay is refused in workflow code, and nowhere else."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import glob
import inspect
import logging
import multiprocessing
import os
import pathlib
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid
import warnings
from collections.abc import Callable, Iterator
from random import randint
from time import monotonic as clock
from typing import Any

import pytest

from durability import workflow
from durability._guards.guard import Guard
from durability.worker import (
    ExecuteWorkflowInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
)
from durability.worker.workflow_sandbox import (
    RestrictedWorkflowAccessError,
    SandboxedWorkflowRunner,
    SandboxMatcher,
    SandboxRestrictions,
)
from tests.core.driving import Driver, result
from tests.guards import helper_library

with workflow.unsafe.imports_passed_through():
    from tests.guards import passed_library

REFUSED: dict[str, Callable[[], Any]] = {
    "__builtins__.input": lambda: input(),
    "__builtins__.open": lambda: open("file"),  # noqa: SIM115
    "concurrent.futures.thread.ThreadPoolExecutor": lambda: concurrent.futures.ThreadPoolExecutor().submit(print),
    "datetime.date.today": lambda: datetime.date.today(),
    "datetime.datetime.now": lambda: datetime.datetime.now(datetime.UTC),
    "datetime.datetime.utcnow": lambda: datetime.datetime.utcnow(),
    "glob.glob": lambda: glob.glob("*"),
    "multiprocessing.process.BaseProcess": lambda: multiprocessing.Process(target=print).start(),
    "os.environ": lambda: os.environ.get("HOME"),
    "os.getcwd": lambda: os.getcwd(),
    "os.getenv": lambda: os.getenv("HOME"),
    "os.path.exists": lambda: os.path.exists("file"),
    "os.system": lambda: os.system("true"),
    "os.urandom": lambda: os.urandom(1),
    "pathlib.Path": lambda: pathlib.Path("file").read_text(),
    "random.choice": lambda: random.choice([1, 2]),
    "random.randint": lambda: randint(1, 2),
    "random.random": lambda: random.random(),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "shutil.rmtree": lambda: shutil.rmtree("directory"),
    "socket.create_connection": lambda: socket.create_connection(("127.0.0.1", 1)),
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "socket.socket": lambda: socket.socket(),
    "subprocess.run": lambda: subprocess.run(["true"]),
    "tempfile.mkstemp": lambda: tempfile.mkstemp(),
    "threading.Thread": lambda: threading.Thread(target=print).start(),
    "threading.current_thread": lambda: threading.current_thread(),
    "time.monotonic": lambda: clock(),
    "time.sleep": lambda: time.sleep(0),
    "time.time": lambda: helper_library.now(),
    "urllib.request.urlopen": lambda: urllib.request.urlopen("http://127.0.0.1:1"),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "uuid.uuid4": lambda: uuid.uuid4(),
}


def in_unrestricted_block() -> float:
    with workflow.unsafe.sandbox_unrestricted():
        return time.time()


def warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("looks at the source", UserWarning, stacklevel=1)


ALLOWED: dict[str, Callable[[], Any]] = {
    "arithmetic of dates": lambda: datetime.date(2026, 1, 2) - datetime.date(2026, 1, 1),
    "classes stay what they are": lambda: isinstance(datetime.datetime.fromtimestamp(0), datetime.datetime) or 1 / 0,
    "inspection": lambda: inspect.stack()[0].function,
    "logging": lambda: logging.getLogger("tests.guards").warning("looks at the clock"),
    "names": lambda: os.path.join("a", "b"),
    "passed through": lambda: passed_library.now(),
    "references": lambda: (os.getcwd, glob.glob, time.time),
    "replacements": lambda: (workflow.now(), workflow.time(), workflow.random().random(), workflow.uuid4()),
    "seeded": lambda: random.Random(1).random(),
    "stable ids": lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "example.com"),
    "unrestricted": in_unrestricted_block,
    "warnings": warn,
}


def call(name: str, guard: Guard | None = None) -> None:
    driver = Driver(Named, name, guard=guard or Guard([Named]))
    try:
        result(driver.begin())
    finally:
        driver.close()


@workflow.defn
class Named:
    @workflow.run
    async def run(self, name: str) -> None:
        {**REFUSED, **ALLOWED}[name]()


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_replay_is_refused(name: str) -> None:
    with pytest.raises(RestrictedWorkflowAccessError) as caught:
        call(name)
    assert caught.value.qualified_name.startswith(name)
    assert str(caught.value).startswith(f"Cannot access {name}")
    assert isinstance(caught.value, workflow.NondeterminismError)


@pytest.mark.parametrize("name", ALLOWED)
def test_what_does_no_harm_is_allowed(name: str) -> None:
    call(name)


def test_outside_of_workflows_nothing_is_changed() -> None:
    before = (time.time, os.getcwd, random.random, open, datetime.datetime.__dict__["now"], socket._socket, randint)  # type: ignore[attr-defined]
    call("logging")
    with pytest.raises(RestrictedWorkflowAccessError):
        call("time.sleep")
    after = (time.time, os.getcwd, random.random, open, datetime.datetime.__dict__["now"], socket._socket, randint)  # type: ignore[attr-defined]
    assert all(one is other for one, other in zip(before, after, strict=True))
    assert type(datetime.datetime.now) is type(len)


def test_other_threads_go_on_meanwhile() -> None:
    seen: list[object] = []

    def elsewhere() -> None:
        seen.append((time.time(), datetime.datetime.now(), os.environ.get("PATH"), uuid.uuid4(), random.random()))
        with socket.socket() as opened:
            seen.append(opened.family)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()

        def wait_for_the_other_thread() -> None:
            with workflow.unsafe.sandbox_unrestricted():
                pool.submit(elsewhere).result(timeout=30)

        ALLOWED["other thread"] = wait_for_the_other_thread
        try:
            call("other thread")
        finally:
            del ALLOWED["other thread"]
    assert len(seen) == 2


def test_a_fake_that_a_test_has_installed_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake() -> float:
        return 7.0

    monkeypatch.setattr(time, "time", fake)
    call("unrestricted")
    assert time.time is fake


@workflow.defn(sandboxed=False)
class Unguarded:
    @workflow.run
    async def run(self) -> float:
        assert not workflow.unsafe.in_sandbox()
        return time.time()


@workflow.defn
class Guarded:
    @workflow.run
    async def run(self) -> float:
        assert workflow.unsafe.in_sandbox()
        return time.time()


async def test_a_violation_fails_the_task_of_an_application() -> None:
    from durability import Application

    app = Application(workflows=[Guarded, Unguarded])
    assert _run_in(app.registry, Unguarded) is None
    assert isinstance(_run_in(app.registry, Guarded), RestrictedWorkflowAccessError)
    assert _run_in(Application(workflows=[Unguarded], guarded=False).registry, Unguarded) is None


def _run_in(registry: Any, cls: type) -> BaseException | None:
    from durability._core.activation import Activation, RunDetails
    from tests.core.driving import started

    start = started()
    start.workflow_type = cls.__name__
    instance = registry.create(RunDetails("default", "wf", "run", start))
    try:
        instance.activate(Activation(time=0, inputs=[start]))
    except Exception as error:
        return error
    finally:
        instance.close()
    return None


# --- asyncio ----------------------------------------------------------------------------------------------------------


@workflow.defn
class WaitsForSets:
    @workflow.run
    async def run(self) -> list[str]:
        async def value(text: str) -> str:
            return text

        results = [await one for one in asyncio.as_completed([value("a"), value("b")])]
        done, _ = await asyncio.wait([asyncio.create_task(value("c"))])
        return results + [task.result() for task in done]


def test_asyncio_functions_that_go_through_sets_warn() -> None:
    driver = Driver(WaitsForSets, guard=Guard([WaitsForSets]))
    with pytest.warns(UserWarning, match=r"use workflow\.") as caught:
        assert sorted(result(driver.begin())) == ["a", "b", "c"]
    driver.close()
    assert [str(warning.message).split(" ")[0] for warning in caught] == ["asyncio.as_completed()", "asyncio.wait()"]


# --- interceptors and other parts of the worker -----------------------------------------------------------------------


class Timing(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        time.time()
        return await super().execute_workflow(input)


@pytest.mark.parametrize("name", ["logging", "time.sleep"])
def test_interceptors_may_what_the_workflow_below_them_may_not(name: str) -> None:
    driver = Driver(Named, name, guard=Guard([Named]), interceptors=[Timing])
    if name in REFUSED:
        with pytest.raises(RestrictedWorkflowAccessError):
            driver.begin()
    else:
        driver.begin()
    driver.close()


# --- restrictions of the user -----------------------------------------------------------------------------------------


def restricted(**changes: Any) -> Guard:
    from dataclasses import replace

    return Guard([Named], restrictions=replace(SandboxRestrictions.default, **changes))


DEFAULT = SandboxRestrictions.invalid_module_members_default


def test_restrictions_are_lifted_one_by_one() -> None:
    guard = restricted(invalid_module_members=DEFAULT.with_child_unrestricted("datetime", "date", "today"))
    call("datetime.date.today", guard)
    with pytest.raises(RestrictedWorkflowAccessError):
        call("datetime.datetime.now", guard)


def test_functions_are_restricted_besides() -> None:
    extra = SandboxMatcher(children={"tests": SandboxMatcher(children={"guards": SandboxMatcher(children=EXTRA)})})
    with pytest.raises(RestrictedWorkflowAccessError, match=r"tests\.guards\.passed_library\.now"):
        call("passed through", restricted(invalid_module_members=DEFAULT | extra))
    call("passed through")


EXTRA = {"passed_library": SandboxMatcher(use={"now"})}


def test_modules_are_passed_through_by_name() -> None:
    with pytest.raises(RestrictedWorkflowAccessError):
        call("time.time")
    passing = SandboxRestrictions.default.with_passthrough_modules("tests.guards.helper_library")
    call("time.time", Guard([Named], restrictions=passing))


def test_runners_decide_whether_there_is_a_guard() -> None:
    from durability._runtime.registry import WorkflowRegistry
    from durability.converter import DataConverter
    from durability.worker._registries import Workflows

    def workflows(runner: Any) -> WorkflowRegistry:
        return Workflows(
            [Guarded, Unguarded],
            data_converter=DataConverter.default,
            runner=runner,
            unsandboxed_runner=UnsandboxedWorkflowRunner(),
        )

    assert isinstance(_run_in(workflows(SandboxedWorkflowRunner()), Guarded), RestrictedWorkflowAccessError)
    assert _run_in(workflows(SandboxedWorkflowRunner()), Unguarded) is None
    assert isinstance(_run_in(workflows(UnsandboxedWorkflowRunner()), Guarded), AssertionError)
    free = SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_all_modules())
    assert isinstance(_run_in(workflows(free), Guarded), AssertionError)


# --- matchers are those of the reference ------------------------------------------------------------------------------


def paths() -> Iterator[tuple[str, ...]]:
    yield from (tuple(name.split(".")) for name in REFUSED if not name.startswith(("concurrent", "multiprocessing")))
    yield ("datetime", "datetime", "fromtimestamp")
    yield ("uuid", "uuid5")
    yield ("random", "Random")


@pytest.mark.parametrize("path", list(paths()), ids=".".join)
def test_the_default_tree_matches_what_the_reference_matches(path: tuple[str, ...]) -> None:
    from temporalio.worker.workflow_sandbox import _restrictions as reference

    context = reference.RestrictionContext()
    context.is_runtime = True
    tree = reference.SandboxRestrictions.invalid_module_members_default
    assert DEFAULT.matches(".".join(path)) == tree.match_access(context, *path, include_use=True)
