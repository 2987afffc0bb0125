"""Durable execution on AWS Lambda and DynamoDB, with the programming model of the Temporal Python SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["Application", "__version__"]

if TYPE_CHECKING:
    from durability.application import Application
else:

    def __getattr__(name: str) -> object:
        # Workflow modules import this package at every cold start; the application brings the adapters with it.
        if name == "Application":
            from durability.application import Application

            return Application
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
