"""Handles on activities that are completed from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from durability.client._interceptor import (
    CompleteAsyncActivityInput,
    FailAsyncActivityInput,
    HeartbeatAsyncActivityInput,
    ReportCancellationAsyncActivityInput,
)
from durability.common._arguments import _arg_unset
from durability.converter import DataConverter, SerializationContext, WithSerializationContext

if TYPE_CHECKING:
    from durability.client._client import Client


@dataclass
class AsyncActivityIDReference:
    """Names an activity by ids.

    Attributes:
        workflow_id: Id of the workflow that scheduled it.
        run_id: Run of the workflow; None for the current one.
        activity_id: The activity's id.
    """

    workflow_id: str | None
    run_id: str | None
    activity_id: str


class AsyncActivityHandle(WithSerializationContext):
    """An activity to complete, whose code has called ``activity.raise_complete_async``. Made by a ``Client``."""

    def __init__(
        self,
        client: Client,
        id_or_token: AsyncActivityIDReference | bytes,
        data_converter_override: DataConverter | None = None,
    ) -> None:
        """Not for users: see ``Client.get_async_activity_handle``."""
        self._client = client
        self._id_or_token = id_or_token
        self._data_converter_override = data_converter_override

    async def heartbeat(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Give a sign of life.

        Args:
            details: What the next attempt is to know if this one fails.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            AsyncActivityCancelledError: The workflow asked for the activity's cancellation.
            RPCError: NOT_FOUND if the attempt is not under way any more.
        """
        await self._client._impl.heartbeat_async_activity(
            HeartbeatAsyncActivityInput(
                id_or_token=self._id_or_token,
                details=details,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
                data_converter_override=self._data_converter_override,
            )
        )

    async def complete(
        self,
        result: Any | None = _arg_unset,
        *,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Complete the activity.

        Args:
            result: Its result, if it has one.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the attempt is not under way any more.
        """
        await self._client._impl.complete_async_activity(
            CompleteAsyncActivityInput(
                id_or_token=self._id_or_token,
                result=result,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
                data_converter_override=self._data_converter_override,
            )
        )

    async def fail(
        self,
        error: Exception,
        *,
        last_heartbeat_details: Sequence[Any] = [],
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Fail the attempt; the activity's retry policy applies.

        Args:
            error: What went wrong.
            last_heartbeat_details: What the next attempt is to know.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the attempt is not under way any more.
        """
        await self._client._impl.fail_async_activity(
            FailAsyncActivityInput(
                id_or_token=self._id_or_token,
                error=error,
                last_heartbeat_details=last_heartbeat_details,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
                data_converter_override=self._data_converter_override,
            )
        )

    async def report_cancellation(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Say that the activity has ended by the cancellation that it was asked for.

        Args:
            details: What the workflow is to know.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the attempt is not under way any more; INVALID_ARGUMENT if nobody asked for the
                activity's cancellation.
        """
        await self._client._impl.report_cancellation_async_activity(
            ReportCancellationAsyncActivityInput(
                id_or_token=self._id_or_token,
                details=details,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
                data_converter_override=self._data_converter_override,
            )
        )

    def with_context(self, context: SerializationContext) -> Self:
        """Return a handle whose data converter works in a context: the client cannot know the activity's own.

        Args:
            context: The activity's, as an ``ActivitySerializationContext``.
        """
        converter = self._client.data_converter.with_context(context)
        if converter is self._client.data_converter:
            return self
        return type(self)(self._client, self._id_or_token, converter)
