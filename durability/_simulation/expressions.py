"""DynamoDB's condition and update expressions, as far as the adapter uses them, compiled once for each text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

Item = dict[str, Any]
Value = dict[str, Any]
Path = tuple[str, ...]

_TOKEN: Final = re.compile(r"\s*(#\w+|:\w+|\w+|<>|<=|>=|[=<>(),.+-])")
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda a, b: bool(a == b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


class InvalidExpression(Exception):
    """DynamoDB would answer with a ValidationException."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression is evaluated with."""

    item: Item
    names: Mapping[str, str]
    values: Mapping[str, Value]

    def get(self, path: Path) -> Value | None:
        """The value at a path; None if there is none."""
        value: Value | None = self.item.get(self.name(path[0]))
        for part in path[1:]:
            if value is None:
                return None
            if "M" not in value:
                return None
            value = value["M"].get(self.name(part))
        return value

    def name(self, part: str) -> str:
        """A part of a path with its placeholder replaced."""
        if not part.startswith("#"):
            return part
        if part not in self.names:
            raise InvalidExpression(f"{part} is not defined in ExpressionAttributeNames")
        return self.names[part]

    def value(self, placeholder: str) -> Value:
        """The value that a placeholder stands for."""
        if placeholder not in self.values:
            raise InvalidExpression(f"{placeholder} is not defined in ExpressionAttributeValues")
        return self.values[placeholder]


Evaluate = Callable[[Context], Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition; ``equal`` tells which path must equal which placeholder, of those that all must hold."""

    holds: Callable[[Context], bool]
    equal: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """What an update does: assignments of paths, then removals."""

    assignments: tuple[tuple[Path, Evaluate], ...]
    removals: tuple[Path, ...]


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise InvalidExpression(f"cannot read {text[position:]!r}")
            self.tokens.append(match.group(1))
            position = match.end()
        self.position = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def accept(self, token: str) -> bool:
        if self.peek() == token:
            self.position += 1
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise InvalidExpression(f"{token!r} expected, found {self.peek()!r}")

    def path(self) -> Path:
        parts = [self.next()]
        while self.accept("."):
            parts.append(self.next())
        return tuple(parts)

    # --- conditions ---------------------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        result = self.conjunction()
        while self.accept("OR"):
            left, right = result, self.conjunction()
            result = Condition(lambda c, a=left.holds, b=right.holds: a(c) or b(c))  # type: ignore[misc]
        return result

    def conjunction(self) -> Condition:
        result = self.term()
        while self.accept("AND"):
            left, right = result, self.term()
            result = Condition(
                lambda c, a=left.holds, b=right.holds: a(c) and b(c),  # type: ignore[misc]
                left.equal + right.equal,
            )
        return result

    def term(self) -> Condition:
        if self.accept("("):
            inside = self.condition()
            self.expect(")")
            return Condition(inside.holds)
        if self.peek() in ("attribute_exists", "attribute_not_exists"):
            wanted = self.next() == "attribute_exists"
            self.expect("(")
            path = self.path()
            self.expect(")")
            return Condition(lambda c: (c.get(path) is not None) == wanted)
        if self.accept("begins_with"):
            self.expect("(")
            path = self.path()
            self.expect(",")
            prefix = self.operand()
            self.expect(")")
            return Condition(lambda c: _begins(c.get(path), prefix(c)))
        return self.comparison()

    def comparison(self) -> Condition:
        start = self.position
        left = self.operand()
        path = tuple(token for token in self.tokens[start : self.position] if token != ".")
        operator = self.next()
        if operator == "BETWEEN":
            low = self.operand()
            self.expect("AND")
            high = self.operand()
            return Condition(lambda c: _between(low(c), left(c), high(c)))
        placeholder = self.peek()
        right = self.operand()
        if operator == "<>":
            return Condition(lambda c: not _compare("=", left(c), right(c)))
        if operator not in _COMPARISONS:
            raise InvalidExpression(f"{operator!r} is not a comparison")
        equal = ((path, placeholder),) if operator == "=" and placeholder.startswith(":") else ()
        return Condition(lambda c: _compare(operator, left(c), right(c)), equal)

    def operand(self) -> Evaluate:
        if self.peek().startswith(":"):
            placeholder = self.next()
            return lambda c: c.value(placeholder)
        if self.accept("if_not_exists"):
            self.expect("(")
            path = self.path()
            self.expect(",")
            other = self.operand()
            self.expect(")")

            def value(context: Context) -> Any:
                found = context.get(path)
                return found if found is not None else other(context)

            return value
        path = self.path()
        return lambda c: c.get(path)

    # --- updates ------------------------------------------------------------------------------------------------------

    def update(self) -> Update:
        assignments: list[tuple[Path, Evaluate]] = []
        removals: list[Path] = []
        while self.peek():
            clause = self.next()
            if clause not in ("SET", "REMOVE"):
                raise InvalidExpression(f"{clause!r} is no clause")
            while True:
                path = self.path()
                if clause == "SET":
                    self.expect("=")
                    assignments.append((path, self.sum(path)))
                else:
                    removals.append(path)
                if not self.accept(","):
                    break
        return Update(tuple(assignments), tuple(removals))

    def sum(self, path: Path) -> Evaluate:
        left = self.operand()
        if not self.accept("+"):
            return left
        right = self.operand()

        def value(context: Context) -> Value:
            terms = left(context), right(context)
            if any(term is None or "N" not in term for term in terms):
                raise InvalidExpression("an operand of + is missing or no number")
            return {"N": str(sum(int(term["N"]) for term in terms))}

        return value


def _between(low: Value | None, value: Value | None, high: Value | None) -> bool:
    if low is not None and high is not None and low != high and not _compare("<", low, high):
        raise InvalidExpression("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
    return _compare("<=", low, value) and _compare("<=", value, high)


def _compare(operator: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        return False
    ((kind, a),), ((other, b),) = left.items(), right.items()
    if kind != other:
        return False
    if kind == "N":
        return _COMPARISONS[operator](Decimal(a), Decimal(b))
    return _COMPARISONS[operator](a, b)


def _begins(value: Value | None, prefix: Value | None) -> bool:
    return value is not None and prefix is not None and "S" in value and str(value["S"]).startswith(prefix["S"])


@cache
def condition(text: str) -> Condition:
    """Compile a condition or key condition expression."""
    reader = _Reader(text)
    compiled = reader.condition()
    if reader.peek():
        raise InvalidExpression(f"{reader.peek()!r} does not belong here")
    return compiled


@cache
def update(text: str) -> Update:
    """Compile an update expression."""
    return _Reader(text).update()


def apply(change: Update, context: Context) -> Item:
    """The item after an update; parts that change are copied, so that the old item stays what it was."""
    results = [(path, evaluate(context)) for path, evaluate in change.assignments]
    item = dict(context.item)
    for path, value in results:
        if value is None:
            raise InvalidExpression("an operand in the update expression refers to an attribute that does not exist")
        parent = _parent(item, path, context)
        if parent is None:
            raise InvalidExpression("the document path provided in the update expression is invalid for update")
        parent[context.name(path[-1])] = value
    for path in change.removals:
        parent = _parent(item, path, context)
        if parent is not None:
            parent.pop(context.name(path[-1]), None)
    return item


def _parent(item: Item, path: Path, context: Context) -> Item | None:
    level = item
    for part in path[:-1]:
        name = context.name(part)
        value = level.get(name)
        if value is None or "M" not in value:
            return None
        copied = dict(value["M"])
        level[name] = {"M": copied}
        level = copied
    return level
