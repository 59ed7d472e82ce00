"""The numbers of each epoch as a table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

import numpy as np

from dualnn.callbacks.log_file import LogFile
from dualnn.callbacks.monitor import is_left_out


class CSVLogger(LogFile):
    """Write the numbers of each epoch as a line of a CSV file, the first line being their names.

    The columns are ``epoch``, counted from 0, and the losses and metrics in alphabetical order. A number
    that an epoch does not have, such as ``val_loss`` if not every epoch is validated, is ``NA``. Numbers have
    all their digits; a metric with a number for each class is a list in one field. A resumed run goes on in
    the file where its checkpoint was written.

    Args:
        filename: the file; folders that are not there are made.
        separator: what stands between two numbers.
        append: whether to add to a file that is there, rather than to write it anew.

    Raises:
        ValueError: a file that is to be added to has other columns, or a later epoch has a number of
            another name.
        OSError: the file cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = dn.callbacks.CSVLogger(folder + "/log.csv")
    ...     _ = model.fit([[0.0]], [[1.0]], epochs=1, callbacks=[log], verbose=0)
    ...     print(Path(log.filename).read_text().split())
    ['epoch,loss', '0,1.0']
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__(filename, append)
        self.separator = separator

    def lines(self, epoch: int, logs: dict[str, float]) -> str:
        """Return the epoch's line, and before it the columns' names if the file is empty."""
        text = ""
        names = self._names_in_file()
        if not names:
            names = ["epoch", *sorted(logs)]
            if is_left_out("val_loss", logs, self):
                names += [f"val_{name}" for name in sorted(logs)]
            text = self._line(names)
        more = sorted(set(logs) - set(names))
        if more:
            raise ValueError(
                f"{self.filename!r} has the columns {', '.join(names)}, and epoch {epoch} has "
                f"{', '.join(more)}; write to another file, or with append=False"
            )
        row = {"epoch": epoch, **{name: np.asarray(value).tolist() for name, value in logs.items()}}
        return text + self._line([row.get(name, "NA") for name in names])

    def _names_in_file(self) -> list[str]:
        if self._end == 0:
            return []
        with open(self.filename, encoding="utf-8", newline="") as file:
            return next(csv.reader(file, delimiter=self.separator))

    def _line(self, values: Sequence[object]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerow(values)
        return text.getvalue()
