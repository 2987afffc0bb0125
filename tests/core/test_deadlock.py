"""Code that does not yield is told of at any moment, and by one kind of error."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from durability._core.deadlock import DeadlockDetector, DeadlockError


def loop() -> None:
    while True:
        pass


def swallow() -> None:
    try:
        loop()
    except BaseException:
        return


def fail_late() -> None:
    try:
        loop()
    finally:
        raise KeyError("late")


@pytest.mark.parametrize("body", [loop, swallow])
def test_code_that_loops(body: Callable[[], None]) -> None:
    with pytest.raises(DeadlockError, match="TMPRL1101"), DeadlockDetector(0.01).watch("W"):
        body()


def test_what_the_code_raises_itself_comes_first() -> None:
    with pytest.raises(KeyError, match="late"), DeadlockDetector(0.01).watch("W"):
        fail_late()


@pytest.mark.parametrize("raises", [False, True])
def test_an_interruption_that_comes_when_the_code_has_just_ended(raises: bool) -> None:
    detector = DeadlockDetector(60)
    main, held = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        with detector._lock:
            held.set()
            while sys._current_frames()[main].f_code.co_name != "_end":
                pass
            detector._interrupt(main)

    def body() -> None:
        thread.start()
        held.wait()
        if raises:
            raise KeyError("late")

    thread = threading.Thread(target=interrupt)
    with pytest.raises(DeadlockError, match="TMPRL1101"), detector.watch("W"):
        body()
    thread.join()
    with detector.watch("another"):
        pass
