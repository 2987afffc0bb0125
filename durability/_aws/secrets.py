"""AWS Secrets Manager: the secret that callback URLs are signed with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from durability.exceptions import ConfigurationError

LIFETIME: Final = 300
"""Seconds for which a secret is kept: how late a rotation is noticed by itself."""
REFRESH_AFTER: Final = 10
"""Seconds before a secret is fetched again because a token did not fit: forged tokens must not cost a call each."""


class RotatingSecret:
    """The current and the previous version of a secret, cached."""

    def __init__(self, secret_id: str, *, client: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Create it; nothing is fetched yet.

        Args:
            secret_id: ARN or name.
            client: A boto3 client of Secrets Manager; one of the process's own by default.
            clock: Seconds of a clock that never goes back.
        """
        self._secret_id = secret_id
        self._client = client
        self._clock = clock
        self._versions: list[bytes] = []
        self._fetched = 0.0

    def versions(self, *, refresh: bool = False) -> list[bytes]:
        """The current version, then the previous one if there is one.

        Args:
            refresh: Whether a version that is newer than the cached ones is looked for.

        Raises:
            ConfigurationError: The secret does not exist or has no value.
        """
        age = self._clock() - self._fetched
        if not self._versions or age > (REFRESH_AFTER if refresh else LIFETIME):
            self._versions = self._fetch()
            self._fetched = self._clock()
        return self._versions

    def _fetch(self) -> list[bytes]:
        if self._client is None:
            import boto3

            self._client = boto3.client("secretsmanager")
        missing = self._client.exceptions.ResourceNotFoundException
        versions = []
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            try:
                answer = self._client.get_secret_value(SecretId=self._secret_id, VersionStage=stage)
            except missing as error:
                if stage == "AWSCURRENT":
                    raise ConfigurationError(
                        f"the secret {self._secret_id!r} of DURABILITY_WEBHOOK_SECRET does not exist: deploy the stack"
                    ) from error
                continue
            value = answer.get("SecretString", "").encode() or answer.get("SecretBinary", b"")
            if value:
                versions.append(value)
        if not versions:
            raise ConfigurationError(f"the secret {self._secret_id!r} of DURABILITY_WEBHOOK_SECRET is empty")
        return versions
