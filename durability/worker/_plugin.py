"""What changes workers and replayers as they are made, and wraps what they do."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durability.client import WorkflowHistory
    from durability.worker._config import WorkerConfig
    from durability.worker._replayer import Replayer, ReplayerConfig, WorkflowReplayResult
    from durability.worker._worker import Worker


class Plugin(abc.ABC):
    """Changes the configuration of workers and replayers, and wraps their runs.

    Pass it to ``Worker`` and ``Replayer``; one that is a ``durability.client.Plugin`` as well is passed to the client,
    and works for the client's workers too.
    """

    def name(self) -> str:
        """Name of the plugin: module and qualified name of its class."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    @abc.abstractmethod
    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Return the configuration to use in place of the one given.

        Args:
            config: The worker's configuration so far.
        """

    @abc.abstractmethod
    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker.

        Args:
            worker: The worker.
            next: Runs it; returns when it has been shut down.
        """

    @abc.abstractmethod
    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """Return the configuration to use in place of the one given.

        Args:
            config: The replayer's configuration so far.
        """

    @abc.abstractmethod
    def run_replayer(
        self,
        replayer: Replayer,
        histories: AsyncIterator[WorkflowHistory],
        next: Callable[
            [Replayer, AsyncIterator[WorkflowHistory]],
            AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]],
        ],
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Replay histories.

        Args:
            replayer: The replayer.
            histories: What to replay.
            next: Replays them.
        """
