"""One application with all examples that need no data converter and no interceptors."""

from typing import Final

from durability import Application
from examples import entity, resource_pool, saga, sleep_for_days, sliding_window, updatable_timer
from examples.dsl import interpreter
from examples.hello import (
    activity,
    activity_method,
    async_activity,
    async_completion,
    cancellation,
    child,
    client_in_activity,
    continue_as_new,
    cron,
    dynamic,
    exceptions,
    heartbeat,
    local_activity,
    parallel,
    patch,
    queries,
    retry,
    search_attributes,
    signals,
    threaded_activity,
    updates,
)
from examples.message_passing import safe_handlers, update_with_start, waiting_for_handlers
from examples.polling import frequent, infrequent, periodic
from examples.running import Example

EXAMPLES: Final[dict[str, Example]] = {
    module.__name__: module.example
    for module in (
        activity,
        async_activity,
        threaded_activity,
        activity_method,
        retry,
        heartbeat,
        child,
        parallel,
        cancellation,
        continue_as_new,
        cron,
        signals,
        queries,
        updates,
        local_activity,
        patch,
        search_attributes,
        async_completion,
        client_in_activity,
        exceptions,
        dynamic,
        safe_handlers,
        waiting_for_handlers,
        update_with_start,
        frequent,
        infrequent,
        periodic,
        sliding_window,
        resource_pool,
        updatable_timer,
        interpreter,
        entity,
        sleep_for_days,
        saga,
    )
}

app = Application(
    workflows=[workflow for example in EXAMPLES.values() for workflow in example.workflows],
    activities=[one for example in EXAMPLES.values() for one in example.activities],
)
