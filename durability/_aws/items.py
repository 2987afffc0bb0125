"""The items of the table: names of keys, attributes and indexes, and heads as items.

``durability._aws.table`` declares the table with these names; nothing else spells them.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from durability._runtime.frontend import Status
from durability._runtime.ports import Head, HeadRecord, TaskState, WorkflowKey

PARTITION: Final = "pk"
SORT: Final = "sk"
HEAD: Final = "HEAD"
"""Sort key of the head. Run ids begin with ``0`` until the year 10889, so a run's deltas stand just before it."""
EXPIRES: Final = "expires"

ATTENTION_INDEX: Final = "attention"
ATTENTION_SHARD: Final = "attention_shard"
ATTENTION_AT: Final = "attention_at"
SHARDS: Final = 8
"""Partitions of the attention index: each takes 1,000 writes a second."""
STATUS_INDEX: Final = "by_status"
STATUS_KEY: Final = "status_key"
START_TIME: Final = "start_time"
TYPE_INDEX: Final = "by_type"
TYPE_KEY: Final = "type_key"
TYPE_RANGE: Final = "type_range"
LISTED: Final = (
    "namespace",
    "workflow_id",
    "run_id",
    "workflow_type",
    "task_queue",
    "status",
    "start_time",
    "close_time",
    "final_length",
    "record",
)
"""Attributes that listings show: projected into both listing indexes.

None of them changes while a run goes on, or every release would write to both indexes; hence the length of
the history when it was final, and not the growing one.
"""

APART: Final = "apart"
"""Of a head: the first message since the last release that lies apart. Beside it, then, there are such messages."""

POINTER: Final = b"\x00"
"""Stands in an inbox for a message that lies in an item of its own."""

LONGEST_NAME: Final = 900
"""Bytes of a message's name that fit into a sort key beside the run id: DynamoDB allows 1,024 in all."""

Item = dict[str, Any]

_record_encoder = msgspec.msgpack.Encoder()
_record_decoder = msgspec.msgpack.Decoder(HeadRecord)


def string(value: str) -> Item:
    """A DynamoDB string."""
    return {"S": value}


def number(value: int) -> Item:
    """A DynamoDB number."""
    return {"N": str(value)}


def binary(value: bytes) -> Item:
    """A DynamoDB binary."""
    return {"B": value}


def partition(key: WorkflowKey) -> str:
    """The partition key of everything about a workflow id."""
    return f"{key.namespace}#{key.workflow_id}"


def delta_key(run_id: str, sequence: int) -> str:
    """The sort key of a delta."""
    return f"{run_id}#{sequence:010d}"


def message_key(run_id: str, message: str) -> str:
    """The sort key of a message that is too large for the inbox."""
    encoded = message.encode()
    if len(encoded) > LONGEST_NAME:
        message = f"~{hashlib.sha256(encoded).hexdigest()}"
    return f"{run_id}#m#{message}"


def apart_range(run_id: str) -> tuple[str, str]:
    """Between which sort keys the messages lie that were delivered to a run apart."""
    return f"INBOX#{run_id}#", f"INBOX#{run_id}$"  # "$" follows "#"


def apart_key(run_id: str, message: str) -> str:
    """Sort key of a message that was delivered apart."""
    return f"{apart_range(run_id)[0]}{message}"


def run_key(run_id: str) -> str:
    """The sort key of the summary of a run that is no longer current."""
    return f"RUN#{run_id}"


def task_key(run_id: str, sequence: int) -> str:
    """The sort key of the item on which a dispatched activity's attempts are claimed."""
    return f"TASK#{run_id}#{sequence:010d}"


def task_queues_partition(namespace: str) -> str:
    """The partition of the task queues that workers serve. No namespace begins with a tilde."""
    return f"~task-queues#{namespace}"


def reply_key(reply: str) -> Item:
    """The key of an answer that a worker lays down for whoever asked it."""
    return {PARTITION: string(f"~reply#{reply}"), SORT: string("REPLY")}


def asked_key(namespace: str, workflow_id: str, update_id: str) -> Item:
    """The key of the mark that somebody waits for a worker to take an update."""
    return {PARTITION: string(f"~asked#{namespace}#{workflow_id}"), SORT: string(update_id)}


def attention_shard(key: WorkflowKey) -> str:
    """The partition of the attention index that a workflow id belongs to."""
    digest = hashlib.blake2b(key.workflow_id.encode(), digest_size=2).digest()
    return f"{key.namespace}#{int.from_bytes(digest, 'big') % SHARDS}"


def status_key(namespace: str, status: int) -> str:
    """The partition of the index by status."""
    return f"{namespace}#{int(status)}"


