"""Does what its messages say, so that a test can cause everything that can happen to an invocation."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

INITIALISED = time.monotonic_ns()
CODE_VERSION = "one"
invocations = 0


def handler(event: dict[str, Any], context: Any) -> Any:
    global invocations
    invocations += 1
    if "Records" not in event:
        return act(event, context)
    failures = []
    for record in event["Records"]:
        if act(json.loads(record["body"]), context, record) == "fail":
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def act(command: dict[str, Any], context: Any, record: dict[str, Any] | None = None) -> Any:
    if "mark" in command:
        with Path(command["mark"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"pid": os.getpid(), "record": record}) + "\n")
    match command.get("do"):
        case "wait":
            while not Path(command["for"]).exists():
                time.sleep(0.005)
        case "crash":
            os._exit(3)
        case "raise":
            raise ValueError("as asked")
        case "fail":
            return "fail"
        case "first-raise":
            flag = Path(command["flag"])
            if not flag.exists():
                flag.touch()
                raise ValueError("the first time")
        case "large":
            return "x" * command["size"]
        case "environment":
            return dict(os.environ)
        case "context":
            return {
                "request_id": context.aws_request_id,
                "arn": context.invoked_function_arn,
                "name": context.function_name,
                "memory": context.memory_limit_in_mb,
                "remaining": context.get_remaining_time_in_millis(),
            }
        case "aws":
            import boto3

            client = boto3.client(command["service"])
            answer = getattr(client, command["method"])(**command.get("arguments", {}))
            answer.pop("ResponseMetadata", None)
            return answer
        case "print":
            print(command["text"])
    return {
        "pid": os.getpid(),
        "invocations": invocations,
        "initialised": INITIALISED,
        "version": CODE_VERSION,
        "path": sys.path,
    }
