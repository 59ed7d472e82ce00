"""Losses and metrics of samples by steps by features, with weights, masks and unequal batches.

The losses are those of `cases.losses` with one axis more. The metrics are measured against their definition
over all samples at once, however these are cut into batches, called one by one and in `Model.evaluate` by
each engine. The numbers are short binary fractions, so that sums of them are exact.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import dualnn as dn
from dualnn import losses, metrics
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases import losses as of_losses
from dualnn.conformance.cases.neural import COUNTED
from dualnn.protocol import Backend, Tensor

STEPS = np.array([[0.25, 3.0], [1.5, 0.75]])
SAMPLES = np.array([0.25, 3.0])

# ------------------------------------------------------------------ losses


def _twice(values: Any) -> Array:
    """Return an axis more: the rows, and the rows in the other order."""
    values = np.asarray(values)
    return np.stack([values, values[::-1]])


def _loss(key: tuple[str, str], weight: Any, words: str) -> FunctionCase:
    formula = of_losses._FORMULAS[key]

    def run(nn: Backend, t: Tensor, y: Tensor, *w: Tensor) -> Tensor:
        return getattr(losses, formula.of)(**formula.arguments)(t, y, *w)

    def reference(t: Array, y: Array, w: Any = None) -> Array:
        values = formula.reference(t, y)
        if w is not None:
            values = values * w.reshape(*w.shape, *[1] * (values.ndim - w.ndim))
        return np.sum(values) / np.longdouble(values.size)

    return FunctionCase(
        name=f"losses.{formula.of}",
        variant=", ".join(filter(None, (key[1], "three axes", words))),
        run=run,
        reference=reference,
        inputs=(_twice(formula.y_true), _twice(formula.y_pred), *([] if weight is None else [weight])),
        roundings=formula.roundings + 2 * (4 + 1) + 2,
        derivatives=min(formula.derivatives, 1),
        reason=f"{COUNTED}; the sum over samples and steps",
        machine_code=weight is STEPS and key[1] in ("", "from logits"),
    )


_MORE_AXES = [
    key
    for key in of_losses._FORMULAS
    if key[1] not in ("columns", "a column", "sequences", "integers", "labels 0 and 1")
]
CASES: list[Case] = [_loss(key, None, "") for key in _MORE_AXES]
CASES += [_loss(key, STEPS, "weights of steps") for key in _MORE_AXES]
CASES += [_loss(key, SAMPLES, "weights of samples") for key in _MORE_AXES if key[1] == ""]

# ------------------------------------------------------------------ metrics

CUTS = (2, 1, 3)
"""The sizes of the batches."""
_N = sum(CUTS)
_generator = np.random.default_rng(4)


def _fractions(*shape: int) -> Array:
    return _generator.integers(-8, 9, shape) / 4


_NUMBERS = (_fractions(_N, 3, 4), _fractions(_N, 3, 4))
_NUMBERS[1][::2, 1] = _NUMBERS[0][::2, 1]  # some are right
_AXES = np.concatenate([np.eye(4), -np.eye(4)])
_DIRECTIONS = tuple(
    _AXES[_generator.integers(0, 8, (_N, 3))] * 2.0 ** _generator.integers(-2, 3, (_N, 3, 1)) for _ in "ty"
)
_BITS = (_generator.integers(0, 2, (_N, 3, 2)).astype(float), np.abs(_fractions(_N, 3, 2)) / 2)
_IDS, _SCORES = (
    _generator.integers(0, 4, (_N, 3)),
    _generator.permuted(np.tile(np.arange(4) / 4, (_N, 3, 1)), axis=2),
)
_OF_STEPS, _OF_SAMPLES = 2.0 ** _generator.integers(-2, 3, (_N, 3)), 2.0 ** _generator.integers(-2, 3, _N)


def _per_step(function: Callable[[Array, Array], Array]) -> Callable[..., float]:
    """Return the weighted mean of a function's values, one for each step or each number."""

    def mean(t: Array, y: Array, w: Array) -> float:
        values = np.asarray(function(t, y), float)
        w = np.broadcast_to(w.reshape(*w.shape, *[1] * (values.ndim - w.ndim)), values.shape)
        return float(np.sum(values * w) / np.sum(w))

    return mean


