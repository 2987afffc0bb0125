"""What scenarios are written with, and run on: one engine at a time, told apart by nothing but its import name."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

ENGINES = ("temporalio", "durability")


@dataclass
class Scenario:
    name: str
    play: Callable[[Stage], Awaitable[Any]]
    workflows: Sequence[type]
    activities: Sequence[Callable[..., Any]]
    options: dict[str, Any]
    histories: bool


@dataclass
class Stage:
    """Where a scenario is played."""

    client: Any
    name: str
    handles: list[Any] = field(default_factory=list)
    worker: Any = None

    @property
    def task_queue(self) -> str:
        return f"queue-{self.name}"

    def id(self, suffix: str = "") -> str:
        return f"{self.name}{suffix}"

    async def start(self, run: Any, *args: Any, id: str = "", **options: Any) -> Any:
        handle = await self.client.start_workflow(
            run, args=args, id=id or self.id(), task_queue=self.task_queue, **options
        )
        self.handles.append(handle)
        return handle

    async def execute(self, run: Any, *args: Any, **options: Any) -> Any:
        return await (await self.start(run, *args, **options)).result()

    async def reached(self, handle: Any, *events: str) -> Any:
        """The handle, once its history has these events. Other runs may still have to make the run itself."""
        for _ in range(300):
            try:
                seen = _events(await handle.fetch_history())
            except Exception:
                seen = []
            if all(seen.count(event) >= events.count(event) for event in events):
                return handle
            await asyncio.sleep(0.03)
        raise TimeoutError(f"no {events} in {seen}")


async def attempt(awaitable: Awaitable[Any]) -> Any:
    """What came of it: a result, or an error with everything that user code may look at."""
    try:
        return await awaitable
    except (Exception, asyncio.CancelledError) as error:
        return describe(error)


def scenario(
    *workflows: type,
    activities: Sequence[Callable[..., Any]] = (),
    histories: bool = True,
    cases: Sequence[Any] = (),
    **options: Any,
) -> Callable[[Callable[..., Awaitable[Any]]], Scenario | list[Scenario]]:
    """A scenario: the workflows and activities of its worker, and whether events are compared as well.

    With ``cases`` it is one scenario for each, played with the case as a second argument.
    """

    def decorate(play: Callable[..., Awaitable[Any]]) -> Scenario | list[Scenario]:
        name = play.__name__.replace("_", "-")
        if not cases:
            return Scenario(name, play, workflows, activities, options, histories)
        plays = {f"{name}-{_slug(case)}": partial(_play_case, play, case) for case in cases}
        return [Scenario(one, play, workflows, activities, options, histories) for one, play in plays.items()]

    return decorate


def _play_case(play: Callable[[Stage, Any], Awaitable[Any]], case: Any, stage: Stage) -> Awaitable[Any]:
    return play(stage, case)


def _slug(case: Any) -> str:
    words = case if isinstance(case, tuple) else (case,)
    return "-".join(str(word).lower().replace("_", "-").replace(" ", "-") for word in words)


def load(engine: str, *files: str) -> dict[str, Scenario]:
    """The scenarios of some files, or of all, with the imports of one engine."""
    scenarios: dict[str, Scenario] = {}
    for path in sorted(Path(__file__).with_name("scenarios").glob("*.py")):
        if files and path.stem not in files:
            continue
        source = path.read_text(encoding="utf-8").replace("from durability", f"from {engine}")
        name = f"tests_differential_{engine}_{path.stem}"
        module = sys.modules[name] = types.ModuleType(name)
        exec(compile(source, f"{path}:{engine}", "exec"), module.__dict__)
        for one in _defined(module):
            assert one.name not in scenarios, f"two scenarios are called {one.name}"
            scenarios[one.name] = one
    return scenarios


def _defined(module: types.ModuleType) -> Iterator[Scenario]:
    for value in vars(module).values():
        if isinstance(value, Scenario):
            yield value
        elif isinstance(value, list):
            yield from (one for one in value if isinstance(one, Scenario))


async def play(engine: str, one: Scenario, client: Any, documents: list[tuple[str, str]]) -> dict[str, Any]:
    """Play a scenario and tell what can be seen of it from outside. Histories go to ``documents``, by workflow id."""
    worker_module = import_module(f"{engine}.worker")
    stage = Stage(client, one.name)
    seen: dict[str, Any] = {}
    with ThreadPoolExecutor(4) as executor:
        worker = worker_module.Worker(
            client,
            task_queue=stage.task_queue,
            workflows=one.workflows,
            activities=one.activities,
            activity_executor=executor,
            workflow_runner=worker_module.UnsandboxedWorkflowRunner(),
            **one.options,
        )
        stage.worker = worker
        async with worker:
            try:
                seen["result"] = await one.play(stage)
            except Exception as error:
                seen["error"] = describe(error)
            histories = [await handle.fetch_history() for handle in stage.handles]
            documents += [(history.workflow_id, history.to_json()) for history in histories]
            if one.histories:
                seen["histories"] = [_events(history) for history in histories]
    return seen


async def replay(engine: str, one: Scenario, documents: list[tuple[str, str]]) -> list[str]:
    """Replay histories in Temporal's JSON format on an engine. Returns the failures."""
    if not documents:
        return []
    worker_module, client_module = import_module(f"{engine}.worker"), import_module(f"{engine}.client")
    replayer = worker_module.Replayer(
        workflows=one.workflows, workflow_runner=worker_module.UnsandboxedWorkflowRunner(), **one.options
    )
    failures = []
    for workflow_id, document in documents:
        assert '"eventId"' in document, f"the history of {workflow_id} is empty"
        history = client_module.WorkflowHistory.from_json(workflow_id, document)
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is not None:
            failures.append(str(result.replay_failure))
    return failures


def _events(history: Any) -> list[str]:
    names = [event["eventType"].removeprefix("EVENT_TYPE_") for event in history.to_json_dict()["events"]]
    return [_camel(name) if name.isupper() else name for name in names]


def _camel(name: str) -> str:
    return "".join(part.title() for part in name.split("_"))


_ATTRIBUTES = (
    "type",
    "details",
    "non_retryable",
    "category",
    "activity_type",
    "activity_id",
    "retry_state",
    "scheduled_event_id",
    "workflow_id",
    "workflow_type",
    "initiated_event_id",
    "last_heartbeat_details",
    "status",
)


def describe(error: BaseException) -> dict[str, Any]:
    """An exception with everything that user code may look at, and its causes."""
    told: dict[str, Any] = {"class": type(error).__name__, "message": str(error)}
    for name in _ATTRIBUTES:
        value = getattr(error, name, None)
        if value is not None:
            told[name] = getattr(value, "name", None) or (list(value) if isinstance(value, tuple) else value)
    cause = getattr(error, "cause", None) or error.__cause__
    if cause is not None:
        told["cause"] = describe(cause)
    return told


def differences(mine: Any, theirs: Any, path: str = "") -> list[str]:
    """What differs between two outcomes, one line for each difference."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        found = []
        for key in sorted({*mine, *theirs}):
            found += differences(mine.get(key, "(missing)"), theirs.get(key, "(missing)"), f"{path}.{key}".lstrip("."))
        return found
    return [] if mine == theirs else [f"{path}: {mine!r} instead of {theirs!r}"]
