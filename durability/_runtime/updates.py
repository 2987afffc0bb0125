"""Updates on their way to a workflow function and back, and what a history says of them.

An update needs the user's code, so a client invokes the workflow function with it, as with a query, and that invocation
advances the run itself. Until a delta holds it, an update is its caller's: whoever calls again with the same id asks
for the same update, and a rejection, which leaves no history, is answered by the invocation that was asked.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from durability._core import history
from durability._core.failure import ApplicationFailureInfo, Failure
from durability._core.history import Delta
from durability._core.run import effective
from durability._runtime.frontend import UpdateRequest, UpdateStage, UpdateState
from durability.exceptions import WorkflowAlreadyStartedError
from durability.service import RPCError, RPCStatusCode

EVENT_KEY: Final = "durability_update"
ANSWER_KEY: Final = "durability_update_answer"
_FAILED_ATTEMPTS: Final = 3
"""Temporal's server refuses updates while a workflow task is in its third attempt or a later one."""


class UpdateAnswer(msgspec.Struct, array_like=True):
    """What became of an update, or an error with the number of its ``RPCStatusCode``.

    Without either, the run has not taken the update: the caller asks again. ``failed_attempts`` says how often its
    workflow task has failed by now. ``existing_run_id`` is the run that a start which came with the update found in
    its way.
    """

    state: UpdateState | None = None
    error: str = ""
    status: int = 0
    existing_run_id: str = ""
    failed_attempts: int = 0


@dataclass(slots=True)
class PendingUpdate:
    """An update that one executor has been asked to deliver.

    Attributes:
        message: What the run is to consume.
        run_id: The only run that may take it; empty for whichever is current.
        stage: How far it has to come for its caller to be answered.
        state: What has become of it, as far as this executor knows; None while no run has taken it.
    """

    message: history.WorkflowExecutionUpdateAdmitted
    run_id: str = ""
    stage: UpdateStage = UpdateStage.COMPLETED
    state: UpdateState | None = None

    @property
    def answered(self) -> bool:
        """Whether its caller waits for nothing more."""
        return self.state is not None and self.state.stage >= self.stage

    def is_for(self, run_id: str) -> bool:
        """Whether a run is to be offered the update."""
        return self.state is None and self.run_id in ("", run_id)

    def found(self, workflow_id: str, run_id: str) -> None:
        """Note that the run's history holds the update already."""
        self.state = UpdateState(workflow_id=workflow_id, run_id=run_id, update_id=self.message.key)

    def note(self, workflow_id: str, run_id: str, delta: Delta, rejections: dict[str, Failure]) -> None:
        """Take over what a delta says of the update."""
        rejection = rejections.get(self.message.key)
        state = self.state or UpdateState(workflow_id=workflow_id, run_id=run_id, update_id=self.message.key)
        if rejection is not None:
            state.stage, state.failure = UpdateStage.COMPLETED, rejection
        elif (self.state is not None and state.run_id == run_id) or _holds(delta, self.message.key):
            _advance_state(state, delta)
        else:
            return
        self.state = state

    def forget(self) -> None:
        """Another executor has changed the run: what was known may have been superseded."""
        self.state = None


def read_state(state: UpdateState, deltas: Iterable[tuple[int, Delta, int]]) -> bool:
    """Bring a state up to what deltas say. Returns whether the history holds the update."""
    found = False
    for _, delta, _ in effective(deltas):
        found = found or _holds(delta, state.update_id)
        _advance_state(state, delta)
    return found


def _holds(delta: Delta, update_id: str) -> bool:
    return any(
        isinstance(message, history.WorkflowExecutionUpdateAdmitted) and message.key == update_id
        for message in delta.inputs
    )


def _advance_state(state: UpdateState, delta: Delta) -> None:
    for command in delta.commands:
        if isinstance(command, history.WorkflowExecutionUpdateAccepted) and command.key == state.update_id:
            state.stage = UpdateStage.ACCEPTED
        elif isinstance(command, history.WorkflowExecutionUpdateCompleted) and command.key == state.update_id:
            state.stage, state.result, state.failure = UpdateStage.COMPLETED, command.result, command.failure


def end_unfinished(state: UpdateState) -> None:
    """Fail an update whose run has ended, with the failure that Temporal's server gives."""
    if state.stage != UpdateStage.COMPLETED:
        state.stage = UpdateStage.COMPLETED
        state.failure = Failure(
            message="Workflow Update failed because the Workflow completed before the Update completed.",
            source="Server",
            info=ApplicationFailureInfo(type="AcceptedUpdateCompletedWorkflow", non_retryable=True),
        )


# --- on the wire ----------------------------------------------------------------------------------------------------


def encode(request: UpdateRequest) -> bytes:
    """The event for the workflow function."""
    return json.dumps({EVENT_KEY: base64.b64encode(msgspec.msgpack.encode(request)).decode()}).encode()


def decode(event: dict[str, Any]) -> UpdateRequest:
    """Read such an event."""
    return msgspec.msgpack.decode(base64.b64decode(event[EVENT_KEY]), type=UpdateRequest)


def encode_answer(answer: UpdateAnswer) -> dict[str, str]:
    """What the workflow function returns."""
    return {ANSWER_KEY: base64.b64encode(msgspec.msgpack.encode(answer)).decode()}


def without_result(answer: dict[str, str]) -> dict[str, str] | None:
    """An answer that leaves the result of a completed update to be read from the history; None if it has none."""
    decoded = msgspec.msgpack.decode(base64.b64decode(answer[ANSWER_KEY]), type=UpdateAnswer)
    if decoded.state is None or decoded.state.result is None:
        return None
    decoded.state.stage, decoded.state.result = UpdateStage.ACCEPTED, None
    return encode_answer(decoded)


def is_hopeless(answer: UpdateAnswer) -> bool:
    """Whether an update need not be offered again: the workflow task has been failing, as Temporal's server has it."""
    return answer.state is None and answer.failed_attempts >= _FAILED_ATTEMPTS


def read_answer(request: UpdateRequest, response: bytes) -> UpdateAnswer:
    """The answer to an update.

    Raises:
        RPCError: The update could not be delivered.
        WorkflowAlreadyStartedError: The start that the update came with is not allowed.
    """
    decoded = json.loads(response)
    if not isinstance(decoded, dict) or ANSWER_KEY not in decoded:
        raise RPCError("the workflow function did not answer the update", RPCStatusCode.UNAVAILABLE, b"")
    answer = msgspec.msgpack.decode(base64.b64decode(decoded[ANSWER_KEY]), type=UpdateAnswer)
    if answer.status == RPCStatusCode.ALREADY_EXISTS and request.start is not None:
        raise WorkflowAlreadyStartedError(
            request.workflow_id, request.start.workflow_type, run_id=answer.existing_run_id
        )
    if answer.status:
        raise RPCError(answer.error, RPCStatusCode(answer.status), b"")
    return answer


def task_fails() -> RPCError:
    """The run cannot take an update; the text is that of Temporal's server."""
    return RPCError(
        "Unable to perform workflow execution update due to Workflow Task in failed state.",
        RPCStatusCode.FAILED_PRECONDITION,
        b"",
    )


def not_found(update_id: str) -> RPCError:
    """There is no such update; the text is that of Temporal's server."""
    return RPCError(f'update "{update_id}" not found', RPCStatusCode.NOT_FOUND, b"")
