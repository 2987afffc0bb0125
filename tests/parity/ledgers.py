"""What differs from the reference, each with its reason. A test fails when an entry is missing or stale."""

from __future__ import annotations

from typing import Final

NEXUS: Final = "Nexus is not part of this project."
GRPC: Final = (
    "There is no gRPC and no TLS to configure: a client speaks HTTP, or to the stack's own resources. "
    "Its services take requests, but are no public classes."
)
BUILD_IDS: Final = "Sets of compatible build ids were replaced by worker deployments in the reference itself."
TIME_SKIPPING: Final = (
    "Experimental in the reference: time skipping per workflow, by a server that runs in real time. "
    "Here time is skipped for a whole environment."
)
SCHEDULES: Final = "Schedules come next."
ACTIVITIES: Final = "Standalone activities come next."
BOUNDARY: Final = (
    "The boundary between a worker and a workflow's instance: activations and commands are this engine's own."
)
ENGINE_MADE: Final = "Made by the engine alone."

MISSING_NAMES: Final = {
    NEXUS: {
        "client": (
            "Callback CancelNexusOperationInput CountNexusOperationsInput DescribeNexusOperationInput "
            "GetNexusOperationResultInput ListNexusOperationsInput NexusClient NexusOperationExecution "
            "NexusOperationExecutionAsyncIterator NexusOperationExecutionCancellationInfo "
            "NexusOperationExecutionCount NexusOperationExecutionCountAggregationGroup "
            "NexusOperationExecutionDescription NexusOperationFailureError NexusOperationHandle "
            "StartNexusOperationInput TerminateNexusOperationInput"
        ),
        "common": (
            "NexusOperationCancellationState NexusOperationExecutionStatus NexusOperationIDConflictPolicy "
            "NexusOperationIDReusePolicy PendingNexusOperationExecutionState"
        ),
        "converter": "NexusSerializationContext",
        "exceptions": "NexusOperationAlreadyStartedError",
        "types": "NexusServiceType",
        "worker": (
            "ExecuteNexusOperationCancelInput ExecuteNexusOperationStartInput NexusOperationInboundInterceptor "
            "StartNexusOperationInput"
        ),
        "workflow": "NexusClient NexusOperationCancellationType NexusOperationHandle create_nexus_client",
    },
    GRPC: {
        "client": "CloudOperationsClient",
        "service": (
            "CloudService HealthService OperatorService ServiceRequest ServiceResponse TestService WorkflowService"
        ),
    },
    BUILD_IDS: {
        "client": (
            "BuildIdOp BuildIdOpAddNewCompatible BuildIdOpAddNewDefault BuildIdOpMergeSets "
            "BuildIdOpPromoteBuildIdWithinSet BuildIdOpPromoteSetByBuildId BuildIdReachability BuildIdVersionSet "
            "GetWorkerBuildIdCompatibilityInput GetWorkerTaskReachabilityInput TaskReachabilityType "
            "UpdateWorkerBuildIdCompatibilityInput WorkerBuildIdVersionSets WorkerTaskReachability"
        ),
    },
    TIME_SKIPPING: {
        "testing": "TimeSkipper TimeSkippingConfig",
    },
    SCHEDULES: {
        "client": (
            "BackfillScheduleInput CreateScheduleInput DeleteScheduleInput DescribeScheduleInput "
            "ListSchedulesInput PauseScheduleInput Schedule ScheduleAction ScheduleActionExecution "
            "ScheduleActionExecutionStartWorkflow ScheduleActionResult ScheduleActionStartWorkflow "
            "ScheduleAlreadyRunningError ScheduleAsyncIterator ScheduleBackfill ScheduleCalendarSpec "
            "ScheduleDescription ScheduleHandle ScheduleInfo ScheduleIntervalSpec ScheduleListAction "
            "ScheduleListActionStartWorkflow ScheduleListDescription ScheduleListInfo ScheduleListSchedule "
            "ScheduleListState ScheduleOverlapPolicy SchedulePolicy ScheduleRange ScheduleSpec ScheduleState "
            "ScheduleUpdate ScheduleUpdateInput TriggerScheduleInput UnpauseScheduleInput UpdateScheduleInput"
        ),
    },
    ACTIVITIES: {
        "client": (
            "ActivityExecution ActivityExecutionAsyncIterator ActivityExecutionCount "
            "ActivityExecutionCountAggregationGroup ActivityExecutionDescription ActivityExecutionOptions "
            "ActivityExecutionStatus ActivityFailureError ActivityHandle ActivityOptionsKey ActivityOptionsKeys "
            "ActivityOptionsUpdate CancelActivityInput CountActivitiesInput DescribeActivityInput "
            "ListActivitiesInput PauseActivityInput PendingActivityState StartActivityInput "
            "TerminateActivityInput UnpauseActivityInput UpdateActivityOptionsInput"
        ),
    },
}
"""By module."""

