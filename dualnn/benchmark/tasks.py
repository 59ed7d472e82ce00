"""What a contender can be asked to do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dualnn.benchmark.workload import Array, Workload

More = Callable[[float], bool]
"""Called after every epoch of a training with the epoch's mean loss; says whether the training goes on."""

FIT, OWN_LOOP, PREDICT, LATENCY = "fit", "own loop", "predict", "latency"
TASKS = (FIT, OWN_LOOP, PREDICT, LATENCY)
"""A step of `fit`; a step of a loop of one's own; the outputs for 60,000 samples; for one sample."""

OWN_STEPS = 20
"""Steps that a loop of one's own is measured over; uncompiled, one is like the other."""
PREDICTED = 60_000
PREDICT_BATCH = 250
"""Samples a batch of `predict`: 60,000 are whole batches then, and nobody compiles for a rest."""


@dataclass
class Tasks:
    """What one contender can do.

    Attributes:
        fit: trains for the job's epochs, asking after each whether to go on.
        others: by their names in `TASKS`, functions that make a function which does a task once. They are
            called when the task is due, so that its memory is not counted for the training before it.
        about: what there is to say afterwards, such as the engine that `fit` has chosen.
    """

    fit: Callable[[More], None] | None = None
    others: dict[str, Callable[[], Callable[[], Any]]] = field(default_factory=dict)
    about: Callable[[], dict[str, Any]] = dict

    @property
    def names(self) -> list[str]:
        """The names of all that it can do."""
        return [name for name in TASKS if name in self.others or (name == FIT and self.fit is not None)]


def in_batches(forward: Callable[[Array], Array], x: Array) -> Array:
    """Return the outputs of a function of a batch, for all samples of `x`."""
    first = forward(x[:PREDICT_BATCH])
    outputs = np.empty((len(x), *first.shape[1:]), first.dtype)
    outputs[: len(first)] = first
    for start in range(PREDICT_BATCH, len(x), PREDICT_BATCH):
        outputs[start : start + PREDICT_BATCH] = forward(x[start : start + PREDICT_BATCH])
    return outputs


def on_many(predict: Callable[[Array], Any], work: Workload) -> Callable[[], Any]:
    """Return `predict` with 60,000 samples, those of the data over and over."""
    return functools.partial(predict, np.take(work.x, np.arange(PREDICTED) % len(work.x), axis=0))


def on_one(predict: Callable[[Array], Any], work: Workload) -> Callable[[], Any]:
    """Return `predict` with one sample."""
    return functools.partial(predict, work.x[:1])
