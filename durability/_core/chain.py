"""The two ends of the interceptor chains: user code, and the workflow instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from durability._core import interceptors as i

if TYPE_CHECKING:
    from durability._core.instance import Instance
    from durability._core.signals_with_start import SignalWithStartHandle
    from durability.workflow import ActivityHandle, ChildWorkflowHandle, Info


class InboundEnd(i.WorkflowInboundInterceptor):
    """Calls user code."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def init(self, outbound: i.WorkflowOutboundInterceptor) -> None:
        """Take the outbound chain into use."""
        self._instance.outbound = outbound

    async def execute_workflow(self, input: i.ExecuteWorkflowInput) -> Any:
        """Call the ``run`` method."""
        return await input.run_fn(self._instance.object, *input.args)

    async def handle_signal(self, input: i.HandleSignalInput) -> None:
        """Call the signal's handler."""
        definition = self._instance.signals.handlers.for_name(input.signal)
        assert definition is not None
        result = definition.bind_fn(self._instance.object)(*input.args)
        if definition.is_async:
            await result

    async def handle_query(self, input: i.HandleQueryInput) -> Any:
        """Call the query's handler."""
        definition = self._instance.queries.handlers.for_name(input.query)
        assert definition is not None
        result = definition.bind_fn(self._instance.object)(*input.args)
        return await result if definition.is_async else result

    def handle_update_validator(self, input: i.HandleUpdateInput) -> None:
        """Call the update's validator."""
        definition = self._instance.updates.handlers.for_name(input.update)
        assert definition is not None
        validator = definition.bind_validator(self._instance.object)
        if validator is not None:
            validator(*input.args)

    async def handle_update_handler(self, input: i.HandleUpdateInput) -> Any:
        """Call the update's handler."""
        definition = self._instance.updates.handlers.for_name(input.update)
        assert definition is not None
        result = definition.bind_fn(self._instance.object)(*input.args)
        return await result if definition.is_async else result


class OutboundEnd(i.WorkflowOutboundInterceptor):
    """Does what the workflow asks for."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def continue_as_new(self, input: i.ContinueAsNewInput) -> NoReturn:
        """Leave the workflow."""
        self._instance.main.continue_as_new(input)

    def info(self) -> Info:
        """The run."""
        return self._instance.info

    async def signal_child_workflow(self, input: i.SignalChildWorkflowInput) -> None:
        """Signal a child."""
        await self._instance.external.signal_child(input)

    async def signal_external_workflow(self, input: i.SignalExternalWorkflowInput) -> None:
        """Signal a workflow."""
        await self._instance.external.signal(input)

    def start_activity(self, input: i.StartActivityInput) -> ActivityHandle[Any]:
        """Schedule an activity."""
        return self._instance.activities.start(input)

    async def start_child_workflow(self, input: i.StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        """Start a child."""
        return await self._instance.children.start(input)

    def start_local_activity(self, input: i.StartLocalActivityInput) -> ActivityHandle[Any]:
        """Schedule a local activity."""
        return self._instance.activities.start_local(input)

    async def start_signal_with_start_workflow(
        self, request: i.SignalWithStartWorkflowRequest
    ) -> SignalWithStartHandle:
        """Signal a workflow id, with the start of a workflow."""
        return await self._instance.signals_with_start.start(request)
