"""Errors of the core that the public modules re-export."""

from __future__ import annotations

from durability.exceptions import TemporalError


class NondeterminismError(TemporalError):
    """The workflow code does not decide what its history says it decided.

    It fails the workflow task, not the workflow: the run goes on by itself when fitting code is deployed.
    """
