"""Values between JSON and payloads, checked against the workflow's signature where that is at hand."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from durability._core.failure import Failure
from durability._core.payload import Payload, payload_size
from durability._core.payload_fields import PAYLOAD_LIMIT, transform_failure
from durability._http.errors import invalid, too_large
from durability._rest import bodies as wire
from durability.common import SearchAttributeKey
from durability.converter import DataConverter, WorkflowSerializationContext, encode_typed_search_attribute_value
from durability.converter._failure_converter import read_encoded_attributes

if TYPE_CHECKING:
    from durability.workflow._definition import _Definition


class Values:
    """Converts values for one deployment."""

    def __init__(self, converter: DataConverter, namespace: str, workflow_types: Iterable[type] | None) -> None:
        self._converter = converter
        self._namespace = namespace
        self._definitions: dict[str | None, _Definition] | None = None
        if workflow_types is not None:
            from durability.workflow._definition import _Definition

            definitions = [_Definition.must_from_class(cls) for cls in workflow_types]
            self._definitions = {definition.name: definition for definition in definitions}

    def converter(self, workflow_id: str) -> DataConverter:
        """The data converter, in the context of a workflow."""
        context = WorkflowSerializationContext(namespace=self._namespace, workflow_id=workflow_id)
        return self._converter.with_context(context)

    async def encode(
        self, workflow_id: str, what: str, args: Sequence[Any], payloads: list[wire.PayloadBody]
    ) -> list[Payload]:
        """Payloads of values that come in either form."""
        if args and payloads:
            raise invalid(f"{what} are given twice: give JSON or payloads, not both")
        encoded = wire.to_payloads(payloads)
        if args:
            encoded = await self.converter(workflow_id).encode(args)
        check_size(what, encoded)
        return encoded

    async def encode_map(
        self, workflow_id: str, what: str, values: Mapping[str, Any], payloads: Mapping[str, wire.PayloadBody]
    ) -> dict[str, Payload]:
        """Payloads by name, of values that come in either form."""
        encoded = wire.to_payload_map(payloads)
        for name, value in values.items():
            encoded[name] = (await self.converter(workflow_id).encode([value]))[0]
        check_size(what, encoded.values())
        return encoded

    async def decode(self, workflow_id: str, payload: Payload | None) -> Any:
        """A payload's value; raises ValueError if it is none that JSON has."""
        if payload is None:
            return None
        value = (await self.converter(workflow_id).decode([payload]))[0]
        try:
            return msgspec.json.decode(msgspec.json.encode(value)) if not isinstance(value, bytes) else _not_json()
        except (TypeError, msgspec.MsgspecError) as error:
            raise ValueError(str(error)) from error

    async def readable(self, workflow_id: str, failure: Failure) -> Failure:
        """A failure without the application's codec; as it is if it cannot be read."""
        converter = self.converter(workflow_id)
        decoded = Failure()
        decoded.CopyFrom(failure)
        try:
            await transform_failure(decoded, converter._inbound)
        except Exception:  # whatever a codec raises, the rest of the failure still tells something
            return failure
        read_encoded_attributes(decoded, converter.payload_converter)
        return decoded

    async def check_arguments(self, workflow_type: str, workflow_id: str, arguments: list[Payload]) -> None:
        """Refuse a workflow type that is not known, and arguments that its ``run`` method would not take."""
        if self._definitions is None:
            return
        definition = self._definitions.get(workflow_type)
        if definition is None:
            if None in self._definitions:
                return
            known = sorted(name for name in self._definitions if name)
            raise invalid(
                f"there is no workflow type {workflow_type!r}; there are {', '.join(known) or 'none'}",
                workflow_types=known,
            )
        self._check_count(definition, len(arguments))
        if definition.arg_types is None or len(definition.arg_types) != len(arguments):
            return  # types are applied only when all arguments are given, as in Temporal's SDK
        converter = self.converter(workflow_id)
        for number, (payload, hint) in enumerate(zip(arguments, definition.arg_types, strict=False), 1):
            try:
                await converter.decode([payload], [hint])
            except Exception as error:  # a converter may raise anything
                hint_name = getattr(hint, "__name__", str(hint))
                raise invalid(
                    f"argument {number} of {workflow_type!r} does not fit the type {hint_name}: {_reason(error)}",
                    argument=number,
                ) from error

    def _check_count(self, definition: _Definition, count: int) -> None:
        parameters = list(inspect.signature(definition.run_fn).parameters.values())[1:]
        if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
            return
        least = sum(parameter.default is parameter.empty for parameter in parameters)
        if not least <= count <= len(parameters):
            expected = str(least) if least == len(parameters) else f"{least} to {len(parameters)}"
            raise invalid(f"{definition.name!r} takes {expected} arguments, but {count} were given")


def check_size(what: str, payloads: Iterable[Payload]) -> None:
    """Refuse payloads that are too large together."""
    size = sum(payload_size(payload) for payload in payloads)
    if size > PAYLOAD_LIMIT:
        raise too_large(f"{what} have", size, PAYLOAD_LIMIT)


def encode_search_attributes(attributes: Mapping[str, Any]) -> dict[str, Payload]:
    """Payloads of search attributes, typed by what JSON has: strings are keywords, lists of them keyword lists."""
    encoded = {}
    for name, value in attributes.items():
        match value:
            case bool():
                key: SearchAttributeKey[Any] = SearchAttributeKey.for_bool(name)
            case int():
                key = SearchAttributeKey.for_int(name)
            case float():
                key = SearchAttributeKey.for_float(name)
            case str():
                key = SearchAttributeKey.for_keyword(name)
            case _:
                key = SearchAttributeKey.for_keyword_list(name)
        encoded[name] = encode_typed_search_attribute_value(key, value)
    return encoded


def _not_json() -> Any:
    raise ValueError("bytes are not JSON")


def _reason(error: BaseException) -> str:
    """The innermost cause: the outer ones say only that a payload could not be converted."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
