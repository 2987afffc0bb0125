"""Building what a template says: every resource, each after those that it refers to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from durability._local.compute_builders import COMPUTE_BUILDERS
from durability._local.identity import REGION, Credentials
from durability._local.intrinsics import NO_VALUE, Resolver
from durability._local.naming import physical_name
from durability._local.permissions import Statement, statements_of
from durability._local.specs import ApiSpec, FunctionSpec, MappingSpec, RuleSpec
from durability._local.storage_builders import STORAGE_BUILDERS
from durability._local.template import Template, TemplateError


@dataclass
class Resource:
    """A resource as built.

    Args:
        logical_id: its name in the template.
        type: its type, for instance `AWS::SQS::Queue`.
        ref: value of `Ref`: mostly the physical name.
        attributes: values of `Fn::GetAtt`.
        properties: resolved properties.
    """

    logical_id: str
    type: str
    ref: str
    attributes: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)


class Stack:
    """Builds the resources of a template in the backend.

    Args:
        template: what to build.
        name: stack name, with which physical names begin.
        endpoint: URL of the backend.
        credentials: with which to build.
        rewrite: turns addresses in AWS into those of this machine.
    """

    def __init__(
        self, template: Template, name: str, endpoint: str, credentials: Credentials, rewrite: Callable[[str], str]
    ) -> None:
        self.template = template
        self.name = name
        self.resources: dict[str, Resource] = {}
        self.functions: dict[str, FunctionSpec] = {}
        self.mappings: list[MappingSpec] = []
        self.apis: dict[str, ApiSpec] = {}
        self.rules: list[RuleSpec] = []
        self.retry_attempts: dict[str, int] = {}
        self._endpoint = endpoint
        self._credentials = credentials
        self._clients: dict[str, Any] = {}
        self._building: list[str] = []
        self.resolver = Resolver(
            template, name, lambda logical_id: self.resource(logical_id).ref, self._attribute, rewrite
        )

    def build(self) -> dict[str, Any]:
        """Build every resource whose condition holds.

        Returns:
            The outputs of the template.

        Raises:
            TemplateError: a resource or property is wrong or unknown here; it names the logical id.
        """
        for logical_id in self.template.resources:
            if self._wanted(logical_id):
                self.resource(logical_id)
        outputs = {}
        for name, output in self.template.outputs.items():
            if "Condition" not in output or self.resolver.holds(output["Condition"], f"Output {name}"):
                outputs[name] = self.resolver.resolve(output["Value"], f"Output {name}")
        return outputs

    def resource(self, logical_id: str) -> Resource:
        """The resource with a logical id, built now if it has not been.

        Args:
            logical_id: name in the template.

        Raises:
            TemplateError: it cannot be built.
        """
        built = self.resources.get(logical_id)
        if built is not None:
            return built
        if logical_id in self._building:
            circle = " → ".join([*self._building[self._building.index(logical_id) :], logical_id])
            raise TemplateError(logical_id, f"circular dependency {circle}.")
        if not self._wanted(logical_id):
            raise TemplateError(logical_id, "is referred to, but its condition does not hold.")
        self._building.append(logical_id)
        try:
            declared = self.template.resources[logical_id]
            for needed in _as_list(declared.get("DependsOn")):
                if needed in self.template.resources and self._wanted(needed):
                    self.resource(needed)
            self.resources[logical_id] = self._build(logical_id, str(declared.get("Type")), declared)
        finally:
            self._building.pop()
        return self.resources[logical_id]

    def client(self, service: str) -> Any:
        """A boto3 client of the backend.

        Args:
            service: service name as boto3 has it.
        """
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self._endpoint)
        return self._clients[service]

    def physical_name(self, logical_id: str, given: Any, *, limit: int = 64, lower: bool = False) -> str:
        """The name given in the template, or one made as CloudFormation makes them: stack, logical id, a suffix.

        Args:
            logical_id: name in the template.
            given: name property of the resource, or None.
            limit: greatest length.
            lower: whether the service wants lower case.
        """
        if given is not None:
            return str(given)
        name = physical_name(self.name, logical_id, limit=limit)
        return name.lower() if lower else name

    def function_at(self, reference: str, where: str) -> str:
        """The logical id of the function that a name or ARN means, a version or alias included.

        Args:
            reference: function name, ARN, or an API Gateway integration URI around one.
            where: logical id of what refers to it.

        Raises:
            TemplateError: the template has no such function.
        """
        found = re.search(r"function:([\w-]+)", reference)
        name = found[1] if found else reference.split(":")[0]
        for function in self.functions.values():
            if function.name == name:
                return function.logical_id
        raise TemplateError(where, f"{reference!r} is not a function of this template.")

    def statements(self, function: FunctionSpec) -> list[Statement] | None:
        """The statements of the policies of a function's role.

        Args:
            function: the function.

        Returns:
            The statements; None if they are not all known, as the role or a managed policy is not of this template.
        """
        for role in self.resources.values():
            if role.type == "AWS::IAM::Role" and role.attributes["Arn"] == function.role_arn:
                attached = [
                    policy.properties["PolicyDocument"]
                    for policy in self.resources.values()
                    if policy.type in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
                    and role.ref in policy.properties.get("Roles", [])
                ]
                return statements_of(role.properties, attached)
        return None

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.Session(
            aws_access_key_id=self._credentials.access_key_id,
            aws_secret_access_key=self._credentials.secret_access_key,
            region_name=REGION,
        )

    def _build(self, logical_id: str, type_name: str, declared: Mapping[str, Any]) -> Resource:
        from botocore.exceptions import BotoCoreError, ClientError

        builder = STORAGE_BUILDERS.get(type_name) or COMPUTE_BUILDERS.get(type_name)
        if builder is None:
            raise TemplateError(logical_id, f"resource type {type_name} is not supported by the local cloud.")
        properties = self.resolver.resolve(declared.get("Properties") or {}, logical_id)
        builder.check(logical_id, properties)
        try:
            ref, attributes = builder.build(self, logical_id, properties)
        except (BotoCoreError, ClientError) as error:
            raise TemplateError(logical_id, f"{type_name} was refused: {error}") from error
        except KeyError as error:
            raise TemplateError(logical_id, f"{type_name} needs the property {error}.") from error
        return Resource(logical_id, type_name, ref, attributes, properties)

    def _wanted(self, logical_id: str) -> bool:
        condition = self.template.resources[logical_id].get("Condition")
        return condition is None or self.resolver.holds(condition, logical_id)

    def _attribute(self, logical_id: str, name: str) -> Any:
        resource = self.resource(logical_id)
        if name not in resource.attributes:
            known = ", ".join(sorted(resource.attributes)) or "none"
            raise TemplateError(logical_id, f"{resource.type} has no attribute {name!r} here; known are: {known}.")
        return resource.attributes[name]


def _as_list(value: Any) -> list[str]:
    if value is None or value is NO_VALUE:
        return []
    return [value] if isinstance(value, str) else list(value)
