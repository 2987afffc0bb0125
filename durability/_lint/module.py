"""One source file: its names, its workflows, its activities, and the functions that workflows call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from durability._lint.rules import is_decorator

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """A parsed file.

    Attributes:
        path: Where it is.
        name: Its dotted name, as far as the folders above it are packages.
        lines: Its lines.
        imports: What imported names stand for, as dotted names.
        functions: Functions of the module.
        classes: Classes of the module, those inside of functions included.
        mutable: Names of the module that are bound to a list, dictionary or set.
    """

    path: Path
    name: str
    lines: list[str]
    imports: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    mutable: set[str] = field(default_factory=set)

    def dotted(self, node: ast.AST) -> str:
        """What an expression such as ``datetime.now`` stands for; empty if it is not a name of another module."""
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, "")
        return ""

    def is_decorated(self, node: Function | ast.ClassDef, decorator: str) -> bool:
        """Whether a definition has a decorator of the programming model."""
        names = (self.dotted(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list)
        return any(is_decorator(name, decorator) for name in names)

    def activities(self) -> set[str]:
        """Names of the module's functions that are activities."""
        return {name for name, function in self.functions.items() if self.is_decorated(function, "activity.defn")}

    def workflow_functions(self) -> Iterator[Function]:
        """The functions that are workflow code: methods of workflows, and what they call in this module."""
        waiting: list[Function] = []
        for cls in self.classes.values():
            if self.is_decorated(cls, "workflow.defn"):
                for base in self._with_bases(cls):
                    waiting.extend(node for node in base.body if isinstance(node, Function))
        seen: set[int] = set()
        while waiting:
            function = waiting.pop(0)
            if id(function) in seen or self.is_decorated(function, "activity.defn"):
                continue
            seen.add(id(function))
            yield function
            waiting.extend(self._called(function))

    def _with_bases(self, cls: ast.ClassDef) -> Iterator[ast.ClassDef]:
        yield cls
        for base in cls.bases:
            if isinstance(base, ast.Name) and base.id in self.classes and base.id != cls.name:
                yield from self._with_bases(self.classes[base.id])

    def _called(self, function: Function) -> Iterator[Function]:
        hidden = local_names(function)
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id in hidden:
                continue
            name = node.func.id
            if name in self.functions:
                yield self.functions[name]
            elif name in self.classes:
                for member in self.classes[name].body:
                    if isinstance(member, Function) and member.name in ("__init__", "__post_init__"):
                        yield member


def parse(path: Path) -> Module:
    """Read a file.

    Raises:
        SyntaxError: It is not Python of this version.
        OSError: It cannot be read.
        UnicodeDecodeError: It is not text.
    """
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source, filename=str(path))
    module = Module(path, _dotted_name(path), source.splitlines())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                module.imports[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ClassDef):
            module.classes[node.name] = node
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module.name, path, node)
            for alias in node.names:
                module.imports[alias.asname or alias.name] = f"{origin}.{alias.name}" if origin else alias.name
    for statement in tree.body:
        if isinstance(statement, Function):
            module.functions[statement.name] = statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and _is_mutable(statement.value):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            module.mutable |= {target.id for target in targets if isinstance(target, ast.Name)}
    return module


def local_names(function: Function) -> set[str]:
    """Names that a function binds itself, other than by imports: they hide those of the module."""
    bound = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    shared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.Global):
            shared.update(node.names)
        elif isinstance(node, Function) and node is not function:
            bound.add(node.name)
    return bound - shared


def _dotted_name(path: Path) -> str:
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.resolve().parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def _origin(module_name: str, path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module_name.split(".")
    up = node.level - (path.stem == "__init__")
    return ".".join([*package[: len(package) - up], *([node.module] if node.module else [])])


def _is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        made = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return made in ("list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict")
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
