from __future__ import annotations

from pathlib import Path

import pytest

from durability._local import LocalCloud, TemplateError
from durability._local.template import load_template

from .conftest import TEMPLATE

FUNCTION = """
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Handler: module.handler
      Runtime: python3.11
      CodeUri: .
"""


def refused(tmp_path: Path, resources: str, **parameters: str) -> TemplateError:
    template = tmp_path / "template.yaml"
    template.write_text(f"Transform: AWS::Serverless-2016-10-31\nResources:\n{resources}")
    with pytest.raises(TemplateError) as raised:
        LocalCloud(template, parameters=parameters).start()
    return raised.value


@pytest.mark.parametrize(
    ("resources", "where", "problem"),
    [
        (
            "  Cache:\n    Type: AWS::ElastiCache::CacheCluster\n",
            "Cache",
            "AWS::ElastiCache::CacheCluster is not supported",
        ),
        ("  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {VisibiltyTimeout: 3}\n", "Queue", "VisibiltyTimeout"),
        ("  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: !Ref Nothing}\n", "Queue", "'Nothing'"),
        (
            "  Queue:\n    Type: AWS::SQS::Queue\n"
            "  Role:\n    Type: AWS::IAM::Role\n"
            "    Properties: {AssumeRolePolicyDocument: {Statement: []}, RoleName: !GetAtt Queue.Nmae}\n",
            "Queue",
            "no attribute 'Nmae'",
        ),
        (
            "  A:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: !GetAtt B.QueueName}\n"
            "  B:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: !GetAtt A.QueueName}\n",
            "A",
            "circular dependency A → B → A",
        ),
        (
            "  Table:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      BillingMode: PAY_PER_REQUEST\n"
            "      AttributeDefinitions: []\n      KeySchema: [{AttributeName: pk, KeyType: HASH}]\n",
            "Table",
            "was refused",
        ),
        (FUNCTION.replace("CodeUri: .", "CodeUri: nowhere"), "Function", "is not a directory"),
        (FUNCTION + "      Layers: [arn:aws:lambda:us-east-1:123456789012:layer:one:1]\n", "Function", "Layers"),
        (
            "  Queue:\n    Type: AWS::SQS::Queue\n"
            + FUNCTION
            + "      Timeout: 31\n      Events:\n        Messages:\n          Type: SQS\n"
            "          Properties: {Queue: !GetAtt Queue.Arn}\n",
            "FunctionMessages",
            "VisibilityTimeout 30 s of Queue is less than Timeout 31 s",
        ),
    ],
)
def test_a_mistake_is_an_error_that_names_the_resource(
    tmp_path: Path, resources: str, where: str, problem: str
) -> None:
    error = refused(tmp_path, resources)
    assert error.where == where
    assert problem in str(error)


def test_the_transform_checks_the_template(tmp_path: Path) -> None:
    assert "Handler" in str(refused(tmp_path, FUNCTION.replace("Handler: module.handler\n      ", "")))


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [({"Unknown": "1"}, "Unknown"), ({"WorkerTimeout": "0"}, "MinValue"), ({"WorkerTimeout": "long"}, "not a number")],
)
def test_parameters_are_checked(parameters: dict[str, str], problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        load_template(TEMPLATE, parameters)


def test_resources_are_what_the_template_says(cloud: LocalCloud) -> None:
    table = cloud.client("dynamodb").describe_table(TableName=cloud.outputs["TableName"])["Table"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["attention"]
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=cloud.outputs["QueueUrl"], AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "30"
    assert cloud.resources["DeadLetterQueue"].attributes["Arn"] in attributes["Attributes"]["RedrivePolicy"]
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=cloud.resources["Secret"].ref)["SecretString"]
    assert len(secret) == 40
    assert secret.isalnum()
    role = cloud.client("iam").get_role(RoleName=cloud.resources["ScheduleRole"].ref)["Role"]
    assert role["Arn"] == cloud.resources["ScheduleRole"].attributes["Arn"]
    group = cloud.client("scheduler").get_schedule_group(Name=cloud.resources["ScheduleGroup"].ref)
    assert group["Arn"] == cloud.resources["ScheduleGroup"].attributes["Arn"]


def test_the_address_of_the_api_is_the_local_one(cloud: LocalCloud) -> None:
    assert cloud.outputs["Url"] == cloud.http_url
    assert cloud.http_url.startswith("http://127.0.0.1:")


def test_conditions_and_functions(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        """
Parameters:
  Stage: {Type: String, Default: test, AllowedValues: [test, production]}
Mappings:
  Sizes: {test: {Delay: 5}, production: {Delay: 7}}
Conditions:
  Production: !Equals [!Ref Stage, production]
  NotProduction: !Not [!Condition Production]
  Either: !Or [!Condition Production, !Condition NotProduction]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [!Ref AWS::StackName, !Select [1, !Split [",", "a,b"]]]]
      DelaySeconds: !FindInMap [Sizes, !Ref Stage, Delay]
      MaximumMessageSize: !If [Production, 1024, !Ref AWS::NoValue]
  OnlyInProduction:
    Type: AWS::SQS::Queue
    Condition: Production
Outputs:
  Name: {Value: !Sub ["${Queue.QueueName}/${x}/${!kept}", {x: !If [Either, yes, no]}]}
  Absent: {Condition: Production, Value: !Ref OnlyInProduction}
"""
    )
    with LocalCloud(template) as cloud:
        assert cloud.outputs == {"Name": "local-b/True/${kept}"}
        assert "OnlyInProduction" not in cloud.resources
        assert cloud.resources["Queue"].properties == {"QueueName": "local-b", "DelaySeconds": 5}