def _share(
    of: Callable[[Array, Array], Array], among: Callable[[Array, Array], Array]
) -> Callable[..., float]:
    """Return the share of entries that are `of` among those that are `among`, weighted."""

    def share(t: Array, y: Array, w: Array) -> float:
        w = np.broadcast_to(w.reshape(*w.shape, *[1] * (t.ndim - w.ndim)), t.shape)
        return float(np.sum(of(t, y) * w) / np.sum(among(t, y) * w))

    return share


def _r2(t: Array, y: Array, w: Array) -> float:
    t, y = t.reshape(-1), y.reshape(-1)
    mean = np.sum(w * t) / np.sum(w)
    return float(1 - np.sum(w * (t - y) ** 2) / np.sum(w * (t - mean) ** 2))


def _both(t: Array, y: Array) -> Array:
    return 1.0 * (t > 0.5) * (y > 0.5)


def _rank(ids: Array, scores: Array) -> Array:
    return np.sum(scores > np.take_along_axis(scores, ids[..., None], -1), -1)


class _Metric(NamedTuple):
    """A metric, targets and outputs, and its definition over all of them, with weights."""

    make: Callable[[], metrics.Metric]
    data: tuple[Array, Array]
    definition: Callable[..., float]


_HOT = (np.eye(4)[_IDS], _SCORES)
_SPARSE = (_IDS, _SCORES)
_METRICS: dict[str, _Metric] = {
    "MeanSquaredError": _Metric(
        metrics.MeanSquaredError, _NUMBERS, _per_step(lambda t, y: np.mean((t - y) ** 2, -1))
    ),
    "MeanAbsoluteError": _Metric(
        metrics.MeanAbsoluteError, _NUMBERS, _per_step(lambda t, y: np.mean(np.abs(t - y), -1))
    ),
    "RootMeanSquaredError": _Metric(
        metrics.RootMeanSquaredError,
        _NUMBERS,
        lambda t, y, w: math.sqrt(_per_step(lambda t, y: np.mean((t - y) ** 2, -1))(t, y, w)),
    ),
    "MeanMetricWrapper": _Metric(
        lambda: metrics.MeanMetricWrapper(losses.mean_absolute_error, name="wrapped"),
        _NUMBERS,
        _per_step(lambda t, y: np.mean(np.abs(t - y), -1)),
    ),
    "Accuracy": _Metric(metrics.Accuracy, _NUMBERS, _per_step(lambda t, y: t == y)),
    "CosineSimilarity": _Metric(
        metrics.CosineSimilarity,
        _DIRECTIONS,
        _per_step(lambda t, y: np.sum(t * y, -1) / np.sqrt(np.sum(t**2, -1) * np.sum(y**2, -1))),
    ),
    "BinaryAccuracy": _Metric(metrics.BinaryAccuracy, _BITS, _per_step(lambda t, y: (t > 0.5) == (y > 0.5))),
    "Precision": _Metric(metrics.Precision, _BITS, _share(_both, lambda t, y: 1.0 * (y > 0.5))),
    "Recall": _Metric(metrics.Recall, _BITS, _share(_both, lambda t, y: 1.0 * (t > 0.5))),
    "F1Score": _Metric(
        lambda: metrics.F1Score("micro", 0.5),
        _BITS,
        _share(lambda t, y: 2 * _both(t, y), lambda t, y: 1.0 * (t > 0.5) + (y > 0.5)),
    ),
    "CategoricalAccuracy": _Metric(
        metrics.CategoricalAccuracy, _HOT, _per_step(lambda t, y: np.argmax(t, -1) == np.argmax(y, -1))
    ),
    "TopKCategoricalAccuracy": _Metric(
        lambda: metrics.TopKCategoricalAccuracy(2),
        _HOT,
        _per_step(lambda t, y: _rank(np.argmax(t, -1), y) < 2),
    ),
    "SparseCategoricalAccuracy": _Metric(
        metrics.SparseCategoricalAccuracy, _SPARSE, _per_step(lambda t, y: t == np.argmax(y, -1))
    ),
    "SparseTopKCategoricalAccuracy": _Metric(
        lambda: metrics.SparseTopKCategoricalAccuracy(2), _SPARSE, _per_step(lambda t, y: _rank(t, y) < 2)
    ),
    "R2Score": _Metric(metrics.R2Score, (_NUMBERS[0][:, 0, :1], _NUMBERS[1][:, 0, :1]), _r2),
}


