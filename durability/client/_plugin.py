"""What changes a client as it is made."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from durability.service import ConnectConfig, ServiceClient

if TYPE_CHECKING:
    from durability.client._config import ClientConfig


class Plugin(abc.ABC):
    """Changes the configuration of clients. Pass it to ``Client.connect``."""

    def name(self) -> str:
        """Name of the plugin: module and qualified name of its class."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    @abc.abstractmethod
    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Return the configuration to use in place of the one given.

        Args:
            config: The client's configuration so far.
        """

    async def connect_service_client(
        self, config: ConnectConfig, next: Callable[[ConnectConfig], Awaitable[ServiceClient]]
    ) -> ServiceClient:
        """Connect what calls are made through.

        Args:
            config: What to connect to; may be changed.
            next: Connects.

        Returns:
            What ``next`` returned.
        """
        return await next(config)
