"""Callback URLs: a workflow asks for a URL, gives it to somebody, and waits until it is called.

::

    callback = await callbacks.create("warehouse", expires_in=timedelta(days=7))
    await workflow.execute_activity(order_goods, args=[order, callback.url], start_to_close_timeout=...)
    answer = await callback.wait(timeout=timedelta(days=7))

The URL holds a token signed with the deployment's secret (HMAC-SHA256), so nobody can make or change one. It belongs
to one chain of runs: it still works after continue-as-new, if the workflow passes the callback on, and never reaches
another workflow that is later started under the same id. The first call wins; what comes later changes nothing.

The URL is made by an activity and recorded in the history: replay needs no secret, and a rotated secret does not change
the URLs that were given away. The previous version of the secret is accepted as long as Secrets Manager keeps it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from durability import activity, workflow
from durability.common import RawValue
from durability.exceptions import ConfigurationError

if TYPE_CHECKING:
    from durability._aws.secrets import RotatingSecret

__all__ = ["Callback", "CallbackAddress", "CallbackTokenError", "create", "create_callback_url"]

CREATE_URL_ACTIVITY: Final = "durability.create_callback_url"
_DOMAIN: Final = b"durability.callback.1\0"
"""Goes into every signature, so that one made for another purpose with the same secret is never a token."""


class CallbackTokenError(Exception):
    """A callback token is forged or damaged, or, with ``expired`` true, no longer valid."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        """Create the error.

        Args:
            message: What is wrong.
            expired: Whether the token is genuine but too old.
        """
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True)
class CallbackAddress:
    """What a token says.

    Attributes:
        namespace: Namespace of the workflow.
        workflow_id: Workflow to call back.
        first_run_id: First run of the chain that the callback belongs to.
        name: Name of the callback.
        id: Distinguishes callbacks of one name.
        expires: Seconds since the epoch after which the token is refused; 0 for never.
    """

    namespace: str
    workflow_id: str
    first_run_id: str
    name: str
    id: str
    expires: int = 0

    @property
    def signal_name(self) -> str:
        """Name of the signal that completes the callback."""
        return _signal_name(self.name, self.id)

    def sign(self, secret: bytes) -> str:
        """The token.

        Args:
            secret: What to sign with.
        """
        fields = [self.namespace, self.workflow_id, self.first_run_id, self.name, self.id, self.expires]
        content = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        return f"{_encode(content)}.{_encode(_signature(secret, content))}"

    @staticmethod
    def verify(token: str, secrets: list[bytes], now: float) -> CallbackAddress:
        """Read a token.

        Args:
            token: The token.
            secrets: The versions of the secret that are accepted.
            now: Seconds since the epoch.

        Raises:
            CallbackTokenError: The token is forged, damaged or expired.
        """
        body, _, signature = token.partition(".")
        try:
            content, received = _decode(body), _decode(signature)
        except (ValueError, binascii.Error) as error:
            raise CallbackTokenError("the callback token is damaged") from error
        genuine = False
        for secret in secrets:
            genuine |= hmac.compare_digest(_signature(secret, content), received)
        if not genuine:
            raise CallbackTokenError("the callback token is not one of this deployment's")
        address = CallbackAddress(*json.loads(content))
        if address.expires and now > address.expires:
            raise CallbackTokenError("the callback has expired", expired=True)
        return address


class _Mailbox:
    """Where the signal of a callback is put until somebody waits for it."""

    def __init__(self) -> None:
        self.received: list[RawValue] = []

    def take(self, value: RawValue) -> None:
        self.received.append(value)


@dataclass
class Callback:
    """A callback. It can be passed on through continue-as-new and to ``@workflow.init``.

    What was delivered is part of the run that received it: a run that continues as new without having waited for a
    delivery that it has already received loses it, as it loses any signal that it did not handle.

    Attributes:
        name: Its name.
        id: Distinguishes callbacks of one name.
        url: What to call: ``POST`` with a JSON or text body, or ``GET`` with query parameters.
    """

    name: str
    id: str
    url: str

    @property
    def done(self) -> bool:
        """Whether the URL has been called."""
        return bool(self._mailbox().received)

    async def wait(self, *, timeout: timedelta | None = None, result_type: type | None = None) -> Any:
        """Wait until the URL is called.

        Args:
            timeout: Longest time to wait.
            result_type: The type expected of the body.

        Returns:
            What the first call brought: its JSON or text; the query parameters of a ``GET``.

        Raises:
            asyncio.TimeoutError: The time is over.
            RuntimeError: The body does not have the type.
        """
        received = self._mailbox().received
        await workflow.wait_condition(lambda: bool(received), timeout=timeout)
        converter = workflow.payload_converter()
        if result_type is None:
            return converter.from_payload(received[0].payload)
        return converter.from_payload(received[0].payload, result_type)

    def _mailbox(self) -> _Mailbox:
        name = _signal_name(self.name, self.id)
        handler: Any = workflow.get_signal_handler(name)
        if handler is None:
            mailbox = _Mailbox()
            workflow.set_signal_handler(name, mailbox.take)
            return mailbox
        mailbox = handler.__self__
        assert isinstance(mailbox, _Mailbox)
        return mailbox


async def create(name: str, *, expires_in: timedelta | None = None) -> Callback:
    """Make a callback, in workflow code.

    Args:
        name: Name of the callback, shown in the history.
        expires_in: How long the URL is valid; without limit by default.

    Returns:
        The callback.

    Raises:
        ValueError: The name is empty or longer than 200 characters.
        ActivityError: The deployment has no secret or no public URL.
    """
    if not 0 < len(name) <= 200:
        raise ValueError("the name of a callback has 1 to 200 characters")
    info = workflow.info()
    address = CallbackAddress(
        namespace=info.namespace,
        workflow_id=info.workflow_id,
        first_run_id=info.first_execution_run_id or info.run_id,
        name=name,
        id=workflow.uuid4().hex,
        expires=int(workflow.time() + expires_in.total_seconds()) if expires_in else 0,
    )
    url = await workflow.execute_activity(
        create_callback_url,
        address,
        start_to_close_timeout=timedelta(seconds=10),
        summary=f"callback URL for {name}",
    )
    callback = Callback(name=name, id=address.id, url=url)
    callback._mailbox()
    return callback


@activity.defn(name=CREATE_URL_ACTIVITY)
async def create_callback_url(address: CallbackAddress) -> str:
    """Make the URL of a callback; every application has this activity.

    Args:
        address: What the URL stands for.

    Raises:
        ConfigurationError: ``DURABILITY_PUBLIC_URL`` or ``DURABILITY_WEBHOOK_SECRET`` is not set.
    """
    base = os.environ.get("DURABILITY_PUBLIC_URL", "").rstrip("/")
    if not base:
        raise ConfigurationError("DURABILITY_PUBLIC_URL is not set: callback URLs need the base URL of the HTTP API")
    secrets = await asyncio.to_thread(deployment_secret().versions)
    return f"{base}/callbacks/{address.sign(secrets[0])}"


def built_in_activities() -> list[Any]:
    """The activities that every application has."""
    return [create_callback_url]


def deployment_secret() -> RotatingSecret:
    """The secret that callback URLs are signed with.

    Raises:
        ConfigurationError: ``DURABILITY_WEBHOOK_SECRET`` is not set.
    """
    secret_id = os.environ.get("DURABILITY_WEBHOOK_SECRET", "")
    if not secret_id:
        raise ConfigurationError("DURABILITY_WEBHOOK_SECRET is not set: callback URLs are signed with this secret")
    return _secret(secret_id)


@cache
def _secret(secret_id: str) -> RotatingSecret:
    from durability._aws.secrets import RotatingSecret

    return RotatingSecret(secret_id)


def _signal_name(name: str, identifier: str) -> str:
    return f"__callback:{name}:{identifier}"


def _signature(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, _DOMAIN + content, "sha256")


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    content = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(content) != text:
        raise ValueError("the last character says more than its bytes")
    return content
