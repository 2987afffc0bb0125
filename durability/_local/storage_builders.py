"""Resources that moto keeps: tables, queues, secrets, keys, buckets, roles, schedule groups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from durability._local.builder import Builder, Built, names
from durability._local.identity import ACCOUNT, REGION
from durability._local.template import TemplateError

if TYPE_CHECKING:
    from durability._local.stack import Stack


def _table(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("TableName"), limit=255)
    direct = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "BillingMode")
    arguments: dict[str, Any] = {key: properties[key] for key in direct if key in properties}
    if "ProvisionedThroughput" in properties:
        throughput = properties["ProvisionedThroughput"]
        arguments["ProvisionedThroughput"] = {key: int(value) for key, value in throughput.items()}
    if "StreamSpecification" in properties:
        view = properties["StreamSpecification"]["StreamViewType"]
        arguments["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    client = stack.client("dynamodb")
    description = client.create_table(TableName=name, **arguments)["TableDescription"]
    if "TimeToLiveSpecification" in properties:
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={
                "AttributeName": properties["TimeToLiveSpecification"]["AttributeName"],
                "Enabled": _boolean(properties["TimeToLiveSpecification"]["Enabled"]),
            },
        )
    attributes = {"Arn": description["TableArn"]}
    if "LatestStreamArn" in description:
        attributes["StreamArn"] = description["LatestStreamArn"]
    return name, attributes


_QUEUE_ATTRIBUTES = names(
    "ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue FifoThroughputLimit "
    "KmsDataKeyReusePeriodSeconds KmsMasterKeyId MaximumMessageSize MessageRetentionPeriod "
    "ReceiveMessageWaitTimeSeconds RedriveAllowPolicy RedrivePolicy SqsManagedSseEnabled VisibilityTimeout"
)


def _queue(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("QueueName"), limit=75)
    if _boolean(properties.get("FifoQueue", False)) and not name.endswith(".fifo"):
        name += ".fifo"
    attributes = {key: _text(properties[key]) for key in _QUEUE_ATTRIBUTES & set(properties)}
    url = stack.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name, "QueueUrl": url}


def _secret(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    client = stack.client("secretsmanager")
    name = stack.physical_name(logical_id, properties.get("Name"), limit=256)
    generate = properties.get("GenerateSecretString")
    if (generate is None) == ("SecretString" not in properties):
        raise TemplateError(logical_id, "needs one of SecretString and GenerateSecretString.")
    if generate is None:
        value = properties["SecretString"]
    else:
        numbers = {key: int(generate[key]) for key in generate if key == "PasswordLength"}
        flags = {key: _boolean(generate[key]) for key in generate if key.startswith(("Exclude", "Include", "Require"))}
        if "ExcludeCharacters" in generate:
            flags["ExcludeCharacters"] = generate["ExcludeCharacters"]
        value = client.get_random_password(**numbers, **flags)["RandomPassword"]
        if "GenerateStringKey" in generate:
            template = json.loads(generate.get("SecretStringTemplate", "{}"))
            value = json.dumps({**template, generate["GenerateStringKey"]: value})
    arn = client.create_secret(Name=name, SecretString=value)["ARN"]
    return arn, {"Id": arn}


def _schedule_group(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("Name"))
    arn = stack.client("scheduler").create_schedule_group(Name=name)["ScheduleGroupArn"]
    return name, {"Arn": arn, "State": "ACTIVE"}


def _role(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    client = stack.client("iam")
    name = stack.physical_name(logical_id, properties.get("RoleName"))
    document = _document(properties["AssumeRolePolicyDocument"])
    role = client.create_role(RoleName=name, AssumeRolePolicyDocument=document, Path=properties.get("Path", "/"))[
        "Role"
    ]
    for policy in properties.get("Policies", []):
        document = _document(policy["PolicyDocument"])
        client.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    return name, {"Arn": role["Arn"], "RoleId": role["RoleId"]}


def _policy(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("PolicyName") or properties.get("ManagedPolicyName"))
    for role in properties.get("Roles", []):
        document = _document(properties["PolicyDocument"])
        stack.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}", {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/{name}"}


def _key(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    arguments: dict[str, Any] = {"Policy": _document(properties["KeyPolicy"])} if "KeyPolicy" in properties else {}
    for key in ("Description", "KeyUsage", "KeySpec"):
        if key in properties:
            arguments[key] = properties[key]
    metadata = stack.client("kms").create_key(**arguments)["KeyMetadata"]
    return metadata["KeyId"], {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]}


def _key_alias(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    stack.client("kms").create_alias(AliasName=properties["AliasName"], TargetKeyId=properties["TargetKeyId"])
    return properties["AliasName"], {}


def _bucket(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("BucketName"), limit=63, lower=True)
    client = stack.client("s3")
    client.create_bucket(Bucket=name)
    if (properties.get("VersioningConfiguration") or {}).get("Status") == "Enabled":
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    domain = f"{name}.s3.amazonaws.com"
    return name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": domain}


def _inert(service: str) -> Builder:
    """A builder of resources that mean nothing on one machine: the references to and from them are checked, no more."""

    def build(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
        given = next((str(properties[key]) for key in properties if key in _NAME_PROPERTIES), None)
        name = stack.physical_name(logical_id, given, limit=255)
        arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"
        ref = arn if service == "sns" else name
        return ref, {"Arn": arn, "TopicArn": arn, "TopicName": name}

    return Builder(build, frozenset(), None)


_NAME_PROPERTIES = ("AlarmName", "DashboardName", "LogGroupName", "TopicName", "ApplicationName", "DeploymentGroupName")

STORAGE_BUILDERS: dict[str, Builder] = {
    "AWS::DynamoDB::Table": Builder(
        _table,
        names(
            "TableName AttributeDefinitions KeySchema GlobalSecondaryIndexes LocalSecondaryIndexes BillingMode "
            "ProvisionedThroughput StreamSpecification TimeToLiveSpecification"
        ),
        names(
            "ContributorInsightsSpecification DeletionProtectionEnabled OnDemandThroughput "
            "PointInTimeRecoverySpecification SSESpecification TableClass Tags WarmThroughput"
        ),
    ),
    "AWS::SQS::Queue": Builder(_queue, _QUEUE_ATTRIBUTES | {"QueueName"}, names("Tags")),
    "AWS::SecretsManager::Secret": Builder(
        _secret, names("Name SecretString GenerateSecretString"), names("Description KmsKeyId Tags")
    ),
    "AWS::Scheduler::ScheduleGroup": Builder(_schedule_group, names("Name"), names("Tags")),
    "AWS::IAM::Role": Builder(
        _role,
        names("RoleName AssumeRolePolicyDocument Path Policies"),
        names("Description ManagedPolicyArns MaxSessionDuration PermissionsBoundary Tags"),
    ),
    "AWS::IAM::Policy": Builder(_policy, names("PolicyName PolicyDocument Roles"), names("Groups Users")),
    "AWS::IAM::ManagedPolicy": Builder(
        _policy, names("ManagedPolicyName PolicyDocument Roles"), names("Description Groups Path Users")
    ),
    "AWS::KMS::Key": Builder(
        _key,
        names("KeyPolicy Description KeyUsage KeySpec"),
        names("BypassPolicyLockoutSafetyCheck Enabled EnableKeyRotation MultiRegion Origin PendingWindowInDays Tags")
        | {"RotationPeriodInDays"},
    ),
    "AWS::KMS::Alias": Builder(_key_alias, names("AliasName TargetKeyId")),
    "AWS::S3::Bucket": Builder(
        _bucket,
        names("BucketName VersioningConfiguration"),
        names(
            "AccessControl BucketEncryption LifecycleConfiguration LoggingConfiguration ObjectLockEnabled "
            "OwnershipControls PublicAccessBlockConfiguration Tags"
        ),
    ),
    **{
        f"AWS::{kind}": _inert(kind.partition("::")[0].lower())
        for kind in (
            "CloudWatch::Alarm",
            "CloudWatch::CompositeAlarm",
            "CloudWatch::Dashboard",
            "CodeDeploy::Application",
            "CodeDeploy::DeploymentGroup",
            "Logs::LogGroup",
            "Logs::MetricFilter",
            "S3::BucketPolicy",
            "SNS::Subscription",
            "SNS::Topic",
            "SNS::TopicPolicy",
            "SQS::QueuePolicy",
        )
    },
}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _boolean(value: Any) -> bool:
    return str(value).lower() == "true"


def _document(policy: dict[str, Any]) -> str:
    # IAM takes a policy without a version, as SAM's policy templates are; moto does not. YAML makes dates of bare ones.
    return json.dumps({"Version": "2012-10-17", **policy}, default=str)
