"""Calls of clients: right ones have the result's type, wrong ones are errors where a comment says so."""

from typing import Any, assert_type

from durability.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from durability.common import WorkflowIDConflictPolicy
from tests.typing.cases.definitions import NoParam, OneParam, Order, Receipt, TwoParams

ORDER = Order("1")


async def workflows(client: Client) -> None:
    assert_type(await client.execute_workflow(NoParam.run, id="1", task_queue="q"), Receipt)
    assert_type(await client.execute_workflow(OneParam.run, ORDER, id="1", task_queue="q"), Receipt)
    assert_type(await client.execute_workflow(TwoParams.run, args=[ORDER, 1], id="1", task_queue="q"), str)
    assert_type(await client.execute_workflow("by name", 1, id="1", task_queue="q"), Any)
    handle = await client.start_workflow(OneParam.run, ORDER, id="1", task_queue="q")
    assert_type(handle, WorkflowHandle[OneParam, Receipt])
    assert_type(await handle.result(), Receipt)
    assert_type(client.get_workflow_handle_for(OneParam.run, "1"), WorkflowHandle[OneParam, Receipt])

    await client.execute_workflow(OneParam.run, "order", id="1", task_queue="q")  # error
    await client.execute_workflow(OneParam.run, id="1", task_queue="q")  # error
    await client.execute_workflow(NoParam.run, ORDER, id="1", task_queue="q")  # error
    await client.start_workflow(OneParam.run, 1, id="1", task_queue="q")  # error
    await client.start_workflow(OneParam.run, ORDER, task_queue="q")  # error
    await client.start_workflow(OneParam.run, ORDER, id=1, task_queue="q")  # error
    await client.start_workflow(OneParam.run, ORDER, id="1", task_queue="q", timeout=5)  # error


async def signals(handle: WorkflowHandle[OneParam, Receipt]) -> None:
    await handle.signal(OneParam.signal_no_param)
    await handle.signal(OneParam.signal_one_param, 1)
    await handle.signal(OneParam.signal_two_params, args=[1, ""])
    await handle.signal("by name", 1)

    await handle.signal(OneParam.signal_one_param, "1")  # error
    await handle.signal(OneParam.signal_one_param)  # error
    await handle.signal(OneParam.signal_no_param, 1)  # error


async def queries(handle: WorkflowHandle[OneParam, Receipt]) -> None:
    assert_type(await handle.query(OneParam.query_no_param), str)
    assert_type(await handle.query(OneParam.query_one_param, 1), Receipt)
    assert_type(await handle.query("by name"), Any)

    await handle.query(OneParam.query_one_param, "1")  # error
    await handle.query(OneParam.query_one_param)  # error
    await handle.query(OneParam.query_no_param, 1)  # error


async def updates(handle: WorkflowHandle[OneParam, Receipt]) -> None:
    assert_type(await handle.execute_update(OneParam.update_no_param), str)
    assert_type(await handle.execute_update(OneParam.update_one_param, 1), Receipt)
    assert_type(await handle.execute_update(OneParam.update_two_params, args=[1, ""]), Receipt)
    assert_type(await handle.execute_update("by name", 1), Any)
    started = await handle.start_update(OneParam.update_one_param, 1, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    assert_type(started, WorkflowUpdateHandle[Receipt])
    assert_type(await started.result(), Receipt)

    await handle.execute_update(OneParam.update_one_param, "1")  # error
    await handle.execute_update(OneParam.update_one_param)  # error
    await handle.execute_update(OneParam.update_no_param, 1)  # error
    await handle.start_update(OneParam.update_one_param, "1", wait_for_stage=WorkflowUpdateStage.ACCEPTED)  # error
    await handle.start_update(OneParam.update_one_param, 1)  # error


async def updates_with_start(client: Client) -> None:
    operation = WithStartWorkflowOperation(
        OneParam.run, ORDER, id="1", task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
    )
    assert_type(operation, WithStartWorkflowOperation[OneParam, Receipt])
    result = await client.execute_update_with_start_workflow(
        OneParam.update_one_param, 1, start_workflow_operation=operation
    )
    assert_type(result, Receipt)

    start = client.execute_update_with_start_workflow
    await start(OneParam.update_one_param, 1, start_workflow_operation=operation)
    await start(OneParam.update_one_param, "1", start_workflow_operation=operation)  # error
    await start(OneParam.update_one_param, 1)  # error
