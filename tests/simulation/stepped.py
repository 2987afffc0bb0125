"""A deployment in which every request waits until it is told what becomes of it: nothing is left to latencies.

A state of it is a value: the table, what is under way on the queues, and where each process stands. ``steps`` says all
that may happen next: a request is carried out, its process dies before that or before it ends, its answer is lost; a
message that is sent is delivered twice; time passes. ``after`` gives the state that follows. A process is known by
what it was called with and told since, a message by what it says: what differs in names alone is equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from itertools import count
from typing import Any, ClassVar, Final

from durability._aws import items
from durability._aws.callers import AwsError
from durability._aws.queues import decode_attempt
from durability._runtime.frontend import Status
from durability._simulation.log import Accepted, Appended, Begun, Entry, Log, Sent
from durability._simulation.plan import Plan
from durability._simulation.queues import RECEIVES
from durability._simulation.table import Item, Key, Table
from durability._simulation.world import RECONCILER_PERIOD, TIMEOUT
from tests.simulation.actors import Actor, Clock, Held, Parcel
from tests.simulation.scenario import VERSIONS
from tests.simulation.solo import START, Asked, Failed, Local, Processes, digest
from tests.simulation.steps import CONTAINERS, NOTHING, TIME, Bounds, Fate, Step

SHORTLY: Final = 30.0
"""Seconds: what falls due within them may come before a request that waits; the deadline of an invocation may not."""
HORIZON: Final = 1_000.0
"""Virtual seconds within which everything must be over."""
_KEY: Final = "default#w"


class SteppedWorld:
    """A state of the deployment. Only ``after`` makes others of it.

    Attributes:
        log: What took effect, in one of the orders that lead here.
        happened: How often which fault happened.
        over: Whether nothing more will happen; or too much time has passed.
        done: The clients that were answered.
    """

    plan = Plan()
    versions = VERSIONS
    version = 1
    leftovers: tuple[str, ...] = ()
    objects: ClassVar[dict[str, bytes]] = {}

    def __init__(self, processes: Processes, bounds: Bounds, *, reconciler: bool, reduced: bool = True) -> None:
        self.processes = processes
        self.bounds = bounds
        self.reduced = reduced
        self.reconciler = reconciler
        self.faults_left = bounds.faults
        self.jumps_left = bounds.jumps
        self.loop = Clock(0.0)
        self.log = Log()
        self.happened: Counter[str] = Counter()
        self.done: frozenset[str] = frozenset()
        self.dead_letters: tuple[str, ...] = ()
        self.actors: tuple[Actor, ...] = ()
        self.waiting: tuple[Parcel, ...] = ()
        self.idle: tuple[Local, ...] = ()
        self.resting: tuple[tuple[float, str], ...] = ()
        self.attempts: dict[str, int] = {}
        self.bag: tuple[str, ...] = ()
        self.next_round = RECONCILER_PERIOD
        self.begun = False
        self._digests: dict[Key, bytes] = {}
        self._known = 0
        self.table = Table(self.loop.milliseconds)
        self._observe()
        self._call(START)
        self._settle()

    @property
    def services(self) -> SteppedWorld:
        """Where the bucket is, which is empty."""
        return self

    def after(self, step: Step) -> SteppedWorld:
        """The state that follows."""
        world = copy(self)
        world.loop = Clock(self.loop.now)
        world.log = Log(list(self.log.entries))
        world.happened = Counter(self.happened)
        world.attempts = dict(self.attempts)
        world._digests = dict(self._digests)
        world.table = replace(
            self.table,
            clock=world.loop.milliseconds,
            observers=[],
            partitions={name: dict(partition) for name, partition in self.table.partitions.items()},
            _past={key: list(past) for key, past in self.table._past.items()},
            _indexed={index: dict(keys) for index, keys in self.table._indexed.items()},
        )
        world._observe()
        world._take(step)
        world._settle()
        return world

    def _observe(self) -> None:
        self.log.time = self.loop.time
        self.table.observers += [self.log.wrote, self._wrote]

    def _wrote(self, key: Key, before: Item | None, after: Item | None) -> None:
        if after is None:
            self._digests.pop(key, None)
        else:
            self._digests[key] = digest(sorted(after.items()))

    # --- what may happen ----------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return not self.actors and not self.waiting and (self.loop.now > HORIZON or self._settled)

    @property
    def closed(self) -> bool:
        """Whether the run has come to its end, and nobody is owed anything."""
        item = self.table.item((_KEY, items.HEAD))
        if item is None:
            return False
        head = items.read_head(item)
        return head.status != Status.RUNNING and not head.awake and not head.attention

    @property
    def _settled(self) -> bool:
        clients = 1 + len(self.processes.scenario.actions)
        return len(self.done) == clients and not self.waiting and self.closed

    def steps(self) -> list[Step]:
        """Everything that may happen now, up to the order of what commutes with all else."""
        held = sorted(self._held(), key=lambda one: (one.key, one.name))
        jump = self.jumps_left > 0 and self._next_time() - self.loop.now <= SHORTLY
        chosen = held if jump or not self.reduced else self._first(held)
        different = list({one.key: one for one in reversed(chosen)}.values())[::-1]
        faults = self.bounds.kinds if self.faults_left else ()
        # What goes wrong comes first: a crash commutes with all that others do, and need not be tried after it again.
        found = [one.step(fate) for one in different for fate in one.fates if fate in faults]
        found += [one.step() for one in different]
        return [*found, TIME] if jump else found

    def _first(self, held: list[Held]) -> list[Held]:
        """A request that nothing else meets, if its process waits for nothing else; or all requests."""
        waiting = Counter(one.actor.name for one in held if one.actor is not None)
        for one in held:
            if one.actor is not None and one.footprint.nothing and waiting[one.actor.name] == 1:
                return [one]
        return held

    def _anything_held(self) -> bool:
        if self.bounds.warm and any(parcel.due <= self.loop.now for parcel in self.waiting):
            return True
        return any(actor.local.asked or actor.local.over for actor in self.actors)

    def _held(self) -> Iterator[Held]:
        warm = self.bounds.warm
        for actor in self.actors:
            apart = "" if self.reduced else f" {actor.name}"
            for asked in actor.local.asked:
                fates: tuple[Fate, ...] = (Fate.CRASH,)
                if asked.service == "sqs":
                    fates = (Fate.CRASH, Fate.LOST, Fate.TWICE)
                elif asked.service != "effect":
                    fates = (Fate.CRASH, Fate.LOST)
                yield Held(
                    f"{actor.name}:{asked.number} {asked.service}.{asked.operation}",
                    f"{actor.key}:{asked.number}{apart}",
                    actor.key,
                    asked.footprint,
                    fates,
                    actor,
                    asked,
                )
            if actor.local.over:
                footprint = CONTAINERS if warm and actor.parcel is not None else NOTHING
                yield Held(f"{actor.name} ends", f"{actor.key}:end{apart}", actor.key, footprint, (Fate.CRASH,), actor)
        if warm:
            for parcel in self.waiting:
                if parcel.due <= self.loop.now:
                    key = digest(parcel.state).hex()
                    yield Held(f"deliver {parcel.name}", key, key, CONTAINERS, (), parcel=parcel)

    # --- what follows -------------------------------------------------------------------------------------------------

    def _take(self, step: Step) -> None:
        if step is TIME:
            self.jumps_left -= 1
            self.happened[step.name] += 1
            self._pass_time()
            return
        held = next(one for one in sorted(self._held(), key=lambda one: one.name) if one.key == step.request)
        if step.fate is not Fate.DONE:
            self.faults_left -= 1
            self.happened[step.fate.value] += 1
        if held.parcel is not None:
            self._deliver(held.parcel)
        elif step.fate is Fate.CRASH:
            assert held.actor is not None
            self._die(held.actor)
        elif held.asked is None:
            assert held.actor is not None
            self._end(held.actor)
        else:
            assert held.actor is not None
            self._carry_out(held.actor, held.asked, step.fate)

    def _carry_out(self, actor: Actor, asked: Asked, fate: Fate) -> None:
        for _ in range(2 if fate is Fate.TWICE else 1):
            actor, answer = self._request(actor, asked)
        if fate is not Fate.LOST:  # otherwise it is sent again
            self._go_on(actor, self.processes.answered(actor.local, asked.number, answer, self.loop.now))

    def _request(self, actor: Actor, asked: Asked) -> tuple[Actor, Any]:
        if asked.service == "dynamodb":
            try:
                return actor, self.table.call(asked.operation, asked.parameters)
            except AwsError as error:
                return actor, Failed(error.code, str(error).removeprefix(f"{error.code}: "), error.response)
        if asked.service == "effect":
            return actor, None
        if asked.service != "sqs":
            raise NotImplementedError(f"{asked.service}.{asked.operation}")
        queue = asked.parameters["QueueUrl"]
        for entry in asked.parameters.get("Entries", [asked.parameters]):
            body, delay = entry["MessageBody"], entry.get("DelaySeconds", 0)
            if queue == "activity":
                self.log.add(Sent(decode_attempt(body)))
            sent = replace(actor, sent=actor.sent + 1)
            self.actors = tuple(sent if other is actor else other for other in self.actors)
            actor = sent
            self.waiting += (
                Parcel(queue, body, f"{actor.name}.{actor.sent}", self.loop.now + delay if delay else 0.0),
            )
        return actor, {}

    def _go_on(self, actor: Actor, local: Local) -> None:
        for entry in local.emitted:
            self.log.add(entry)
        self.actors = tuple(replace(actor, local=local) if other is actor else other for other in self.actors)

    def _remove(self, actor: Actor) -> None:
        self.actors = tuple(other for other in self.actors if other is not actor)

    def _die(self, actor: Actor) -> None:
        self._remove(actor)
        if actor.parcel is not None:
            self._redeliver(actor.parcel)
        elif actor.client and self.bounds.retry_after:
            self.resting += ((self.loop.now + self.bounds.retry_after, actor.client),)
        elif actor.client:
            self._call(actor.client)

    def _end(self, actor: Actor) -> None:
        self._remove(actor)
        if actor.client:
            self.done |= {actor.client}
        elif actor.parcel is not None:
            if actor.local.failed:
                self._redeliver(replace(actor.parcel, failures=actor.parcel.failures + 1))
            if self.bounds.warm:
                self.idle += (actor.local,)

    def _redeliver(self, parcel: Parcel) -> None:
        if parcel.receives == RECEIVES:
            self.dead_letters += (parcel.name,)
        else:
            self.waiting += (parcel,)

    def _call(self, client: str) -> None:
        self.attempts[client] = attempt = self.attempts.get(client, 0) + 1
        name = f"{client}#{attempt}" if client == START else f"signal {client}#{attempt}"
        local = self.processes.called("client", client, self.loop.now, salt=name)
        self.actors += (Actor(name, local, client=client),)

    def _deliver(self, parcel: Parcel) -> None:
        self.waiting = tuple(other for other in self.waiting if other is not parcel)
        parcel = replace(parcel, due=0.0, receives=parcel.receives + 1)
        name = f"{parcel.name}#{parcel.receives}"
        container = max((one for one in self.idle if one.kind == parcel.queue), key=lambda one: one.key, default=None)
        if container is not None:
            self.idle = tuple(one for one in self.idle if one is not container)
        event = {"Records": [{"messageId": "message", "body": parcel.body}]}
        salt = self._free_salt() if parcel.queue == "workflow" else name
        local = self.processes.called(parcel.queue, event, self.loop.now, salt=salt, container=container)
        self.actors += (Actor(name, local, self.loop.now + TIMEOUT, parcel),)

    def _free_salt(self) -> str:
        taken = {actor.local.salt for actor in self.actors} | {local.salt for local in self.idle}
        return next(salt for number in count() if (salt := f"workflow {number}") not in taken)

    def _settle(self) -> None:
        """Go on to where there is something to choose."""
        while True:
            self._begin_the_others()
            self._deliver_all()
            if not self.faults_left:
                for actor in self.actors:
                    if actor.local.over and not (self.bounds.warm and actor.parcel is not None):
                        self._end(actor)
            self.over = self._is_over()
            if self.over or self._anything_held():
                break
            self._pass_time()
        summaries = map(_summary, self.log.entries[self._known :])
        self.bag = tuple(sorted((*self.bag, *summaries)))
        self._known = len(self.log.entries)

    def _begin_the_others(self) -> None:
        """Once there is a run, clients signal it, and the reconciler may go round."""
        if self.begun or self.table.item((_KEY, items.HEAD)) is None:
            return
        self.begun = True
        for number in range(len(self.processes.scenario.actions)):
            self._call(str(number))
        if self.reconciler:
            self._go_round()

    def _go_round(self) -> None:
        local = self.processes.called("reconciler", {}, self.loop.now, salt="reconciler")
        self.actors += (Actor(f"reconciler@{self.loop.now}", local, self.loop.now + TIMEOUT),)

    def _deliver_all(self) -> None:
        if self.bounds.warm:
            return
        limit = self.bounds.executors
        for parcel in self.waiting:
            busy = sum(actor.parcel is not None for actor in self.actors)
            if limit and parcel.body != self.waiting[0].body:
                raise RuntimeError("where some wait until others have been served, it must not matter which")
            if parcel.due <= self.loop.now and not (limit and busy >= limit):
                self._deliver(parcel)

    def _next_time(self) -> float:
        times = [actor.local.wakes for actor in self.actors] + [actor.deadline for actor in self.actors]
        times += [parcel.due for parcel in self.waiting if parcel.due > self.loop.now]
        times += [due for due, _ in self.resting]
        return min([*times, self.next_round])

    def _pass_time(self) -> None:
        now = self.loop.now = self._next_time()
        for actor in self.actors:
            if actor.deadline <= now:
                self._die(actor)
            elif actor.local.wakes <= now:
                self._go_on(actor, self.processes.awake(actor.local, now))
        for due, client in self.resting:
            if due <= now:
                self._call(client)
        self.resting = tuple(one for one in self.resting if one[0] > now)
        if self.next_round <= now:
            self.next_round = now + RECONCILER_PERIOD
            overdue = self.loop.milliseconds() + 1000
            if self.table.shows(items.ATTENTION_INDEX, overdue, self.loop.milliseconds()):
                self._go_round()

    # --- states -------------------------------------------------------------------------------------------------------

    @property
    def written(self) -> tuple[object, ...]:
        """All that the checks of what has happened so far depend on."""
        return self.bag, tuple(sorted(digest for key, digest in self._digests.items() if "#" in key[1]))

    def state(self) -> bytes:
        """A digest of everything on which it depends what can happen from here, and what the checks will say of it.

        All but how much may still go wrong.
        """
        return digest(
            self.loop.now,
            self.jumps_left,
            sorted(self._digests.items()),
            sorted((actor.local.key, actor.deadline) for actor in self.actors),
            sorted(parcel.state for parcel in self.waiting),
            sorted(self.resting),
            sorted(self.done),
            len(self.dead_letters),
            sorted(local.key for local in self.idle),
            self.bag,
        )


def _summary(entry: Entry) -> str:
    match entry:
        case Appended(partition, run_id, sequence, _, time):
            return f"{partition} {run_id} {sequence} {time}"
        case Accepted() | Begun():
            return f"{entry} {entry.time}"
    return repr(entry)
