"""The rules, and which names they are about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from durability._guards.names import remedy


@dataclass(frozen=True)
class Rule:
    """One kind of finding.

    Attributes:
        id: Its id, which comments name to suppress it.
        title: What is wrong, in a few words.
        remedy: What to do instead; findings about a name have one of their own.
    """

    id: str
    title: str
    remedy: str = ""


CLOCK: Final = Rule("DUR101", "reads the clock")
RANDOM: Final = Rule("DUR102", "is random")
IO: Final = Rule("DUR103", "does input or output")
ENVIRONMENT: Final = Rule("DUR104", "reads the environment")
THREADS: Final = Rule("DUR105", "uses threads or processes")
SETS: Final = Rule("DUR201", "goes through a set, in an order that replay does not repeat", "use a list, or sorted()")
ASYNCIO: Final = Rule("DUR202", "goes through a set of tasks")
DIRECT: Final = Rule(
    "DUR301", "calls an activity instead of scheduling it", "use await workflow.execute_activity(the_activity, ...)"
)
NOT_AWAITED: Final = Rule("DUR302", "is not awaited, so that nothing happens", "put await before it")
NO_TIMEOUT: Final = Rule(
    "DUR303", "has neither start_to_close_timeout nor schedule_to_close_timeout", "pass one of them"
)
GLOBAL_STATE: Final = Rule(
    "DUR401",
    "changes state that is not the workflow's own, which other runs in the process see and replay repeats",
    "keep it in an attribute of self",
)

RULES: Final = (
    *(CLOCK, RANDOM, IO, ENVIRONMENT, THREADS, SETS, ASYNCIO, DIRECT, NOT_AWAITED, NO_TIMEOUT, GLOBAL_STATE),
)

_PURE: Final = frozenset(
    f"os.{name}"
    for name in (
        *("fsdecode", "fsencode", "fspath", "path.basename", "path.commonpath", "path.commonprefix", "path.dirname"),
        *("path.isabs", "path.join", "path.normcase", "path.normpath", "path.split", "path.splitext"),
        "stat_result",
    )
)
_LIBRARIES: Final = frozenset(
    (
        *("aioboto3", "aiofiles", "aiohttp", "anthropic", "asyncpg", "boto3", "botocore", "httpx", "kafka", "openai"),
        *("psycopg", "psycopg2", "pymongo", "pymysql", "redis", "requests", "smtplib", "urllib3"),
    )
)
"""Libraries whose calls go out of the process."""
_THREADS: Final = ("threading", "multiprocessing", "concurrent.futures", "asyncio.to_thread", "_thread")
_RANDOM: Final = ("random", "secrets", "uuid", "os.urandom", "os.getrandom")
_ENVIRONMENT: Final = ("os.environ", "os.getenv", "os.getpid", "os.getcwd", "platform", "os.uname", "os.cpu_count")
_WORKFLOW_MODULES: Final = ("durability.workflow.", "temporalio.workflow.")

AWAITABLE: Final = frozenset(
    (
        *("execute_activity", "execute_activity_class", "execute_activity_method", "execute_child_workflow"),
        *("execute_local_activity", "execute_local_activity_class", "execute_local_activity_method"),
        *("sleep", "start_child_workflow", "wait", "wait_condition"),
    )
)
WITH_TIMEOUT: Final = frozenset(
    f"{verb}_{kind}{suffix}"
    for verb in ("execute", "start")
    for kind in ("activity", "local_activity")
    for suffix in ("", "_class", "_method")
)


def of_workflow(name: str) -> str:
    """The name within ``durability.workflow`` of a dotted name; empty if it is of another module."""
    for module in _WORKFLOW_MODULES:
        if name.startswith(module):
            return name[len(module) :]
    return ""


def is_decorator(name: str, decorator: str) -> bool:
    """Whether a dotted name is a decorator of the programming model, such as ``workflow.defn``."""
    return name in (f"durability.{decorator}", f"temporalio.{decorator}")


def rule_for(name: str) -> Rule | None:
    """The rule that forbids workflow code to call ``name``, a dotted name; None if it may."""
    if name in _PURE:
        return None
    if name in ("asyncio.wait", "asyncio.as_completed"):
        return ASYNCIO
    if name.partition(".")[0] in _LIBRARIES:
        return IO
    if not _is_refused(name):
        return None
    for rule, prefixes in ((THREADS, _THREADS), (RANDOM, _RANDOM), (ENVIRONMENT, _ENVIRONMENT)):
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes):
            return rule
    return CLOCK if name.partition(".")[0] in ("time", "datetime") else IO


def remedy_for(rule: Rule, name: str) -> str:
    """What to do instead of calling ``name``."""
    return rule.remedy or remedy(name)


@cache
def _is_refused(name: str) -> bool:
    from durability._guards.restrictions import SandboxRestrictions

    if name in ("open", "input", "breakpoint"):
        name = f"__builtins__.{name}"
    extra = name in ("asyncio.to_thread", "uuid.uuid6") or name.startswith("_thread.")
    return extra or SandboxRestrictions.invalid_module_members_default.matches(name)
