"""Intrinsic functions, conditions and pseudo parameters of CloudFormation."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from durability._local.identity import ACCOUNT, REGION
from durability._local.template import Template, TemplateError

NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


class Resolver:
    """Resolves intrinsic functions to values.

    Args:
        template: where parameters, mappings and conditions come from.
        stack_name: value of `AWS::StackName`.
        reference: value of `Ref` to a resource, by logical id; creates the resource if it does not exist yet.
        attribute: value of `Fn::GetAtt`, by logical id and attribute name.
        rewrite: last touch on every string, which turns addresses in AWS into those of this machine.
    """

    def __init__(
        self,
        template: Template,
        stack_name: str,
        reference: Callable[[str], str],
        attribute: Callable[[str, str], Any],
        rewrite: Callable[[str], str],
    ) -> None:
        self._template = template
        self._reference = reference
        self._attribute = attribute
        self._rewrite = rewrite
        self._conditions: dict[str, bool] = {}
        self._pseudo: dict[str, Any] = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack_name,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack_name}/local",
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
        }

    def resolve(self, value: Any, where: str) -> Any:
        """The value with every intrinsic function in it replaced by its result.

        Args:
            value: a part of the template.
            where: logical id or name of that part, for error messages.

        Raises:
            TemplateError: a function is unknown or misused, or refers to something that does not exist.
        """
        if isinstance(value, Mapping):
            if len(value) == 1:
                ((name, argument),) = value.items()
                # A policy statement has a Condition too, which is a mapping.
                reference = name == "Ref" or (name == "Condition" and isinstance(argument, str))
                if reference or str(name).startswith("Fn::"):
                    return self._function(str(name), argument, where)
            resolved = {str(key): self.resolve(element, where) for key, element in value.items()}
            return {key: element for key, element in resolved.items() if element is not NO_VALUE}
        if isinstance(value, list):
            return [element for element in (self.resolve(each, where) for each in value) if element is not NO_VALUE]
        return self._string(value, where) if isinstance(value, str) else value

    def holds(self, condition: str, where: str) -> bool:
        """Whether a condition of the template holds.

        Args:
            condition: its name.
            where: logical id or name of the part that asks, for error messages.

        Raises:
            TemplateError: there is no such condition.
        """
        if condition not in self._conditions:
            if condition not in self._template.conditions:
                raise TemplateError(where, f"condition {condition!r} is not declared.")
            self._conditions[condition] = bool(
                self.resolve(self._template.conditions[condition], f"Condition {condition}")
            )
        return self._conditions[condition]

    def _string(self, text: str, where: str) -> str:
        if "{{resolve:" in text:
            raise TemplateError(where, f"dynamic reference {text!r} is not supported here.")
        return self._rewrite(text)

    def _function(self, name: str, argument: Any, where: str) -> Any:
        if name == "Ref":
            return self._ref(str(argument), where)
        if name == "Condition":
            return self.holds(str(argument), where)
        if name == "Fn::GetAtt":
            target, _, attribute = (
                argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
            )
            self._check_resource(target, where)
            return self._attribute(target, str(self.resolve(attribute, where)))
        if name == "Fn::Sub":
            return self._sub(argument, where)
        if name == "Fn::If":
            condition, then, otherwise = argument
            return self.resolve(then if self.holds(condition, where) else otherwise, where)
        handler = _PURE.get(name)
        if handler is not None:
            return self._finish(handler(self.resolve(argument, where)), where)
        if name == "Fn::FindInMap":
            first, second, third = self.resolve(argument, where)[:3]
            try:
                return self.resolve(self._template.mappings[first][second][third], where)
            except KeyError as error:
                raise TemplateError(where, f"Fn::FindInMap: no {first}.{second}.{third} in Mappings.") from error
        raise TemplateError(where, f"intrinsic function {name} is not supported here.")

    def _finish(self, value: Any, where: str) -> Any:
        return self._string(value, where) if isinstance(value, str) else value

    def _ref(self, name: str, where: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._template.parameters:
            return self._template.parameters[name]
        self._check_resource(name, where)
        return self._reference(name)

    def _check_resource(self, name: str, where: str) -> None:
        if name not in self._template.resources:
            raise TemplateError(
                where, f"refers to {name!r}, which is neither a parameter nor a resource of the template."
            )

    def _sub(self, argument: Any, where: str) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument
        values = self.resolve(variables, where)

        def replace(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in values:
                return str(values[name])
            return str(self._function("Fn::GetAtt" if "." in name else "Ref", name, where))

        return self._string(_VARIABLE.sub(replace, text), where)


_PURE: dict[str, Callable[[Any], Any]] = {
    "Fn::Join": lambda argument: str(argument[0]).join(str(part) for part in argument[1]),
    "Fn::Select": lambda argument: argument[1][int(argument[0])],
    "Fn::Split": lambda argument: str(argument[1]).split(argument[0]),
    "Fn::Base64": lambda argument: base64.b64encode(str(argument).encode()).decode(),
    "Fn::GetAZs": lambda argument: [f"{REGION}{zone}" for zone in "abc"],
    "Fn::Equals": lambda argument: str(argument[0]) == str(argument[1]),
    "Fn::And": all,
    "Fn::Or": any,
    "Fn::Not": lambda argument: not argument[0],
    "Fn::ToJsonString": lambda argument: json.dumps(argument),
}
