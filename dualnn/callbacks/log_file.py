"""A text file that a run adds lines to, and goes back in when the run is resumed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dualnn.callbacks.callback import Callback, Logs


class LogFile(Callback):
    """The base of callbacks that add a line to a text file after each epoch.

    A line is on its way to the disk before the next epoch begins. A run that is resumed from a checkpoint
    first cuts off the lines written after that checkpoint, so that no epoch is in the file twice.

    Args:
        filename: the file; folders that are not there are made.
        append: whether to add to a file that is there, rather than to write it anew.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, filename: str | os.PathLike[str], append: bool = False) -> None:
        self.filename, self.append = os.fspath(filename), append
        self._file: Any = None
        self._end = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Make the folder, and see whether the file can be written."""
        Path(self.filename).parent.mkdir(parents=True, exist_ok=True)
        self._close()
        with open(self.filename, "ab") as file:
            self._end = file.tell() if self.append else 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the epoch's line."""
        if self._file is None:
            self._file = open(self.filename, "r+b")  # noqa: SIM115 (it is closed at the end of the training)
            self._file.truncate(self._end)
            self._file.seek(self._end)
        self._file.write(self.lines(epoch, logs or {}).encode())
        self._file.flush()
        self._end = self._file.tell()

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the file."""
        self._close()

    def state_dict(self) -> dict[str, Any]:
        """Return how long the file is."""
        return {"end": self._end}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the file ended then; where it is shorter now, after its last whole line."""
        with open(self.filename, "rb") as file:
            kept = file.read(int(state["end"]))
        self._end = kept.rfind(b"\n") + 1

    def lines(self, epoch: int, logs: dict[str, float]) -> str:
        """Return what to add to the file for an epoch; the text ends in a newline."""
        raise NotImplementedError(f"{type(self).__name__} must define lines(self, epoch, logs)")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
