"""The OpenAPI document is valid and served; that it is true is checked with every response of the other tests."""

from __future__ import annotations

import jsonschema
from openapi_spec_validator import validate

from durability._http.app import HttpApplication
from durability._http.openapi import openapi_document

from .conftest import Api


async def test_the_document_is_valid_and_served(api: Api) -> None:
    served = (await api.get("/openapi.json")).json()
    validate(served)
    assert served == openapi_document(api.app.table)


def test_every_operation_has_its_own_name_and_its_path_parameters(app: HttpApplication) -> None:
    names = [route.name for route in app.table.routes]
    assert len(set(names)) == len(names)
    for route in app.table.routes:
        operation = openapi_document(app.table)["paths"][route.path][route.method.lower()]
        described = {item["name"] for item in operation.get("parameters", []) if item["in"] == "path"}
        assert described == set(route.parameters)


def test_the_schemas_refuse_what_the_api_refuses(app: HttpApplication) -> None:
    document = openapi_document(app.table)
    schema = {"$ref": "#/components/schemas/StartBody", "components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"workflow_type": "Shop", "args": [1], "wait": 25})
    for bad in ({}, {"workflow_type": 1}, {"workflow_type": "a", "wait": 26}, {"workflow_type": "a", "typo": 1}):
        assert not validator.is_valid(bad)
