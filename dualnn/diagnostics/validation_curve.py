"""How complex a model should be: a metric over the values of one of its settings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnn.callbacks.monitor import rises
from dualnn.diagnostics.runs import (
    Floats,
    arrays,
    counted,
    hold_out,
    measured,
    positive,
    probe,
    trained,
)
from dualnn.models import Model


@dataclass(frozen=True, eq=False)
class ValidationCurve:
    """A metric over the values of a setting.

    Attributes:
        name: what the setting is called.
        values: its values, in the order given.
        training: the metric on the training data, float64 of shape (values, repeats).
        validation: the metric on the validation data, likewise.
        metric: its name.
        best: the value whose validation metric is the best in the mean of the repeats; a training that ended
            in NaN counts as the worst.
    """

    name: str
    values: list[Any]
    training: Floats
    validation: Floats
    metric: str
    best: Any


def validation_curve(
    build: Callable[[Any], Model],
    values: Sequence[Any],
    x: Any,
    y: Any,
    *,
    name: str = "complexity",
    validation_split: float = 0.2,
    validation_data: Any = None,
    repeats: int = 1,
    metric: str = "loss",
    seed: int = 0,
    verbose: Any = "auto",
    sample_weight: Any = None,
    **fit: Any,
) -> ValidationCurve:
    """Train a model for each value of a setting, and measure it on the training and on the validation data.

    Where both metrics are bad the model underfits; where that of the training goes on getting better and that
    of the validation gets worse, it overfits. All values are trained on the same data from the same seeds,
    and measured by `Model.evaluate` after the training, without dropout. The loss has the regularizers'
    penalties in it: over the strength of a regularizer, choose a metric.

    The best value was chosen by the validation data, so their metric is too good for it: test on others.

    Args:
        build: takes a value and returns a compiled model that is not built.
        values: of the setting: numbers of units, rates of dropout, names.
        x: inputs, arrays or a structure of them, as in `Model.fit`.
        y: targets.
        name: what the setting is called in figures.
        validation_split: the share that is held out, drawn at random by the seed.
        validation_data: ``(x, y)`` to measure on instead.
        repeats: trainings for each value.
        metric: ``"loss"``, or the name of a metric the model is compiled with.
        seed: fixes everything; repeat r is trained with ``fit(seed=seed + r)``.
        verbose: as in `Model.fit`; 2 prints a line for each training.
        sample_weight: a weight for each sample.
        **fit: what else `Model.fit` takes, such as ``epochs``.

    Raises:
        ValueError: no values, an unknown metric, a model that is built already.
        TypeError: `build` returns no model, or the data are no arrays.

    >>> import numpy as np, dualnn as dn
    >>> def build(units):
    ...     model = dn.Sequential([dn.layers.Dense(units, activation="tanh"), dn.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> x = np.linspace(-1, 1, 50, dtype="float32")[:, None]
    >>> curve = dn.diagnostics.validation_curve(build, [1, 8], x, 2 * x, name="units", epochs=2)
    >>> curve.best in curve.values, curve.training.shape
    (True, (2, 1))
    """
    training, validation = hold_out(arrays(x, y, sample_weight), validation_split, validation_data, seed)
    values = list(values)
    if not values:
        raise ValueError("values: expected at least one value of the setting, got none")
    positive("repeats", repeats)
    probe(functools.partial(build, values[0]), training, metric, seed)
    found = np.empty((2, len(values), repeats))
    jobs = [(i, value, repeat) for i, value in enumerate(values) for repeat in range(repeats)]
    for i, value, repeat in counted(jobs, "validation curve", verbose):
        model = trained(functools.partial(build, value), training, seed + repeat, **fit)
        found[:, i, repeat] = measured(model, training)[metric], measured(model, validation)[metric]
    mean = found[1].mean(axis=1) * (-1 if rises(metric) else 1)
    best = values[int(np.argmin(np.where(np.isnan(mean), np.inf, mean)))]
    return ValidationCurve(name, values, found[0], found[1], metric, best)
