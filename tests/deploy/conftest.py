from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]

Template = dict[str, Any]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def source() -> Template:
    """The template as it is written."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def expanded() -> Template:
    """The template as CloudFormation gets it from the SAM transform."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    # Before the transform, `sam package` puts the address of the uploaded bundle there.
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/bundle"
    return Translator({}, Parser()).translate(template, {})
