"""Webhooks of other services: verified, deduplicated, and turned into signals.

An application lists its endpoints; each one is served at ``POST /webhooks/{name}``::

    Webhook("payments", verifier=Stripe("whsec_…"), map=payment_signal)

    def payment_signal(delivery: Delivery) -> Signal | None:
        event = delivery.json()
        return Signal(f"order-{event['data']['object']['metadata']['order']}", "payment", [event["type"]])

A delivery counts once: its id is the signal's request id, and the engine takes each request id once a run. Signatures
are compared in constant time, and deliveries that were signed more than five minutes ago are refused. Every verifier
takes several secrets, so that they can be rotated without losing deliveries.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

__all__ = [
    "Delivery",
    "GitHub",
    "MalformedDeliveryError",
    "Signal",
    "Slack",
    "StandardWebhooks",
    "Stripe",
    "VerificationError",
    "Verifier",
    "Webhook",
]

TOLERANCE: Final = 300
"""Seconds between signing and arrival, both ways: what Stripe, Slack and the Standard Webhooks libraries use."""


class MalformedDeliveryError(ValueError):
    """The body of a delivery is not what was to be read: not JSON, or not UTF-8. The sender is answered with a 400."""


class VerificationError(Exception):
    """A delivery is not signed, not signed correctly, or was signed too long ago."""


@dataclass(frozen=True)
class Delivery:
    """One request to an endpoint.

    Attributes:
        endpoint: Name of the endpoint.
        headers: Headers, with names in lower case.
        body: The body as it came.
        id: The delivery's id, once verified.
    """

    endpoint: str
    headers: Mapping[str, str]
    body: bytes
    id: str = ""

    def text(self) -> str:
        """The body as text.

        Raises:
            MalformedDeliveryError: It is not UTF-8.
        """
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise MalformedDeliveryError(f"the delivery's body is not UTF-8: {error}") from error

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            MalformedDeliveryError: It is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise MalformedDeliveryError(f"the delivery's body is not JSON: {error}") from error

    def form(self) -> dict[str, str]:
        """The body as the fields of a form; the last one if a name comes twice.

        Raises:
            MalformedDeliveryError: It is not UTF-8.
        """
        return dict(parse_qsl(self.text(), keep_blank_values=True))


@dataclass(frozen=True)
class Signal:
    """What a delivery is turned into.

    Attributes:
        workflow_id: Workflow to signal.
        name: Name of the signal.
        args: Its arguments.
        run_id: Run to signal; the current one by default.
    """

    workflow_id: str
    name: str
    args: Sequence[Any] = ()
    run_id: str | None = None


class Verifier(ABC):
    """Checks who sent a delivery and names it. Make your own for services that sign in another way."""

    @abstractmethod
    def verify(self, delivery: Delivery, now: float) -> str:
        """Check a delivery.

        Args:
            delivery: The delivery.
            now: Seconds since the epoch.

        Returns:
            The delivery's id: the same whenever the service sends the delivery again.

        Raises:
            VerificationError: The delivery is not signed, not signed correctly, or was signed too long ago.
        """

    def answer(self, delivery: Delivery) -> Mapping[str, Any] | None:
        """What to answer a verified delivery with that only tests the endpoint; None for all others.

        Args:
            delivery: The delivery.
        """
        return None


@dataclass(frozen=True)
class Webhook:
    """One endpoint.

    Attributes:
        name: Its name in the path: letters, digits, ``-`` and ``_``.
        verifier: Who may send to it.
        map: Turns a delivery into a signal, or into None to ignore it; may be asynchronous.
    """

    name: str
    verifier: Verifier
    map: Callable[[Delivery], Signal | Awaitable[Signal | None] | None]

    def __post_init__(self) -> None:
        """Check the name.

        Raises:
            ValueError: It has other characters, or none.
        """
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum() or not self.name.isascii():
            raise ValueError(f"the webhook name {self.name!r} must have letters, digits, '-' and '_' only")


Secrets = str | Sequence[str]
"""A secret, or several while they are rotated."""


def _all(secrets: Secrets) -> tuple[str, ...]:
    given = (secrets,) if isinstance(secrets, str) else tuple(secrets)
    if not given or not all(given):
        raise ValueError("a webhook verifier needs a secret that is not empty")
    return given


def _require(delivery: Delivery, name: str) -> str:
    value = delivery.headers.get(name, "")
    if not value:
        raise VerificationError(f"the delivery has no {name} header")
    return value


def _check_age(text: str, now: float) -> None:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise VerificationError("the delivery's timestamp is not a number of seconds")
    if abs(now - int(text)) > TOLERANCE:
        raise VerificationError(f"the delivery was signed more than {TOLERANCE} seconds ago, or in the future")


def _any_equal(computed: Sequence[str], received: Sequence[str]) -> bool:
    """Compare all with all, in a time that does not depend on which are equal."""
    equal = False
    for mine in computed:
        for theirs in received:
            equal |= hmac.compare_digest(mine.encode(), theirs.encode())
    return equal


def _hex_digests(secrets: Sequence[str], content: bytes) -> list[str]:
    return [hmac.new(secret.encode(), content, hashlib.sha256).hexdigest() for secret in secrets]


@dataclass(frozen=True)
class StandardWebhooks(Verifier):
    """Deliveries signed as https://www.standardwebhooks.com has it, such as those of Svix, OpenAI or Supabase.

    Attributes:
        secret: ``whsec_`` and base64, or several of them.
    """

    secret: Secrets
    _keys: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Decode the secrets.

        Raises:
            ValueError: One is not base64.
        """
        try:
            keys = tuple(base64.b64decode(text.removeprefix("whsec_"), validate=True) for text in _all(self.secret))
        except ValueError as error:
            raise ValueError("a Standard Webhooks secret is 'whsec_' and base64") from error
        object.__setattr__(self, "_keys", keys)

    def verify(self, delivery: Delivery, now: float) -> str:
        """Check ``webhook-id``, ``webhook-timestamp`` and the ``v1`` entries of ``webhook-signature``."""
        identifier = _require(delivery, "webhook-id")
        timestamp = _require(delivery, "webhook-timestamp")
        signatures = _require(delivery, "webhook-signature")
        _check_age(timestamp, now)
        content = f"{identifier}.{timestamp}.".encode() + delivery.body
        computed = [base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in self._keys]
        entries = [entry.partition(",") for entry in signatures.split(" ")]
        if not _any_equal(computed, [value for version, _, value in entries if version == "v1"]):
            raise VerificationError("the delivery's signature is not that of this endpoint's secret")
        return identifier


