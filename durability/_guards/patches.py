"""Refusals in the place of what workflow code may not use, for as long as an activation takes.

Nothing is changed outside of activations: libraries that replace the same functions for tests keep working. Classes
stay what they are. Methods of ``datetime``, which is written in C, can only be exchanged in the dictionary of the type.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import threading
import warnings
from collections.abc import Callable
from operator import itemgetter
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Protocol

from durability._guards import names

_type_modified: Final = ctypes.pythonapi.PyType_Modified
_type_modified.argtypes = [ctypes.py_object]
_type_modified.restype = None
_MARK: Final = "__durability_refuses__"


class Decides(Protocol):
    """What the loop of a guarded workflow carries."""

    def check(self, name: str, depth: int = ...) -> bool:
        """Raise if the caller is workflow code that may not use ``name``; whether it is workflow code at all."""


class _Place:
    """Attributes of one module or class that are exchanged."""

    def __init__(self, namespace: dict[str, Any], cls: type | None = None) -> None:
        self.namespace = namespace
        self._cls = cls
        self._replacements: dict[str, Any] = {}
        self._saved: dict[str, Any] = {}
        self._values: tuple[Any, ...] = ()
        self._read: Callable[[dict[str, Any]], tuple[Any, ...]] = tuple

    def replace(self, name: str, make: Callable[[Callable[[], Any]], Any]) -> None:
        """Have an attribute exchanged for what ``make`` makes; it is given a function that returns the real one."""
        self._saved[name] = self.namespace[name]

        def real() -> Any:
            value = self.namespace[name]
            return self._saved[name] if value is self._replacements.get(name) else value

        self._replacements[name] = make(real)
        # With a name twice it returns a tuple even for a single one.
        self._read = itemgetter(*self._replacements, name)
        self._values = self._read(self.namespace)

    def apply(self) -> None:
        namespace = self.namespace
        current = self._read(namespace)
        if current != self._values:  # somebody has replaced them, too: for a test, for example
            self._values = current
            self._saved = dict(zip(self._replacements, current, strict=False))
        namespace.update(self._replacements)
        if self._cls is not None:
            _type_modified(self._cls)

    def restore(self) -> None:
        self.namespace.update(self._saved)
        if self._cls is not None:
            _type_modified(self._cls)


class Patches:
    """All places. Enter it around activations; it may be entered again, and by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.added: set[str] = set()
        self._entered = 0
        self._waiting: list[Callable[[], None]] = []
        self._places: dict[int, _Place] = {}
        self._refusals: dict[int, tuple[str, Any]] = {}
        for module_name, functions in names.FUNCTIONS.items():
            module = sys.modules.get(module_name)
            for function in functions if module is not None else ():
                if hasattr(module, function):
                    self._refuse(vars(module), function, f"{module_name}.{function}")
        for module_name, classes in names.METHODS.items():
            for class_name, methods in classes.items():
                cls = getattr(sys.modules.get(module_name), class_name, None)
                if cls is not None:
                    self._refuse_methods(cls, f"{module_name}.{class_name}", methods)
        for function in names.WARNED:
            self._place(vars(asyncio)).replace(function, _warning(function))
        if "socket" in sys.modules:
            self._refuse_sockets(sys.modules["socket"])

    def __enter__(self) -> None:
        with self._lock:
            self._entered += 1
            if self._entered == 1:
                for place in self._places.values():
                    place.apply()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._entered -= 1
            if self._entered == 0:
                for place in self._places.values():
                    place.restore()
                for extend in self._waiting:
                    extend()
                self._waiting.clear()

    def cover(self, namespace: dict[str, Any]) -> None:
        """Have functions refused that a module of the user has under names of its own (``from time import time``)."""

        def extend() -> None:
            for name, value in list(namespace.items()):
                known = self._refusals.get(id(value))
                if known is not None and known[1] is value and not name.startswith("__"):
                    self._refuse(namespace, name, known[0])

        self._extend(extend)

    def add(self, name: str) -> None:
        """Have one more function of a module refused, by guards that say so."""
        self.added.add(name)
        module, _, function = name.rpartition(".")
        self._extend(lambda: self._refuse(vars(sys.modules[module]), function, name))

    def _extend(self, extend: Callable[[], None]) -> None:
        with self._lock:
            if self._entered:
                self._waiting.append(extend)  # another thread is in the middle of an activation
            else:
                extend()

    def _place(self, namespace: dict[str, Any], cls: type | None = None) -> _Place:
        return self._places.setdefault(id(namespace), _Place(namespace, cls))

    def _refuse(self, namespace: dict[str, Any], attribute: str, name: str) -> None:
        original = namespace[attribute]
        if getattr(original, _MARK, None) is not None:
            return
        self._refusals.setdefault(id(original), (name, original))
        self._place(namespace).replace(attribute, _refusal(names.DISPLAYED.get(name, name)))

    def _refuse_methods(self, cls: type, name: str, methods: tuple[str, ...]) -> None:
        # A type shows its dictionary through a read-only view, which refers to nothing else.
        [namespace] = gc.get_referents(cls.__dict__)
        for method in methods:
            full = f"{name}.{method}"
            self._place(namespace, cls).replace(method, _refused_method(names.DISPLAYED.get(full, full), cls))

    def _refuse_sockets(self, module: ModuleType) -> None:
        """Sockets are made by the class in C that the one in Python names through its module."""
        place = self._place(vars(module))

        def stand_in(real: Callable[[], Any]) -> Any:
            c_module = real()
            make = _refusal("socket.socket")(lambda: c_module.socket.__init__)
            return SimpleNamespace(**{**vars(c_module), "socket": _StandIn(c_module.socket, make)})

        place.replace("_socket", stand_in)


