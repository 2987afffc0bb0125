"""A logger that is silent on replay and says which workflow speaks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from durability.workflow._info import current_update
from durability.workflow._runtime import maybe_current

if TYPE_CHECKING:
    _Base = logging.LoggerAdapter[logging.Logger]
else:
    _Base = logging.LoggerAdapter


class LoggerAdapter(_Base):
    """Adds the running workflow to what is logged, and logs nothing that replay repeats.

    Attributes:
        workflow_info_on_message: Whether to append the workflow to the message.
        workflow_info_on_extra: Whether to add it to ``extra``, as ``temporal_workflow``.
        full_workflow_info_on_extra: Whether to add the whole ``workflow.Info`` to ``extra``, as ``workflow_info``.
        log_during_replay: Whether to log on replay, too.
        disable_sandbox: Accepted for compatibility.
    """

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None) -> None:
        """Create the adapter.

        Args:
            logger: What to log to.
            extra: Added to every record, as by ``logging.LoggerAdapter``.
        """
        super().__init__(logger, extra or {})
        self.workflow_info_on_message = True
        self.workflow_info_on_extra = True
        self.full_workflow_info_on_extra = False
        self.log_during_replay = False
        self.disable_sandbox = False

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the workflow and the update to a record."""
        instance = maybe_current()
        if instance is None:
            kwargs["extra"] = dict(kwargs.get("extra") or {})
            return msg, kwargs
        info = instance.outbound.info()
        details = dict(info._logger_details())
        update = current_update.get()
        if update is not None:
            details.update(update._logger_details)
        extra: dict[str, Any] = {}
        if self.workflow_info_on_extra:
            extra["temporal_workflow"] = details
        if self.full_workflow_info_on_extra:
            extra["workflow_info"] = info
        kwargs["extra"] = {**extra, **(kwargs.get("extra") or {})}
        return (f"{msg} ({details})" if self.workflow_info_on_message else msg), kwargs

    def isEnabledFor(self, level: int) -> bool:
        """Whether a record of this level is logged now."""
        instance = maybe_current()
        if not self.log_during_replay and instance is not None and instance.is_replaying_history():
            return False
        return super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: Any, stacklevel: int = 1, **kwargs: Any) -> None:
        """Log a message, unless the workflow is being replayed.

        Args:
            level: Level of the record.
            msg: The message.
            args: For the message's placeholders.
            stacklevel: 1 names the caller as the place; 2 its caller, and so on.
            kwargs: As for ``logging.Logger.log``.
        """
        # One more frame than in the base class, which is this one.
        super().log(level, msg, *args, stacklevel=stacklevel + 1, **kwargs)

    @property
    def base_logger(self) -> logging.Logger:
        """The logger underneath, for handlers and levels."""
        return self.logger

    def unsafe_disable_sandbox(self, value: bool = True) -> None:
        """Accepted for compatibility.

        Args:
            value: What ``disable_sandbox`` is set to.
        """
        self.disable_sandbox = value


logger = LoggerAdapter(logging.getLogger("durability.workflow"), None)
"""The workflow's logger."""
