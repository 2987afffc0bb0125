"""Resources that the local cloud runs itself: functions, event source mappings, HTTP APIs, schedules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from durability._local.builder import Builder, Built, names
from durability._local.identity import ACCOUNT, REGION
from durability._local.naming import api_id
from durability._local.specs import ApiSpec, FunctionSpec, MappingSpec, RouteSpec, RuleSpec
from durability._local.template import TemplateError, code_path

if TYPE_CHECKING:
    from durability._local.stack import Stack

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method")
# API Gateway's quota for an integration of an HTTP API, and what applies when a route does not say.
_INTEGRATION_TIMEOUT = 30.0


def _function(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("FunctionName"))
    runtime = str(properties.get("Runtime", ""))
    if not runtime.startswith("python"):
        raise TemplateError(logical_id, f"Runtime {runtime or 'of an image'} does not run here; only python3.x does.")
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    reserved = properties.get("ReservedConcurrentExecutions")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    stack.functions[logical_id] = FunctionSpec(
        logical_id=logical_id,
        name=name,
        arn=arn,
        handler=str(properties["Handler"]),
        runtime=runtime,
        code=code_path(stack.template, logical_id, properties["Code"]),
        environment={key: _variable(logical_id, key, value) for key, value in variables.items()},
        timeout=_bounded(logical_id, "Timeout", properties.get("Timeout", 3), 1, 900),
        memory=_bounded(logical_id, "MemorySize", properties.get("MemorySize", 128), 128, 10240),
        reserved_concurrency=None if reserved is None else int(reserved),
        dead_letter_arn=(properties.get("DeadLetterConfig") or {}).get("TargetArn"),
        role_arn=str(properties.get("Role", "")),
        logging={key: str(value) for key, value in (properties.get("LoggingConfig") or {}).items()},
    )
    return name, {"Arn": arn}


def _version(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    function = stack.functions[stack.function_at(properties["FunctionName"], logical_id)]
    return f"{function.arn}:1", {"Version": "1", "FunctionArn": f"{function.arn}:1"}


def _alias(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    function = stack.functions[stack.function_at(properties["FunctionName"], logical_id)]
    arn = f"{function.arn}:{properties['Name']}"
    return arn, {"AliasArn": arn}


def _permission(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    stack.function_at(properties["FunctionName"], logical_id)
    return stack.physical_name(logical_id, None), {}


def _invoke_config(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    function = stack.function_at(properties["FunctionName"], logical_id)
    if properties.get("DestinationConfig"):
        raise TemplateError(logical_id, "destinations are not delivered to here; use DeadLetterConfig of the function.")
    stack.retry_attempts[function] = _bounded(
        logical_id, "MaximumRetryAttempts", properties.get("MaximumRetryAttempts", 2), 0, 2
    )
    return stack.physical_name(logical_id, None), {}


def _event_source_mapping(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    source = str(properties["EventSourceArn"])
    queue = next((each for each in stack.resources.values() if each.attributes.get("Arn") == source), None)
    if queue is None or queue.type != "AWS::SQS::Queue":
        raise TemplateError(
            logical_id, f"EventSourceArn {source} is not a queue of this template; only queues are supported."
        )
    if source.endswith(".fifo"):
        raise TemplateError(logical_id, "FIFO queues are not delivered to functions here; use a standard queue.")
    function = stack.functions[stack.function_at(str(properties["FunctionName"]), logical_id)]
    visibility = int(queue.properties.get("VisibilityTimeout", 30))
    if visibility < function.timeout:
        raise TemplateError(
            logical_id,
            f"VisibilityTimeout {visibility} s of {queue.logical_id} is less than Timeout {function.timeout} s of "
            f"{function.logical_id}; AWS refuses this. Six times the function's timeout is recommended.",
        )
    window = _bounded(
        logical_id, "MaximumBatchingWindowInSeconds", properties.get("MaximumBatchingWindowInSeconds", 0), 0, 300
    )
    batch = _bounded(logical_id, "BatchSize", properties.get("BatchSize", 10), 1, 10000)
    if batch > 10 and window < 1:
        raise TemplateError(logical_id, "a BatchSize above 10 needs MaximumBatchingWindowInSeconds of at least 1.")
    concurrency = (properties.get("ScalingConfig") or {}).get("MaximumConcurrency")
    responses = properties.get("FunctionResponseTypes") or []
    if set(responses) - {"ReportBatchItemFailures"}:
        raise TemplateError(logical_id, f"FunctionResponseTypes {responses} is not known.")
    if str(properties.get("Enabled", True)).lower() == "true":
        stack.mappings.append(
            MappingSpec(
                logical_id=logical_id,
                queue_arn=source,
                function=function.logical_id,
                batch_size=batch,
                window=float(window),
                report_failures=bool(responses),
                maximum_concurrency=None
                if concurrency is None
                else _bounded(logical_id, "MaximumConcurrency", concurrency, 2, 1000),
            )
        )
    return stack.physical_name(logical_id, None), {"Id": logical_id}


def _api(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    identifier = api_id(stack.name, logical_id)
    api = ApiSpec(logical_id, identifier)
    stack.apis[logical_id] = api
    body = properties.get("Body") or {}
    if "x-amazon-apigateway-cors" in body:
        raise TemplateError(logical_id, "CORS is not emulated; answer preflight requests in the application.")
    schemes = (body.get("components") or {}).get("securitySchemes") or {}
    for path, operations in (body.get("paths") or {}).items():
        for method, operation in operations.items():
            if method in _METHODS:
                api.routes.append(_route(stack, logical_id, method, path, operation, schemes, body.get("security")))
    endpoint = stack.resolver.resolve(f"https://{identifier}.execute-api.{REGION}.amazonaws.com", logical_id)
    return identifier, {"ApiEndpoint": endpoint, "ApiId": identifier}


def _route(
    stack: Stack,
    logical_id: str,
    method: str,
    path: str,
    operation: dict[str, Any],
    schemes: dict[str, Any],
    default_security: Any,
) -> RouteSpec:
    integration = operation.get("x-amazon-apigateway-integration") or {}
    if integration.get("type") != "aws_proxy" or str(integration.get("payloadFormatVersion")) != "2.0":
        raise TemplateError(
            logical_id, f"{method} {path}: only aws_proxy integrations with payload format 2.0 run here."
        )
    iam = False
    for requirement in operation.get("security", default_security) or []:
        for name in requirement:
            scheme = schemes.get(name) or {}
            if scheme.get("x-amazon-apigateway-authtype") == "awsSigv4":
                iam = True
            elif name != "NONE":
                raise TemplateError(
                    logical_id, f"{method} {path}: authorizer {name} does not run here; use AWS_IAM or NONE locally."
                )
    return RouteSpec(
        method="ANY" if method.startswith("x-") else method.upper(),
        path=path.removeprefix("/") if path == "/$default" else path,
        function=stack.function_at(str(integration["uri"]), logical_id),
        iam=iam,
        timeout=min(float(integration.get("timeoutInMillis", 30000)) / 1000, _INTEGRATION_TIMEOUT),
    )


def _api_integration(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    if properties["IntegrationType"] != "AWS_PROXY" or str(properties["PayloadFormatVersion"]) != "2.0":
        raise TemplateError(logical_id, "only AWS_PROXY integrations with payload format 2.0 run here.")
    stack.function_at(str(properties["IntegrationUri"]), logical_id)
    return logical_id, {"IntegrationId": logical_id}


def _api_route(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    api = next((each for each in stack.apis.values() if each.api_id == properties["ApiId"]), None)
    integration = stack.resources.get(str(properties.get("Target", "")).removeprefix("integrations/"))
    if api is None or integration is None:
        raise TemplateError(logical_id, "needs an ApiId and a Target of this template.")
    authorization = properties.get("AuthorizationType", "NONE")
    if authorization not in ("NONE", "AWS_IAM"):
        raise TemplateError(
            logical_id, f"AuthorizationType {authorization} does not run here; use AWS_IAM or NONE locally."
        )
    method, _, path = str(properties["RouteKey"]).partition(" ")
    api.routes.append(
        RouteSpec(
            method="ANY" if method == "$default" else method,
            path=path or "$default",
            function=stack.function_at(str(integration.properties["IntegrationUri"]), logical_id),
            iam=authorization == "AWS_IAM",
            timeout=min(float(integration.properties.get("TimeoutInMillis", 30000)) / 1000, _INTEGRATION_TIMEOUT),
        )
    )
    return logical_id, {"RouteId": logical_id}


def _api_stage(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    if properties["StageName"] != "$default":
        raise TemplateError(logical_id, f"stage {properties['StageName']} is not served here; only $default is.")
    return str(properties["StageName"]), {}


def _rule(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("Name"))
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"
    for target in properties.get("Targets") or []:
        if set(target) - {"Arn", "Id", "Input", "RetryPolicy"}:
            raise TemplateError(
                logical_id, f"target {target.get('Id')}: only Arn, Id, Input and RetryPolicy are supported."
            )
        _add_rule(stack, logical_id, name, arn, properties, target, "aws.events")
    return name, {"Arn": arn}


def _schedule(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Built:
    name = stack.physical_name(logical_id, properties.get("Name"))
    group = properties.get("GroupName", "default")
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}"
    _add_rule(stack, logical_id, name, arn, properties, properties["Target"], "aws.scheduler")
    return name, {"Arn": arn}


def _add_rule(
    stack: Stack, logical_id: str, name: str, arn: str, properties: dict[str, Any], target: dict[str, Any], source: str
) -> None:
    expression = str(properties.get("ScheduleExpression", ""))
    if not expression.startswith("rate("):
        raise TemplateError(logical_id, f"ScheduleExpression {expression!r} does not fire here; only rate(...) does.")
    stack.function_at(str(target["Arn"]), logical_id)
    payload = target.get("Input")
    stack.rules.append(
        RuleSpec(
            logical_id=logical_id,
            name=name,
            arn=arn,
            expression=expression,
            target_arn=str(target["Arn"]),
            input=payload if payload is None or isinstance(payload, str) else json.dumps(payload),
            source=source,
            enabled=properties.get("State", "ENABLED") == "ENABLED",
        )
    )


COMPUTE_BUILDERS: dict[str, Builder] = {
    "AWS::Lambda::Function": Builder(
        _function,
        names("FunctionName Handler Runtime Code Environment Timeout MemorySize ReservedConcurrentExecutions")
        | {"DeadLetterConfig", "LoggingConfig", "Role"},
        names(
            "Architectures Description EphemeralStorage KmsKeyArn PackageType RecursiveLoop "
            "RuntimeManagementConfig SnapStart Tags TracingConfig"
        ),
    ),
    "AWS::Lambda::Version": Builder(_version, names("FunctionName"), names("Description CodeSha256 RuntimePolicy")),
    "AWS::Lambda::Alias": Builder(
        _alias, names("FunctionName Name FunctionVersion"), names("Description ProvisionedConcurrencyConfig")
    ),
    "AWS::Lambda::Permission": Builder(
        _permission, names("FunctionName"), names("Action Principal SourceAccount SourceArn EventSourceToken")
    ),
    "AWS::Lambda::EventInvokeConfig": Builder(
        _invoke_config,
        names("FunctionName Qualifier MaximumRetryAttempts DestinationConfig"),
        names("MaximumEventAgeInSeconds"),
    ),
    "AWS::Lambda::EventSourceMapping": Builder(
        _event_source_mapping,
        names(
            "EventSourceArn FunctionName BatchSize MaximumBatchingWindowInSeconds FunctionResponseTypes ScalingConfig "
            "Enabled"
        ),
        names("Tags"),
    ),
    "AWS::ApiGatewayV2::Api": Builder(
        _api,
        names("Body"),
        names("Description DisableExecuteApiEndpoint FailOnWarnings Name ProtocolType Tags"),
    ),
    "AWS::ApiGatewayV2::Integration": Builder(
        _api_integration,
        names("ApiId IntegrationType IntegrationUri PayloadFormatVersion TimeoutInMillis"),
        names("Description IntegrationMethod"),
    ),
    "AWS::ApiGatewayV2::Route": Builder(
        _api_route, names("ApiId RouteKey Target AuthorizationType"), names("OperationName")
    ),
    "AWS::ApiGatewayV2::Stage": Builder(
        _api_stage,
        names("ApiId StageName"),
        names("AccessLogSettings AutoDeploy DefaultRouteSettings Description RouteSettings StageVariables Tags"),
    ),
    "AWS::Events::Rule": Builder(
        _rule, names("Name ScheduleExpression State Targets"), names("Description EventBusName")
    ),
    "AWS::Scheduler::Schedule": Builder(
        _schedule,
        names("Name GroupName ScheduleExpression State Target"),
        names("Description FlexibleTimeWindow ScheduleExpressionTimezone"),
    ),
}


def _bounded(logical_id: str, name: str, value: Any, low: int, high: int) -> int:
    number = int(value)
    if not low <= number <= high:
        raise TemplateError(logical_id, f"{name} {number} is outside {low} to {high}.")
    return number


def _variable(logical_id: str, name: str, value: Any) -> str:
    if isinstance(value, dict | list):
        raise TemplateError(logical_id, f"environment variable {name} must be a string.")
    return str(value).lower() if isinstance(value, bool) else str(value)
