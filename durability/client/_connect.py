"""From a target host to what calls are made through."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import cast

from durability._runtime.frontend import Frontend
from durability.service import ConnectConfig, RPCError, RPCStatusCode

logger = logging.getLogger("durability.client")


@cache
def default_identity() -> str:
    """Process id and host name, as Temporal's SDKs have it."""
    return f"{os.getpid()}@{socket.gethostname()}"


_said: set[str] = set()


def say_ignored(call: str, **parameters: object) -> None:
    """Log, once in the life of the process, which parameters were given that have no meaning here."""
    given = sorted(name for name, value in parameters.items() if value and f"{call} {name}" not in _said)
    if given:
        _said.update(f"{call} {name}" for name in given)
        logger.info("%s ignores %s: there is no gRPC and no setting of TLS here", call, ", ".join(given))


async def connect(config: ConnectConfig, namespace: str) -> Frontend:
    """Connect to an HTTP API, to a deployment's own resources or to an environment in this process.

    See ``Client.connect``.
    """
    if config.lazy and not config.target_host.startswith(("http://", "https://")):  # which connects by its calls
        from durability.client._lazy import LazyFrontend

        at_once = replace(config, lazy=False)
        return cast(Frontend, LazyFrontend(config, lambda: connect(at_once, namespace)))
    target_host = config.target_host
    if target_host.startswith("memory://"):
        from durability._memory.local import gateway_at

        return gateway_at(config)
    if not target_host.startswith(("http://", "https://")):
        from durability._aws.connect import connect_gateway

        return await connect_gateway(namespace, await _environment(target_host), config=config)
    from durability.client._http import HttpFrontend

    frontend = HttpFrontend(target_host, api_key=config.api_key)
    frontend.config = config
    if not config.lazy:
        try:
            async with asyncio.timeout(config.connect_timeout.total_seconds() if config.connect_timeout else 10):
                await frontend.reach()
        except BaseException as error:
            await frontend.close()
            if isinstance(error, asyncio.TimeoutError):
                raise RPCError(
                    f"{target_host} did not answer in time: is it the URL of the HTTP API?",
                    RPCStatusCode.UNAVAILABLE,
                    b"",
                ) from error
            raise
    return frontend


async def _environment(target_host: str) -> Mapping[str, str]:
    """The variables that name the stack: the process's own, or those of a local cloud at that host and port."""
    from durability._local import discovery

    if "DURABILITY_TABLE" in os.environ or not discovery.is_local(target_host):
        return os.environ
    try:
        return await discovery.ask(target_host)
    except OSError as error:
        raise RPCError(
            f"no local cloud at {target_host}: {error}. Start one with `durability dev`, or name a deployed stack by "
            "the variables that `durability env` prints or by the URL of its HTTP API",
            RPCStatusCode.UNAVAILABLE,
            b"",
        ) from error
