"""What dualnn is meant to reach, and whether it has."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from dualnn.benchmark.contenders import native_loops
from dualnn.benchmark.models import MODELS
from dualnn.benchmark.report import Group, Report
from dualnn.benchmark.tasks import FIT, LATENCY, OWN_LOOP, PREDICT

OVER_NATIVE = {FIT: 1.05, PREDICT: 1.05, LATENCY: 1.05, OWN_LOOP: 1.15}
"""How many times the time of the best native code may be taken, by task."""
MEMORY_OVER_NATIVE = 1.2
KERAS_OVER_FIT = 2.0
"""How many times our time Keras takes at least; adapters name models of which more is asked."""
LIGHTNING_OVER_FIT = 2.5
"""For the fully connected models; in others the time is the framework's own."""
IMPORT_SECONDS = 0.1


@dataclass(frozen=True)
class Goal:
    """One goal and what was measured.

    Attributes:
        what: ``"fit over native"``.
        where: the model, batch and backend, or nothing.
        measured: the figure.
        bound: what it is held against.
        at_least: whether the figure is to be as large as the bound, or else at most that.
    """

    what: str
    where: str
    measured: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it has been reached."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    @property
    def wanted(self) -> str:
        """The bound as text."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def goals(report: Report) -> list[Goal]:
    """Return the goals of all that was measured; what was not is no goal.

    >>> from dualnn.benchmark.goals import goals
    >>> from dualnn.benchmark.job import Job
    >>> from dualnn.benchmark.report import Report, Result
    >>> import dualnn as dn
    >>> backend = dn.backend().name
    >>> ours = Result(Job("dualnn", backend, "cnn", 64), {"fit": [1.0]})
    >>> theirs = Result(Job("keras", backend, "cnn", 64), {"fit": [3.0]})
    >>> [goal] = goals(Report((ours, theirs), {}, "", {}, {}, 0.0))
    >>> goal.what, goal.measured, goal.wanted, goal.met
    ('Keras over fit', 3.0, '≥ 2', True)
    """
    found = [goal for group in report.groups() for goal in _of_a_group(report, group)]
    if report.imports:
        numpy, dualnn = (statistics.median(report.imports[name]) for name in ("numpy", "dualnn"))
        found.append(Goal("import, seconds over NumPy's", "", dualnn - numpy, IMPORT_SECONDS))
    return found


def _of_a_group(report: Report, group: Group) -> Iterator[Goal]:
    model, backend, batch_size = group
    where = f"{model}, {backend}, batch {batch_size}"
    ours = {task: report.of(group, "dualnn", task) for task in OVER_NATIVE}
    for task, bound in OVER_NATIVE.items():
        result = ours[task]
        measured = None if result is None else report.ratio(result, "native", task)
        if measured is not None:
            yield Goal(f"{task} over native", where, measured, bound)
    fit, native = ours[FIT], report.of(group, "native", FIT)
    if fit is None:
        return
    if native is not None and native.peak and fit.peak:
        yield Goal("memory over native", where, fit.peak / native.peak, MEMORY_OVER_NATIVE)
    if model not in MODELS or batch_size != MODELS[model].batch_size:
        return  # the larger the batch, the less there is to save
    peers = {"keras": ("Keras", native_loops(backend).KERAS_OVER_FIT.get(model, KERAS_OVER_FIT))}
    if model.startswith("mlp"):
        peers["lightning"] = ("Lightning", LIGHTNING_OVER_FIT)
    for maker, (name, bound) in peers.items():
        peer = report.of(group, maker, FIT)
        measured = None if peer is None else report.ratio(peer, "dualnn", FIT)
        if measured is not None:
            yield Goal(f"{name} over fit", where, measured, bound, at_least=True)