class _StandIn:
    """A class but for its ``__init__``."""

    def __init__(self, cls: type, init: Callable[..., None]) -> None:
        self.__dict__ = {"_cls": cls, "__init__": init}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cls, name)


def _guard() -> Decides | None:
    """The guard of the workflow that this thread runs."""
    return getattr(asyncio._get_running_loop(), "guard", None)


def _refusal(name: str) -> Callable[[Callable[[], Any]], Any]:
    def make(real: Callable[[], Any]) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            guard = _guard()
            if guard is not None:
                guard.check(name)
            return real()(*args, **kwargs)

        original = real()
        refuse.__name__ = getattr(original, "__name__", name)
        refuse.__qualname__ = getattr(original, "__qualname__", name)
        refuse.__doc__ = getattr(original, "__doc__", None)
        setattr(refuse, _MARK, name)
        return refuse

    return make


def _refused_method(name: str, cls: type) -> Callable[[Callable[[], Any]], Any]:
    def make(real: Callable[[], Any]) -> Any:
        def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
            guard = _guard()
            if guard is not None:
                guard.check(name)
            descriptor = real()
            bound = descriptor.__get__(self) if not is_class_method else descriptor.__get__(None, self)
            return bound(*args, **kwargs)

        is_class_method = isinstance(real(), (classmethod, type(dict.__dict__["fromkeys"])))
        return classmethod(refuse) if is_class_method else refuse

    return make


def _warning(function: str) -> Callable[[Callable[[], Any]], Any]:
    def make(real: Callable[[], Any]) -> Any:
        def warn(*args: Any, **kwargs: Any) -> Any:
            guard = _guard()
            if guard is not None and guard.check(f"asyncio.{function}"):
                warnings.warn(
                    f"asyncio.{function}() is non-deterministic, use workflow.{function}() instead",
                    UserWarning,
                    stacklevel=2,
                )
            return real()(*args, **kwargs)

        warn.__name__ = warn.__qualname__ = function
        warn.__doc__ = real().__doc__
        return warn

    return make
