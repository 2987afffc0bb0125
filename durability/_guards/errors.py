"""What the guard raises."""

from __future__ import annotations

from durability._core.errors import NondeterminismError
from durability._guards.names import remedy
from durability.exceptions import TemporalError


class RestrictedWorkflowAccessError(NondeterminismError):
    """Workflow code used something that does not replay. It fails the workflow task, not the workflow.

    Attributes:
        qualified_name: What was used.
    """

    def __init__(self, qualified_name: str, *, override_message: str | None = None) -> None:
        """Create the error.

        Args:
            qualified_name: What was used, as a dotted path.
            override_message: The message, in place of the default one.
        """
        super().__init__(override_message or self.default_message(qualified_name))
        self.qualified_name = qualified_name

    @staticmethod
    def default_message(qualified_name: str) -> str:
        """The message that names what was used and what to use instead.

        Args:
            qualified_name: What was used, as a dotted path.
        """
        return (
            f"Cannot access {qualified_name} from inside a workflow: replay would not repeat what it gives. "
            f"Instead, {remedy(qualified_name)}. If it is known not to change what the workflow decides, call it "
            "in workflow.unsafe.sandbox_unrestricted(), or import the module that calls it in "
            "workflow.unsafe.imports_passed_through()"
        )


class UnintentionalPassthroughError(TemporalError):
    """What Temporal's sandbox raises on an import that it was told to refuse; never raised here.

    Attributes:
        qualified_name: What was imported.
    """

    def __init__(self, qualified_name: str) -> None:
        """Create the error.

        Args:
            qualified_name: What was imported.
        """
        super().__init__(f"Module {qualified_name} was not intentionally passed through to the sandbox.")
        self.qualified_name = qualified_name
