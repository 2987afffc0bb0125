"""Values that stay payloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from durability._core.payload import Payload

_STATE_VERSION = b"1"


@dataclass(frozen=True)
class RawValue:
    """A payload that converters pass through as it is.

    Use it as a parameter or return type where code wants to look at the payload itself, as dynamic handlers do. The
    payload codec still applies.

    Attributes:
        payload: The payload.
    """

    payload: Payload

    def __getstate__(self) -> object:
        """State for pickling, with a version in front."""
        return _STATE_VERSION + self.payload.SerializeToString()

    def __setstate__(self, state: object) -> None:
        """Restore pickled state.

        Raises:
            TypeError: The state is not bytes.
            ValueError: The state has a version that this code does not know.
        """
        if not isinstance(state, bytes):
            raise TypeError(f"Expected bytes state, got {type(state)}")
        if state[:1] != _STATE_VERSION:
            raise ValueError("Bad version prefix")
        object.__setattr__(self, "payload", Payload.FromString(state[1:]))


def is_raw_sequence(hint: Any) -> bool:
    """Whether a parameter is annotated with ``Sequence[RawValue]``."""
    # typing.Sequence and collections.abc.Sequence compare unequal but mean the same here.
    return getattr(hint, "__origin__", None) is Sequence and getattr(hint, "__args__", None) == (RawValue,)
