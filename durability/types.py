"""Type variables and callable protocols of the public signatures, under the names of ``temporalio.types``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = [
    "AnyType",
    "CallableAsyncNoParam",
    "CallableAsyncSingleParam",
    "CallableAsyncType",
    "CallableSyncNoParam",
    "CallableSyncOrAsyncReturnNoneType",
    "CallableSyncOrAsyncType",
    "CallableSyncSingleParam",
    "CallableType",
    "ClassType",
    "LocalReturnType",
    "MethodAsyncNoParam",
    "MethodAsyncSingleParam",
    "MethodSyncNoParam",
    "MethodSyncOrAsyncNoParam",
    "MethodSyncOrAsyncSingleParam",
    "MethodSyncSingleParam",
    "MultiParamSpec",
    "ParamType",
    "ProtocolParamType",
    "ProtocolReturnType",
    "ProtocolSelfType",
    "ReturnType",
    "SelfType",
]

AnyType = TypeVar("AnyType")
ClassType = TypeVar("ClassType", bound=type)
SelfType = TypeVar("SelfType")
ParamType = TypeVar("ParamType")
ReturnType = TypeVar("ReturnType", covariant=True)
LocalReturnType = TypeVar("LocalReturnType", covariant=True)
CallableType = TypeVar("CallableType", bound=Callable[..., Any])
CallableAsyncType = TypeVar("CallableAsyncType", bound=Callable[..., Awaitable[Any]])
CallableSyncOrAsyncType = TypeVar("CallableSyncOrAsyncType", bound=Callable[..., Any | Awaitable[Any]])
CallableSyncOrAsyncReturnNoneType = TypeVar(
    "CallableSyncOrAsyncReturnNoneType", bound=Callable[..., Awaitable[None] | None]
)
MultiParamSpec = ParamSpec("MultiParamSpec")

ProtocolParamType = TypeVar("ProtocolParamType", contravariant=True)
ProtocolReturnType = TypeVar("ProtocolReturnType", covariant=True)
ProtocolSelfType = TypeVar("ProtocolSelfType", contravariant=True)


class CallableAsyncNoParam(Protocol[ProtocolReturnType]):
    """An async callable without parameters."""

    def __call__(self) -> Awaitable[ProtocolReturnType]:
        """Call it."""
        ...


class CallableSyncNoParam(Protocol[ProtocolReturnType]):
    """A callable without parameters."""

    def __call__(self) -> ProtocolReturnType:
        """Call it."""
        ...


class CallableAsyncSingleParam(Protocol[ProtocolParamType, ProtocolReturnType]):
    """An async callable with one parameter."""

    def __call__(self, arg: ProtocolParamType, /) -> Awaitable[ProtocolReturnType]:
        """Call it."""
        ...


class CallableSyncSingleParam(Protocol[ProtocolParamType, ProtocolReturnType]):
    """A callable with one parameter."""

    def __call__(self, arg: ProtocolParamType, /) -> ProtocolReturnType:
        """Call it."""
        ...


class MethodAsyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """An unbound async method without parameters."""

    def __call__(self, instance: ProtocolSelfType, /) -> Awaitable[ProtocolReturnType]:
        """Call it."""
        ...


class MethodSyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """An unbound method without parameters."""

    def __call__(self, instance: ProtocolSelfType, /) -> ProtocolReturnType:
        """Call it."""
        ...


class MethodAsyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """An unbound async method with one parameter."""

    def __call__(self, instance: ProtocolSelfType, arg: ProtocolParamType, /) -> Awaitable[ProtocolReturnType]:
        """Call it."""
        ...


class MethodSyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """An unbound method with one parameter."""

    def __call__(self, instance: ProtocolSelfType, arg: ProtocolParamType, /) -> ProtocolReturnType:
        """Call it."""
        ...


class MethodSyncOrAsyncNoParam(Protocol[ProtocolSelfType, ProtocolReturnType]):
    """An unbound method, async or not, without parameters."""

    def __call__(self, instance: ProtocolSelfType, /) -> ProtocolReturnType | Awaitable[ProtocolReturnType]:
        """Call it."""
        ...


class MethodSyncOrAsyncSingleParam(Protocol[ProtocolSelfType, ProtocolParamType, ProtocolReturnType]):
    """An unbound method, async or not, with one parameter."""

    def __call__(
        self, instance: ProtocolSelfType, arg: ProtocolParamType, /
    ) -> ProtocolReturnType | Awaitable[ProtocolReturnType]:
        """Call it."""
        ...
