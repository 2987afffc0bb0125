"""Requests made from the OpenAPI document, valid and not: what is answered is what the document says.

The requests are Schemathesis's; they go through the handler that ships.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import given
from schemathesis import CheckContext, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from durability._http.openapi import openapi_document
from tests.fuzz.deployment import Deployment, deployment
from tests.fuzz.strategies import examples
from tests.fuzz.test_http import IDS, TYPES, prepare

with deployment() as _any:
    SCHEMA = schemathesis.openapi.from_dict(openapi_document(_any.app.table))
OPERATIONS = {operation.ok().definition.raw["operationId"]: operation.ok() for operation in SCHEMA.get_all_operations()}


def send(deployed: Deployment, case: Case) -> Response:
    """Send a case as it would go over the network."""
    prepared = requests.Request(**{**case.as_transport_kwargs(base_url="http://api"), "cookies": None}).prepare()
    url = urlsplit(str(prepared.url))
    body = prepared.body or b""
    answer = deployed.request(
        str(prepared.method),
        url.path,
        query=url.query,
        headers={name.lower(): _text(value) for name, value in prepared.headers.items()},
        body=body.encode() if isinstance(body, str) else body,
    )
    headers = {name: [value] for name, value in answer.headers.items()}
    return Response(answer.status, headers, answer.content, prepared, 0.0, False)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def documented(context: CheckContext, response: Response, case: Case) -> bool | None:
    """A status that is not described for itself, although there is a default, is one that nobody thought of."""
    described = case.operation.definition.raw["responses"]
    assert str(response.status_code) in described, f"{response.status_code} is not described: {response.text}"
    return None


def reach(case: Case, number: int) -> None:
    """Let most requests be about something that is there."""
    if number % 4 and "workflow_id" in (case.path_parameters or {}):
        case.path_parameters["workflow_id"] = IDS[number % len(IDS)]
    if number % 4 and isinstance(case.body, dict) and "workflow_type" in case.body:
        case.body["workflow_type"] = TYPES[number % len(TYPES)]


CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    documented,
]


PLANNED = [
    *((name, GenerationMode.POSITIVE) for name in OPERATIONS),
    *(
        (name, GenerationMode.NEGATIVE)
        for name, operation in OPERATIONS.items()
        if "requestBody" in operation.definition.raw or operation.query
    ),
]


@pytest.mark.parametrize(("name", "mode"), PLANNED, ids=[f"{name}-{mode.value}" for name, mode in PLANNED])
def test_answers_are_what_the_document_says(name: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[name]
    numbers = iter(range(10**9))

    @given(operation.as_strategy(generation_mode=mode))
    @examples(5)
    def play(case: Case) -> None:
        with deployment() as deployed:
            prepare(deployed)
            if mode is GenerationMode.POSITIVE:
                reach(case, next(numbers))
            response = send(deployed, case)
            case.validate_response(response, checks=CHECKS)
            assert not deployed.failing()

    play()
