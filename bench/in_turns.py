"""Time dualnn and native code in turns in one process: what `dualnn bench` times in processes of their own.

Processes differ in where their memory lies, by a tenth and more for steps of some microseconds. In one
process both have the same, but what one leaves in the caches the other finds there: it is a second look, no
benchmark.

python bench/in_turns.py mlp-784-128-10 torch latency "own loop" --rounds 15
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import dualnn as dn
from dualnn.benchmark.contenders import field_of, prepare
from dualnn.benchmark.job import Job
from dualnn.benchmark.models import MODELS
from dualnn.benchmark.suite import LONG_ENOUGH, WARM_UP
from dualnn.benchmark.tasks import LATENCY, OWN_LOOP, OWN_STEPS, PREDICT
from dualnn.benchmark.workload import workload


def main() -> None:
    """Print, for each task, the median time of each contender and dualnn's over it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("backend", choices=dn.available())
    parser.add_argument("tasks", nargs="+", choices=[OWN_LOOP, PREDICT, LATENCY])
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    job = Job("dualnn", given.backend, given.model, MODELS[given.model].batch_size)
    for task in given.tasks:
        ready = {one.contender: made for one in field_of(job) if (made := _ready(one, task)) is not None}
        times: dict[str, list[float]] = {name: [] for name in ready}
        for _ in range(given.rounds):
            for name, (call, count) in ready.items():
                times[name].append(_seconds(call, count))
        for name, seconds in times.items():
            each = statistics.median(seconds) / (OWN_STEPS if task == OWN_LOOP else 1) * 1e6
            ratio = statistics.median(a / b for a, b in zip(times["dualnn"], seconds, strict=True))
            print(f"{task:9} {name:40} {each:12.1f} µs   dualnn over it {ratio:.2f}", flush=True)


def _ready(job: Job, task: str) -> tuple[Callable[[], Any], int] | None:
    """Return what does the task, warmed up, and how often it does it in a time that can be measured."""
    if job.maker not in ("dualnn", "native"):
        return None
    tasks = prepare(job, workload(job))
    if task not in tasks.others:
        return None
    call = tasks.others[task]()
    for _ in range(WARM_UP[task]):
        call()
    return call, max(1, round(LONG_ENOUGH / _seconds(call, 3)))


def _seconds(call: Callable[[], Any], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - started) / count


if __name__ == "__main__":
    main()
