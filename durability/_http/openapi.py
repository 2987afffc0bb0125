"""The OpenAPI document, out of the route table and the bodies' types."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from durability import __version__
from durability._http.routes import Query, Route, RouteTable
from durability._rest import bodies as wire

_SCHEMAS = "#/components/schemas/"


def openapi_document(table: RouteTable) -> dict[str, Any]:
    """Describe the API in OpenAPI 3.1."""
    types: list[Any] = [wire.ErrorBody]
    for route in table.routes:
        types += [answer.body for answer in route.answers.values() if answer.body]
        types += [route.body] if route.body else []
    _, schemas = msgspec.json.schema_components(dict.fromkeys(types), ref_template=_SCHEMAS + "{name}")
    paths: dict[str, Any] = {}
    for route in table.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "durability",
            "version": __version__,
            "description": "Start workflows, talk to them and read their history. Ids in paths are percent-encoded, or "
            "given as ~ and the base64url form of their UTF-8 bytes, which passes every gateway.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "aws": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4 for execute-api.",
                },
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"aws": []}, {"token": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": _responses(route),
    }
    parameters = [_parameter(Query(name, ""), "path") for name in route.parameters]
    parameters += [_parameter(query, "query") for query in route.queries]
    parameters += [_parameter(header, "header") for header in route.headers]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        schema = {"$ref": _SCHEMAS + route.body.__name__}
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {"application/json": {"schema": schema}},
        }
    elif route.media_types:
        operation["requestBody"] = {"required": False, "content": {name: {} for name in route.media_types}}
    if route.public:
        operation["security"] = []
    return operation


def _parameter(query: Query, place: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": query.name, "in": place, "required": place == "path"}
    if query.description:
        parameter["description"] = query.description
    parameter["schema"] = dict(query.schema)
    return parameter


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in route.answers.items():
        schema = {"$ref": _SCHEMAS + answer.body.__name__} if answer.body else {"type": "object"}
        responses[str(status)] = {
            "description": answer.description,
            "content": {"application/json": {"schema": schema}},
        }
    error = {"application/json": {"schema": {"$ref": _SCHEMAS + wire.ErrorBody.__name__}}}
    for status in sorted(route.errors):
        responses[str(status)] = {"description": f"{HTTPStatus(status).phrase}.", "content": error}
    responses["default"] = {"description": "Any other error.", "content": error}
    return responses
