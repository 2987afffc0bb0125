"""Physical names, made as CloudFormation makes them: stack, logical id, a suffix."""

from __future__ import annotations

import hashlib


def physical_name(stack: str, logical_id: str, *, limit: int = 64) -> str:
    """The name of a resource whose template does not give it one. The same every time.

    Args:
        stack: stack name.
        logical_id: name in the template.
        limit: greatest length.
    """
    return f"{f'{stack}-{logical_id}'[: limit - 13]}-{_digest(stack, logical_id)[:12].upper()}"


def api_id(stack: str, logical_id: str) -> str:
    """The id of an HTTP API, which is part of its address: ten lower-case characters.

    Args:
        stack: stack name.
        logical_id: name in the template.
    """
    return _digest(stack, logical_id)[:10]


def _digest(stack: str, logical_id: str) -> str:
    return hashlib.sha256(f"{stack}/{logical_id}".encode()).hexdigest()
