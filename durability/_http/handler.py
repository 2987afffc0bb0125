"""The HTTP API as a Lambda function behind API Gateway."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durability._http.app import create_app

if TYPE_CHECKING:
    from durability._runtime.frontend import Frontend
    from durability.application import Application


def http_handler(application: Application) -> Callable[[Any, Any], Any]:
    """Make the handler of the HTTP function.

    Args:
        application: Whose workflow types, converter and webhooks the API has.
    """
    from mangum import Mangum

    app = create_app(
        _connect,
        namespace=os.environ.get("DURABILITY_NAMESPACE", "default"),
        task_queue=os.environ.get("DURABILITY_TASK_QUEUE", "default"),
        workflow_types=application.workflows,
        data_converter=application.data_converter,
        webhooks=application.webhooks,
    )
    return in_one_loop(Mangum(app, lifespan="off"))


def in_one_loop(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Give all invocations of a process the same event loop: the engine's connections belong to it.

    mangum takes the thread's current loop, and from Python 3.14 on there is none unless somebody sets it.
    """
    loop: asyncio.AbstractEventLoop | None = None

    def handle(event: Any, context: Any) -> Any:
        nonlocal loop
        if loop is None:
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        return handler(event, context)

    return handle


async def _connect() -> Frontend:
    from durability._aws.connect import connect_gateway

    return await connect_gateway()
