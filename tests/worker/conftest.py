"""An environment in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from durability.testing import WorkflowEnvironment


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping() as env:
        yield env
