"""The benchmark: dualnn beside the best native loops, Keras and Lightning, on your machine.

    dualnn bench                        # from the command line; docs/benchmark.md says what is measured
    dualnn bench --model my_models:build --input 3200,784

    from dualnn.benchmark import bench
    report = bench(["mlp-4-16-3"])
    report.results, report.goals

`models.py` says what is trained. A contender (`contenders.py`) trains and infers in a process of its own
(`worker.py`); `suite.py` asks the contenders of a group in turn, one at a time (`pool.py`), and `report.py`
has what came out, which `goals.py` judges and `tables.py`, `html.py` and `export.py` show.
"""

from dualnn.benchmark.report import Report
from dualnn.benchmark.suite import bench

__all__ = ["Report", "bench"]
