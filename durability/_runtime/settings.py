"""What can be tuned about the protocol, with the reason for each default."""

from __future__ import annotations

from dataclasses import dataclass, field

from durability._core.run import LongHistory


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are milliseconds.

    Attributes:
        linger: A wake-up closer than this is waited for in the process: coming back costs an invocation and a read.
        detach_after: An executor whose eager activities have been silent for this long releases the run, so that
            another invocation can serve signals, queries and cancellation meanwhile.
        look_after: A run that is worked on without a pause, as its eager activities are short, is looked after signals
            and cancellation this often. It costs a read.
        eager_heartbeat_interval: How often at most an eager activity's heartbeat is written, from ``detach_after`` on:
            it costs a write, and only serves the next attempt if this process dies (Temporal's default is 30 s).
        reserve: Kept free at the end of an invocation for the last append, dispatch and release.
        early: A wake-up that arrives this much before its time is put back on the queue without touching the table.
        queue_delay: The longest delay of a queue message (SQS: 900 s).
        schedule_lead: How long before its due time a schedule is set: its precision is a minute
            (EventBridge Scheduler), and the rest is a queue delay.
        failure_backoff: Delay after the first failure of a workflow task; doubled each time.
        failure_backoff_limit: The longest such delay.
        drop_messages: So many consumed messages in an inbox are removed before the run is released.
        apart_from: When a run waits for so many dispatched activities, their outcomes are laid down beside its head:
            a head is billed whole at every update, so outcomes that come at once would cost the square of their
            number. An item of its own costs an outcome two writes more, which fewer do not outweigh.
        eager_limit: The most eager activities that one executor runs at a time.
        overdue: A run is the reconciler's business when it should have been looked at this long ago. With the
            reconciler's own period this is the bound on a lost wake-up; it is above the time an invocation may take.
        inline_limit: Bytes of payloads that one event may have in the table; larger payloads go to the bucket. From
            about 8 KB on S3 is cheaper (a write of 1 KB to DynamoDB costs an eighth of a PUT), but it takes another
            round trip, and as many again for every reader; ten messages of this size fit into a queue's 1 MiB.
        storage_concurrency: Payloads of one workflow task that are put into the bucket or read from it at a time.
        queries_catch_up: Whether a query has the run consume what it has been sent, as in Temporal, instead of looking
            ahead and writing nothing.
        retention: Runs that have been closed for this long are deleted by the reconciler; 0 to keep them.
        attempt_recheck: How often an activity that was dispatched and not claimed by anybody is looked after.
        heartbeat_interval: Time between two recorded heartbeats of an attempt without a heartbeat timeout.
        longest_heartbeat_interval: The most for those with one, and for all.
        long_history: From when on workflows are told that they should continue as new.
    """

    linger: int = 1_500
    detach_after: int = 1_000
    look_after: int = 1_000
    eager_heartbeat_interval: int = 5_000
    reserve: int = 3_000
    early: int = 2_000
    queue_delay: int = 900_000
    schedule_lead: int = 90_000
    failure_backoff: int = 1_000
    failure_backoff_limit: int = 600_000
    drop_messages: int = 25
    apart_from: int = 50
    eager_limit: int = 1_000
    overdue: int = 90_000
    inline_limit: int = 64_000
    storage_concurrency: int = 16
    queries_catch_up: bool = False
    retention: int = 0
    attempt_recheck: int = 600_000
    heartbeat_interval: int = 30_000
    longest_heartbeat_interval: int = 60_000
    long_history: LongHistory = field(default_factory=LongHistory)
