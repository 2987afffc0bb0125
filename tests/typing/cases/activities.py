"""Calls of activities: right ones have the result's type, wrong ones are errors where a comment says so."""

from datetime import timedelta
from typing import Any, assert_type

from durability import workflow
from tests.typing.cases.definitions import (
    Activities,
    Callee,
    Order,
    Receipt,
    in_thread,
    in_thread_without_result,
    no_param,
    one_param,
    two_params,
)

ORDER = Order("1")
TIMEOUT = timedelta(seconds=5)


async def functions() -> None:
    assert_type(await workflow.execute_activity(no_param, start_to_close_timeout=TIMEOUT), int)
    assert_type(await workflow.execute_activity(one_param, ORDER, start_to_close_timeout=TIMEOUT), Receipt)
    assert_type(await workflow.execute_activity(two_params, args=[ORDER, 1], start_to_close_timeout=TIMEOUT), str)
    assert_type(await workflow.execute_activity(in_thread, ORDER, start_to_close_timeout=TIMEOUT), Receipt)
    assert_type(await workflow.execute_activity("by name", 1, start_to_close_timeout=TIMEOUT), Any)
    handle = workflow.start_activity(one_param, ORDER, start_to_close_timeout=TIMEOUT)
    assert_type(handle, workflow.ActivityHandle[Receipt])
    assert_type(await handle, Receipt)
    await workflow.execute_activity(in_thread_without_result, start_to_close_timeout=TIMEOUT)

    await workflow.execute_activity(one_param, "order", start_to_close_timeout=TIMEOUT)  # error
    await workflow.execute_activity(one_param, start_to_close_timeout=TIMEOUT)  # error
    await workflow.execute_activity(no_param, ORDER, start_to_close_timeout=TIMEOUT)  # error
    await workflow.execute_activity(in_thread, 1, start_to_close_timeout=TIMEOUT)  # error
    await workflow.execute_activity(one_param, ORDER, start_to_close_timeout=5)  # error
    await workflow.execute_activity(one_param, ORDER, start_to_close=TIMEOUT)  # error
    workflow.start_activity(one_param, 1, start_to_close_timeout=TIMEOUT)  # error


async def local() -> None:
    assert_type(await workflow.execute_local_activity(no_param, start_to_close_timeout=TIMEOUT), int)
    assert_type(await workflow.execute_local_activity(one_param, ORDER, start_to_close_timeout=TIMEOUT), Receipt)
    handle = workflow.start_local_activity(in_thread, ORDER, start_to_close_timeout=TIMEOUT)
    assert_type(handle, workflow.ActivityHandle[Receipt])

    await workflow.execute_local_activity(one_param, "order", start_to_close_timeout=TIMEOUT)  # error
    await workflow.execute_local_activity(no_param, 1, start_to_close_timeout=TIMEOUT)  # error
    workflow.start_local_activity(one_param, 1, start_to_close_timeout=TIMEOUT)  # error


async def methods() -> None:
    assert_type(await workflow.execute_activity_method(Activities.no_param, start_to_close_timeout=TIMEOUT), int)
    assert_type(
        await workflow.execute_activity_method(Activities.one_param, ORDER, start_to_close_timeout=TIMEOUT), Receipt
    )
    assert_type(
        await workflow.execute_local_activity_method(Activities.in_thread, ORDER, start_to_close_timeout=TIMEOUT),
        Receipt,
    )

    await workflow.execute_activity_method(Activities.one_param, 1, start_to_close_timeout=TIMEOUT)  # error
    await workflow.execute_activity_method(Activities.no_param, 1, start_to_close_timeout=TIMEOUT)  # error
    workflow.start_activity_method(Activities.one_param, 1, start_to_close_timeout=TIMEOUT)  # error


async def classes() -> None:
    assert_type(await workflow.execute_activity_class(Callee, ORDER, start_to_close_timeout=TIMEOUT), Receipt)

    await workflow.execute_activity_class(Callee, 1, start_to_close_timeout=TIMEOUT)  # error
