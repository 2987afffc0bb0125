"""How a client finds the local cloud that it was given nothing of but host and port, as of Temporal's server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PATH: Final = "/.durability/environment"
DEFAULT_PORT: Final = 7233
"""The port that Temporal's development server has, and so what code that was written for it connects to."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_TIMEOUT: Final = 5.0
"""Seconds."""


def is_local(host: str) -> bool:
    """Whether a host, with a port or without, is this machine by a name that no other machine can have.

    A page in a browser can have a name of its own point to this machine, and then read what is here; not under these.
    """
    return host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK


async def ask(host: str) -> Mapping[str, str]:
    """The environment variables of the local cloud that listens at a host and port of this machine.

    Raises:
        OSError: Nothing listens there, or what does is not a local cloud.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
            session.get(f"http://{host}{PATH}") as response,
        ):
            answer: dict[str, str] = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise OSError(str(error) or repr(error)) from error
    return answer
