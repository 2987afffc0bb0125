"""Where tests written for Temporal's SDK find the logger that tells of failed workflow tasks."""

from __future__ import annotations

from durability._runtime.task_failures import logger as logger
