"""How long it takes to import dualnn, beside NumPy, which it needs."""

from __future__ import annotations

import subprocess
import sys
import time

MODULES = ("numpy", "dualnn")


def import_times(repetitions: int) -> dict[str, list[float]]:
    """Return the seconds of processes that import one module and end, in turn.

    >>> from dualnn.benchmark.imports import import_times
    >>> list(import_times(1))
    ['numpy', 'dualnn']
    """
    times: dict[str, list[float]] = {module: [] for module in MODULES}
    for repetition in range(repetitions + 1):
        for module in MODULES:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            if repetition:  # the first one reads the files from the disk
                times[module].append(time.perf_counter() - started)
    return times
