"""What the next epoch begins with, made while this one is computed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
HEAD_START = 1e-4  # seconds


class Ahead(Generic[K, V]):
    """Values of a pure function, of which a thread makes the one that is expected next; a context manager.

    Args:
        make: the function, which the thread may call, too.

    >>> with Ahead(lambda n: n * n) as squares:
    ...     squares.expect(4)
    ...     squares.get(3), squares.get(4)
    (9, 16)
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._expected: list[K] = []
        self._asked: SimpleQueue[list[K]] = SimpleQueue()
        self._made: SimpleQueue[list[V]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def get(self, key: K) -> V:
        """Return the value of `key`, made by now if it was the one expected."""
        if self._expected != [key]:
            return self._make(key)
        self._expected = []
        made = self._made.get()
        return made[0] if made else self._make(key)

    def expect(self, key: K) -> None:
        """Have the value of `key` made in the background."""
        if self._expected == [key]:
            return
        if self._expected:
            self._made.get()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="dualnn-ahead", daemon=True)
            self._thread.start()
        self._expected = [key]
        self._asked.put(self._expected)

    def _work(self) -> None:
        while keys := self._asked.get():
            # What this is to run beside has yet to begin. Threads that take Python's lock from each other
            # before it does would lose more time than is won.
            time.sleep(HEAD_START)
            try:
                self._made.put([self._make(keys[0])])
            except Exception:  # `get` meets it, too, and raises it where it belongs
                self._made.put([])

    def __enter__(self) -> Ahead[K, V]:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._thread is not None:
            self._asked.put([])
            self._thread.join()
