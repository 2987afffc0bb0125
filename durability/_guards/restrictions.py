"""What users can say about the guard, in the terms of Temporal's sandbox."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import ClassVar, Final

from durability._guards.names import FUNCTIONS
from durability.workflow._unsafe import SandboxImportNotificationPolicy

_ANY: Final = "*"


class RestrictionContext:
    """When a matcher is asked.

    Attributes:
        is_runtime: Whether workflow code runs, rather than being imported.
        in_activation: Whether an activation is under way.
    """

    def __init__(self) -> None:
        """Create the context of an import."""
        self.is_runtime = False
        self.in_activation = False


_RUNTIME: Final = RestrictionContext()
_RUNTIME.is_runtime = True


@dataclass(frozen=True)
class SandboxMatcher:
    """A tree of names: modules, what is in them, and so on.

    Attributes:
        access: Names that must not even be looked at; ``*`` stands for all.
        use: Names that must not be used, though they may be looked at; ``*`` stands for all.
        children: Matchers of the names below.
        match_self: Whether everything here and below is matched.
        only_runtime: Whether it counts for running workflow code only, not for imports.
        leaf_message: Message in place of the default one.
        leaf_warning: Kind of warning to issue instead of raising.
        exclude: Names that are not matched whatever the other fields say.
    """

    access: set[str] = frozenset()  # type: ignore[assignment] # annotated as in the reference
    use: set[str] = frozenset()  # type: ignore[assignment]
    children: Mapping[str, SandboxMatcher] = field(default_factory=dict)
    match_self: bool = False
    only_runtime: bool = False
    leaf_message: str | None = None
    leaf_warning: type[Warning] | None = None
    exclude: set[str] = frozenset()  # type: ignore[assignment]

    all: ClassVar[SandboxMatcher]
    all_runtime: ClassVar[SandboxMatcher]
    none: ClassVar[SandboxMatcher]
    all_uses: ClassVar[SandboxMatcher]
    all_uses_runtime: ClassVar[SandboxMatcher]

    def __post_init__(self) -> None:
        """Refuse what only makes sense for a matcher that matches itself."""
        for name in ("leaf_message", "leaf_warning"):
            if getattr(self, name) and not self.match_self:
                raise ValueError(f"{name} needs match_self: a matcher of further names has no use for it")

    @classmethod
    def nested_child(cls, path: Sequence[str], child: SandboxMatcher) -> SandboxMatcher:
        """A matcher with another one at the end of a path of names.

        Args:
            path: The names, outermost first.
            child: The matcher of the last one.
        """
        for name in reversed(path):
            child = cls(children={name: child})
        return child

    def access_matcher(
        self, context: RestrictionContext, *child_path: str, include_use: bool = False
    ) -> SandboxMatcher | None:
        """The matcher that matches a path of names; None if none does.

        Args:
            context: Whether workflow code runs.
            child_path: The names, outermost first.
            include_use: Whether names that may be looked at but not used are matched.
        """
        matcher: SandboxMatcher | None = self
        for name in child_path:
            assert matcher is not None
            if name in matcher.exclude or (matcher.only_runtime and not context.is_runtime):
                return None
            if matcher.match_self or matcher._names(name, include_use):
                return matcher
            matcher = matcher.children.get(name) or matcher.children.get(_ANY)
            if matcher is None:
                return None
        assert matcher is not None
        return matcher if matcher.match_self and (context.is_runtime or not matcher.only_runtime) else None

    def match_access(self, context: RestrictionContext, *child_path: str, include_use: bool = False) -> bool:
        """Whether a path of names is matched; the arguments are those of ``access_matcher``."""
        return self.access_matcher(context, *child_path, include_use=include_use) is not None

    def child_matcher(self, *child_path: str) -> SandboxMatcher | None:
        """The matcher for what is below a path of names; None if nothing is.

        Args:
            child_path: The names, outermost first.
        """
        matcher: SandboxMatcher | None = self
        only_runtime = self.only_runtime
        for name in child_path:
            assert matcher is not None
            if name in matcher.exclude:
                return None
            if matcher.match_self or matcher._names(name, True):
                return SandboxMatcher.all_runtime if only_runtime else SandboxMatcher.all
            matcher = matcher.children.get(name) or matcher.children.get(_ANY)
            if matcher is None:
                return None
            only_runtime = only_runtime or matcher.only_runtime
        return matcher

    def _names(self, name: str, include_use: bool) -> bool:
        sets = (self.access, self.use) if include_use else (self.access,)
        return any(name in names or _ANY in names for names in sets)

    def __or__(self, other: SandboxMatcher) -> SandboxMatcher:
        """Both together.

        Raises:
            ValueError: They differ in what cannot be had both ways.
        """
        for name in ("only_runtime", "leaf_message", "leaf_warning"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(f"matchers that differ in {name} cannot be combined")
        if self.match_self or other.match_self:
            return SandboxMatcher.all
        children = dict(self.children)
        for name, matcher in other.children.items():
            children[name] = children[name] | matcher if name in children else matcher
        return replace(self, access=self.access | other.access, use=self.use | other.use, children=children)

    def with_child_unrestricted(self, *child_path: str) -> SandboxMatcher:
        """This matcher without what it says about a path of names.

        Args:
            child_path: The names, outermost first; at least one.
        """
        name, *rest = child_path
        children = dict(self.children)
        if rest:
            if name in children:
                children[name] = children[name].with_child_unrestricted(*rest)
            return replace(self, children=children)
        children.pop(name, None)
        return replace(self, access=set(self.access) - {name}, use=set(self.use) - {name}, children=children)

    def matches(self, name: str) -> bool:
        """Whether running workflow code may not use a dotted name."""
        return self.match_access(_RUNTIME, *name.split("."), include_use=True)


SandboxMatcher.none = SandboxMatcher()
SandboxMatcher.all = SandboxMatcher(match_self=True)
SandboxMatcher.all_runtime = SandboxMatcher(match_self=True, only_runtime=True)
SandboxMatcher.all_uses = SandboxMatcher(use={_ANY})
SandboxMatcher.all_uses_runtime = SandboxMatcher(use={_ANY}, only_runtime=True)


@dataclass(frozen=True)
class SandboxRestrictions:
    """What workflow code may not use, and which modules are not workflow code.

    Attributes:
        passthrough_modules: Modules, with what is below them, that may use everything.
        invalid_modules: Kept, and without effect: imports are not watched.
        invalid_module_members: What may not be used. What it leaves out of the default is allowed; functions of modules
            that it adds to the default are refused.
        import_notification_policy: Kept, and without effect.
        passthrough_all_modules: Whether every module may use everything: there is no guard then.
        disable_lazy_sys_module_passthrough: Kept, and without effect.
    """

    passthrough_modules: set[str]
    invalid_modules: SandboxMatcher
    invalid_module_members: SandboxMatcher
    import_notification_policy: SandboxImportNotificationPolicy = SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
    passthrough_all_modules: bool = False
    disable_lazy_sys_module_passthrough: bool = False

    passthrough_modules_minimum: ClassVar[set[str]] = {"grpc", "google.protobuf", "typing_extensions"}
    passthrough_modules_with_temporal: ClassVar[set[str]]
    passthrough_modules_maximum: ClassVar[set[str]]
    passthrough_modules_default: ClassVar[set[str]]
    invalid_module_members_default: ClassVar[SandboxMatcher]
    default: ClassVar[SandboxRestrictions]

    def with_passthrough_modules(self, *modules: str) -> SandboxRestrictions:
        """These restrictions, with further modules that may use everything.

        Args:
            modules: Names of modules; what is below them is included.
        """
        return replace(self, passthrough_modules=self.passthrough_modules | set(modules))

    def with_passthrough_all_modules(self) -> SandboxRestrictions:
        """No restrictions: every module may use everything."""
        return replace(self, passthrough_all_modules=True)

    def with_import_notification_policy(self, policy: SandboxImportNotificationPolicy) -> SandboxRestrictions:
        """These restrictions, with another policy for imports.

        Args:
            policy: The policy.
        """
        return replace(self, import_notification_policy=policy)

    def allow(self, *names: str) -> bool:
        """Whether the user has lifted the restriction of one of these names."""
        default, own = self.invalid_module_members_default, self.invalid_module_members
        return own is not default and any(default.matches(name) and not own.matches(name) for name in names)

    def added(self) -> Iterator[str]:
        """Functions that are refused besides the default ones, as dotted names."""
        default = self.invalid_module_members_default
        if self.invalid_module_members is not default:
            yield from (name for name in _functions(self.invalid_module_members) if not default.matches(name))


def _functions(matcher: SandboxMatcher, path: str = "") -> Iterator[str]:
    """The functions of loaded modules that a matcher names one by one."""
    module = sys.modules.get(path)
    if isinstance(module, ModuleType):
        whole = {name for name, child in matcher.children.items() if child.match_self}
        for name in sorted({*matcher.access, *matcher.use, *whole}):
            value = vars(module).get(name)
            if callable(value) and not isinstance(value, type):
                yield f"{path}.{name}"
    for name, child in matcher.children.items():
        yield from _functions(child, f"{path}.{name}" if path else name)


def _uses(*names: str, **children: SandboxMatcher) -> SandboxMatcher:
    return SandboxMatcher(use=set(names), children=children)


def _default_members() -> SandboxMatcher:
    """The restrictions of Temporal's Python SDK 1.35 (``worker/workflow_sandbox/_restrictions.py``).

    They serve to say what is lifted, so entries that users would not lift one by one are left out.
    """
    every = SandboxMatcher.all_uses
    modules: dict[str, SandboxMatcher] = {
        name: every
        for name in (
            *("curses", "dbm", "filecmp", "fileinput", "ftplib", "getopt", "getpass", "gettext", "glob", "imaplib"),
            *("locale", "mmap", "multiprocessing", "platform", "poplib", "readline", "sched", "select", "selectors"),
            *("shelve", "shutil", "signal", "smtplib", "socket", "socketserver", "subprocess", "tempfile"),
            *("threading", "webbrowser", "xmlrpc"),
        )
    }
    paths = (
        *("chmod", "cwd", "exists", "expanduser", "glob", "hardlink_to", "home", "is_dir", "is_file", "is_symlink"),
        *("iterdir", "lchmod", "lstat", "mkdir", "open", "owner", "read_bytes", "read_text", "readlink", "rename"),
        *("replace", "resolve", "rglob", "rmdir", "samefile", "stat", "symlink_to", "touch", "unlink"),
        *("write_bytes", "write_text"),
    )
    modules |= {
        "__builtins__": SandboxMatcher(
            use={"input", "open"}, children={"breakpoint": SandboxMatcher.all_runtime}, only_runtime=True
        ),
        "asyncio": _uses("as_completed", "wait"),
        "bz2": _uses("open"),
        "concurrent": _uses(futures=SandboxMatcher.all_uses_runtime),
        "datetime": _uses(date=_uses("today"), datetime=_uses("now", "today", "utcnow")),
        "gzip": _uses("open"),
        "http": _uses(client=every, server=every),
        "lzma": _uses("open"),
        "marshal": _uses("dump", "load"),
        "os": SandboxMatcher(
            access={"name"}, use={_ANY}, children={"path": SandboxMatcher.all}, exclude={"stat"}, only_runtime=True
        ),
        "pathlib": _uses(Path=_uses(*paths)),
        "random": _uses(*(name for name in FUNCTIONS["random"] if not name.startswith("_"))),
        "secrets": _uses(
            "SystemRandom", "choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"
        ),
        "tarfile": _uses("open", TarFile=_uses("extract", "extractall")),
        "time": SandboxMatcher(use=set(FUNCTIONS["time"]), only_runtime=True),
        "urllib": _uses(request=every),
        "uuid": SandboxMatcher(use={"uuid1", "uuid4", "uuid7"}, only_runtime=True),
        "zipfile": _uses(ZipFile=_uses("extract", "extractall")),
    }
    return SandboxMatcher(children=modules)


SandboxRestrictions.passthrough_modules_with_temporal = SandboxRestrictions.passthrough_modules_minimum | {
    *("abc", "annotated_types", "asyncio", "durability", "nexusrpc", "pydantic", "pydantic_core")
}
SandboxRestrictions.passthrough_modules_maximum = SandboxRestrictions.passthrough_modules_with_temporal | (
    sys.stdlib_module_names - {"sys"}
)
SandboxRestrictions.passthrough_modules_default = SandboxRestrictions.passthrough_modules_maximum
SandboxRestrictions.invalid_module_members_default = _default_members()
SandboxRestrictions.default = SandboxRestrictions(
    passthrough_modules=SandboxRestrictions.passthrough_modules_default,
    invalid_modules=SandboxMatcher.none,
    invalid_module_members=SandboxRestrictions.invalid_module_members_default,
)
