"""What a builder of resources is.

Every builder lists the properties that it knows, so that a misspelt one is an error here as it is in CloudFormation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from durability._local.template import TemplateError

if TYPE_CHECKING:
    from durability._local.stack import Stack

Built = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Builder:
    """How resources of one type are built.

    Args:
        build: makes the resource; gives the value of `Ref` and the attributes.
        effective: properties that change what is built.
        inert: properties that have no meaning on one machine; None accepts any.
    """

    build: Callable[[Stack, str, dict[str, Any]], Built]
    effective: frozenset[str]
    inert: frozenset[str] | None = field(default=frozenset())

    def check(self, logical_id: str, properties: dict[str, Any]) -> None:
        """Refuse properties that are not known.

        Args:
            logical_id: the resource.
            properties: its resolved properties.

        Raises:
            TemplateError: there is an unknown property.
        """
        if self.inert is None:
            return
        unknown = sorted(set(properties) - self.effective - self.inert)
        if unknown:
            known = ", ".join(sorted(self.effective | self.inert))
            raise TemplateError(logical_id, f"property {', '.join(unknown)} is not supported here; known are: {known}.")


def names(text: str) -> frozenset[str]:
    """A set of names from a text with blanks between them."""
    return frozenset(text.split())
