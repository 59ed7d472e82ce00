"""What training shows while it runs: a progress bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from dualnn.callbacks import Callback, Logs


def verbosity(verbose: Any) -> int:
    """Return 0 (silent), 1 (progress bar) or 2 (a line an epoch) for the argument `verbose`.

    ``"auto"`` is a progress bar on a terminal and silence elsewhere.

    Raises:
        ValueError: none of these.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return 1 if sys.stdout.isatty() else 0
    if not isinstance(verbose, int | np.integer | np.bool_) or verbose not in (0, 1, 2):
        raise ValueError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}")
    # a bar that is not on a terminal would fill a log with control characters
    return 2 if verbose == 1 and not sys.stdout.isatty() else int(verbose)


class EpochLines(Callback):
    """Prints one line an epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Take the time."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Print the epoch's numbers."""
        seconds = time.perf_counter() - self._start
        print(epoch_line(epoch, self.params["epochs"], seconds, logs), flush=True)


class ProgressBar:
    """A progress bar on a terminal, or nothing; a context manager.

    Args:
        shown: whether there is a bar at all.
        epochs: the number of epochs, or None if what runs has no epochs.
        title: what runs.
    """

    def __init__(self, shown: bool, epochs: int | None = None, title: str = "") -> None:
        self.epochs, self.title = epochs, title
        self._bar: Any = None
        if shown:
            from rich import progress  # here, since importing it takes time that a silent run need not pay

            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                progress.TimeRemainingColumn(),
                transient=True,  # the lines of the epochs stay
            )
            self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, steps: int | None, epoch: int = 0) -> None:
        """Start an epoch of so many steps, None if that is not known."""
        if self._bar is not None:
            title = self.title if self.epochs is None else f"{self.title} epoch {epoch + 1}/{self.epochs}"
            self._bar.reset(self._task, total=steps, description=title.strip())
            self._start = time.perf_counter()

    @property
    def shown(self) -> bool:
        """Whether there is a bar."""
        return self._bar is not None

    def step(self, count: int = 1) -> None:
        """Count steps."""
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def end(self, epoch: int, logs: Logs) -> None:
        """Leave a line with the epoch's numbers above the bar."""
        if self._bar is not None:
            line = epoch_line(epoch, self.epochs or 1, time.perf_counter() - self._start, logs)
            self._bar.console.print(line, highlight=False, soft_wrap=True)


def epoch_line(epoch: int, epochs: int, seconds: float, logs: Logs) -> str:
    """Return the line that sums an epoch up.

    >>> epoch_line(0, 5, 1.25, {"loss": 0.5})
    'Epoch 1/5  1.2 s  loss 0.5000'
    """
    return f"Epoch {epoch + 1}/{epochs}  {seconds:.1f} s  {described(logs)}"


def described(logs: Logs) -> str:
    """Return numbers as text.

    >>> described({"loss": 0.12345678, "accuracy": 0.9})
    'loss 0.1235  accuracy 0.9000'
    """
    return "  ".join(f"{name} {_as_text(value)}" for name, value in (logs or {}).items())


def _as_text(value: Any) -> str:
    if np.ndim(value) > 0:  # of a metric with a number for each class
        return f"[{' '.join(map(_as_text, value))}]"
    return f"{value:.4g}" if abs(value) < 1e-3 else f"{value:.4f}"
