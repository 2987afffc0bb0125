from __future__ import annotations

import json
from typing import Any

import pytest

from durability._local import FunctionError, LocalCloud
from durability._local.permissions import Access, accesses, allows, statements_of

from .conftest import TEMPLATE

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
PASS_ROLE = {
    "Effect": "Allow",
    "Action": "iam:PassRole",
    "Resource": "*",
    "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
}


def test_a_function_may_do_what_its_role_allows_and_no_more(cloud: LocalCloud) -> None:
    def act(service: str, method: str, **arguments: Any) -> Any:
        event = {"do": "aws", "service": service, "method": method, "arguments": arguments}
        return cloud.invoke("WorkerFunction", event)

    assert act("dynamodb", "scan", TableName=cloud.outputs["TableName"])["Count"] == 0
    for service, method, arguments, action in [
        ("dynamodb", "list_tables", {}, "dynamodb:ListTables"),
        ("sqs", "send_message", {"QueueUrl": cloud.outputs["QueueUrl"], "MessageBody": "x"}, "sqs:SendMessage"),
        ("secretsmanager", "get_secret_value", {"SecretId": cloud.resources["Secret"].ref}, "secretsmanager:GetSec"),
        ("lambda", "invoke", {"FunctionName": "local-worker"}, "lambda:InvokeFunction"),
    ]:
        with pytest.raises(FunctionError, match=f"AccessDenied.* {action}"):
            act(service, method, **arguments)


def test_permissions_can_be_left_out() -> None:
    with LocalCloud(TEMPLATE, enforce_permissions=False) as cloud:
        event = {"do": "aws", "service": "dynamodb", "method": "list_tables"}
        assert cloud.invoke("WorkerFunction", event)["TableNames"] == [cloud.outputs["TableName"]]


@pytest.mark.parametrize(
    ("statements", "access", "allowed"),
    [
        ([], Access("dynamodb:GetItem", TABLE), False),
        (
            [{"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE}],
            Access("dynamodb:GetItem", TABLE),
            True,
        ),
        ([{"Effect": "Allow", "Action": ["dynamodb:get*"], "Resource": "*"}], Access("dynamodb:GetItem", TABLE), True),
        (
            [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": TABLE}],
            Access("dynamodb:Query", f"{TABLE}/index/i"),
            False,
        ),
        (
            [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"},
            ],
            Access("dynamodb:DeleteItem", TABLE),
            False,
        ),
        ([PASS_ROLE], Access("iam:PassRole", "arn", {"iam:PassedToService": ["scheduler.amazonaws.com"]}), True),
        ([PASS_ROLE], Access("iam:PassRole", "arn", {"iam:PassedToService": ["lambda.amazonaws.com"]}), False),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], Access("sqs:SendMessage", "arn"), True),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], Access("iam:PassRole", "arn"), False),
    ],
)
def test_policies(statements: list[dict[str, Any]], access: Access, allowed: bool) -> None:
    assert allows(statements, access) is allowed


def test_what_requests_do() -> None:
    def of(service: str, operation: str, path: str = "/", **parameters: Any) -> list[tuple[str, str | None]]:
        found = accesses(service, operation, path, json.dumps(parameters).encode())
        return [(access.action, access.resource) for access in found]

    assert of("dynamodb", "Query", TableName="t", IndexName="i") == [("dynamodb:Query", f"{TABLE}/index/i")]
    assert of("dynamodb", "BatchWriteItem", RequestItems={"t": []}) == [("dynamodb:BatchWriteItem", TABLE)]
    assert of("dynamodb", "TransactWriteItems", TransactItems=[{"Put": {"TableName": "t"}}]) == [
        ("dynamodb:PutItem", TABLE)
    ]
    assert of("sqs", "SendMessageBatch", QueueUrl="http://127.0.0.1:1/123456789012/q") == [
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")
    ]
    assert of("scheduler", "CreateSchedule", "/schedules/n", GroupName="g", Target={"RoleArn": "r"}) == [
        ("scheduler:CreateSchedule", "arn:aws:scheduler:us-east-1:123456789012:schedule/g/n"),
        ("iam:PassRole", "r"),
    ]
    assert of("scheduler", "DeleteSchedule", "/schedules/n?groupName=g") == [
        ("scheduler:DeleteSchedule", "arn:aws:scheduler:us-east-1:123456789012:schedule/g/n")
    ]


def test_a_managed_policy_that_is_not_known_restricts_nothing() -> None:
    assert statements_of({"ManagedPolicyArns": ["arn:aws:iam::123456789012:policy/own"]}, []) is None
    known = statements_of(
        {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]}, []
    )
    assert known is not None
    assert allows(known, Access("logs:PutLogEvents", "arn"))
    assert not allows(known, Access("dynamodb:GetItem", TABLE))