@dataclass(frozen=True)
class GitHub(Verifier):
    """Deliveries of GitHub, signed with ``X-Hub-Signature-256``.

    GitHub signs the body alone, neither time nor delivery id; TLS is what keeps others from sending a body again under
    another id.
    Source: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries

    Attributes:
        secret: The webhook's secret, or several.
    """

    secret: Secrets

    def __post_init__(self) -> None:
        """Check that there is a secret."""
        _all(self.secret)

    def verify(self, delivery: Delivery, now: float) -> str:
        """Check the signature; the id is ``X-GitHub-Delivery``."""
        signature = _require(delivery, "x-hub-signature-256")
        identifier = _require(delivery, "x-github-delivery")
        digests = [f"sha256={digest}" for digest in _hex_digests(_all(self.secret), delivery.body)]
        if not _any_equal(digests, [signature]):
            raise VerificationError("the delivery's signature is not that of this endpoint's secret")
        return identifier


@dataclass(frozen=True)
class Stripe(Verifier):
    """Deliveries of Stripe, signed with ``Stripe-Signature``.

    Source: https://docs.stripe.com/webhooks#verify-manually

    Attributes:
        secret: The endpoint's secret as Stripe shows it, ``whsec_`` included, or several.
    """

    secret: Secrets

    def __post_init__(self) -> None:
        """Check that there is a secret."""
        _all(self.secret)

    def verify(self, delivery: Delivery, now: float) -> str:
        """Check the ``v1`` signatures; the id is the event's own, which a repeated delivery keeps."""
        entries = [entry.strip().partition("=") for entry in _require(delivery, "stripe-signature").split(",")]
        timestamp = next((value for name, _, value in entries if name == "t"), "")
        _check_age(timestamp, now)
        digests = _hex_digests(_all(self.secret), f"{timestamp}.".encode() + delivery.body)
        if not _any_equal(digests, [value for name, _, value in entries if name == "v1"]):
            raise VerificationError("the delivery's signature is not that of this endpoint's secret")
        return _field(delivery, "id") or hashlib.sha256(delivery.body).hexdigest()


@dataclass(frozen=True)
class Slack(Verifier):
    """Requests of Slack: events, interactions and commands, signed with ``X-Slack-Signature``.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack

    Attributes:
        secret: The app's signing secret, or several.
    """

    secret: Secrets

    def __post_init__(self) -> None:
        """Check that there is a secret."""
        _all(self.secret)

    def verify(self, delivery: Delivery, now: float) -> str:
        """Check the ``v0`` signature; the id is the event's, or one made of the signed content where there is none."""
        timestamp = _require(delivery, "x-slack-request-timestamp")
        signature = _require(delivery, "x-slack-signature")
        _check_age(timestamp, now)
        content = f"v0:{timestamp}:".encode() + delivery.body
        digests = [f"v0={digest}" for digest in _hex_digests(_all(self.secret), content)]
        if not _any_equal(digests, [signature]):
            raise VerificationError("the delivery's signature is not that of this endpoint's secret")
        return _field(delivery, "event_id") or hashlib.sha256(content).hexdigest()

    def answer(self, delivery: Delivery) -> Mapping[str, Any] | None:
        """Slack's ``url_verification`` is answered with its challenge."""
        if _field(delivery, "type") == "url_verification":
            return {"challenge": _field(delivery, "challenge")}
        return None


def _field(delivery: Delivery, name: str) -> str:
    """A field of a JSON object; nothing if the body is something else."""
    try:
        body = delivery.json()
    except MalformedDeliveryError:
        return ""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""
