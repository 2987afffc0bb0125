"""What must be true of the table, the requests and the effects, whatever crashed."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from durability._aws import items
from durability._aws.queues import decode_attempt
from durability._core import history
from durability._core.encoding import decode_delta
from durability._core.history import Delta
from durability._core.run import Run
from durability._runtime.closing import closes
from durability._runtime.frontend import Status
from durability._runtime.outcomes import status_of
from durability._runtime.ports import Head
from durability._runtime.registry import WorkflowRegistry
from durability.converter import DataConverter

from .application.workflows import WORKFLOWS
from .stage import Effect, Stage

Item = dict[str, Any]


@dataclass
class StoredRun:
    """A run as the table has it."""

    head: Head
    deltas: dict[int, tuple[Delta, int, str]] = field(default_factory=dict)

    @property
    def effective(self) -> list[Delta]:
        """The deltas without those that the next one supersedes."""
        ordered = [self.deltas[sequence][0] for sequence in sorted(self.deltas)]
        return [
            delta
            for delta, following in zip(ordered, [*ordered[1:], None], strict=True)
            if following is None or not following.supersedes
        ]


def stored_runs(table: Iterable[Item]) -> dict[tuple[str, str], StoredRun]:
    """The runs in the table, by workflow id and run id."""
    runs: dict[tuple[str, str], StoredRun] = {}
    rest = []
    for item in table:
        sort = item[items.SORT]["S"]
        if sort == items.HEAD or sort.startswith("RUN#"):
            head = items.read_head(item)
            assert (head.key.workflow_id, head.run_id) not in runs, f"two heads of run {head.run_id}"
            runs[head.key.workflow_id, head.run_id] = StoredRun(head)
            _check_indexed(item, head, current=sort == items.HEAD)
        else:
            rest.append(item)
    for item in rest:
        run_id, _, number = item[items.SORT]["S"].partition("#")
        if number.isdigit():
            workflow_id = item[items.PARTITION]["S"].partition("#")[2]
            body = bytes(item["body"]["B"])
            stored = (decode_delta(body), len(body), item["writer"]["S"])
            runs[workflow_id, run_id].deltas[int(number)] = stored
    return runs


def check(stage: Stage, *, replay: bool = True, attempts: int = 4) -> dict[tuple[str, str], StoredRun]:
    """Check everything; nothing may be running meanwhile. Returns the runs."""
    runs = stored_runs(stage.items())
    ledger = stage.ledger()
    for run in runs.values():
        _check_deltas(run)
        _check_head(run)
        _check_inputs(run)
        if replay:
            _check_replay(run)
        _check_effects(run, [effect for effect in ledger if effect.run_id == run.head.run_id], attempts)
    writers = Counter(writer for run in runs.values() for _, _, writer in run.deltas.values())
    assert all(count == 1 for count in writers.values()), "two deltas of one writer's mark"
    _check_requests(stage.cloud.records(), stage.variable("DURABILITY_ACTIVITY_QUEUE_URL"))
    for queue in ("WorkflowDeadLetterQueue", "ActivityDeadLetterQueue"):
        assert not any(stage.queued(queue).values()), f"messages in {queue}"
    return runs


def _check_indexed(item: Item, head: Head, *, current: bool) -> None:
    if not current:
        return
    assert item[items.STATUS_KEY]["S"] == items.status_key(head.key.namespace, head.status)
    assert item[items.TYPE_RANGE]["S"] == items.type_range(head.status, head.start_time)
    assert (items.ATTENTION_AT in item) == (items.ATTENTION_SHARD in item)


def _check_deltas(run: StoredRun) -> None:
    who = f"{run.head.key.workflow_id} ({run.head.run_id})"
    assert sorted(run.deltas) == list(range(1, len(run.deltas) + 1)), f"a gap in the history of {who}"
    times = [delta.time for delta in run.effective]
    assert times == sorted(times), f"time runs backwards in {who}"
    closing = [closes(delta) for delta in run.effective]
    assert not any(closing[:-1]), f"{who} goes on after its end"
    if run.head.open:
        assert not any(closing), f"{who} has ended and its head is open"
    else:
        assert closing[-1], f"{who} is closed without a closing record"


def _check_head(run: StoredRun) -> None:
    head = run.head
    who = f"{head.key.workflow_id} ({head.run_id})"
    assert not head.inbox, f"unread messages of {who}: {list(head.inbox)}"
    assert not head.awake, f"{who} is awake"
    assert head.dispatched == len(run.deltas), f"{who} has undispatched deltas"
    if head.open:
        return
    assert head.attention == 0, f"{who} is closed and wants attention"
    assert head.wake_up == 0
    assert head.task_attempts == 0
    assert head.close_time >= head.start_time
    last = run.effective[-1]
    endings = (*history.CLOSING_COMMANDS, history.WorkflowExecutionTerminated, history.WorkflowExecutionTimedOut)
    ending = next(record for record in (*last.commands, *last.inputs) if isinstance(record, endings))
    assert head.status == status_of(ending)
    assert bool(head.next_run_id) == (head.status == Status.CONTINUED_AS_NEW)


def _check_inputs(run: StoredRun) -> None:
    """Every input once, and none about what was not decided."""
    decided: set[tuple[str, int]] = set()
    seen: Counter[object] = Counter()
    for delta in run.effective:
        for message in delta.inputs:
            match message:
                case history.ActivityOutcome(sequence=sequence):
                    assert ("activity", sequence) in decided
                    seen["activity", sequence] += 1
                case history.TimerFired(sequence=sequence):
                    assert ("timer", sequence) in decided
                    seen["timer", sequence] += 1
                case history.ActivityRetryScheduled(sequence=sequence, attempt=attempt, deadline=deadline):
                    assert ("activity", sequence) in decided
                    seen["retry", sequence, attempt, deadline > 0] += 1
                case _:
                    seen[type(message), getattr(message, "key", "")] += 1
        for command in delta.commands:
            match command:
                case history.ActivityTaskScheduled(sequence=sequence):
                    decided.add(("activity", sequence))
                case history.TimerStarted(sequence=sequence):
                    decided.add(("timer", sequence))
    twice = [what for what, count in seen.items() if count > 1]
    assert not twice, f"consumed twice by {run.head.key.workflow_id}: {twice}"


def _check_replay(run: StoredRun) -> None:
    """The code gives the recorded commands again, in this process too."""
    registry = WorkflowRegistry(WORKFLOWS, data_converter=DataConverter.default)
    replayed = Run(run.head.key.namespace, run.head.key.workflow_id, run.head.run_id, registry.create)
    replayed.replay((sequence, *run.deltas[sequence][:2]) for sequence in sorted(run.deltas))
    assert replayed.closed != run.head.open
    assert replayed.history_length == run.head.history_length
    replayed.close()


def _check_effects(run: StoredRun, effects: list[Effect], attempts: int) -> None:
    begun = Counter((effect.activity_id, effect.attempt) for effect in effects if effect.phase == "begin")
    twice = [attempt for attempt, count in begun.items() if count > 1]
    assert not twice, f"attempts of {run.head.key.workflow_id} that began twice: {twice}"
    assert all(attempt <= attempts for _, attempt in begun), f"too many attempts: {begun}"
    scheduled: dict[int, str] = {}
    for delta in run.effective:
        for command in delta.commands:
            if isinstance(command, history.ActivityTaskScheduled):
                scheduled[command.sequence] = command.activity_id
        for message in delta.inputs:
            if isinstance(message, history.ActivityTaskCompleted):
                activity_id = scheduled[message.sequence]
                assert begun[activity_id, message.attempt] == 1, f"{activity_id} completed without an effect"
                late = [e for e in effects if e.activity_id == activity_id and e.phase == "begin" and e.at > delta.time]
                assert not late, f"{activity_id} of {run.head.key.workflow_id} ran again after its result was recorded"
    unknown = {activity_id for activity_id, _ in begun} - set(scheduled.values())
    assert not unknown, f"activities ran that no durable delta scheduled: {unknown}"


def _check_requests(records: list[dict[str, Any]], activity_queue: str) -> None:
    """History is written once and never changed, and nothing is dispatched before it is durable."""
    written: Counter[tuple[str, str]] = Counter()
    heads: Counter[str] = Counter()
    durable: defaultdict[str, set[int]] = defaultdict(set)
    for record in records:
        request = json.loads(record["request"]) if record["request"].startswith("{") else {}
        if record["status"] != 200:
            continue
        for operation, write in _writes(record["service"], record["operation"], request):
            key = write.get("Item") or write["Key"]
            sort = key[items.SORT]["S"]
            run_id, _, number = sort.partition("#")
            if sort == items.HEAD and operation == "PutItem":
                heads[write["Item"]["run_id"]["S"]] += 1
            if not number.isdigit():
                continue
            assert operation == "PutItem", f"{operation} of a delta"
            written[key[items.PARTITION]["S"], sort] += 1
            delta = decode_delta(base64.b64decode(write["Item"]["body"]["B"]))
            durable[run_id] |= {c.sequence for c in delta.commands if isinstance(c, history.ActivityTaskScheduled)}
        if record["operation"] == "SendMessageBatch" and request["QueueUrl"] == activity_queue:
            for entry in request["Entries"]:
                attempt = decode_attempt(entry["MessageBody"])
                assert attempt.sequence in durable[attempt.run_id], "an activity was sent before its delta was durable"
    assert all(count == 1 for count in written.values()), "a delta was written twice"
    assert all(count == 1 for count in heads.values()), "a run was started twice"


def _writes(service: str, operation: str, request: Item) -> list[tuple[str, Item]]:
    """What a request to the table writes."""
    if service != "dynamodb":
        return []
    if operation == "TransactWriteItems":
        return [(f"{kind}Item", write) for action in request["TransactItems"] for kind, write in action.items()]
    return [(operation, request)] if operation in ("PutItem", "UpdateItem", "DeleteItem") else []
