from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durability._aws.stack_commands import VARIABLES

Template = dict[str, Any]

FUNCTIONS = ["WorkflowFunction", "ActivityFunction", "HttpFunction", "ReconcilerFunction"]
CONSUMERS = {"WorkflowFunction": ("WorkflowQueue", 10), "ActivityFunction": ("ActivityQueue", 1)}

ENVIRONMENT = {
    "DURABILITY_APPLICATION",
    "DURABILITY_NAMESPACE",
    "DURABILITY_TASK_QUEUE",
    "DURABILITY_OTHER_TASK_QUEUES",
    "DURABILITY_WORKER_QUEUE_PREFIX",
    "DURABILITY_KMS_KEY_ARN",
    "DURABILITY_TABLE",
    "DURABILITY_BUCKET",
    "DURABILITY_RETENTION_DAYS",
    "DURABILITY_WORKFLOW_QUEUE_URL",
    "DURABILITY_WORKFLOW_QUEUE_ARN",
    "DURABILITY_ACTIVITY_QUEUE_URL",
    "DURABILITY_SCHEDULE_GROUP",
    "DURABILITY_SCHEDULE_ROLE_ARN",
    "DURABILITY_WORKFLOW_FUNCTION",
    "DURABILITY_ACTIVITY_TIMEOUT",
    "DURABILITY_WEBHOOK_SECRET",
    "DURABILITY_PUBLIC_URL",
}


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"] == kind}


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every statement of a role's own policies, both sides of conditions included."""
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            for candidate in statement["Fn::If"][1:] if "Fn::If" in statement else [statement]:
                if candidate != {"Ref": "AWS::NoValue"}:
                    yield candidate


def worker_policy(template: Template) -> dict[str, Any]:
    """The policy for workers, in the shape of a role with that one policy."""
    return {"Policies": [of_type(template, "AWS::IAM::ManagedPolicy")["WorkerPolicy"]]}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions(role: dict[str, Any]) -> set[str]:
    return {action for statement in statements(role) for action in listed(statement["Action"])}


def test_the_transform_adds_no_role_and_no_api_of_its_own(source: Template, expanded: Template) -> None:
    for kind in ("AWS::IAM::Role", "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"):
        assert of_type(expanded, kind).keys() == of_type(source, kind).keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_the_whole_environment(expanded: Template, name: str) -> None:
    variables = of_type(expanded, "AWS::Lambda::Function")[name]["Environment"]["Variables"]
    assert {variable for variable in variables if variable.startswith("DURABILITY_")} == ENVIRONMENT


def test_the_engine_reads_only_variables_that_the_template_sets(root: Path) -> None:
    # What runs in a client or on a laptop has variables of its own.
    elsewhere = {"_local", "client", "testing", "worker"}
    sources = [path for path in (root / "durability").rglob("*.py") if not elsewhere & set(path.parts)]
    read = {name for path in sources for name in re.findall(r"[\"'](DURABILITY_[A-Z_]+)[\"']", path.read_text())}
    assert read <= ENVIRONMENT


@pytest.mark.parametrize("name", FUNCTIONS)
def test_handlers_exist(expanded: Template, root: Path, name: str) -> None:
    module, _, attribute = of_type(expanded, "AWS::Lambda::Function")[name]["Handler"].rpartition(".")
    tree = ast.parse((root / f"{module.replace('.', '/')}.py").read_text())
    assigned = {
        t.id for node in tree.body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
    }
    assert attribute in assigned


