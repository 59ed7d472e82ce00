"""What an error is made of: bias, variance and noise, from models trained on resampled data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn import random
from dualnn.diagnostics.runs import (
    TEST_BATCH,
    Build,
    Floats,
    Rows,
    arrays,
    counted,
    pick,
    positive,
    probe,
    size_of,
    trained,
)
from dualnn.training.arrays import as_arrays
from dualnn.training.batch import Batch

Sample = Callable[[np.random.Generator], tuple[Any, Any]]
Counts = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BiasVariance:
    """The parts of the expected squared error, which add up to it.

    Attributes:
        bias2: the squared difference between the mean prediction and the truth; where the truth is not known,
            between the mean prediction and the targets, and then the noise is in it. As an unbiased estimate
            it can be a little below 0 when the bias is none.
        variance: that of the predictions between trainings.
        noise: the variance of the targets around the truth, or None if it cannot be told from the bias.
        error: the expected squared error for new targets, ``bias2 + variance + noise``.
        standard_errors: of ``"bias2"``, ``"variance"`` and ``"error"``, since the trainings were finitely
            many; by the jackknife over trainings.
        resamples: how many trainings there were.
    """

    bias2: float
    variance: float
    noise: float | None
    error: float
    standard_errors: dict[str, float]
    resamples: int

    def __str__(self) -> str:
        bias2, variance = (
            f"{value:.4g} ± {self.standard_errors[name]:.2g}"
            for name, value in (("bias2", self.bias2), ("variance", self.variance))
        )
        if self.noise is None:
            return f"bias² and noise {bias2} + variance {variance} = error {self.error:.4g}"
        return f"bias² {bias2} + variance {variance} + noise {self.noise:.4g} = error {self.error:.4g}"


def bias_variance(
    build: Build,
    data: Sample | tuple[Any, Any],
    x_test: Any = None,
    y_test: Any = None,
    *,
    truth: Callable[[Any], Any] | None = None,
    noise: float | None = None,
    resamples: int = 30,
    seed: int = 0,
    verbose: Any = "auto",
    **fit: Any,
) -> BiasVariance:
    """Train on many training sets, and split the squared error into bias², variance and noise.

    The decomposition is that of Geman, Bienenstock and Doursat, "Neural networks and the bias/variance
    dilemma" (1992). Each training has initial weights and shuffles of its own, so the variance is that of
    the whole procedure, not of the data alone. With R trainings the squared distance of their mean from the
    truth is too large by variance / R, which is subtracted.

    There are two kinds of `data`:

    - A function that draws a fresh training set. With `truth`, all three parts are told apart; the noise is
      taken from the drawn targets unless it is given. Without `truth`, the distance is to `y_test`, and
      contains the noise unless that is given.
    - Arrays ``(x, y)``, which are resampled by bootstrap (Efron, "Bootstrap methods: another look at the
      jackknife", 1979). Each sample is then predicted by those models whose training set happens to lack it
      (Breiman, "Out-of-bag estimation", 1996), unless `x_test` and `y_test` are given. What that estimates
      is the variance of training on sets drawn from these data, of which each has about 63 % of the
      different samples: it shows how models compare, and is not the variance of fresh sets of full size. A
      truth behind the targets cannot be seen in them, so bias² contains the noise, and the noise is None.

    Predictions are compared with targets by their squares. For classes, let the model end in a softmax and
    the targets be one-hot: then the error is Brier's score. The 0-1 loss is not decomposed.

    Args:
        build: returns a compiled model that is not built, with one output.
        data: ``sample(rng) -> (x, y)`` with a `numpy.random.Generator`, or arrays ``(x, y)``.
        x_test: where the predictions are compared; by default another draw, or what a bootstrap leaves out.
        y_test: targets there; not needed with `truth`.
        truth: the function ``truth(x)`` whose values the targets have but for noise.
        noise: the variance of the targets around the truth, if it is known.
        resamples: trainings, at least 3.
        seed: fixes everything; training r is done with ``fit(seed=seed + r)``.
        verbose: as in `Model.fit`; 2 prints a line for each training.
        **fit: what else `Model.fit` takes, such as ``epochs``.

    Raises:
        ValueError: predictions and targets of different shape, such as probabilities and class numbers;
            arguments that contradict each other; a model that is built already.
        TypeError: `build` returns no model, or the data are no arrays.

    >>> import numpy as np, dualnn as dn
    >>> def build():
    ...     model = dn.Sequential([dn.layers.Dense(1)])
    ...     model.compile(dn.optimizers.SGD(0.1), "mse")
    ...     return model
    >>> def sample(rng):
    ...     x = rng.uniform(-1, 1, (20, 1)).astype("float32")
    ...     return x, x**2 + rng.normal(0, 0.1, x.shape)
    >>> found = dn.diagnostics.bias_variance(build, sample, truth=np.square, resamples=5, epochs=5)
    >>> abs(found.bias2 + found.variance + found.noise - found.error) < 1e-12
    True
    """
    positive("resamples", resamples, least=3)
    if noise is not None and noise < 0:
        raise ValueError(f"noise: expected a variance, at least 0, got {noise}")
    sets = _Drawn(data, seed) if callable(data) else _Bootstrap(data, seed)
    test, target = _compared_at(sets, x_test, y_test, truth)
    one = probe(build, sets.training(0), seed=seed)
    target = _like(one, target)

    predictions = np.empty((resamples, *target.shape))
    counts = np.ones((resamples, len(target)), dtype=bool)
    noises = []
    for r in counted(range(resamples), "bias and variance", verbose):
        training = sets.training(r)
        predictions[r] = trained(build, training, seed + r, **fit).predict(test, TEST_BATCH, verbose=0)
        if x_test is None:
            counts[r] = sets.unseen(r)
        if truth is not None:
            noises.append(np.mean((_like(one, training.y) - _like(one, truth(training.x))) ** 2))

    bias2, variance = _parts(predictions, target, counts)
    if truth is None and noise is not None:
        bias2 -= noise  # it was in the targets
    if truth is not None and noise is None:
        noise = float(np.mean(noises))
    error = bias2 + variance + (noise or 0.0)
    return BiasVariance(bias2, variance, noise, error, _jackknife(predictions, target, counts), resamples)


class _Drawn:
    """Training sets that a function draws, each from a random stream of its own."""

    def __init__(self, sample: Sample, seed: int) -> None:
        self.sample, self.seed = sample, seed

    def training(self, r: int) -> Batch:
        key = random.key(self.seed, "bias and variance", r) % 2**64
        return arrays(*self.sample(np.random.default_rng(key)))

    def test(self) -> Batch:
        return self.training(-1)  # one draw more, of the same kind

    def unseen(self, r: int) -> Any:
        return True


class _Bootstrap:
    """Training sets drawn with replacement from one."""

    def __init__(self, data: Any, seed: int) -> None:
        if not isinstance(data, tuple | list) or len(data) != 2:
            raise ValueError("data: expected arrays (x, y), or a function sample(rng) that returns them")
        self.batch, self.seed = arrays(*data), seed
        self.size = size_of(self.batch)

    def training(self, r: int) -> Batch:
        return pick(self.batch, self._rows(r))

    def test(self) -> Batch:
        return self.batch

    def unseen(self, r: int) -> Any:
        """Return which samples are out of bag: where a model is judged it has not been trained."""
        return ~np.isin(np.arange(self.size), self._rows(r))

    def _rows(self, r: int) -> Rows:
        key = random.key(self.seed, "bias and variance", r)
        return random.Generator(key).integers(0, self.size, (self.size,))


def _compared_at(
    sets: _Drawn | _Bootstrap, x_test: Any, y_test: Any, truth: Callable[[Any], Any] | None
) -> tuple[Any, Any]:
    """Return the inputs and the values that predictions are compared with."""
    if x_test is None:
        if y_test is not None:
            raise ValueError("y_test: expected x_test too, the inputs it belongs to")
        x, y, _ = sets.test()
    elif truth is None and y_test is None:
        raise ValueError("x_test: expected y_test too, or the truth as a function of x")
    else:
        x, y = as_arrays(x_test, "x_test"), as_arrays(y_test, "y_test")
    return x, y if truth is None else truth(x)


def _like(one: Any, y: Any) -> Floats:
    """Return targets in the shape of the predictions, of which `one` is the first."""
    if not isinstance(one, np.ndarray):
        raise ValueError("bias_variance: expected a model with one output, got several")
    y = np.asarray(y, dtype=np.float64)
    if y.shape[1:] != one.shape[1:] and (y.shape[1:], one.shape[1:]) not in (((), (1,)), ((1,), ())):
        raise ValueError(
            f"bias_variance is for squared errors: expected targets of shape (samples, "
            f"{', '.join(map(str, one.shape[1:]))}), as the predictions, got {y.shape}; for classes, give "
            f"one-hot targets to a model that ends in a softmax (the 0-1 loss is not decomposed)"
        )
    like: Floats = y.reshape(len(y), *one.shape[1:])
    return like


def _parts(predictions: Floats, target: Floats, counts: Counts) -> tuple[float, float]:
    """Return unbiased estimates of bias² and variance, the means over samples and outputs.

    Args:
        predictions: of shape (trainings, samples, ...).
        target: what they are compared with, (samples, ...).
        counts: which training's prediction of which sample counts, (trainings, samples).
    """
    number = counts.sum(axis=0)
    judged = number >= 2  # of one prediction there is no variance
    if not judged.any():
        raise ValueError(f"no sample was left out by two of {len(counts)} resamples; give more resamples")
    shape = (-1, *[1] * (target.ndim - 1))
    weight = counts[:, judged].reshape(len(counts), *(number[judged].reshape(shape).shape))
    number = number[judged].reshape(shape)
    predictions, target = predictions[:, judged], target[judged]
    mean = (predictions * weight).sum(axis=0) / number
    variance = ((predictions - mean) ** 2 * weight).sum(axis=0) / (number - 1)
    bias2 = (mean - target) ** 2 - variance / number
    return float(bias2.mean()), float(variance.mean())


def _jackknife(predictions: Floats, target: Floats, counts: Counts) -> dict[str, float]:
    """Return standard errors, from the estimates that leave out one training each (Efron, 1979)."""
    n = len(predictions)
    kept = (np.arange(n) != r for r in range(n))
    bias2, variance = np.array([_parts(predictions[rows], target, counts[rows]) for rows in kept]).T
    estimates = {"bias2": bias2, "variance": variance, "error": bias2 + variance}
    return {name: float(np.sqrt((n - 1) * values.var())) for name, values in estimates.items()}
