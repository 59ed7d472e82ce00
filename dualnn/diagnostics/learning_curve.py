"""What more data would change: a metric over the number of training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnn import random
from dualnn.diagnostics.runs import (
    Build,
    Floats,
    Rows,
    arrays,
    counted,
    hold_out,
    measured,
    pick,
    positive,
    probe,
    size_of,
    trained,
)


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """A metric over the number of training samples.

    Attributes:
        sizes: the numbers of training samples, int64 of shape (sizes,), rising.
        training: the metric on the samples that were trained on, float64 of shape (sizes, repeats).
        validation: the metric on the validation data, likewise.
        metric: its name.
    """

    sizes: Rows
    training: Floats
    validation: Floats
    metric: str


def learning_curve(
    build: Build,
    x: Any,
    y: Any,
    sizes: Sequence[float] = (0.1, 0.325, 0.55, 0.775, 1.0),
    validation_split: float = 0.2,
    repeats: int = 3,
    metric: str = "loss",
    seed: int = 0,
    verbose: Any = "auto",
    *,
    validation_data: Any = None,
    sample_weight: Any = None,
    **fit: Any,
) -> LearningCurve:
    """Train on more and more of the data, and measure each model on its training and on the validation data.

    Two curves that meet at a bad value say that the model is too simple (bias); a gap that closes as the data
    grow, that more data would help (variance). Each repeat shuffles the training data anew, takes the first
    samples for each size, and has its own initial weights; the validation data are always the same.
    Both values come from `Model.evaluate` after the training, so both are without dropout, and the loss has
    the same regularizers' penalties in both.

    Args:
        build: returns a compiled model that is not built.
        x: inputs, arrays or a structure of them, as in `Model.fit`.
        y: targets.
        sizes: how many samples to train on: whole numbers, or shares (float) of what is not held out.
        validation_split: the share that is held out, drawn at random by the seed.
        repeats: trainings for each size.
        metric: ``"loss"``, or the name of a metric the model is compiled with.
        seed: fixes everything; repeat r is trained with ``fit(seed=seed + r)``.
        verbose: as in `Model.fit`; 2 prints a line for each training.
        validation_data: ``(x, y)`` to measure on, so that nothing is held out.
        sample_weight: a weight for each sample.
        **fit: what else `Model.fit` takes, such as ``epochs``. An epoch of fewer samples has fewer steps: let
            it be enough of them for the smallest size.

    Raises:
        ValueError: sizes that are not to be had, an unknown metric, a model that is built already.
        TypeError: `build` returns no model, or the data are no arrays.

    >>> import numpy as np, dualnn as dn
    >>> def build():
    ...     model = dn.Sequential([dn.layers.Dense(1)])
    ...     model.compile(dn.optimizers.SGD(0.1), "mse")
    ...     return model
    >>> x = np.linspace(-1, 1, 50, dtype="float32")[:, None]
    >>> curve = dn.diagnostics.learning_curve(build, x, 2 * x, sizes=[10, 40], repeats=2, epochs=5)
    >>> curve.sizes.tolist(), curve.validation.shape
    ([10, 40], (2, 2))
    """
    training, validation = hold_out(arrays(x, y, sample_weight), validation_split, validation_data, seed)
    counts = _counts(sizes, size_of(training))
    positive("repeats", repeats)
    probe(build, training, metric, seed)
    values = np.empty((2, len(counts), repeats))
    jobs = [(i, count, repeat) for i, count in enumerate(counts) for repeat in range(repeats)]
    for i, count, repeat in counted(jobs, "learning curve", verbose):
        order = random.Generator(random.key(seed, "learning curve", repeat)).permutation(size_of(training))
        part = pick(training, order[:count])
        model = trained(build, part, seed + repeat, **fit)
        values[:, i, repeat] = measured(model, part)[metric], measured(model, validation)[metric]
    return LearningCurve(counts, values[0], values[1], metric)


def _counts(sizes: Sequence[float], available: int) -> Rows:
    """Return the numbers of samples that whole numbers and shares mean, rising, each once."""
    counts = [int(size) if isinstance(size, int | np.integer) else round(size * available) for size in sizes]
    if not counts or min(counts) < 1 or max(counts) > available:
        raise ValueError(
            f"sizes: expected whole numbers from 1 to {available}, the samples there are to train on, or "
            f"shares of them from 0.0 to 1.0; got {list(sizes)}"
        )
    return np.unique(np.asarray(counts, dtype=np.int64))
