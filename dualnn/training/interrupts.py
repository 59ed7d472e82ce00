"""Ctrl-C while a model trains: the step under way is finished first."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupt:
    """Whether Ctrl-C has been pressed.

    >>> with held_back() as interrupt:
    ...     interrupt.asked
    False
    """

    asked = False
    _insisted = False
    _deferred = False

    @contextmanager
    def deferred(self, is_deferred: bool) -> Iterator[None]:
        """Let the second Ctrl-C wait, too, for the end of a block that must not be done by half."""
        self._deferred = is_deferred
        try:
            yield
        finally:
            self._deferred = False
        if self._insisted:
            raise KeyboardInterrupt

    def press(self) -> None:
        """Note that Ctrl-C was pressed, or raise KeyboardInterrupt."""
        if self.asked and not self._deferred:
            raise KeyboardInterrupt
        self._insisted, self.asked = self.asked, True

    def raise_if_asked(self) -> None:
        """Raise KeyboardInterrupt now if it has been held back."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def held_back() -> Iterator[Interrupt]:
    """Hold Ctrl-C back while the block runs, once: the second one interrupts at once, wherever that is.

    Only Python's main thread hears of Ctrl-C, and a handler of somebody else's is left alone.
    """
    interrupt = Interrupt()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield interrupt
        return

    def handle(number: int, frame: Any) -> None:
        interrupt.press()
        logging.getLogger("dualnn").warning(
            "training ends after the step under way; Ctrl-C again ends it at once"
        )

    signal.signal(signal.SIGINT, handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