@pytest.mark.parametrize("name", FUNCTIONS)
def test_handlers_load_the_application(
    expanded: Template, source: Template, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    function = of_type(expanded, "AWS::Lambda::Function")[name]
    for variable in ENVIRONMENT:
        monkeypatch.setenv(variable, "unused")
    monkeypatch.setenv("DURABILITY_RETENTION_DAYS", "0")
    monkeypatch.setenv("DURABILITY_APPLICATION", source["Parameters"]["Application"]["Default"])
    monkeypatch.setenv("DURABILITY_ACTIVITY_TIMEOUT", str(source["Parameters"]["ActivityTimeout"]["Default"]))
    module, _, attribute = function["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_logs_are_kept_for_a_time_and_hold_no_events(expanded: Template, name: str) -> None:
    function = of_type(expanded, "AWS::Lambda::Function")[name]
    group = function["LoggingConfig"]["LogGroup"]["Ref"]
    assert of_type(expanded, "AWS::Logs::LogGroup")[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    # Powertools would log whole events, payloads included.
    assert not {"POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_DEV"} & function["Environment"]["Variables"].keys()


@pytest.mark.parametrize("kind", ["Workflow", "Activity"])
def test_visibility_is_six_times_the_timeout_for_every_timeout(source: Template, expanded: Template, kind: str) -> None:
    parameter = f"{kind}Timeout"
    assert of_type(expanded, "AWS::Lambda::Function")[f"{kind}Function"]["Timeout"] == {"Ref": parameter}
    visibility = source["Resources"][f"{kind}Queue"]["Properties"]["VisibilityTimeout"]
    mapping, key, field = visibility["Fn::FindInMap"]
    assert key == {"Ref": parameter}
    for timeout in source["Parameters"][parameter]["AllowedValues"]:
        assert source["Mappings"][mapping][str(timeout)][field] >= 6 * timeout


@pytest.mark.parametrize(("function", "queue", "batch"), [(f, q, b) for f, (q, b) in CONSUMERS.items()])
def test_consumers_report_partial_failures_and_are_limited(
    expanded: Template, function: str, queue: str, batch: int
) -> None:
    [mapping] = [
        m
        for m in of_type(expanded, "AWS::Lambda::EventSourceMapping").values()
        if m["FunctionName"] == {"Ref": function}
    ]
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert mapping["BatchSize"] == batch
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == {"Ref": "MaximumConcurrency"}


@pytest.mark.parametrize("function", CONSUMERS)
def test_lambda_does_not_stop_long_workflows_as_loops(expanded: Template, function: str) -> None:
    assert of_type(expanded, "AWS::Lambda::Function")[function]["RecursiveLoop"] == "Allow"


@pytest.mark.parametrize("kind", ["Workflow", "Activity"])
def test_messages_that_keep_failing_are_kept_and_noticed(expanded: Template, kind: str) -> None:
    queues = of_type(expanded, "AWS::SQS::Queue")
    redrive = queues[f"{kind}Queue"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [f"{kind}DeadLetterQueue", "Arn"]}
    assert redrive["maxReceiveCount"] >= 5
    assert queues[f"{kind}DeadLetterQueue"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    alarmed = {
        json.dumps(alarm["Dimensions"][0]["Value"]) for alarm in of_type(expanded, "AWS::CloudWatch::Alarm").values()
    }
    assert json.dumps({"Fn::GetAtt": [f"{kind}DeadLetterQueue", "QueueName"]}) in alarmed


def test_roles_name_every_action_and_every_resource(expanded: Template) -> None:
    roles = of_type(expanded, "AWS::IAM::Role")
    assert len(roles) == len(FUNCTIONS) + 1
    for role in (*roles.values(), worker_policy(expanded)):
        for statement in statements(role):
            assert all("*" not in action for action in listed(statement["Action"]))
            for resource in listed(statement["Resource"]):
                assert resource != "*"
                # The names of schedules, objects and workers' queues are known at run time only.
                if "*" in json.dumps(resource):
                    assert re.search(
                        r":schedule/\$\{ScheduleGroup\}/\*$|:\$\{AWS::StackName\}-worker-\*$|\$\{Bucket.Arn\}/\*$",
                        resource["Fn::Sub"],
                    )


def test_only_workers_have_queues_made_unless_tasks_wait_for_them(source: Template) -> None:
    makers = {
        name
        for name, role in of_type(source, "AWS::IAM::Role").items()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "sqs:CreateQueue" in json.dumps(statement) and statement["Fn::If"][0] != "TasksWaitForWorkers"
    }
    assert makers == set()
    assert "sqs:CreateQueue" in actions(worker_policy(source))


def test_commands_find_all_that_they_need_in_the_outputs(source: Template) -> None:
    assert set(VARIABLES) <= source["Outputs"].keys()
    assert set(VARIABLES.values()) < ENVIRONMENT


def test_each_function_has_a_role_of_its_own(expanded: Template) -> None:
    functions = of_type(expanded, "AWS::Lambda::Function")
    roles = [functions[name]["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS]
    assert roles == [name.replace("Function", "Role") for name in FUNCTIONS]


@pytest.mark.parametrize("role", ["WorkflowRole", "HttpRole"])
def test_who_runs_the_protocol_may_do_what_the_store_does_and_no_more(
    expanded: Template, root: Path, role: str
) -> None:
    parts = ("dynamodb", "message_items", "listing", "requests", "tasks")  # of the store, but for deletion
    code = "".join((root / f"durability/_aws/{part}.py").read_text() for part in parts)
    operations = set(re.findall(r"\"((?:[a-z]+_)*(?:item|items|query|scan))\",", code))
    assert operations
    # A transaction is authorised by what it is made of.
    operations = {"put_item" if operation == "transact_write_items" else operation for operation in operations}
    wanted = {"dynamodb:" + operation.title().replace("_", "") for operation in operations}
    allowed = actions(of_type(expanded, "AWS::IAM::Role")[role])
    assert {action for action in allowed if action.startswith("dynamodb:")} == wanted


def test_the_bucket_is_closed_and_encrypted(expanded: Template) -> None:
    [bucket] = of_type(expanded, "AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    [policy] = of_type(expanded, "AWS::S3::BucketPolicy").values()
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


@pytest.mark.parametrize(
    ("role", "keeps", "deletes"),
    [
        ("WorkflowRole", True, True),
        ("HttpRole", True, True),
        ("ActivityRole", True, False),
        ("ReconcilerRole", False, True),
    ],
)
def test_roles_do_with_objects_what_their_functions_do(
    expanded: Template, role: str, keeps: bool, deletes: bool
) -> None:
    wanted = {"s3:GetObject", "s3:PutObject"} if keeps else set()
    wanted |= {"s3:DeleteObject", "s3:ListBucket"} if deletes else set()
    allowed = actions(of_type(expanded, "AWS::IAM::Role")[role])
    assert {action for action in allowed if action.startswith("s3:")} == wanted


def test_only_the_workflow_function_sets_schedules_and_only_for_the_scheduler(expanded: Template) -> None:
    roles = of_type(expanded, "AWS::IAM::Role")
    holders = {name for name, role in roles.items() if {a.split(":")[0] for a in actions(role)} & {"scheduler", "iam"}}
    assert holders == {"WorkflowRole"}
    [passing] = [s for s in statements(roles["WorkflowRole"]) if "iam:PassRole" in listed(s["Action"])]
    assert passing["Resource"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}
    assert passing["Condition"]["StringEquals"] == {"iam:PassedToService": "scheduler.amazonaws.com"}


def test_only_functions_that_sign_or_verify_read_the_secret(expanded: Template) -> None:
    roles = of_type(expanded, "AWS::IAM::Role")
    holders = {name for name, role in roles.items() if "secretsmanager:GetSecretValue" in actions(role)}
    assert holders == {"WorkflowRole", "ActivityRole", "HttpRole"}


def test_only_webhooks_and_callbacks_are_open(expanded: Template) -> None:
    routes = {
        route["RouteKey"]: route["AuthorizationType"]
        for route in of_type(expanded, "AWS::ApiGatewayV2::Route").values()
    }
    assert routes == {
        "$default": {"Ref": "HttpAuthorization"},
        "ANY /webhooks/{proxy+}": "NONE",
        "ANY /callbacks/{proxy+}": "NONE",
    }
    assert expanded["Parameters"]["HttpAuthorization"]["Default"] == "AWS_IAM"


def test_table_is_the_one_that_the_engine_declares(expanded: Template) -> None:
    from pynamodb.models import Model

    from durability._aws import table

    [model] = [
        m
        for m in vars(table).values()
        if isinstance(m, type) and issubclass(m, Model) and m.__module__ == table.__name__
    ]
    schema = model._get_schema()
    properties = expanded["Resources"]["Table"]["Properties"]

    def keys(entries: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
        return sorted(sorted(entry.items()) for entry in entries)

    def normal(entry: dict[str, Any]) -> dict[str, Any]:
        return {re.sub("_", "", key).lower(): value for key, value in entry.items()}

    declared = {normal(i)["indexname"]: normal(i) for i in schema["global_secondary_indexes"]}
    deployed = {normal(i)["indexname"]: normal(i) for i in properties["GlobalSecondaryIndexes"]}
    assert declared.keys() == deployed.keys()
    for name, index in declared.items():
        assert keys(index["keyschema"]) == keys(deployed[name]["keyschema"])
        mine, theirs = normal(index["projection"]), normal(deployed[name]["projection"])
        assert mine["projectiontype"] == theirs["projectiontype"]
        assert sorted(mine.get("nonkeyattributes", [])) == sorted(theirs.get("nonkeyattributes", []))
    assert keys(schema["key_schema"]) == keys(properties["KeySchema"])
    assert keys(schema["attribute_definitions"]) == keys(properties["AttributeDefinitions"])


def test_state_outlives_the_stack_and_can_be_restored(expanded: Template) -> None:
    table = expanded["Resources"]["Table"]
    assert table["DeletionPolicy"] == "RetainExceptOnCreate"
    assert table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["SSESpecification"]["SSEEnabled"] is True
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def test_two_stacks_fit_into_one_account(expanded: Template) -> None:
    """Every name that the template gives contains the name of the stack."""
    names = {"AWS::Lambda::Function": "FunctionName", "AWS::Logs::LogGroup": "LogGroupName"}
    for kind, name in names.items():
        for properties in of_type(expanded, kind).values():
            assert "${AWS::StackName}" in properties[name]["Fn::Sub"]
    for kind, name in {
        "AWS::DynamoDB::Table": "TableName",
        "AWS::SQS::Queue": "QueueName",
        "AWS::IAM::Role": "RoleName",
    }.items():
        assert all(name not in properties for properties in of_type(expanded, kind).values())
    assert of_type(expanded, "AWS::Scheduler::ScheduleGroup")["ScheduleGroup"]["Name"] == {"Ref": "AWS::StackName"}
