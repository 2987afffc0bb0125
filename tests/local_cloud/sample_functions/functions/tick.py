"""Notes in the table that it was invoked, and with what."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3

client = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: Any) -> None:
    client.put_item(
        TableName=os.environ["TABLE"],
        Item={"pk": {"S": "tick"}, "sk": {"S": event["id"]}, "event": {"S": json.dumps(event)}},
    )
