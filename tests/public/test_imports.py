"""The programming model is pure: it imports no AWS library, and nothing that a cold start cannot afford."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MODULES = [
    "durability.activity",
    "durability.activity._runner",
    "durability.api.common.v1",
    "durability.api.failure.v1",
    "durability.common",
    "durability.converter",
    "durability.exceptions",
    "durability.service",
]
AWS = {"aioboto3", "aiobotocore", "boto3", "botocore", "moto", "pynamodb", "s3transfer", "aws_lambda_powertools"}
HEAVY = {"pydantic", "pydantic_core", "google.protobuf", "starlette", "httpx", "ctypes", "temporalio"}


@pytest.mark.parametrize("module", MODULES)
def test_no_aws_library_and_nothing_heavy_is_imported(module: str) -> None:
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    imported = set(json.loads(output))
    assert module in imported
    assert imported & (AWS | HEAVY) == set()
    assert not [name for name in imported if name.startswith(("durability._runtime", "durability._aws"))]
