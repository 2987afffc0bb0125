"""Calls of workflows by workflows: right ones have the result's type, wrong ones are errors where a comment says so."""

from typing import Any, assert_type

from durability import workflow
from tests.typing.cases.definitions import NoParam, OneParam, Order, Receipt, TwoParams

ORDER = Order("1")


async def children() -> None:
    assert_type(await workflow.execute_child_workflow(NoParam.run), Receipt)
    assert_type(await workflow.execute_child_workflow(OneParam.run, ORDER), Receipt)
    assert_type(await workflow.execute_child_workflow(TwoParams.run, args=[ORDER, 1]), str)
    assert_type(await workflow.execute_child_workflow("by name", 1), Any)
    handle = await workflow.start_child_workflow(OneParam.run, ORDER)
    assert_type(handle, workflow.ChildWorkflowHandle[OneParam, Receipt])
    assert_type(await handle, Receipt)
    await handle.signal(OneParam.signal_one_param, 1)

    await workflow.execute_child_workflow(OneParam.run, "order")  # error
    await workflow.execute_child_workflow(OneParam.run)  # error
    await workflow.execute_child_workflow(NoParam.run, 1)  # error
    await workflow.start_child_workflow(OneParam.run, 1)  # error
    await workflow.start_child_workflow(OneParam.run, ORDER, parent_close_policy="abandon")  # error
    await handle.signal(OneParam.signal_one_param, "1")  # error


async def external_workflows() -> None:
    handle = workflow.get_external_workflow_handle_for(OneParam.run, "1")
    assert_type(handle, workflow.ExternalWorkflowHandle[OneParam])
    await handle.signal(OneParam.signal_one_param, 1)

    await handle.signal(OneParam.signal_one_param, "1")  # error
    await handle.signal(OneParam.signal_no_param, 1)  # error


async def signals_with_start() -> None:
    one = await workflow.signal_with_start_workflow(
        OneParam.run, ORDER, id="1", task_queue="q", signal=OneParam.signal_one_param, signal_args=1
    )
    assert_type(one, workflow.ExternalWorkflowHandle[OneParam])
    none = await workflow.signal_with_start_workflow(
        OneParam.run, args=[ORDER], id="1", task_queue="q", signal=OneParam.signal_no_param
    )
    assert_type(none, workflow.ExternalWorkflowHandle[OneParam])
    await workflow.signal_with_start_workflow("name", 1, "a", id="1", task_queue="q", signal="s", signal_args=[1, 2])

    options: Any = {"id": "1", "task_queue": "q"}
    await workflow.signal_with_start_workflow(OneParam.run, "1", signal=OneParam.signal_no_param, **options)  # error
    await workflow.signal_with_start_workflow("name", 1, id="1", signal="s")  # error
    await workflow.signal_with_start_workflow("name", 1, id="1", task_queue="q")  # error


def new_run() -> None:
    workflow.continue_as_new(ORDER)


def new_run_of_another() -> None:
    workflow.continue_as_new(ORDER, workflow=OneParam.run)


def wrong_new_run() -> None:
    workflow.continue_as_new("order", workflow=OneParam.run)  # error


def after_a_new_run() -> str:
    workflow.continue_as_new()  # never returns, so that nothing is missing after it


async def conditions() -> None:
    await workflow.wait_condition(lambda: True, timeout=5)

    await workflow.wait_condition(True)  # error
    await workflow.sleep("1")  # error
