"""Several requests at once, none of which outlives its invocation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def together(work: Iterable[Awaitable[_T]]) -> list[_T]:
    """Await all at once, and all to their end: a function that answered while one was under way would freeze it.

    Returns:
        The results, in the order of ``work``.

    Raises:
        BaseException: What the first of them raised that raised anything.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    values: list[_T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        values.append(result)
    return values
