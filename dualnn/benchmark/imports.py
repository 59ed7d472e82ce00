"""How long it takes to import dualnn, beside NumPy, which it needs."""

from __future__ import annotations

import os
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
    # where Python must not keep what it has compiled, it is this that would be measured
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {module: [] for module in MODULES}
    for repetition in range(repetitions + 1):
        for module in MODULES:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
            if repetition:  # the first one reads the files from the disk, and compiles them
                times[module].append(time.perf_counter() - started)
    return times