MISSING_MEMBERS: Final = {
    NEXUS: {
        "client.Client": (
            "count_nexus_operations create_nexus_client get_nexus_operation_handle list_nexus_operations"
        ),
        "client.OutboundInterceptor": (
            "cancel_nexus_operation count_nexus_operations describe_nexus_operation get_nexus_operation_result "
            "list_nexus_operations start_nexus_operation terminate_nexus_operation"
        ),
        "testing.WorkflowEnvironment": "create_nexus_endpoint delete_nexus_endpoint",
        "worker.Interceptor": "intercept_nexus_operation",
        "worker.WorkflowOutboundInterceptor": "start_nexus_operation start_system_nexus_operation",
    },
    GRPC: {
        "client.Client": "test_service",
        "client.RPCError": "grpc_status",
        "client.ServiceClient": "connect update_api_key update_rpc_metadata worker_service_client",
    },
    BUILD_IDS: {
        "client.Client": (
            "get_worker_build_id_compatibility get_worker_task_reachability update_worker_build_id_compatibility"
        ),
        "client.OutboundInterceptor": (
            "get_worker_build_id_compatibility get_worker_task_reachability update_worker_build_id_compatibility"
        ),
    },
    TIME_SKIPPING: {
        "client.StartWorkflowInput": "time_skipping_config",
        "client.UpdateWithStartStartWorkflowInput": "time_skipping_config",
        "testing.WorkflowEnvironment": "get_time_skipping_info start_time_skipping_v2",
    },
    SCHEDULES: {
        "client.Client": "create_schedule get_schedule_handle list_schedules",
        "client.OutboundInterceptor": (
            "backfill_schedule create_schedule delete_schedule describe_schedule list_schedules pause_schedule "
            "trigger_schedule unpause_schedule update_schedule"
        ),
    },
    ACTIVITIES: {
        "client.Client": (
            "count_activities execute_activity execute_activity_class execute_activity_method get_activity_handle "
            "list_activities start_activity start_activity_class start_activity_method"
        ),
        "client.OutboundInterceptor": (
            "cancel_activity count_activities describe_activity list_activities pause_activity start_activity "
            "terminate_activity unpause_activity update_activity_options"
        ),
    },
    BOUNDARY: {
        "worker.WorkflowInstance": "get_external_store_context get_info get_serialization_context get_thread_id",
        "worker.WorkflowInstanceDetails": (
            "default_workflow_logic_flags failure_converter_class info last_completion_result last_failure "
            "payload_converter_factory randomness_seed"
        ),
    },
}
"""By class."""

PARAMETERS: Final = {
    GRPC: {
        "client.ServiceClient": "config",
        "client.WorkflowHandle": "start_workflow_response",
    },
    TIME_SKIPPING: {
        "client.StartWorkflowInput": "time_skipping_config",
        "client.UpdateWithStartStartWorkflowInput": "time_skipping_config",
    },
    BOUNDARY: {
        "worker.WorkflowInstance.activate": "act activation",
        "worker.WorkflowInstanceDetails": (
            " deadlock_detector default_workflow_logic_flags failure_converter failure_converter_class info "
            "last_completion_result last_failure metric_meter payload_converter payload_converter_factory "
            "randomness_seed run"
        ),
    },
    ENGINE_MADE: {
        "client.WorkflowExecutionDescription": "raw_description",
    },
}
"""By function; an empty name stands for the order of all."""
