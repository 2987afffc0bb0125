"""Which request is disturbed, and how: by seed, and counted."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can happen to a request on its way."""

    THROTTLED = "throttled"
    ERROR_500 = "answered 500"
    ERROR_503 = "answered 503"
    CONNECTION_LOST = "connection lost before it took effect"
    ANSWER_LOST = "took effect, connection lost"
    ANSWER_500 = "took effect, answered 500"
    SLOW = "slow answer"
    SENT_TWICE = "message delivered twice"
    REDELIVERED = "message delivered again later"


REFUSALS = frozenset({Kind.THROTTLED, Kind.ERROR_500, Kind.ERROR_503, Kind.CONNECTION_LOST})
LOSSES = frozenset({Kind.ANSWER_LOST, Kind.ANSWER_500})
REPETITIONS = frozenset({Kind.SENT_TWICE, Kind.REDELIVERED})
_SENDS = frozenset({"SendMessage", "SendMessageBatch"})
_ANYWHERE = tuple(Kind(kind) for kind in Kind if kind not in REPETITIONS)


@dataclass(frozen=True)
class Rates:
    """How often.

    Args:
        fault: share of requests that are disturbed.
        repetition: share of messages that are sent once more.
        storm: share of requests that are disturbed while one service has a storm: more than retries get over.
        storm_every: seconds between storms, on average.
        storm_seconds: how long a storm lasts at most.
        slowest: seconds of the slowest answer.
    """

    fault: float = 0.04
    repetition: float = 0.1
    storm: float = 0.7
    storm_every: float = 45.0
    storm_seconds: float = 4.0
    slowest: float = 3.0


class FaultPlan:
    """Decides what happens to each request.

    Args:
        seed: the same one makes the same decisions, for the same requests in the same order at the same times.
        rates: how often.
    """

    def __init__(self, seed: int, rates: Rates = Rates()) -> None:
        self.rates = rates
        self.tally: Counter[str] = Counter()
        self.active = True
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._storm = ("", 0.0)
        self._next_storm = 0.0

    def decide(self, service: str, operation: str, now: float) -> Kind | None:
        """What happens to a request; None if nothing does.

        Args:
            service: for instance ``dynamodb``.
            operation: for instance ``PutItem``.
            now: seconds by a clock that does not go back.
        """
        with self._lock:
            if not self.active:
                return None
            kind = self._choose(operation, self._rate(service, now))
            if kind is not None:
                self.tally[f"{service}: {kind}"] += 1
            return kind

    def uniform(self, low: float, high: float) -> float:
        """A number in between, for how long things take."""
        with self._lock:
            return self._random.uniform(low, high)

    def count(self, fault: str) -> None:
        """Count a fault of another kind."""
        with self._lock:
            self.tally[fault] += 1

    def _choose(self, operation: str, rate: float) -> Kind | None:
        if self._random.random() < rate:
            return self._random.choice(_ANYWHERE)
        if operation in _SENDS and self._random.random() < self.rates.repetition:
            return self._random.choice((Kind.SENT_TWICE, Kind.REDELIVERED))
        return None

    def _rate(self, service: str, now: float) -> float:
        if not self._next_storm:
            self._next_storm = now + self._random.expovariate(1 / self.rates.storm_every)
        if now >= self._next_storm:
            victim = self._random.choice(("dynamodb", "dynamodb", "sqs", "lambda"))
            self._storm = (victim, now + self._random.uniform(0.5, self.rates.storm_seconds))
            self._next_storm = now + self._random.expovariate(1 / self.rates.storm_every)
            self.tally[f"{victim}: storms"] += 1
        victim, until = self._storm
        return self.rates.storm if service == victim and now < until else self.rates.fault


_THROTTLES = {
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "sqs": (403, "RequestThrottled"),
    "lambda": (429, "TooManyRequestsException"),
    "s3": (503, "SlowDown"),
}


def error(service: str, kind: Kind) -> tuple[int, dict[str, str], bytes]:
    """The answer of a service that refuses: status, headers and body, as AWS gives them.

    Args:
        service: for instance ``dynamodb``.
        kind: why it refuses.
    """
    status, code = {
        Kind.THROTTLED: _THROTTLES.get(service, (400, "ThrottlingException")),
        Kind.ERROR_503: (503, "ServiceUnavailable"),
    }.get(kind, (500, "InternalServerError"))
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{kind}</Message></Error>".encode()
        return status, {"Content-Type": "application/xml"}, body
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": code}
    return status, headers, json.dumps({"__type": code, "message": kind, "Message": kind}).encode()


def repeated(operation: str, body: bytes, delay: int) -> bytes:
    """The request that sends the same messages once more.

    Args:
        operation: ``SendMessage`` or ``SendMessageBatch``.
        body: JSON of the request that sent them.
        delay: seconds later than they were due.
    """
    request = json.loads(body)
    for message in request["Entries"] if operation == "SendMessageBatch" else [request]:
        message["DelaySeconds"] = min(900, message.get("DelaySeconds", 0) + delay)
    return json.dumps(request).encode()
