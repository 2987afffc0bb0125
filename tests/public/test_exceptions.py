"""The exceptions have the shape of the reference's, and say what they mean."""

from __future__ import annotations

import asyncio

import temporalio.exceptions
import temporalio.service

from durability import exceptions, service


def test_application_error_text_carries_its_type() -> None:
    for module in (exceptions, temporalio.exceptions):
        error = module.ApplicationError("message", 1, type="Kind")
        assert (str(error), error.message, error.details) == ("Kind: message", "message", (1,))


def test_cancelled_exceptions() -> None:
    child = exceptions.ChildWorkflowError(
        "m",
        namespace="",
        workflow_id="",
        run_id="",
        workflow_type="",
        initiated_event_id=0,
        started_event_id=0,
        retry_state=None,
    )
    assert not exceptions.is_cancelled_exception(child)
    child.__cause__ = exceptions.CancelledError()
    assert exceptions.is_cancelled_exception(child)
    assert exceptions.is_cancelled_exception(asyncio.CancelledError())
    assert not exceptions.is_cancelled_exception(ValueError())


def test_own_errors_have_one_root_and_a_default_message() -> None:
    for error_type in (exceptions.ConfigurationError, exceptions.HistoryFormatError, exceptions.PayloadTooLargeError):
        assert issubclass(error_type, exceptions.DurabilityError)
    assert "corrupt" in str(exceptions.HistoryFormatError())


def test_payload_too_large_names_the_thing_and_the_remedy() -> None:
    error = exceptions.PayloadTooLargeError("Result of activity 'charge'", size=500_000, limit=400_000)
    assert "Result of activity 'charge' has 500,000 bytes, the limit is 400,000" in str(error)
    assert "reference" in str(error)


def test_status_codes_are_those_of_the_reference() -> None:
    ours = {code.name: code.value for code in service.RPCStatusCode}
    assert ours == {code.name: code.value for code in temporalio.service.RPCStatusCode}
    error = service.RPCError("gone", service.RPCStatusCode.NOT_FOUND, b"raw")
    assert isinstance(error, exceptions.TemporalError)
    assert (error.message, error.status, error.raw_grpc_status) == ("gone", service.RPCStatusCode.NOT_FOUND, b"raw")