def type_key(namespace: str, workflow_type: str) -> str:
    """The partition of the index by type."""
    return f"{namespace}#{workflow_type}"


def type_range(status: int, start_time: int) -> str:
    """The sort key in the index by type: by status, then start."""
    return f"{int(status)}#{start_time:015d}"


def encode_record(record: HeadRecord) -> Item:
    """The part of a head that is only read as a whole."""
    return binary(_record_encoder.encode(record))


def head_item(head: Head, sort: str = HEAD) -> Item:
    """A head, or with another sort key a run's summary, as an item. Spilled messages must already be pointers."""
    item = {
        PARTITION: string(partition(head.key)),
        SORT: string(sort),
        "namespace": string(head.key.namespace),
        "workflow_id": string(head.key.workflow_id),
        "run_id": string(head.run_id),
        "workflow_type": string(head.workflow_type),
        "task_queue": string(head.task_queue),
        "status": number(head.status),
        "request_id": string(head.request_id),
        START_TIME: number(head.start_time),
        "close_time": number(head.close_time),
        "record": encode_record(head.record),
        "dispatched": number(head.dispatched),
        "counter": number(head.counter),
        "inbox": {"M": {name: binary(body) for name, body in head.inbox.items()}},
        "arrival": {"M": {name: number(position) for position, name in enumerate(head.inbox)}},
        "wake_up": number(head.wake_up),
        "task_attempts": number(head.task_attempts),
        "history_length": number(head.history_length),
        STATUS_KEY: string(status_key(head.key.namespace, head.status)),
        TYPE_KEY: string(type_key(head.key.namespace, head.workflow_type)),
        TYPE_RANGE: string(type_range(head.status, head.start_time)),
    }
    if head.awake:
        item["awake"] = number(head.awake)
    if head.attention:
        item[ATTENTION_AT] = number(head.attention)
        item[ATTENTION_SHARD] = string(attention_shard(head.key))
    if head.task_failure:
        item["task_failure"] = string(head.task_failure)
    if head.outcome:
        item["outcome"] = binary(head.outcome)
    if not head.open:
        item["final_length"] = number(head.history_length)
    if head.next_run_id:
        item["next_run_id"] = string(head.next_run_id)
    return item


def read_head(item: Item) -> Head:
    """A head, or what an index shows of one."""
    arrival = item.get("arrival", {}).get("M", {})
    inbox = item.get("inbox", {}).get("M", {})
    ordered = sorted(inbox, key=lambda name: int(arrival[name]["N"]) if name in arrival else 0)
    return Head(
        key=WorkflowKey(item["namespace"]["S"], item["workflow_id"]["S"]),
        run_id=item["run_id"]["S"],
        workflow_type=item["workflow_type"]["S"],
        task_queue=item["task_queue"]["S"],
        status=Status(int(item["status"]["N"])),
        request_id=item.get("request_id", {}).get("S", ""),
        start_time=int(item[START_TIME]["N"]),
        record=_record_decoder.decode(item["record"]["B"]),
        close_time=_integer(item, "close_time"),
        dispatched=_integer(item, "dispatched"),
        counter=_integer(item, "counter"),
        inbox={name: bytes(inbox[name]["B"]) for name in ordered},
        awake=_integer(item, "awake"),
        wake_up=_integer(item, "wake_up"),
        attention=_integer(item, ATTENTION_AT),
        task_attempts=_integer(item, "task_attempts"),
        task_failure=item.get("task_failure", {}).get("S", ""),
        history_length=_integer(item, "history_length") or _integer(item, "final_length"),
        outcome=bytes(item["outcome"]["B"]) if "outcome" in item else b"",
        next_run_id=item.get("next_run_id", {}).get("S", ""),
        open_since=_integer(item, "open_since"),
        apart=item.get(APART, {}).get("S", ""),
        spilled={name for name, body in inbox.items() if bytes(body["B"]) == POINTER},
    )


def read_task(item: Item | None) -> TaskState:
    """Where a dispatched activity stands."""
    if item is None:
        return TaskState()
    return TaskState(
        attempt=_integer(item, "attempt"),
        claimed=_integer(item, "claimed"),
        heartbeat=_integer(item, "heartbeat"),
        details=bytes(item["details"]["B"]) if "details" in item else b"",
        next_attempt=_integer(item, "next_attempt"),
        next_due=_integer(item, "next_due"),
        failure=bytes(item["failure"]["B"]) if "failure" in item else b"",
        cancel_requested="cancel_requested" in item,
    )


def _integer(item: Item, name: str) -> int:
    value = item.get(name)
    return int(value["N"]) if value is not None else 0
