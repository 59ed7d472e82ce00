"""What the contenders took, and what follows from it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dualnn.benchmark.job import Job
from dualnn.benchmark.tasks import FIT

Group = tuple[str, str, int]
"""Model, backend and batch size: those who did this are compared, and nobody else."""


@dataclass
class Result:
    """What one contender took.

    Attributes:
        job: who did what.
        times: seconds by task, one number a repetition: a step of ``fit`` and of ``own loop``, all samples
            of ``predict``, one sample of ``latency``.
        first_step: seconds of the first step, all compilation included; None if it trains nothing.
        peak: the most memory its process has held by the end of its training, in bytes.
        loss: the mean loss of its second epoch: close to the others', if all do the same work.
        about: what it says of itself, such as the engine that `fit` has chosen.
        error: why it failed, None if it did not.
    """

    job: Job
    times: dict[str, list[float]] = field(default_factory=dict)
    first_step: float | None = None
    peak: int | None = None
    loss: float | None = None
    about: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def group(self) -> Group:
        """Those it is compared with."""
        return self.job.model, self.job.backend, self.job.batch_size

    def median(self, task: str) -> float:
        """Return the median time of a task, in seconds."""
        return statistics.median(self.times[task])

    def quartiles(self, task: str) -> tuple[float, float]:
        """Return the first and third quartile of a task's times, in seconds."""
        times = self.times[task]
        if len(times) < 2:
            return times[0], times[0]
        low, _, high = statistics.quantiles(times, n=4, method="inclusive")
        return low, high

    @property
    def throughput(self) -> float:
        """Samples a second in training."""
        return self.job.batch_size / self.median(FIT)


@dataclass(frozen=True)
class Report:
    """What a run of the benchmark found.

    Attributes:
        results: one for every contender on every model, backend and batch size.
        imports: seconds of a process that imports NumPy and of one that imports dualnn, by name.
        machine: what it was run on.
        versions: of what was involved, by name.
        settings: what was asked for, such as the number of threads.
        seconds: how long it took.
    """

    results: tuple[Result, ...]
    imports: dict[str, list[float]]
    machine: str
    versions: dict[str, str]
    settings: dict[str, Any]
    seconds: float

    @property
    def failed(self) -> list[Result]:
        """Contenders that could not do what was asked for."""
        return [result for result in self.results if result.error is not None]

    def groups(self) -> dict[Group, list[Result]]:
        """The results of those who are compared with each other."""
        groups: dict[Group, list[Result]] = {}
        for result in self.results:
            groups.setdefault(result.group, []).append(result)
        return groups

    def of(self, group: Group, maker: str, task: str) -> Result | None:
        """Return the maker's fastest contender in a task, None if it has none."""
        able = [
            result for result in self.groups()[group] if result.job.maker == maker and task in result.times
        ]
        return min(able, key=lambda result: result.median(task), default=None)

    def ratio(self, result: Result, maker: str, task: str) -> float | None:
        """Return how many times the best of a maker's contenders a result takes in a task."""
        other = self.of(result.group, maker, task)
        return None if other is None or task not in result.times else ratio(result, other, task)

    def ranked(self, group: Group, task: str) -> Iterator[Result]:
        """Yield those who did a task, dualnn first, and the others from the fastest on."""
        able = [result for result in self.groups()[group] if task in result.times]
        yield from sorted(able, key=lambda result: (result.job.maker != "dualnn", result.median(task)))


def ratio(result: Result, other: Result, task: str) -> float:
    """Return the median of the ratios of the repetitions.

    The two worked one after the other in each, so what slows the machine down for a while slows both.

    >>> from dualnn.benchmark.job import Job
    >>> from dualnn.benchmark.report import Result, ratio
    >>> ours = Result(Job("dualnn", "numpy", "cnn", 64), {"fit": [2.0, 9.0, 2.2]})
    >>> theirs = Result(Job("native", "numpy", "cnn", 64), {"fit": [1.0, 4.5, 1.0]})
    >>> ratio(ours, theirs, "fit")
    2.0
    """
    pairs = zip(result.times[task], other.times[task], strict=False)
    return statistics.median(ours / theirs for ours, theirs in pairs)
