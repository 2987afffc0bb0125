from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .stage import Stage, staged


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The application, deployed once for a module, with the module's ``PARAMETERS`` for the template."""
    parameters: dict[str, str] = getattr(request.module, "PARAMETERS", {})
    async with staged(tmp_path_factory.mktemp("stage"), **parameters) as running:
        yield running
