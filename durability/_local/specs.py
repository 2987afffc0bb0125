"""What the template says about the parts that the local cloud runs itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class FunctionSpec:
    """A Lambda function of the template."""

    logical_id: str
    name: str
    arn: str
    handler: str
    runtime: str
    code: Path
    environment: Mapping[str, str]
    timeout: int
    memory: int
    reserved_concurrency: int | None
    dead_letter_arn: str | None
    role_arn: str
    logging: Mapping[str, str]


@dataclass(frozen=True)
class MappingSpec:
    """An event source mapping from a queue to a function."""

    logical_id: str
    queue_arn: str
    function: str
    batch_size: int
    window: float
    report_failures: bool
    maximum_concurrency: int | None


@dataclass(frozen=True)
class RouteSpec:
    """A route of an HTTP API; `method` is `ANY` for all, `path` is `$default` for what no other route takes."""

    method: str
    path: str
    function: str
    iam: bool
    timeout: float


@dataclass
class ApiSpec:
    """An HTTP API."""

    logical_id: str
    api_id: str
    routes: list[RouteSpec] = field(default_factory=list)


@dataclass(frozen=True)
class RuleSpec:
    """A schedule in the template: a rule of EventBridge or a schedule of EventBridge Scheduler, for a function."""

    logical_id: str
    name: str
    arn: str
    expression: str
    target_arn: str
    input: str | None
    source: str
    enabled: bool
