"""The grammar of random programs for the interpreter, and of what happens to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.oracle.ours import Pending


def _op(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(name), *arguments)


_ACTIVITY = st.integers(0, 2)
_CHILD = st.integers(0, 3)
_SECONDS = st.sampled_from([0.5, 1, 2])
_ANY = st.integers(0, 3)
_FAILURES = st.sampled_from(["application", "bug", "cancelled", "asyncio cancelled", "timeout"])
_GROUPS = st.sampled_from(["g", "h"])
_LATE = st.sampled_from(["late", "later"])

leaf = st.one_of(
    _op("activity", _ACTIVITY),
    _op("local", _ACTIVITY),
    _op("child", _CHILD),
    _op("sleep", _SECONDS),
    _op("workflow_sleep", _SECONDS),
    _op("wait", st.integers(1, 3)),
    _op("wait_timeout", st.integers(1, 3), st.sampled_from([1, 3])),
    _op("spawn_activity", _ACTIVITY),
    _op("spawn_local", _ACTIVITY),
    _op("spawn_child", _CHILD),
    _op("start_child", _CHILD),
    _op("signal_child", _ANY),
    _op("signal_external", st.sampled_from(["friend", "foe"])),
    _op("summon", st.sampled_from(["friend", "foe"])),
    _op("cancel_external", st.sampled_from(["friend", "foe"])),
    _op("cancel", _ANY),
    _op("cancel", _ANY),
    _op("join", _ANY),
    st.sampled_from([("get",), ("put",), ("yield",), ("handlers",), ("event_set",), ("event_wait",)]),
    st.sampled_from([("random",), ("info",), ("details",), ("set_dynamic_signal",), ("continue",)]),
    _op("raise", _FAILURES),
    _op("patch", st.sampled_from(["a", "b"])),
    _op("sleep_in_groups", _GROUPS, _GROUPS),
    _op("activity_in_group", _GROUPS, _ACTIVITY),
    _op("wait_in_group", _GROUPS),
    _op("memo", st.sampled_from(["a", "b"]), st.sampled_from([1, "x", None])),
    _op("attribute", st.sampled_from(["word", None])),
    _op("set_signal", _LATE),
    _op("unset_signal", _LATE),
    _op("set_update", _LATE),
)


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    program = st.lists(children, min_size=1, max_size=3)
    programs = st.lists(program, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from(["spawn", "shield", "try", "try", "lock", "semaphore"]), program),
        st.tuples(st.sampled_from(["gather", "gather_all", "group", "first_completed", "as_completed"]), programs),
        st.tuples(st.sampled_from(["timeout", "wait_for"]), _SECONDS, program),
        _op("finally", program, program),
        _op("scope", _GROUPS, program),
        _op("scope", _GROUPS, program),
    )


statement = st.recursive(leaf, _nested, max_leaves=8)
program = st.lists(statement, min_size=1, max_size=5)
small = st.lists(leaf, max_size=2)

_HAPPENINGS = (
    "signal",
    "other signal",
    "update",
    "other update",
    "timer",
    "activity",
    "activity",
    "child start",
    "child start",
    "child end",
    "signal outcome",
    "cancel outcome",
    "summon outcome",
    "cancel",
)


class Happenings:
    """Draws what happens to a run, given what it has open."""

    def __init__(self, data: st.DataObject, pending: Pending) -> None:
        self._data = data
        self._pending = pending
        self._updates = 0
        self._cancelled = False

    def draw(self, *, is_first: bool) -> list[tuple[Any, ...]]:
        """The events of one workflow task; not all that is drawn is possible."""
        events = []
        for _ in range(self._draw(st.integers(0, 3))):
            event = self._event(self._draw(st.sampled_from(_HAPPENINGS)), is_first)
            if event is not None:
                events.append(event)
        return events

    def _draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self._data.draw(strategy)

    def _event(self, kind: str, is_first: bool) -> tuple[Any, ...] | None:
        pending = self._pending
        match kind:
            case "signal":
                return "signal", self._draw(st.sampled_from("ab")), self._draw(small)
            case "other signal":
                return "other signal", self._draw(_LATE), self._draw(small)
            case "update" | "other update":
                self._updates += 1
                names = st.sampled_from(["x", "x", "bad", "worse"]) if kind == "update" else _LATE
                return kind, f"u{self._updates}", self._draw(names), self._draw(small)
            case "timer":
                return self._one(pending.timers, "fire")
            case "activity":
                return self._one(pending.activities, "complete", "complete", "fail", "cancelled")
            case "child start":
                event = self._one(pending.initiated, "child started", "child started", "child not started")
                if event is not None and event[0] == "child started":
                    pending.children.append(event[1])
                return event
            case "child end":
                return self._one(pending.children, "child completed", "child failed", "child cancelled")
            case "signal outcome":
                return self._one(pending.signals, "signalled", "not signalled")
            case "cancel outcome":
                return self._one(pending.cancels, "cancel delivered", "cancel not delivered")
            case "summon outcome":
                return self._one(pending.summons, "summoned", "summoned", "not summoned")
            case "cancel" if not self._cancelled and not is_first:
                self._cancelled = True
                return ("cancel",)
        return None

    def _one(self, open: list[int], *outcomes: str) -> tuple[str, int] | None:
        if not open:
            return None
        return self._draw(st.sampled_from(outcomes)), open.pop(self._draw(st.integers(0, len(open) - 1)))