def _exactly(nn: Backend, number: float, name: str = "") -> Tensor:
    """Return a metric's value, to the bits that no order of its few operations changes."""
    return nn.asarray(np.float64(_rounded(number, name)))


def _rounded(number: float, name: str = "") -> float:
    # the directions are normalized in float32; the sums are of float64
    bits = 16 if name == "CosineSimilarity" else 40
    return round(float(number) * 2**bits) / 2**bits


def _weights_for(name: str) -> dict[str, Array | None]:
    found: dict[str, Array | None] = {"plain": None, "weights of samples": _OF_SAMPLES}
    return found if name == "R2Score" else {**found, "weights of steps": _OF_STEPS}


def _expected(name: str) -> dict[str, float]:
    one = _METRICS[name]
    ones = np.ones(_N)
    return {
        question: _rounded(one.definition(*one.data, ones if w is None else w), name)
        for question, w in _weights_for(name).items()
    }


def _in_batches(name: str, nn: Backend, dtype: str) -> dict[str, Tensor]:
    y_true, y_pred = _METRICS[name].data
    found = {}
    for question, weight in _weights_for(name).items():
        metric, at = _METRICS[name].make(), 0
        for size in CUTS:
            rows, at = slice(at, at + size), at + size
            target = nn.asarray(y_true[rows], dtype=dtype if y_true.dtype.kind == "f" else None)
            given = [] if weight is None else [weight[rows]]
            metric.update_state(target, nn.asarray(y_pred[rows], dtype=dtype), *given)
        found[question] = _exactly(nn, metric.result(), name)
    return found


CASES += [
    ExactCase(
        name=f"metrics.{name}",
        variant="three axes, unequal batches",
        run=functools.partial(_in_batches, name),
        expected=_expected(name),
        reason="its definition over all samples at once; the numbers are exact",
    )
    for name in _METRICS
]


def _mean(nn: Backend, dtype: str) -> dict[str, Tensor]:
    found = {}
    for question, weight in (
        ("plain", None),
        ("weights of samples", _OF_SAMPLES),
        ("weights of steps", _OF_STEPS),
    ):
        metric, at = metrics.Mean(), 0
        for size in CUTS:
            rows, at = slice(at, at + size), at + size
            given = [] if weight is None else [weight[rows]]
            metric.update_state(nn.asarray(_NUMBERS[0][rows], dtype=dtype), *given)
        found[question] = _exactly(nn, metric.result())
    return found


CASES.append(
    ExactCase(
        name="metrics.Mean",
        variant="three axes, unequal batches",
        run=_mean,
        expected={
            question: _rounded(_per_step(lambda t, y: t)(_NUMBERS[0], _NUMBERS[0], w))
            for question, w in (
                ("plain", np.ones(_N)),
                ("weights of samples", _OF_SAMPLES),
                ("weights of steps", _OF_STEPS),
            )
        },
        reason="its definition over all numbers at once, which are exact",
    )
)

# ------------------------------------------------------------------ in Model.evaluate

