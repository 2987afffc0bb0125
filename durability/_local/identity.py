"""Who calls: the local account, and a set of credentials for every principal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class Credentials:
    """Credentials of one principal of the local cloud.

    Args:
        principal: who it is: a function's logical id, `client`, `setup`, `poller` or `scheduler`.
        access_key_id: 20 characters, as AWS makes them.
        secret_access_key: what requests are signed with.
        session_token: only functions have one, as they run under a role.
    """

    principal: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def environment(self) -> dict[str, str]:
        """The environment variables that give these credentials to an AWS library."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
        return variables if self.session_token is None else {**variables, "AWS_SESSION_TOKEN": self.session_token}


class Principals:
    """Issues credentials, and says whose an access key is."""

    def __init__(self) -> None:
        self._by_access_key: dict[str, Credentials] = {}

    def issue(self, principal: str, *, role: bool = False) -> Credentials:
        """Credentials for a principal: the same ones every time, as they guard nothing that leaves this machine.

        Args:
            principal: whose they are.
            role: temporary credentials with a session token, as a role has.
        """
        digest = hashlib.sha256(principal.encode()).hexdigest()
        credentials = Credentials(
            principal,
            ("ASIA" if role else "AKIA") + digest[:16].upper(),
            digest[:40],
            f"local-session-of-{principal}" if role else None,
        )
        return self._by_access_key.setdefault(credentials.access_key_id, credentials)

    def of(self, access_key_id: str) -> Credentials | None:
        """The credentials with an access key id, or None if it was never issued."""
        return self._by_access_key.get(access_key_id)
