"""Preparing the next batches in the background."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 30.0  # seconds that a batch may take before the log says that one is waited for
AHEAD = 2  # one being made while one waits: more would only take memory


def prefetched(items: Iterable[T]) -> Iterator[T]:
    """Yield the same items, made ahead of time by a thread; its errors are raised here.

    The thread ends with the items, or when this generator is closed. If an item takes long, the logger
    ``"dualnn"`` warns after half a minute, and then each time the wait has doubled.

    >>> list(prefetched(x * x for x in range(3)))
    [0, 1, 4]
    """
    ready: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(AHEAD)
    closed = threading.Event()

    def put(entry: tuple[bool, T | BaseException | None]) -> None:
        while not closed.is_set():
            try:
                ready.put(entry, timeout=0.1)
                return
            except queue.Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put((True, item))
                if closed.is_set():
                    return
            put((False, None))
        except BaseException as error:  # also what ends a program is for the thread that asked
            put((False, error))

    threading.Thread(target=make, name="dualnn-prefetch", daemon=True).start()
    try:
        while True:
            is_item, entry = _waited_for(ready)
            if is_item:
                yield entry  # type: ignore[misc]
            elif entry is None:
                return
            else:
                raise entry  # type: ignore[misc]
    finally:
        closed.set()


def _waited_for(ready: queue.Queue[T]) -> T:
    waited, patience = 0.0, PATIENCE
    while True:
        try:
            return ready.get(timeout=patience - waited)
        except queue.Empty:
            waited = patience
            logging.getLogger("dualnn").warning(
                "training has waited %.0f seconds for the next batch: the data is slow, or has stopped",
                waited,
            )
            patience *= 2