_TOGETHER = {
    "numbers": (
        "MeanSquaredError",
        "MeanAbsoluteError",
        "RootMeanSquaredError",
        "MeanMetricWrapper",
        "Accuracy",
    ),
    "directions": ("CosineSimilarity",),
    "bits": ("BinaryAccuracy", "Precision", "Recall", "F1Score"),
    "one-hot": ("CategoricalAccuracy", "TopKCategoricalAccuracy"),
    "classes": ("SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy"),
}


def _evaluated(group: str, settings: dict[str, Any], nn: Backend, dtype: str) -> dict[str, Tensor]:
    names = _TOGETHER[group]
    y_true, y_pred = _METRICS[names[0]].data
    found = {}
    for question, weight in _weights_for(names[0]).items():
        plain = weight is None
        model = dn.Sequential([dn.layers.Activation("linear")]).on(nn.name, dtype=dtype)
        made = [_METRICS[name].make() for name in names]
        loss = "sparse_categorical_crossentropy" if group == "classes" else "mse"
        model.compile(
            "sgd", loss, metrics=made if plain else [], weighted_metrics=None if plain else made, **settings
        )
        for _ in range(2):  # the second time as the first
            logs = model.evaluate(
                y_pred, y_true, batch_size=4, sample_weight=weight, verbose=0, return_dict=True
            )
        for name, metric in zip(names, made, strict=True):
            found[f"{name}, {question}"] = _exactly(nn, logs[metric.name], name)
    return found


def _evaluation(group: str, settings: dict[str, Any]) -> Case:
    words = ", ".join(
        f"{key} {value}" if key == "engine" else key for key, value in settings.items() if value
    )
    jit = bool(settings.get("jit"))
    return ExactCase(
        name="Model.evaluate",
        variant=f"metrics of {group}, three axes, {words}",
        run=functools.partial(_evaluated, group, settings),
        expected={
            f"{name}, {question}": value
            for name in _TOGETHER[group]
            for question, value in _expected(name).items()
        },
        dtypes=("float32",),
        level="full" if jit else "quick",
        reason="each metric's definition over all samples at once; the numbers are exact",
    )


CASES += [
    _evaluation(group, settings)
    for group in _TOGETHER
    for settings in (
        {"engine": "eager"},
        {"engine": "step", "jit": False},
        {"engine": "epoch", "jit": False},
        {"engine": "step", "jit": True},
    )
    if group == "numbers" or not settings.get("jit")  # which takes ten seconds for each
]


def _masked(settings: dict[str, Any], nn: Backend, dtype: str) -> dict[str, Tensor]:
    model = dn.Sequential([dn.layers.Masking(0.0), dn.layers.Activation("linear")]).on(nn.name, dtype=dtype)
    made = metrics.MeanAbsoluteError()
    model.compile("sgd", "mse", metrics=[made], **settings)
    logs = model.evaluate(_PADDED, _NUMBERS[0], batch_size=_N, verbose=0, return_dict=True)
    return {"loss": nn.asarray(np.round(logs["loss"], 5)), "metric": _exactly(nn, logs[made.name])}


_PADDED = np.array(_NUMBERS[1])
_PADDED[1, 2:] = _PADDED[4, 1:] = 0  # the steps that a mask leaves out
_COUNTS = np.any(_PADDED != 0, -1).astype(float)
_SQUARES = _per_step(lambda t, y: np.mean((t - y) ** 2, -1))(_NUMBERS[0], _PADDED, _COUNTS)
CASES += [
    ExactCase(
        name="Model.evaluate",
        variant=f"masked steps, engine {engine}",
        run=functools.partial(_masked, {"engine": engine}),
        expected={
            "loss": np.round(_SQUARES, 5),
            "metric": _rounded(_METRICS["MeanAbsoluteError"].definition(_NUMBERS[0], _PADDED, _COUNTS)),
        },
        dtypes=("float32",),
        reason="steps that the mask leaves out count in no mean; the loss, in float32, to five decimals",
    )
    for engine in ("eager", "step", "epoch")
]
