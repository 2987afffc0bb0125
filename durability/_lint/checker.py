"""Goes through workflow code and says what is wrong with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from durability._lint import rules
from durability._lint.module import Function, Module, local_names, parse
from durability._lint.rules import Rule

_SUPPRESSION: Final = re.compile(r"#\s*durability:\s*ignore(?:\[(?P<ids>[A-Z0-9, ]+)\])?")
_BUILTINS: Final = ("open", "input", "breakpoint")
_CHANGES: Final = frozenset(
    (
        *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft"),
        *("remove", "reverse", "setdefault", "sort", "update"),
    )
)
_TIMEOUTS: Final = {"start_to_close_timeout", "schedule_to_close_timeout"}


@dataclass(frozen=True, order=True)
class Finding:
    """Something wrong at a place.

    Attributes:
        path: The file.
        line: The line, from 1.
        column: The column, from 1.
        rule: Id of the rule.
        message: What is wrong.
        remedy: What to do instead.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.rule} {self.message}; {self.remedy}"


def check(paths: Iterable[Path]) -> list[Finding]:
    """Check files.

    Raises:
        SyntaxError: One is not Python of this version.
        OSError: One cannot be read.
        UnicodeDecodeError: One is not text.
    """
    modules = [parse(path) for path in paths]
    activities = {f"{module.name}.{name}" for module in modules for name in module.activities()}
    found: set[Finding] = set()
    for module in modules:
        for function in module.workflow_functions():
            found.update(_Checker(module, function, activities).run())
    return sorted(found)


class _Checker(ast.NodeVisitor):
    def __init__(self, module: Module, function: Function, activities: set[str]) -> None:
        self._module = module
        self._function = function
        self._activities = activities
        self._hidden = local_names(function)
        self._sets = _names_of_sets(function)
        self._unrestricted = 0
        self._found: list[Finding] = []

    def run(self) -> Iterator[Finding]:
        for statement in self._function.body:
            self.visit(statement)
        yield from (finding for finding in self._found if not self._is_suppressed(finding))

    def _is_suppressed(self, finding: Finding) -> bool:
        match = _SUPPRESSION.search(self._module.lines[finding.line - 1])
        return match is not None and (match["ids"] is None or finding.rule in re.split(r"[,\s]+", match["ids"]))

    def _add(self, node: ast.expr | ast.stmt, rule: Rule, message: str, remedy: str = "") -> None:
        place = str(self._module.path)
        self._found.append(Finding(place, node.lineno, node.col_offset + 1, rule.id, message, remedy or rule.remedy))

    def _dotted(self, node: ast.expr) -> str:
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or root.id in self._hidden:
            return ""
        if node is root and root.id in _BUILTINS and root.id not in self._module.imports:
            return root.id
        return self._module.dotted(node)

    # --- calls and names ---------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        self._check_call(node, name)
        self._check_activity(node, name)
        self._check_change(node)
        if name == "asyncio.gather":
            for argument in node.args:
                if isinstance(argument, ast.Starred) and self._is_set(argument.value):
                    self._add(node, rules.SETS, f"{name}() {rules.SETS.title}")
        self.generic_visit(node)

    def _check_call(self, node: ast.Call, name: str) -> None:
        rule = rules.rule_for(name) if name and not self._unrestricted else None
        if isinstance(node.func, ast.Attribute) and node.func.attr == "run_in_executor" and not name:
            rule, name = rules.THREADS, "run_in_executor"
        if rule is not None and not name.startswith("os.environ"):
            self._add(node, rule, f"{name}() {rule.title}", rules.remedy_for(rule, name))
        called = rules.of_workflow(name)
        keywords = {keyword.arg for keyword in node.keywords}
        if called in rules.WITH_TIMEOUT and None not in keywords and not keywords & _TIMEOUTS:
            self._add(node, rules.NO_TIMEOUT, f"workflow.{called}() {rules.NO_TIMEOUT.title}")

    def _check_activity(self, node: ast.Call, name: str) -> None:
        own = isinstance(node.func, ast.Name) and node.func.id not in self._hidden and f"{node.func.id}"
        if name in self._activities or (own and own in self._module.activities()):
            self._add(node, rules.DIRECT, f"{name.rpartition('.')[2] or own}() {rules.DIRECT.title}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._dotted(node) == "os.environ" and not self._unrestricted:
            rule = rules.ENVIRONMENT
            self._add(node, rule, f"os.environ {rule.title}", rules.remedy_for(rule, "os.environ"))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and self._dotted(node) == "os.environ" and not self._unrestricted:
            rule = rules.ENVIRONMENT
            self._add(node, rule, f"os.environ {rule.title}", rules.remedy_for(rule, "os.environ"))

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            name = self._dotted(node.value.func)
            if rules.of_workflow(name) in rules.AWAITABLE or name == "asyncio.sleep":
                shown = name.removeprefix("durability.").removeprefix("temporalio.")
                self._add(node, rules.NOT_AWAITED, f"{shown}() {rules.NOT_AWAITED.title}")
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        names = [self._dotted(i.context_expr.func) for i in node.items if isinstance(i.context_expr, ast.Call)]
        lifted = any(rules.of_workflow(name) == "unsafe.sandbox_unrestricted" for name in names)
        self._unrestricted += lifted
        self.generic_visit(node)
        self._unrestricted -= lifted

    # --- sets --------------------------------------------------------------------------------------------------------

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        if self._is_set(node.iter) and any(map(self._has_effect, node.body)):
            self._add(node.iter, rules.SETS, f"the loop {rules.SETS.title}")
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def _is_set(self, node: ast.expr) -> bool:
        return _is_set(node) or (isinstance(node, ast.Name) and node.id in self._sets)

    def _has_effect(self, statement: ast.stmt) -> bool:
        """Whether the order in which it runs can be seen: it waits, or asks the engine for something."""
        return any(
            isinstance(node, ast.Await) or (isinstance(node, ast.Call) and rules.of_workflow(self._dotted(node.func)))
            for node in ast.walk(statement)
        )

    # --- state -------------------------------------------------------------------------------------------------------

    def visit_Global(self, node: ast.Global) -> None:
        self._add(node, rules.GLOBAL_STATE, f"global {', '.join(node.names)} {rules.GLOBAL_STATE.title}")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del) and self._is_shared(node.value):
            assert isinstance(node.value, ast.Name)
            self._add(node, rules.GLOBAL_STATE, f"{node.value.id}[...] {rules.GLOBAL_STATE.title}")
        self.generic_visit(node)

    def _check_change(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in _CHANGES and self._is_shared(function.value):
            assert isinstance(function.value, ast.Name)
            changed = f"{function.value.id}.{function.attr}()"
            self._add(node, rules.GLOBAL_STATE, f"{changed} {rules.GLOBAL_STATE.title}")

    def _is_shared(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self._module.mutable and node.id not in self._hidden


def _names_of_sets(function: Function) -> set[str]:
    """Names that are bound to a set wherever the function binds them."""
    bound: dict[str, list[bool]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    bound.setdefault(target.id, []).append(_is_set(node.value))
    return {name for name, kinds in bound.items() if all(kinds)}


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
    return isinstance(node, ast.Set | ast.SetComp)
