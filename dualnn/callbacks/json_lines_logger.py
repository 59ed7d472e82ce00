"""The numbers of each epoch as lines of JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from dualnn.callbacks.log_file import LogFile


class JSONLinesLogger(LogFile):
    """Write the numbers of each epoch as a line of JSON: ``{"epoch": 0, "loss": 0.5}``.

    Epochs are counted from 0. A metric with a number for each class is a list. A number that is NaN or
    infinite is null, as JSON has no other word for it.
    Epochs may have different numbers. `pandas.read_json` reads the file with ``lines=True``. A resumed run
    goes on in the file where its checkpoint was written.

    Args:
        filename: the file; folders that are not there are made.
        append: whether to add to a file that is there, rather than to write it anew.

    Raises:
        OSError: the file cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = dn.callbacks.JSONLinesLogger(folder + "/log.jsonl")
    ...     _ = model.fit([[0.0]], [[1.0]], epochs=1, callbacks=[log], verbose=0)
    ...     print(Path(log.filename).read_text(), end="")
    {"epoch": 0, "loss": 1.0}
    """

    def lines(self, epoch: int, logs: dict[str, float]) -> str:
        """Return the epoch's line."""
        return json.dumps({"epoch": epoch, **{name: _json(value) for name, value in logs.items()}}) + "\n"


def _json(value: Any) -> Any:
    if np.ndim(value) > 0:  # of a metric with a number for each class
        return [_json(one) for one in np.asarray(value).tolist()]
    return value if math.isfinite(value) else None
