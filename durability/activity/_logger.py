"""The logger for activities."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from durability.activity._context import current_context

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class LoggerAdapter(_Adapter):
    """Adds to log messages which activity they come from.

    Attributes:
        activity_info_on_message: Whether to append it to the message. True by default.
        activity_info_on_extra: Whether to give it as ``temporal_activity`` in ``extra``. True by default.
        full_activity_info_on_extra: Whether to give the whole ``Info`` as ``activity_info`` in ``extra``. False by
            default.
    """

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None) -> None:
        """Create the adapter.

        Args:
            logger: Where messages go.
            extra: Added to every record.
        """
        super().__init__(logger, extra or {})
        self.activity_info_on_message = True
        self.activity_info_on_extra = True
        self.full_activity_info_on_extra = False

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add to a message which activity it comes from."""
        context = current_context.get(None)
        if context is None:
            return msg, kwargs
        details = context.info()._logger_details()
        extra: dict[str, Any] = {}
        if self.activity_info_on_extra:
            extra["temporal_activity"] = details
        if self.full_activity_info_on_extra:
            extra["activity_info"] = context.info()
        if extra:
            kwargs["extra"] = {**(kwargs.get("extra") or {}), **extra}
        return (f"{msg} ({details})" if self.activity_info_on_message else msg), kwargs

    @property
    def base_logger(self) -> logging.Logger:
        """Where messages go; for adding handlers."""
        return self.logger


logger = LoggerAdapter(logging.getLogger("durability.activity"), None)
"""Logger that adds which activity a message comes from."""
