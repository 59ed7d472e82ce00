"""Every metric: over batches, with weights, of nothing, and its update in a compiled function.

The numbers are chosen so that the answers are exact: counts, and sums of short binary fractions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn import losses, metrics
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases.neural import COUNTED, numbers
from dualnn.protocol import Backend, Tensor

_NUMBERS = [([[0.0], [1.0]], [[2.0], [1.0]]), ([[4.0], [3.0]], [[0.0], [5.0]])]  # errors 2, 0, -4, 2
_DIRECTIONS = [
    ([[0.0, 4.0], [2.0, 0.0]], [[0.0, 0.5], [0.0, 1.0]]),
    ([[1.0, 0.0], [0.0, 0.0]], [[-8.0, 0.0], [1.0, 0.0]]),
]
_LABELS = [([1, 0], [[0.75], [0.25]]), ([1, 0], [[0.5], [1.0]])]  # right, right, wrong, wrong
_SCORES = [[[0.5, 0.25, 0.125], [0.125, 0.5, 0.25]], [[0.25, 0.125, 0.5], [0.5, 0.5, 0.0]]]
_CLASSES = [([0, 0], _SCORES[0]), ([0, 1], _SCORES[1])]  # of rank 0, 2, 1, 0; in the last the first is taken
_ONE_HOT = [([[1, 0, 0], [1, 0, 0]], _SCORES[0]), ([[1, 0, 0], [0, 1, 0]], _SCORES[1])]
_WEIGHTS = [[1.0, 3.0], [4.0, 0.0]]

# name, variant: (metric, batches, result, result with weights)
_METRICS: dict[tuple[str, str], tuple[Callable[[], Any], Any, float, float]] = {
    ("MeanSquaredError", ""): (metrics.MeanSquaredError, _NUMBERS, 24 / 4, 68 / 8),
    ("RootMeanSquaredError", ""): (metrics.RootMeanSquaredError, _NUMBERS, 6**0.5, 8.5**0.5),
    ("MeanAbsoluteError", ""): (metrics.MeanAbsoluteError, _NUMBERS, 8 / 4, 18 / 8),
    ("MeanMetricWrapper", "of a function"): (
        lambda: metrics.MeanMetricWrapper(losses.huber, delta=2.0),
        _NUMBERS,
        10 / 4,
        26 / 8,
    ),
    ("MeanMetricWrapper", "of a loss"): (
        lambda: metrics.MeanMetricWrapper(losses.MeanSquaredError(reduction="sum")),
        _NUMBERS,
        24 / 4,
        68 / 8,
    ),
    ("CosineSimilarity", ""): (metrics.CosineSimilarity, _DIRECTIONS, 0.0, -3 / 8),
    ("Accuracy", ""): (metrics.Accuracy, _NUMBERS, 1 / 4, 3 / 8),
    ("BinaryAccuracy", ""): (metrics.BinaryAccuracy, _LABELS, 2 / 4, 4 / 8),
    ("BinaryAccuracy", "threshold 0.25"): (
        lambda: metrics.BinaryAccuracy(threshold=0.25),
        _LABELS,
        3 / 4,
        8 / 8,
    ),
    ("CategoricalAccuracy", ""): (metrics.CategoricalAccuracy, _ONE_HOT, 1 / 4, 1 / 8),
    ("SparseCategoricalAccuracy", ""): (metrics.SparseCategoricalAccuracy, _CLASSES, 1 / 4, 1 / 8),
    ("TopKCategoricalAccuracy", "k = 1"): (
        lambda: metrics.TopKCategoricalAccuracy(1),
        _ONE_HOT,
        2 / 4,
        1 / 8,
    ),
    ("TopKCategoricalAccuracy", "k = 2"): (
        lambda: metrics.TopKCategoricalAccuracy(2),
        _ONE_HOT,
        3 / 4,
        5 / 8,
    ),
    ("SparseTopKCategoricalAccuracy", "k = 1"): (
        lambda: metrics.SparseTopKCategoricalAccuracy(1),
        _CLASSES,
        2 / 4,
        1 / 8,
    ),
    ("SparseTopKCategoricalAccuracy", "k = 2"): (
        lambda: metrics.SparseTopKCategoricalAccuracy(2),
        _CLASSES,
        3 / 4,
        5 / 8,
    ),
    ("Precision", ""): (metrics.Precision, _LABELS, 1 / 2, 1 / 1),
    ("Precision", "threshold 0.25"): (lambda: metrics.Precision(0.25), _LABELS, 2 / 3, 5 / 5),
    ("Recall", ""): (metrics.Recall, _LABELS, 1 / 2, 1 / 5),
    ("F1Score", ""): (metrics.F1Score, _LABELS, 2 / 4, 2 / 6),
    ("R2Score", ""): (metrics.R2Score, _NUMBERS, 1 - 24 / 10, 1 - 68 / (67 - 19 * 19 / 8)),
}


def _over_batches(name: str, variant: str) -> ExactCase:
    make, batches, plain, weighted = _METRICS[name, variant]

    def run(nn: Backend, dtype: str) -> dict[str, Tensor]:
        def result(weights: Any) -> Tensor:
            metric = make()
            for (y_true, y_pred), weight in zip(batches, weights, strict=True):
                metric.update_state(nn.asarray(y_true), nn.asarray(y_pred, dtype=dtype), weight)
            return nn.asarray(metric.result(), dtype="float64")

        forgotten = make()
        forgotten.update_state(*batches[0])
        forgotten.reset_state()
        return {
            "plain": result([None, None]),
            "weighted": result(_WEIGHTS),
            "weights of 0": result([[0.0, 0.0]] * 2),
            "nothing": nn.asarray(make().result(), dtype="float64"),
            "reset": nn.asarray(forgotten.result(), dtype="float64"),
        }

    return ExactCase(
        name=f"metrics.{name}",
        variant=variant,
        run=run,
        expected={"plain": plain, "weighted": weighted, "weights of 0": 0.0, "nothing": 0.0, "reset": 0.0},
        reason="a count or sum of short binary fractions, over a count; 0 of nothing, as in Keras",
    )


def _mean(nn: Backend, dtype: str) -> dict[str, Tensor]:
    def result(batches: Any, weights: Any) -> Tensor:
        metric = metrics.Mean()
        for values, weight in zip(batches, weights, strict=True):
            metric.update_state(nn.asarray(values, dtype=dtype), weight)
        return nn.asarray(metric.result(), dtype="float64")

    return {
        "plain": result([[1.0, 2.0], 6.0], [None, None]),
        "weighted": result([[1.0, 2.0], [[6.0, 2.0]]], [[3.0, 1.0], [2.0]]),
        "nothing": result([], []),
    }


CASES: list[Case] = [_over_batches(name, variant) for name, variant in _METRICS]
CASES += [
    ExactCase(
        name="metrics.Mean",
        run=_mean,
        expected={"plain": 3.0, "weighted": 21 / 8, "nothing": 0.0},
        reason="a weight belongs to a value, or to a row of them",
    ),
    ExactCase(
        name="metrics.SparseTopKCategoricalAccuracy",
        variant="NaN",
        run=lambda nn, dtype: {
            "result": nn.asarray(
                metrics.SparseTopKCategoricalAccuracy(3)([0], nn.asarray([[np.nan, 1.0, 2.0]], dtype=dtype)),
                dtype="float64",
            )
        },
        expected={"result": 0.0},
        reason="NaN is no right answer",
    ),
]


# ------------------------------------------------------------------ the update as a pure function


def _update(metric: metrics.Metric) -> Callable[..., Any]:
    def run(nn: Backend, y_true: Tensor, y_pred: Tensor, weight: Tensor) -> Any:
        device = nn.device(y_pred)
        state = {name: nn.asarray(value, device=device) for name, value in metric.initial_state().items()}
        state = metric.update(nn, state, y_true, y_pred)
        state = metric.update(nn, state, y_true, y_pred, weight)
        return [state[name] for name in metric.sums]

    return run


def _sums(values: Array, weight: Array) -> list[Array]:
    return [np.sum(values * (1 + weight)), np.sum(1 + weight)]


def _r2(t: Array, y: Array, weight: Array) -> list[Array]:
    both, t, y = 1 + weight, t[:, 0], y[:, 0]
    mean = np.sum(both * t) / np.sum(both)
    return [np.sum(both), mean, np.sum(both * (t - mean) ** 2), np.sum(both * (t - y) ** 2)]


_T = numbers(3, 2)
_Y = _T + np.array([[0.4, -1.7], [0.6, 2.3], [-0.3, -1.4]])
_WEIGHT = np.array([0.25, 1.5, 3.0])
# name: (metric, reference, columns, roundings)
_UPDATES: dict[str, tuple[metrics.Metric, Callable[..., Any], int, int]] = {
    "MeanSquaredError": (
        metrics.MeanSquaredError(),
        lambda t, y, w: _sums(np.sum((t - y) ** 2, 1) / 2, w),
        2,
        2 + 3 + 1 + 6,
    ),
    "MeanAbsoluteError": (
        metrics.MeanAbsoluteError(),
        lambda t, y, w: _sums(np.sum(np.abs(t - y), 1) / 2, w),
        2,
        1 + 3 + 1 + 6,
    ),
    "CosineSimilarity": (
        metrics.CosineSimilarity(),
        lambda t, y, w: _sums(np.sum(t * y, 1) / np.sqrt(np.sum(t**2, 1) * np.sum(y**2, 1)), w),
        2,
        2 * (1 + 2 + 1 + 1) + 1 + 2 + 6,
    ),
    "R2Score": (metrics.R2Score(), _r2, 1, 2 + 1 + 6),
}
CASES += [
    FunctionCase(
        name=f"metrics.{name}",
        variant="update",
        run=_update(metric),
        reference=reference,
        inputs=(_T[:, :columns], _Y[:, :columns], _WEIGHT),
        roundings=roundings,
        derivatives=0,
        reason=f"{COUNTED}; the sums are of float64",
    )
    for name, (metric, reference, columns, roundings) in _UPDATES.items()
]
