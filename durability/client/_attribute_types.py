"""The types of search attributes that were added through ``Client.operator_service``, for this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from durability.service import ConnectConfig

if TYPE_CHECKING:
    from durability.client._client import Client

_added: Final[dict[tuple[str, str], dict[str, int]]] = {}


def attribute_types(client: Client) -> dict[str, int]:
    """Numbers of ``IndexedValueType`` by name: one registry for all clients of a namespace that connect to the same."""
    config = getattr(client.frontend, "config", None)
    target = config.target_host if isinstance(config, ConnectConfig) else ""
    return _added.setdefault((target, client.namespace), {})
