"""Answers with the event, or with what the query asks for."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any


def handler(event: dict[str, Any], context: Any) -> Any:
    query = event.get("queryStringParameters", {})
    match query.get("answer"):
        case "string":
            return "plain text"
        case "object":
            return {"no": "status"}
        case "binary":
            body = base64.b64encode(bytes(range(256))).decode()
            return {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": body, "isBase64Encoded": True}
        case "cookies":
            return {"statusCode": 201, "cookies": ["a=1; Path=/", "b=2"], "headers": {"X-One": "1"}, "body": "made"}
        case "raise":
            raise ValueError("as asked")
        case "wrong":
            return {"statusCode": "no number"}
        case "wait":
            while not Path(query["for"]).exists():
                time.sleep(0.005)
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
