"""Payloads and failures of one run, converted in the context that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from durability._core.failure import Failure
from durability._core.payload import Payload
from durability.converter import (
    ActivitySerializationContext,
    DefaultPayloadConverter,
    FailureConverter,
    PayloadConverter,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from durability.exceptions import FailureError

if TYPE_CHECKING:
    from durability._core.interceptors import StartActivityInput, StartLocalActivityInput

_C = TypeVar("_C")


class Converters:
    """A payload converter and a failure converter that belong to one context."""

    __slots__ = ("_is_failure", "failures", "payloads")

    def __init__(
        self, payloads: PayloadConverter, failures: FailureConverter, is_failure: Callable[[BaseException], bool]
    ) -> None:
        self.payloads = payloads
        self.failures = failures
        self._is_failure = is_failure

    def in_context(self, context: SerializationContext) -> Converters:
        """The same converters, told what they convert for."""
        return Converters(
            _with_context(self.payloads, context), _with_context(self.failures, context), self._is_failure
        )

    @property
    def take_context(self) -> bool:
        """Whether a context makes any difference."""
        return _takes_context(self.payloads) or _takes_context(self.failures)

    def encode(self, values: Sequence[Any]) -> list[Payload]:
        """Values as payloads."""
        return list(self.payloads.to_payloads(values)) if values else []

    def encode_one(self, value: Any) -> Payload:
        """A value as a payload."""
        [payload] = self.payloads.to_payloads([value])
        return payload

    def encode_mapping(self, values: Mapping[str, Any] | None) -> dict[str, Payload]:
        """The values of a mapping as payloads."""
        return {key: self.encode_one(value) for key, value in values.items()} if values else {}

    def summary(self, text: str | None) -> Payload | None:
        """A text for people as a payload; None if there is none."""
        return self.payloads.to_payload(text) if text else None

    def decode(self, payloads: Sequence[Payload], types: Sequence[type] | None) -> list[Any]:
        """Payloads as values; types only count if there is one for each. What takes no arguments is given none.

        Raises:
            FailureError: The converter says that the workflow has failed.
            RuntimeError: The payloads do not fit.
        """
        if not payloads or (types is not None and not types):
            return []
        hints = list(types) if types is not None and len(types) == len(payloads) else None
        try:
            return self.payloads.from_payloads(payloads, hints)
        except FailureError:
            raise
        except Exception as error:
            if self._is_failure(error):
                raise
            raise RuntimeError("Failed decoding arguments") from error

    def decode_one(self, payload: Payload | None, type_hint: type | None) -> Any:
        """A payload as a value; None for None."""
        return None if payload is None else self.decode([payload], [type_hint] if type_hint else None)[0]

    def to_failure(self, error: BaseException) -> Failure:
        """An exception in recorded form."""
        failure = Failure()
        self.failures.to_failure(error, self.payloads, failure)
        return failure

    def from_failure(self, failure: Failure) -> BaseException:
        """A recorded failure as an exception."""
        return self.failures.from_failure(failure, self.payloads)


class RunConverters(Converters):
    """The converters of a run, and those of what it starts."""

    __slots__ = ("_bare", "_namespace", "_takes", "_workflow_id", "_workflow_type")

    def __init__(
        self,
        payloads: PayloadConverter,
        failures: FailureConverter,
        is_failure: Callable[[BaseException], bool],
        *,
        namespace: str,
        workflow_id: str,
        workflow_type: str,
    ) -> None:
        self._bare = Converters(payloads, failures, is_failure)
        self._takes = self._bare.take_context
        self._namespace = namespace
        self._workflow_id = workflow_id
        self._workflow_type = workflow_type
        own = self.of_workflow(workflow_id)
        super().__init__(own.payloads, own.failures, is_failure)

    def of_workflow(self, workflow_id: str) -> Converters:
        """Converters for what goes to a workflow."""
        if not self._takes:
            return self._bare
        return self._bare.in_context(WorkflowSerializationContext(self._namespace, workflow_id))

    def of_activity(
        self, input: StartActivityInput | StartLocalActivityInput, task_queue: str, is_local: bool
    ) -> Converters:
        """Converters for what goes to an activity."""
        if not self._takes:
            return self._bare
        return self._bare.in_context(
            ActivitySerializationContext(
                namespace=self._namespace,
                workflow_id=self._workflow_id,
                workflow_type=self._workflow_type,
                activity_type=input.activity,
                activity_id=input.activity_id,
                activity_task_queue=task_queue,
                is_local=is_local,
            )
        )


def _takes_context(converter: object) -> bool:
    # The default converter can hold converters that take a context, but has none: spare it a look per activity.
    return isinstance(converter, WithSerializationContext) and type(converter) is not DefaultPayloadConverter


def _with_context(converter: _C, context: SerializationContext) -> _C:
    return converter.with_context(context) if isinstance(converter, WithSerializationContext) else converter
