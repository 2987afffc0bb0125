"""The user's workflows, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from durability._core.activation import RunDetails, WorkflowInstance
from durability._core.deadlock import DeadlockDetector
from durability._core.failure import Failure
from durability._core.instance import create_instance
from durability._core.interceptors import WorkflowInboundInterceptor
from durability._guards.guard import Guard
from durability._runtime.workflow_payloads import PayloadOptions
from durability.converter import DataConverter
from durability.exceptions import ConfigurationError
from durability.workflow._definition import _Definition


class UnknownWorkflowError(ConfigurationError):
    """A run is of a workflow type that this code does not have. It goes on when code that has it is deployed."""


class WorkflowRegistry:
    """Makes instances of the registered workflow classes."""

    def __init__(
        self,
        workflows: Iterable[type],
        *,
        data_converter: DataConverter,
        interceptors: Sequence[type[WorkflowInboundInterceptor]] = (),
        extern_functions: Mapping[str, Callable[..., Any]] = {},
        failure_exception_types: Sequence[type[BaseException]] = (),
        deadlock_detector: DeadlockDetector | None = None,
        header_codec: bool = False,
        external_concurrency: int = 3,
        limited: bool = True,
        guarded: bool = True,
    ) -> None:
        """Register workflow classes.

        Args:
            workflows: The classes.
            data_converter: Converts values.
            interceptors: Classes of inbound interceptors, outermost first.
            extern_functions: Functions that are lent to workflow code, by name.
            failure_exception_types: Exceptions that fail a workflow instead of its workflow task.
            deadlock_detector: Watches for code that does not yield.
            guarded: Whether workflow code is refused what does not replay.
            header_codec: Whether headers go through the codec.
            external_concurrency: Calls to an external storage at a time, in one workflow task.
            limited: Whether payloads that are too large fail the workflow task.

        Raises:
            ValueError: A class is not decorated, or two have the same name.
        """
        self.payload_options: Final = PayloadOptions(data_converter, header_codec, external_concurrency, limited)
        self._interceptors = interceptors
        self._extern_functions = extern_functions
        self._failure_exception_types = failure_exception_types
        self._deadlock_detector = deadlock_detector
        self._definitions: dict[str | None, _Definition] = {}
        for cls in workflows:
            definition = _Definition.must_from_class(cls)
            if definition.name in self._definitions:
                raise ValueError(f"More than one workflow named {definition.name or '(dynamic)'}")
            self._definitions[definition.name] = definition
        self._guard = Guard(definition.cls for definition in self._definitions.values()) if guarded else None

    @property
    def names(self) -> list[str]:
        """The registered workflow types, sorted, the dynamic one left out."""
        return sorted(name for name in self._definitions if name is not None)

    def definition(self, workflow_type: str) -> _Definition:
        """The definition of a workflow type.

        Raises:
            UnknownWorkflowError: There is none, and no dynamic workflow.
        """
        definition = self._definitions.get(workflow_type) or self._definitions.get(None)
        if definition is None:
            known = ", ".join(self.names) or "none"
            raise UnknownWorkflowError(
                f"Workflow class {workflow_type} is not registered on this worker, available workflows: {known}. "
                "A function has the classes of its Application(workflows=[...])"
            )
        return definition

    def create(self, details: RunDetails) -> WorkflowInstance:
        """The instance of a run."""
        definition = self.definition(details.started.workflow_type)
        return create_instance(
            definition,
            self._with_extern_functions(details),
            payload_converter=self.payload_options.converter.payload_converter,
            failure_converter=self.payload_options.converter.failure_converter,
            interceptors=self._interceptors,
            failure_exception_types=self._failure_exception_types,
            deadlock_detector=self._deadlock_detector,
            guard=self._guard if definition.sandboxed else None,
        )

    def _with_extern_functions(self, details: RunDetails) -> RunDetails:
        if not self._extern_functions:
            return details
        return replace(details, extern_functions={**details.extern_functions, **self._extern_functions})

    def to_failure(self, error: BaseException) -> Failure:
        """An exception in recorded form."""
        failure = Failure()
        converter = self.payload_options.converter
        if isinstance(error, Exception):
            converter.failure_converter.to_failure(error, converter.payload_converter, failure)
        else:
            failure.message = str(error)
        return failure
