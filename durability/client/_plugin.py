"""What changes a client as it is made."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durability.client._client import ClientConfig


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
