from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from durability._local import FunctionError, LocalCloud

from .conftest import TEMPLATE, marks, until

WORKER = "WorkerFunction"


def process_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_an_environment_is_initialised_once_and_reused(cloud: LocalCloud) -> None:
    first, second = cloud.invoke(WORKER, {}), cloud.invoke(WORKER, {})
    assert second["pid"] == first["pid"]
    assert second["initialised"] == first["initialised"]
    assert second["invocations"] == first["invocations"] + 1


def test_a_process_is_stopped_between_invocations_and_only_then(cloud: LocalCloud, tmp_path: Path, mark: Path) -> None:
    pid = cloud.invoke(WORKER, {})["pid"]
    until(lambda: process_state(pid) == "T")
    go_on = tmp_path / "go-on"
    thread = threading.Thread(target=cloud.invoke, args=(WORKER, {"do": "wait", "for": str(go_on), "mark": str(mark)}))
    thread.start()
    until(lambda: marks(mark))
    assert process_state(pid) in "SR"
    go_on.touch()
    thread.join()
    until(lambda: process_state(pid) == "T")


def test_the_environment_is_what_the_template_gives(cloud: LocalCloud) -> None:
    os.environ["LEAKED_FROM_THE_SHELL"] = "1"
    environment = cloud.invoke(WORKER, {"do": "environment"})
    assert environment["GREETING"] == "hello"
    assert environment["TABLE"] == cloud.resources["Table"].ref
    assert environment["QUEUE_URL"] == cloud.outputs["QueueUrl"]
    assert environment["WORKER"] == "local-worker"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "local-worker"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint_url
    assert "LEAKED_FROM_THE_SHELL" not in environment
    assert "HOME" not in environment


def test_the_context_is_that_of_the_function(cloud: LocalCloud) -> None:
    context = cloud.invoke(WORKER, {"do": "context"})
    assert context["name"] == "local-worker"
    assert context["arn"] == cloud.resources[WORKER].attributes["Arn"]
    assert context["memory"] == "256"
    assert 0 < context["remaining"] <= 25000


def test_an_exception_is_a_function_error(cloud: LocalCloud) -> None:
    with pytest.raises(FunctionError, match="as asked") as raised:
        cloud.invoke(WORKER, {"do": "raise"})
    assert raised.value.payload["errorType"] == "ValueError"
    assert raised.value.payload["stackTrace"]


def test_a_process_that_ends_without_an_answer_is_an_exit_error(cloud: LocalCloud) -> None:
    before = cloud.invoke(WORKER, {})["pid"]
    with pytest.raises(FunctionError, match=r"Runtime\.ExitError: .*exit status 3"):
        cloud.invoke(WORKER, {"do": "crash"})
    assert cloud.invoke(WORKER, {})["pid"] != before


def test_a_process_killed_in_mid_invocation_is_an_exit_error(cloud: LocalCloud, mark: Path) -> None:
    errors: list[FunctionError] = []

    def invoke() -> None:
        try:
            cloud.invoke(WORKER, {"do": "wait", "for": "/nowhere", "mark": str(mark)})
        except FunctionError as error:
            errors.append(error)

    thread = threading.Thread(target=invoke)
    thread.start()
    (seen,) = until(lambda: marks(mark))
    running = [process for process in cloud.functions[WORKER].processes if process.request_id]
    assert [process.pid for process in running] == [seen["pid"]]
    os.kill(running[0].pid, signal.SIGKILL)
    thread.join()
    assert "SIGKILL" in str(errors[0])


def test_a_function_is_killed_at_its_timeout(mark: Path) -> None:
    with LocalCloud(TEMPLATE, parameters={"WorkerTimeout": "1"}) as cloud:
        with pytest.raises(FunctionError, match=r"Sandbox\.Timedout: .*Task timed out after 1\.00 seconds"):
            cloud.invoke(WORKER, {"do": "wait", "for": "/nowhere", "mark": str(mark)})
        (seen,) = marks(mark)
        until(lambda: not Path(f"/proc/{seen['pid']}").exists())
        assert "Task timed out after 1.00 seconds" in cloud.logs(WORKER)


def test_a_response_has_at_most_6_mb(cloud: LocalCloud) -> None:
    assert len(cloud.invoke(WORKER, {"do": "large", "size": 6_000_000})) == 6_000_000
    with pytest.raises(FunctionError, match=r"Function\.ResponseSizeTooLarge"):
        cloud.invoke(WORKER, {"do": "large", "size": 6 * 1024 * 1024 + 200})


def test_the_log_has_the_lines_of_the_service_in_order(cloud: LocalCloud) -> None:
    cloud.invoke(WORKER, {"do": "print", "text": "said by the function"})
    start, said, end, report = cloud.logs(WORKER).splitlines()[-4:]
    request_id = start.split()[2]
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert said == "said by the function"
    assert end == f"END RequestId: {request_id}"
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")


