"""The services of the orders example."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from examples.orders.services import running


@pytest.fixture
def secret() -> str:
    """What the warehouse signs with."""
    return "whsec_dGVzdGVk"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, secret: str) -> Iterator[httpx.Client]:
    """A client of the services, which run."""
    with running(secret) as url, httpx.Client(base_url=url, trust_env=False) as http:
        monkeypatch.setenv("SHOP_URL", url)
        monkeypatch.setenv("WAREHOUSE_WEBHOOK_SECRET", secret)
        yield http
