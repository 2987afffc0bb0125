"""Metrics of what an operator wants to know of, in CloudWatch's embedded metric format.

Powertools is imported when there is something to count: failures, not the way of every invocation.
"""

from __future__ import annotations

import os


def count(metric: str, number: int) -> None:
    """Add to a metric in the CloudWatch namespace ``Durability``, by stack (the prefix of the function's name).

    Args:
        metric: Its name.
        number: What to add.
    """
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    stack = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "").rpartition("-")[0] or "none"
    with single_metric(name=metric, unit=MetricUnit.Count, value=number, namespace="Durability") as recorded:
        recorded.add_dimension("Stack", stack)
