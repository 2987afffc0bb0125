"""Reading a SAM template: parameters, the serverless transform, conditions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from durability._local.identity import REGION

CODE_BUCKET = "local-code"


class TemplateError(Exception):
    """The template asks for something that is wrong, or that the local cloud does not have.

    Args:
        where: logical id of the resource, or the part of the template.
        problem: what is wrong with it, and the remedy.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where


@dataclass
class Template:
    """A template after the serverless transform.

    Args:
        path: file that it was read from.
        parameters: value of every parameter.
        resources: expanded resources by logical id.
        conditions: conditions as written.
        mappings: mappings as written.
        outputs: outputs as written.
    """

    path: Path
    parameters: dict[str, Any]
    resources: dict[str, dict[str, Any]]
    conditions: dict[str, Any] = field(default_factory=dict)
    mappings: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)


def load_template(path: Path, overrides: Mapping[str, str]) -> Template:
    """Read a template and expand it with AWS's own serverless transform.

    Args:
        path: template file.
        overrides: parameter values that replace the defaults.

    Raises:
        TemplateError: a parameter is unknown or invalid, or the transform rejects the template.
    """
    # The transform asks the AWS library for the region, and imports slowly: both only when a template is read.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    try:
        document = yaml_parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateError(str(path), f"cannot be read: {error.strerror}. Name a template with --template.") from error
    parameters = _parameters(document.get("Parameters") or {}, overrides)
    _point_code_at_bucket(document)
    translator = Translator({}, Parser())
    try:
        expanded = translator.translate(deepcopy(document), dict(parameters))
    except InvalidDocumentException as error:
        raise TemplateError(path.name, "; ".join(cause.message for cause in error.causes) or error.message) from error
    finally:
        # It collects metrics for nobody, and complains when they are not published.
        translator.metrics.publish()
    return Template(
        path,
        parameters,
        expanded.get("Resources") or {},
        expanded.get("Conditions") or {},
        expanded.get("Mappings") or {},
        expanded.get("Outputs") or {},
    )


def _point_code_at_bucket(document: dict[str, Any]) -> None:
    """Turn local code paths into the S3 addresses that the transform insists on; `code_path` turns them back."""
    defaults = (document.get("Globals") or {}).get("Function") or {}
    properties = [
        resource.setdefault("Properties", {})
        for resource in (document.get("Resources") or {}).values()
        if resource.get("Type") == "AWS::Serverless::Function"
    ]
    for holder in [defaults, *properties]:
        if isinstance(holder.get("CodeUri"), str) and not holder["CodeUri"].startswith("s3://"):
            # Quoted, as the transform drops the slash that begins an absolute path.
            holder["CodeUri"] = f"s3://{CODE_BUCKET}/{quote(holder['CodeUri'], safe='')}"


def code_path(template: Template, logical_id: str, code: Mapping[str, Any]) -> Path:
    """The local directory of a function's code.

    Args:
        template: template that the function is in.
        logical_id: the function.
        code: its `Code` property, after the transform.

    Raises:
        TemplateError: the code is not a directory on this machine.
    """
    if code.get("S3Bucket") != CODE_BUCKET:
        raise TemplateError(
            logical_id, "Code must be a local directory (CodeUri: path); archives and images do not run here."
        )
    directory = (template.path.parent / unquote(str(code["S3Key"]))).resolve()
    if not directory.is_dir():
        raise TemplateError(logical_id, f"CodeUri {directory} is not a directory.")
    return directory


def _parameters(declared: Mapping[str, Mapping[str, Any]], overrides: Mapping[str, str]) -> dict[str, Any]:
    unknown = sorted(set(overrides) - set(declared))
    if unknown:
        raise TemplateError(
            "Parameters", f"{', '.join(unknown)} not declared; there are {', '.join(sorted(declared))}."
        )
    return {name: _parameter(name, rules, overrides.get(name)) for name, rules in declared.items()}


def _parameter(name: str, rules: Mapping[str, Any], override: str | None) -> Any:
    value = rules.get("Default") if override is None else override
    if value is None:
        raise TemplateError(f"Parameter {name}", f"has no default: give it with --parameter {name}=VALUE.")
    text = str(value)
    kind = str(rules.get("Type", "String"))
    if kind not in ("String", "Number", "CommaDelimitedList") and not kind.startswith("AWS::"):
        raise TemplateError(f"Parameter {name}", f"type {kind} is not supported here.")
    allowed = rules.get("AllowedValues")
    if allowed is not None and text not in [str(option) for option in allowed]:
        raise TemplateError(f"Parameter {name}", f"{text!r} is not one of {', '.join(map(str, allowed))}.")
    if "AllowedPattern" in rules and not re.fullmatch(str(rules["AllowedPattern"]), text):
        raise TemplateError(f"Parameter {name}", f"{text!r} does not match {rules['AllowedPattern']}.")
    measure: float = len(text)
    if kind == "Number":
        try:
            measure = float(text)
        except ValueError as error:
            raise TemplateError(f"Parameter {name}", f"{text!r} is not a number.") from error
    low, high = ("MinValue", "MaxValue") if kind == "Number" else ("MinLength", "MaxLength")
    if measure < float(rules.get(low, "-inf")) or measure > float(rules.get(high, "inf")):
        raise TemplateError(
            f"Parameter {name}", f"{text!r} is outside {low} {rules.get(low)} to {high} {rules.get(high)}."
        )
    return [part.strip() for part in text.split(",")] if kind == "CommaDelimitedList" else text