def test_invoke_through_the_api_by_name_and_by_arn(cloud: LocalCloud) -> None:
    client = cloud.client("lambda")
    arn = cloud.resources[WORKER].attributes["Arn"]
    for name in ("local-worker", arn, f"{arn}:$LATEST"):
        answer = client.invoke(FunctionName=name, Payload=json.dumps({"do": "context"}))
        assert answer["StatusCode"] == 200
        assert json.loads(answer["Payload"].read())["name"] == "local-worker"
    failed = client.invoke(FunctionName="local-worker", Payload=b'{"do": "raise"}')
    assert failed["FunctionError"] == "Unhandled"
    assert client.invoke(FunctionName="local-worker", InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="another")


def test_an_asynchronous_invocation_is_tried_three_times(cloud: LocalCloud, mark: Path) -> None:
    client = cloud.client("lambda")
    event = json.dumps({"do": "raise", "mark": str(mark)})
    assert client.invoke(FunctionName="local-worker", InvocationType="Event", Payload=event)["StatusCode"] == 202
    cloud.wait_until_idle()
    assert len(marks(mark)) == 3


def test_a_function_at_its_concurrency_limit_is_throttled(mark: Path, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    with LocalCloud(TEMPLATE, maximum_concurrency=1) as cloud:
        event = {"do": "wait", "for": str(go_on), "mark": str(mark)}
        running = threading.Thread(target=cloud.invoke, args=(WORKER, event))
        running.start()
        until(lambda: marks(mark))
        client = boto3.client(
            "lambda",
            endpoint_url=cloud.environment["AWS_ENDPOINT_URL_LAMBDA"],
            region_name="us-east-1",
            aws_access_key_id=cloud.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=cloud.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.invoke(FunctionName="local-worker")
        go_on.touch()
        running.join()
        assert client.invoke(FunctionName="local-worker")["StatusCode"] == 200


def test_functions_reach_the_services_with_their_own_credentials(cloud: LocalCloud) -> None:
    cloud.reset_requests()
    arguments = {"TableName": cloud.outputs["TableName"]}
    table = cloud.invoke(WORKER, {"do": "aws", "service": "dynamodb", "method": "scan", "arguments": arguments})
    assert table["Count"] == 0
    assert cloud.requests_of(WORKER) == {"dynamodb.Scan": 1}
    assert cloud.requests_of("client") == {}


def test_functions_can_be_told_other_addresses() -> None:
    with LocalCloud(TEMPLATE, interpose=lambda url: f"{url}/proxied") as cloud:
        environment = cloud.invoke(WORKER, {"do": "environment"})
        assert environment["AWS_ENDPOINT_URL"] == f"{cloud.endpoint_url}/proxied"
        assert environment["AWS_ENDPOINT_URL_LAMBDA"] == f"{cloud.environment['AWS_ENDPOINT_URL_LAMBDA']}/proxied"


def test_a_function_that_cannot_be_initialised_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import a_module_that_does_not_exist\n")
    template = tmp_path / "template.yaml"
    template.write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  Broken:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties: {Handler: broken.handler, Runtime: python3.11, CodeUri: .}\n"
    )
    with LocalCloud(template) as cloud, pytest.raises(FunctionError, match="a_module_that_does_not_exist"):
        cloud.invoke("Broken", {})


def test_saved_code_runs_after_a_reload_and_running_code_ends_as_it_began(tmp_path: Path, mark: Path) -> None:
    module = tmp_path / "module.py"
    code = (
        "import json, pathlib, time\n"
        "def handler(event, context):\n"
        "    if event.get('for'):\n"
        "        pathlib.Path(event['mark']).write_text('{}\\n')\n"
        "        while not pathlib.Path(event['for']).exists(): time.sleep(0.005)\n"
        "    return 'VERSION'\n"
    )
    module.write_text(code.replace("VERSION", "one"))
    template = tmp_path / "template.yaml"
    template.write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  Function:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties: {Handler: module.handler, Runtime: python3.11, CodeUri: ., Timeout: 60}\n"
    )
    go_on = tmp_path / "go-on"
    with LocalCloud(template) as cloud:
        running: list[str] = []
        event = {"for": str(go_on), "mark": str(mark)}
        thread = threading.Thread(target=lambda: running.append(cloud.invoke("Function", event)))
        thread.start()
        until(lambda: marks(mark))
        module.write_text(code.replace("VERSION", "another"))
        cloud.reload()
        assert cloud.invoke("Function", {}) == "another"
        go_on.touch()
        thread.join()
        assert running == ["one"]
        assert cloud.invoke("Function", {}) == "another"
        until(lambda: len(cloud.functions["Function"].processes) == 1)
