"""What a role may do: the identity policies of the template, evaluated for every request of a function.

Evaluated are actions, resources, `Deny`, and the conditions `StringEquals`, `StringLike` and their `ForAllValues:`
forms on keys that are known here. Another condition neither allows less nor denies more. Resource policies, boundaries
and session policies are not evaluated, nor are S3 and the resources of services other than those below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from durability._local.identity import ACCOUNT, REGION

Statement = Mapping[str, Any]
# Managed policies of AWS that matter to functions: https://docs.aws.amazon.com/lambda/latest/dg/permissions-managed-policies.html
_MANAGED: dict[str, list[str]] = {
    "AWSLambdaBasicExecutionRole": ["logs:*"],
    "AWSLambdaSQSQueueExecutionRole": [
        "logs:*",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    ],
    "AWSXRayDaemonWriteAccess": ["xray:*"],
    "AWSXrayWriteOnlyAccess": ["xray:*"],
}


@dataclass(frozen=True)
class Access:
    """One thing that a request does, which a policy has to allow.

    Args:
        action: IAM action, for instance `dynamodb:PutItem`.
        resource: ARN; None where it is not known, which then any resource of a statement matches.
        context: condition keys and their values.
    """

    action: str
    resource: str | None
    context: Mapping[str, list[str]] = field(default_factory=dict)


def allows(statements: Iterable[Statement], access: Access) -> bool:
    """Whether the policies of a role allow something.

    Args:
        statements: statements of all its policies.
        access: what is asked for.
    """
    allowed = False
    for statement in statements:
        if not (_matches_action(statement, access.action) and _matches_resource(statement, access.resource)):
            continue
        holds = _conditions_hold(statement.get("Condition") or {}, access.context)
        if statement["Effect"] == "Deny":
            if holds:
                return False
        elif holds is not False:
            allowed = True
    return allowed


def refusal(access: Access) -> str:
    """What a caller is told who may not do something.

    Args:
        access: what was asked for.
    """
    return (
        f"The caller is not authorized to perform: {access.action} on resource: {access.resource or '*'} "
        f"because no identity-based policy of the template allows the {access.action} action"
    )


def statements_of(role: Mapping[str, Any], attached: Iterable[Mapping[str, Any]]) -> list[Statement] | None:
    """The statements of a role's policies.

    Args:
        role: properties of the role.
        attached: policy documents attached to it by other resources.

    Returns:
        The statements; None if it has a managed policy whose content is not known here, so that nothing can be refused.
    """
    statements: list[Statement] = []
    documents = [policy["PolicyDocument"] for policy in role.get("Policies") or []]
    for document in [*documents, *attached]:
        statements += document_statements(document)
    for arn in role.get("ManagedPolicyArns") or []:
        actions = _MANAGED.get(str(arn).rsplit("/", 1)[-1])
        if actions is None:
            return None
        statements.append({"Effect": "Allow", "Action": actions, "Resource": "*"})
    return statements


def document_statements(document: Mapping[str, Any]) -> list[Statement]:
    """The statements of a policy document."""
    content = document["Statement"]
    return list(content) if isinstance(content, list) else [content]


def accesses(service: str, operation: str, path: str, body: bytes) -> list[Access]:
    """What a request does.

    Args:
        service: signing name of the service.
        operation: its operation.
        path: path of the request.
        body: its body.
    """
    if service == "dynamodb":
        return list(_dynamodb(operation, json.loads(body or b"{}")))
    if service == "sqs":
        parameters = json.loads(body or b"{}")
        queue = str(parameters.get("QueueUrl") or parameters.get("QueueName", "")).rsplit("/", 1)[-1]
        resource = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}" if queue else "*"
        return [Access(f"sqs:{operation.removesuffix('Batch')}", resource)]
    if service == "scheduler":
        return list(_scheduler(operation, path, json.loads(body or b"{}")))
    if service == "secretsmanager":
        secret = str(json.loads(body or b"{}").get("SecretId", ""))
        return [Access(f"secretsmanager:{operation}", secret if secret.startswith("arn:") else None)]
    return [Access(f"{service}:{operation}", None)] if service != "s3" else []


def _dynamodb(operation: str, parameters: dict[str, Any]) -> Iterable[Access]:
    def table(name: str) -> str:
        return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"

    if operation in ("BatchGetItem", "BatchWriteItem"):
        for name in parameters["RequestItems"]:
            yield Access(f"dynamodb:{operation}", table(name))
    elif operation in ("TransactWriteItems", "TransactGetItems"):
        for element in parameters["TransactItems"]:
            ((kind, request),) = element.items()
            action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield Access(f"dynamodb:{action}", table(request["TableName"]))
    elif "TableName" in parameters:
        resource = table(parameters["TableName"])
        index = parameters.get("IndexName")
        yield Access(f"dynamodb:{operation}", f"{resource}/index/{index}" if index else resource)
    else:
        yield Access(f"dynamodb:{operation}", "*")


def _scheduler(operation: str, path: str, parameters: dict[str, Any]) -> Iterable[Access]:
    if not operation.endswith("Schedule"):
        yield Access(f"scheduler:{operation}", None)
        return
    name = path.split("?")[0].rsplit("/", 1)[-1]
    group = parameters.get("GroupName") or _query(path, "groupName") or "default"
    yield Access(f"scheduler:{operation}", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}")
    role = (parameters.get("Target") or {}).get("RoleArn")
    if role is not None:
        yield Access("iam:PassRole", role, {"iam:PassedToService": ["scheduler.amazonaws.com"]})


def _query(path: str, name: str) -> str | None:
    match = re.search(rf"[?&]{name}=([^&]+)", path)
    return match[1] if match else None


def _matches_action(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not _any_like(statement["NotAction"], action, ignore_case=True)
    return _any_like(statement.get("Action", []), action, ignore_case=True)


def _matches_resource(statement: Statement, resource: str | None) -> bool:
    if resource is None:
        return True
    if "NotResource" in statement:
        return not _any_like(statement["NotResource"], resource)
    return _any_like(statement.get("Resource", []), resource)


def _conditions_hold(conditions: Mapping[str, Any], context: Mapping[str, list[str]]) -> bool | None:
    """Whether conditions hold; None if one of them is not known here."""
    unknown = False
    for operator, keys in conditions.items():
        kind = operator.removeprefix("ForAllValues:")
        for key, wanted in keys.items():
            if kind not in ("StringEquals", "StringLike") or key not in context:
                unknown = True
            elif not all(_any_like(wanted, value, exact=kind == "StringEquals") for value in context[key]):
                return False
    return None if unknown else True


def _any_like(patterns: Any, text: str, *, ignore_case: bool = False, exact: bool = False) -> bool:
    choices = [patterns] if isinstance(patterns, str) else patterns
    if exact:
        return text in choices
    return any(_pattern(str(choice), ignore_case).fullmatch(text) for choice in choices)


@lru_cache(maxsize=1024)
def _pattern(wildcard: str, ignore_case: bool) -> re.Pattern[str]:
    expression = re.escape(wildcard).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.IGNORECASE if ignore_case else 0)
