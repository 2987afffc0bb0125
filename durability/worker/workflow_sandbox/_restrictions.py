"""What a sandbox would restrict. Values are kept, so that they can be built upon, and have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from durability.exceptions import TemporalError
from durability.workflow import SandboxImportNotificationPolicy


class RestrictedWorkflowAccessError(TemporalError):
    """What Temporal's sandbox raises on a restricted access; never raised here."""

    def __init__(self, qualified_name: str, *, override_message: str | None = None) -> None:
        """Create the error.

        Args:
            qualified_name: What was accessed.
            override_message: The message, in place of the default one.
        """
        super().__init__(override_message or self.default_message(qualified_name))
        self.qualified_name = qualified_name

    @staticmethod
    def default_message(qualified_name: str) -> str:
        """The message that names what was accessed."""
        return f"Cannot access {qualified_name} from inside a workflow."


class UnintentionalPassthroughError(TemporalError):
    """What Temporal's sandbox raises on an import that it was told to refuse; never raised here."""

    def __init__(self, qualified_name: str) -> None:
        """Create the error.

        Args:
            qualified_name: What was imported.
        """
        super().__init__(f"Module {qualified_name} was not intentionally passed through to the sandbox.")
        self.qualified_name = qualified_name


@dataclass(frozen=True)
class SandboxMatcher:
    """Names of members of modules; see Temporal's documentation for the fields."""

    access: frozenset[str] | set[str] = frozenset()
    use: frozenset[str] | set[str] = frozenset()
    children: Mapping[str, SandboxMatcher] = field(default_factory=dict)
    match_self: bool = False
    only_runtime: bool = False
    leaf_message: str | None = None
    leaf_warning: type[Warning] | None = None
    exclude: frozenset[str] | set[str] = frozenset()

    all: ClassVar[SandboxMatcher]
    all_runtime: ClassVar[SandboxMatcher]
    none: ClassVar[SandboxMatcher]
    all_uses: ClassVar[SandboxMatcher]
    all_uses_runtime: ClassVar[SandboxMatcher]

    @staticmethod
    def nested_child(path: list[str] | tuple[str, ...], child: SandboxMatcher) -> SandboxMatcher:
        """A matcher with ``child`` at the end of a path of names."""
        for name in reversed(path):
            child = SandboxMatcher(children={name: child})
        return child

    def __or__(self, other: SandboxMatcher) -> SandboxMatcher:
        """Both together."""
        children = dict(self.children)
        for name, matcher in other.children.items():
            children[name] = children[name] | matcher if name in children else matcher
        return replace(
            self,
            access=set(self.access) | set(other.access),
            use=set(self.use) | set(other.use),
            children=children,
            match_self=self.match_self or other.match_self,
            only_runtime=self.only_runtime or other.only_runtime,
            exclude=set(self.exclude) | set(other.exclude),
        )

    def with_child_unrestricted(self, *child_path: str) -> SandboxMatcher:
        """This matcher without what it says about a path of names."""
        if not child_path:
            return SandboxMatcher.none
        name, *rest = child_path
        children = dict(self.children)
        if name in children:
            children[name] = children[name].with_child_unrestricted(*rest)
        return replace(self, access=set(self.access) - {name}, use=set(self.use) - {name}, children=children)


SandboxMatcher.none = SandboxMatcher()
SandboxMatcher.all = SandboxMatcher(access={"*"})
SandboxMatcher.all_runtime = SandboxMatcher(access={"*"}, only_runtime=True)
SandboxMatcher.all_uses = SandboxMatcher(use={"*"})
SandboxMatcher.all_uses_runtime = SandboxMatcher(use={"*"}, only_runtime=True)


@dataclass(frozen=True)
class SandboxRestrictions:
    """Which modules pass through a sandbox, and which of their members workflow code may not use."""

    passthrough_modules: set[str]
    invalid_modules: SandboxMatcher
    invalid_module_members: SandboxMatcher
    import_notification_policy: SandboxImportNotificationPolicy = SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
    passthrough_all_modules: bool = False
    disable_lazy_sys_module_passthrough: bool = False

    passthrough_modules_minimum: ClassVar[set[str]] = set()
    passthrough_modules_with_temporal: ClassVar[set[str]] = {"durability"}
    passthrough_modules_maximum: ClassVar[set[str]] = {"durability"}
    passthrough_modules_default: ClassVar[set[str]] = {"durability"}
    invalid_module_members_default: ClassVar[SandboxMatcher] = SandboxMatcher.none
    default: ClassVar[SandboxRestrictions]

    def with_passthrough_modules(self, *modules: str) -> SandboxRestrictions:
        """These restrictions, with further modules passing through."""
        return replace(self, passthrough_modules=self.passthrough_modules | set(modules))

    def with_passthrough_all_modules(self) -> SandboxRestrictions:
        """These restrictions, with all modules passing through."""
        return replace(self, passthrough_all_modules=True)

    def with_import_notification_policy(self, policy: SandboxImportNotificationPolicy) -> SandboxRestrictions:
        """These restrictions, with another policy for imports."""
        return replace(self, import_notification_policy=policy)


SandboxRestrictions.default = SandboxRestrictions(
    SandboxRestrictions.passthrough_modules_default,
    SandboxMatcher.none,
    SandboxRestrictions.invalid_module_members_default,
)
