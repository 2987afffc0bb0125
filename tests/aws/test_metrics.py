"""Metrics in CloudWatch's embedded metric format."""

from __future__ import annotations

import json

import pytest

from durability._aws.metrics import count


def test_a_metric_is_one_line_with_the_stack_as_its_dimension(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop-prod-workflow")
    count("WorkflowTaskFailures", 3)
    record = json.loads(capsys.readouterr().out)
    assert record["Stack"] == "shop-prod"
    assert record["WorkflowTaskFailures"] == [3]
    assert record["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Durability"
