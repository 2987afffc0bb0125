"""The one declaration of the table: keys, attributes, indexes.

For administration: the hot path uses the names alone and does without the library.
"""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection
from pynamodb.models import Model

from durability._aws import items


class AttentionIndex(GlobalSecondaryIndex["HistoryTable"]):
    """Runs by the time at which somebody should have looked at them; sparse."""

    class Meta:
        index_name = items.ATTENTION_INDEX
        projection = IncludeProjection(["namespace", "workflow_id", "run_id", "task_queue"])

    shard = UnicodeAttribute(hash_key=True, attr_name=items.ATTENTION_SHARD)
    at = NumberAttribute(range_key=True, attr_name=items.ATTENTION_AT)


class StatusIndex(GlobalSecondaryIndex["HistoryTable"]):
    """Runs by status, then start."""

    class Meta:
        index_name = items.STATUS_INDEX
        projection = IncludeProjection([name for name in items.LISTED if name != items.START_TIME])

    key = UnicodeAttribute(hash_key=True, attr_name=items.STATUS_KEY)
    start_time = NumberAttribute(range_key=True, attr_name=items.START_TIME)


class TypeIndex(GlobalSecondaryIndex["HistoryTable"]):
    """Runs by workflow type, then status and start."""

    class Meta:
        index_name = items.TYPE_INDEX
        projection = IncludeProjection(list(items.LISTED))

    key = UnicodeAttribute(hash_key=True, attr_name=items.TYPE_KEY)
    range = UnicodeAttribute(range_key=True, attr_name=items.TYPE_RANGE)


class HistoryTable(Model):
    """Every item: heads, deltas, messages of their own, activity attempts, summaries of closed runs."""

    class Meta:
        table_name = "durability"
        billing_mode = "PAY_PER_REQUEST"

    partition = UnicodeAttribute(hash_key=True, attr_name=items.PARTITION)
    sort = UnicodeAttribute(range_key=True, attr_name=items.SORT)
    body = BinaryAttribute(null=True, legacy_encoding=False)
    start_time = NumberAttribute(null=True, attr_name=items.START_TIME)
    status_key = UnicodeAttribute(null=True, attr_name=items.STATUS_KEY)
    type_key = UnicodeAttribute(null=True, attr_name=items.TYPE_KEY)
    type_range = UnicodeAttribute(null=True, attr_name=items.TYPE_RANGE)
    attention_shard = UnicodeAttribute(null=True, attr_name=items.ATTENTION_SHARD)
    attention_at = NumberAttribute(null=True, attr_name=items.ATTENTION_AT)
    expires = NumberAttribute(null=True, attr_name=items.EXPIRES)

    attention = AttentionIndex()
    by_status = StatusIndex()
    by_type = TypeIndex()


def create_table(name: str, *, region: str, endpoint: str | None = None) -> None:
    """Create the table where there is no template to do it: in tests, or beside an application of one's own.

    Args:
        name: Table name.
        region: AWS region.
        endpoint: Endpoint URL; AWS's own by default.
    """
    meta: dict[str, Any] = {"table_name": name, "region": region, "billing_mode": "PAY_PER_REQUEST"}
    if endpoint is not None:
        meta["host"] = endpoint
    declared = type("HistoryTable", (HistoryTable,), {"Meta": type("Meta", (HistoryTable.Meta,), meta)})
    declared.create_table(wait=True)  # type: ignore[attr-defined]
