"""Every loss, as a function, as a class with reductions and weights, and at its limits.

References: the formulas of the docstrings of `dualnn.losses`, which are Keras's. Roundings are counted as in
`cases.neural`, over rows of three numbers; a mean of n numbers counts n + 1.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dualnn import losses
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases.neural import (
    COUNTED,
    LIMITS,
    SIZES,
    WIDE,
    edges,
    level,
    log_softmax,
    numbers,
    softplus,
)
from dualnn.fast_paths import generic
from dualnn.protocol import Backend, Tensor

MEAN = 3 + 1

# ------------------------------------------------------------------ the formulas


def _mean(values: Array) -> Array:
    return np.sum(values, -1) / values.shape[-1]


def _smoothed(t: Array, smoothing: float, towards: Any) -> Array:
    return t * (1 - WIDE(smoothing)) + WIDE(smoothing) * towards


def _huber(t: Array, y: Array, delta: float = 1.0) -> Array:
    size = np.abs(y - t)
    return _mean(np.where(size <= delta, size**2 / 2, delta * size - WIDE(delta) ** 2 / 2))


def _binary(t: Array, y: Array, from_logits: bool = False, label_smoothing: float = 0.0) -> Array:
    t = _smoothed(t, label_smoothing, WIDE(0.5))
    minus_log, minus_log_of_rest = (softplus(-y), softplus(y)) if from_logits else (-np.log(y), -np.log1p(-y))
    return _mean(t * minus_log + (1 - t) * minus_log_of_rest)


def _log_p(y: Array, from_logits: bool) -> Array:
    return log_softmax(y) if from_logits else np.log(y / np.sum(y, -1, keepdims=True))


def _categorical(t: Array, y: Array, from_logits: bool = False, label_smoothing: float = 0.0) -> Array:
    t = _smoothed(t, label_smoothing, 1 / WIDE(y.shape[-1]))
    return -np.sum(t * _log_p(y, from_logits), -1)


def _sparse(t: Array, y: Array, from_logits: bool = False) -> Array:
    index = np.asarray(t).reshape(y.shape[:-1])[..., None].astype(int)
    return -np.take_along_axis(_log_p(y, from_logits), index, -1)[..., 0]


def _margin(t: Array, y: Array) -> Array:
    return np.maximum(1 - np.where(np.asarray(t) > 0, 1, -1) * y, 0)


def _categorical_hinge(t: Array, y: Array) -> Array:
    return np.maximum(np.max((1 - t) * y, -1) - np.sum(t * y, -1) + 1, 0)


def _cosine(t: Array, y: Array) -> Array:
    return -np.sum(t * y, -1) / np.sqrt(np.sum(t**2, -1) * np.sum(y**2, -1))


# ------------------------------------------------------------------ the functions and classes

_T = numbers(2, 3)
_Y = _T + np.array([[0.4, -1.7, 0.6], [2.3, -0.3, -1.4]])  # neither 0 nor the delta of Huber is near
_POSITIVE, _POSITIVE_TOO = (
    np.array([[0.5, 2.3, 1.2], [3.1, 0.7, 0.2]]),
    np.array([[0.9, 1.6, 1.9], [2.2, 0.3, 0.8]]),
)
_P, _SOFT = np.array([[0.2, 0.5, 0.3], [0.7, 0.15, 0.6]]), np.array([[0.3, 0.6, 0.1], [0.2, 0.3, 0.5]])
_BITS, _SIGNS = np.array([[1, 0, 1], [0, 0, 1]]), np.array([[1, -1, 1], [-1, -1, 1]])
_ONE_HOT, _CLASSES = np.array([[0, 0, 1], [0, 1, 0]]), np.array([2, 1])
_LOGITS = {"from_logits": True}


@dataclass(frozen=True)
class _Formula:
    """A loss: its class, the reference, targets and outputs, roundings, derivatives, further arguments."""

    of: str
    reference: Callable[..., Any]
    y_true: Any
    y_pred: Any
    roundings: int
    derivatives: Any = 2
    arguments: dict[str, Any] = field(default_factory=dict)


# function, variant
_FORMULAS: dict[tuple[str, str], _Formula] = {
    ("mean_squared_error", ""): _Formula(
        "MeanSquaredError", lambda t, y: _mean((t - y) ** 2), _T, _Y, 2 + MEAN
    ),
    ("mean_squared_error", "integers"): _Formula(
        "MeanSquaredError", lambda t, y: _mean((t - y) ** 2), _BITS, _Y, 2 + MEAN
    ),
    ("mean_absolute_error", ""): _Formula(
        "MeanAbsoluteError", lambda t, y: _mean(np.abs(t - y)), _T, _Y, 1 + MEAN, 1
    ),
    ("mean_absolute_percentage_error", ""): _Formula(
        "MeanAbsolutePercentageError", lambda t, y: 100 * _mean(np.abs((t - y) / t)), _T, _Y, 3 + MEAN
    ),
    ("mean_squared_logarithmic_error", ""): _Formula(
        "MeanSquaredLogarithmicError",
        lambda t, y: _mean((np.log1p(t) - np.log1p(y)) ** 2),
        _POSITIVE,
        _POSITIVE_TOO,
        4 + 4 + 2 + MEAN,
    ),
    ("huber", ""): _Formula("Huber", _huber, _T, _Y, 4 + MEAN),
    ("huber", "delta 0.5"): _Formula(
        "Huber", lambda t, y: _huber(t, y, 0.5), _T, _Y, 4 + MEAN, 2, {"delta": 0.5}
    ),
    ("log_cosh", ""): _Formula(
        "LogCosh", lambda t, y: _mean(np.log(np.cosh(y - t))), _T, _Y, 1 + 1 + 4 + 4 + 3 + MEAN
    ),
    ("binary_crossentropy", ""): _Formula("BinaryCrossentropy", _binary, _BITS, _P, 4 + 5 + MEAN),
    ("binary_crossentropy", "probabilities"): _Formula(
        "BinaryCrossentropy", _binary, _SOFT, _P, 4 + 5 + MEAN
    ),
    ("binary_crossentropy", "smoothed"): _Formula(
        "BinaryCrossentropy",
        lambda t, y: _binary(t, y, label_smoothing=0.25),
        _BITS,
        _P,
        4 + 7 + MEAN,
        2,
        {"label_smoothing": 0.25},
    ),
    ("binary_crossentropy", "from logits"): _Formula(
        "BinaryCrossentropy", lambda t, y: _binary(t, y, True), _SOFT, _Y, 4 + 4 + 4 + MEAN, 2, _LOGITS
    ),
    ("binary_crossentropy", "from logits, smoothed"): _Formula(
        "BinaryCrossentropy",
        lambda t, y: _binary(t, y, True, 0.25),
        _BITS,
        _Y,
        4 + 4 + 6 + MEAN,
        2,
        {"from_logits": True, "label_smoothing": 0.25},
    ),
    ("categorical_crossentropy", ""): _Formula(
        "CategoricalCrossentropy", _categorical, _ONE_HOT, _P, 4 + 4 + 4
    ),
    ("categorical_crossentropy", "smoothed"): _Formula(
        "CategoricalCrossentropy",
        lambda t, y: _categorical(t, y, label_smoothing=0.25),
        _SOFT,
        _P,
        4 + 4 + 4 + 3,
        2,
        {"label_smoothing": 0.25},
    ),
    ("categorical_crossentropy", "from logits"): _Formula(
        "CategoricalCrossentropy", lambda t, y: _categorical(t, y, True), _SOFT, _Y, 4 + 4 + 4 + 4, 2, _LOGITS
    ),
    ("sparse_categorical_crossentropy", ""): _Formula(
        "SparseCategoricalCrossentropy", _sparse, _CLASSES, _P, 4 + 4
    ),
    ("sparse_categorical_crossentropy", "a column"): _Formula(
        "SparseCategoricalCrossentropy", _sparse, _CLASSES[:, None], _P, 4 + 4
    ),
    ("sparse_categorical_crossentropy", "from logits"): _Formula(
        "SparseCategoricalCrossentropy", lambda t, y: _sparse(t, y, True), _CLASSES, _Y, 4 + 4 + 4, 2, _LOGITS
    ),
    ("sparse_categorical_crossentropy", "sequences"): _Formula(
        "SparseCategoricalCrossentropy",
        lambda t, y: _sparse(t, y, True),
        np.array([[0, 1], [2, 2]]),
        numbers(2, 2, 3),
        4 + 4 + 4,
        2,
        _LOGITS,
    ),
    ("kl_divergence", ""): _Formula(
        "KLDivergence", lambda t, y: np.sum(t * np.log(t / y), -1), _SOFT, _P, 4 + 2 + 3
    ),
    ("poisson", ""): _Formula(
        "Poisson",
        lambda t, y: _mean(y - t * np.log(y + WIDE(losses.EPSILON))),
        _POSITIVE,
        _POSITIVE_TOO,
        4 + 4 + MEAN,
    ),
    ("hinge", ""): _Formula("Hinge", lambda t, y: _mean(_margin(t, y)), _SIGNS, _Y, 2 + MEAN, 1),
    ("hinge", "labels 0 and 1"): _Formula("Hinge", lambda t, y: _mean(_margin(t, y)), _BITS, _Y, 2 + MEAN, 1),
    ("squared_hinge", ""): _Formula(
        "SquaredHinge", lambda t, y: _mean(_margin(t, y) ** 2), _SIGNS, _Y, 3 + MEAN
    ),
    ("squared_hinge", "labels 0 and 1"): _Formula(
        "SquaredHinge", lambda t, y: _mean(_margin(t, y) ** 2), _BITS, _Y, 3 + MEAN
    ),
    ("categorical_hinge", ""): _Formula("CategoricalHinge", _categorical_hinge, _ONE_HOT, _Y, 2 + 3 + 2, 1),
    ("cosine_similarity", ""): _Formula("CosineSimilarity", _cosine, _T, _Y, 2 * (1 + 3 + 1 + 1) + 1 + 3),
    ("cosine_similarity", "columns"): _Formula(
        "CosineSimilarity",
        lambda t, y: _cosine(t.T, y.T),
        _T,
        _Y,
        2 * (1 + 2 + 1 + 1) + 1 + 2,
        2,
        {"axis": 0},
    ),
}


def _reduced(values: Array, weight: Any, reduction: str | None) -> Array:
    weighted = values if weight is None else values * weight
    if reduction in (None, "none"):
        return weighted
    if reduction == "sum":
        return np.sum(weighted)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return np.sum(weighted) / np.sum(np.broadcast_to(weight, values.shape))
    return np.sum(weighted) / WIDE(values.size)


def _function(key: tuple[str, str]) -> FunctionCase:
    (name, variant), formula = key, _FORMULAS[key]
    return FunctionCase(
        name=f"losses.{name}",
        variant=variant,
        run=lambda nn, t, y: getattr(losses, name)(t, y, **formula.arguments),
        reference=formula.reference,
        inputs=(formula.y_true, formula.y_pred),
        roundings=formula.roundings,
        derivatives=formula.derivatives,
        reason=COUNTED,
    )


def _class(key: tuple[str, str], weight: Any = None, reduction: str = "sum_over_batch_size") -> FunctionCase:
    formula = _FORMULAS[key]

    def run(nn: Backend, t: Tensor, y: Tensor, *w: Tensor) -> Tensor:
        return getattr(losses, formula.of)(reduction=reduction, **formula.arguments)(t, y, *w)

    words = [
        key[1],
        reduction if reduction != "sum_over_batch_size" else "",
        "weights" if weight is not None else "",
    ]
    samples = 2 if np.ndim(formula.y_pred) == 2 else 4
    return FunctionCase(
        name=f"losses.{formula.of}",
        variant=", ".join(word for word in words if word),
        run=run,
        reference=lambda t, y, w=None: _reduced(formula.reference(t, y), w, reduction),
        inputs=(formula.y_true, formula.y_pred, *([] if weight is None else [weight])),
        roundings=formula.roundings + 2 * (samples + 1) + 2,
        derivatives=min(formula.derivatives, 1),
        reason=f"{COUNTED}; the sum over samples, and that of the weights",
    )


CASES: list[Case] = [_function(key) for key in _FORMULAS]
CASES += [_class(key) for key in _FORMULAS if key != ("cosine_similarity", "columns")]
# Weights of a loss as different from 1 as can be without their sum being near 0.
CASES += [_class(key, np.array([0.25, 3.0])) for key in _FORMULAS if key[1] == ""]
CASES += [
    _class(("mean_squared_error", ""), weight, reduction)
    for reduction in ("sum", "mean", "mean_with_sample_weight", "none")
    for weight in (None, np.array([0.25, 3.0]))
]
CASES += [
    _class(("sparse_categorical_crossentropy", "sequences"), np.array([[0.5, 2.0], [1.5, 0.0]])),
    FunctionCase(
        name="losses.CosineSimilarity",
        variant="columns",
        run=lambda nn, t, y: losses.CosineSimilarity(axis=0)(t, y),
        reference=lambda t, y: _mean(_cosine(t.T, y.T)),
        inputs=(_T, _Y),
        roundings=2 * (1 + 2 + 1 + 1) + 1 + 2 + MEAN,
        derivatives=1,
        reason=COUNTED,
    ),
]

# ------------------------------------------------------------------ the fused kernel


def _by_formula(key: tuple[str, str]) -> FunctionCase:
    case = _function(key)

    def run(nn: Backend, *x: Tensor) -> Tensor:
        with generic():
            return case.run(nn, *x)

    return replace(case, variant=f"{case.variant}, by the formula", run=run)


CASES += [
    *(_by_formula(("sparse_categorical_crossentropy", variant)) for variant in ("from logits", "sequences")),
    *(
        FunctionCase(
            name="sparse_softmax_cross_entropy",
            variant="mean" if mean else "",
            run=lambda nn, t, y, mean=mean: nn.sparse_softmax_cross_entropy(t, y, mean=mean),
            reference=lambda t, y, mean=mean: np.mean(_sparse(t, y, True)) if mean else _sparse(t, y, True),
            inputs=(np.array([[0, 1], [2, 2]]), numbers(2, 2, 3)),
            roundings=4 + 4 + 4 + (4 + 1 if mean else 0),
            reason=COUNTED,
        )
        for mean in (False, True)
    ),
]

# ------------------------------------------------------------------ long rows

CASES += [
    FunctionCase(
        name="losses.mean_squared_error",
        variant=f"n = {n}",
        run=lambda nn, t, y: losses.mean_squared_error(t, y),
        reference=lambda t, y: _mean((t - y) ** 2),
        inputs=(numbers(1, n), numbers(1, n)[:, ::-1]),
        roundings=2 + n + 1,
        derivatives=0,
        size=n,
        level=level(n),
        reason=COUNTED,
    )
    for n in SIZES
]
CASES += [
    FunctionCase(
        name="losses.sparse_categorical_crossentropy",
        variant=f"n = {n}",
        run=lambda nn, t, y: losses.sparse_categorical_crossentropy(t, y, from_logits=True),
        reference=lambda t, y: _sparse(t, y, True),
        inputs=(np.array([n // 2]), numbers(1, n)),
        roundings=4 + 4 + n + 2,
        derivatives=0,
        size=n,
        level=level(n),
        reason=COUNTED,
    )
    for n in SIZES
]

# ------------------------------------------------------------------ clipping, and other limits


def _clipped(name: str, t: Any, y: Any, reference: Callable[..., Any]) -> list[Case]:
    # One case a dtype, as the clip's limits 1e-7 and 1 - 1e-7 are numbers of the dtype.
    def limits(dtype: str) -> tuple[Any, Any]:
        low, high = (np.asarray(x).astype(dtype) for x in (losses.EPSILON, 1 - losses.EPSILON))
        return low.astype(WIDE), high.astype(WIDE)

    return [
        FunctionCase(
            name=f"losses.{name}",
            variant=f"clipped, {dtype}",
            dtypes=(dtype,),
            run=lambda nn, t, y: getattr(losses, name)(t, y),
            reference=lambda t, y, dtype=dtype: reference(t, y, *limits(dtype)),
            inputs=(np.asarray(t), np.asarray(y)),
            roundings=4 + 5 + MEAN,
            derivatives=0,
            reason=f"{COUNTED}; its docstring: clipped to 1e-7",
        )
        for dtype in ("float32", "float64")
    ]


CASES += _clipped(
    "binary_crossentropy",
    [[0, 0], [1, 1]],
    [[0.0, 1.0], [0.0, 1.0]],
    lambda t, y, low, high: _binary(t, np.clip(y, low, high)),
)
CASES += _clipped(
    "categorical_crossentropy",
    [[0, 1], [1, 0]],
    [[1.0, 0.0], [1.0, 0.0]],
    lambda t, y, low, high: -np.sum(t * np.log(np.clip(y, low, high)), -1),
)
CASES += _clipped(
    "sparse_categorical_crossentropy",
    [1, 0],
    [[1.0, 0.0], [1.0, 0.0]],
    lambda t, y, low, high: -np.log(np.clip(np.array([y[0, 1], y[1, 0]]), low, high)),
)
CASES += _clipped(
    "kl_divergence",
    [[0, 1], [1, 0]],
    [[1.0, 0.0], [1.0, 0.0]],
    lambda t, y, low, high: np.sum(np.clip(t, low, 1) * np.log(np.clip(t, low, 1) / np.clip(y, low, 1)), -1),
)
CASES += _clipped(
    "poisson", [[1, 0]], [[0.0, 0.0]], lambda t, y, low, high: _mean(y - t * np.log(np.maximum(y, low)))
)


def _of(name: str, y_true: Any, **arguments: Any) -> Callable[..., Any]:
    return lambda nn, y: getattr(losses, name)(nn.asarray(y_true), y, **arguments)


_FAR = 1e4
_MARGIN = "its docstring: at the margin the slope of the missed side, as in Keras on TensorFlow"
_FLAT = "clipped: its slope is 0"
# name, variant: (targets, arguments), outputs, values, gradient, reason
_EDGES: list[tuple[str, str, Any, dict[str, Any], Any, Any, Any, str]] = [
    ("mean_absolute_error", "equal", [[1.0]], {}, [[1.0]], [0.0], [[-0.0]], "the slope of abs at 0 is 0"),
    (
        "mean_absolute_percentage_error",
        "equal",
        [[2.0]],
        {},
        [[2.0]],
        [0.0],
        [[-0.0]],
        "the slope of abs at 0 is 0",
    ),
    ("mean_squared_error", "equal", [[1.0]], {}, [[1.0]], [0.0], [[-0.0]], LIMITS),
    ("huber", "at delta", [[0.0]], {}, [[1.0]], [0.5], [[1.0]], "its pieces meet with one slope"),
    ("huber", "equal", [[1.0]], {}, [[1.0]], [0.0], [[0.0]], LIMITS),
    ("huber", "far out", [[0.0]], {}, [[-1e30]], [1e30], [[-1.0]], LIMITS),
    ("log_cosh", "far out, gradient", [[0.0, 0.0]], {}, [[_FAR, -_FAR]], None, [[0.5, -0.5]], LIMITS),
    ("hinge", "at its margin", [[1, -1]], {}, [[1.0, -1.0]], [0.0], [[-0.5, 0.5]], _MARGIN),
    ("squared_hinge", "at its margin", [[1, -1]], {}, [[1.0, -1.0]], [0.0], [[-0.0, 0.0]], LIMITS),
    ("categorical_hinge", "at its margin", [[1, 0]], {}, [[2.0, 1.0]], [0.0], [[-1.0, 1.0]], _MARGIN),
    ("binary_crossentropy", "gradient where clipped", [[0, 1]], {}, [[1.0, 0.0]], None, [[0.0, 0.0]], _FLAT),
    (
        "categorical_crossentropy",
        "gradient where clipped",
        [[0, 1]],
        {},
        [[1.0, 0.0]],
        None,
        [[0.0, 0.0]],
        _FLAT,
    ),
    (
        "sparse_categorical_crossentropy",
        "gradient where clipped",
        [1],
        {},
        [[1.0, 0.0]],
        None,
        [[0.0, 0.0]],
        _FLAT,
    ),
    ("kl_divergence", "gradient where clipped", [[0, 1]], {}, [[2.0, 0.0]], None, [[0.0, 0.0]], _FLAT),
    (
        "binary_crossentropy",
        "large logits",
        [[1, 0], [0, 1]],
        _LOGITS,
        [[_FAR, -_FAR], [_FAR, -_FAR]],
        [0.0, _FAR],
        [[0.0, 0.0], [0.5, -0.5]],
        LIMITS,
    ),
    (
        "categorical_crossentropy",
        "large logits",
        [[1, 0], [0, 1]],
        _LOGITS,
        [[_FAR, 0.0], [_FAR, 0.0]],
        [-0.0, _FAR],
        [[0.0, 0.0], [1.0, -1.0]],
        LIMITS,
    ),
    (
        "sparse_categorical_crossentropy",
        "large logits",
        [0, 1],
        _LOGITS,
        [[_FAR, 0.0], [_FAR, 0.0]],
        None,
        [[0.0, 0.0], [1.0, -1.0]],
        LIMITS,
    ),
    (
        "cosine_similarity",
        "of nothing",
        [[0.0, 4.0]],
        {},
        [[0.0, 0.0]],
        [-0.0],
        None,
        "a short vector counts as 1e-7",
    ),
    (
        "mean_squared_error",
        "of no samples",
        np.zeros((0, 2)),
        {},
        np.zeros((0, 2)),
        np.zeros(0),
        np.zeros((0, 2)),
        LIMITS,
    ),
    ("mean_squared_error", "NaN", [[0.0, 0.0]], {}, [[np.nan, 1.0]], [np.nan], None, LIMITS),
    ("hinge", "NaN", [[1, -1]], {}, [[np.nan, 1.0]], [np.nan], None, LIMITS),
    ("binary_crossentropy", "NaN", [[1]], {}, [[np.nan]], [np.nan], None, LIMITS),
]


def _edge(
    name: str, variant: str, call: Any, points: Any, values: Any, slopes: Any, reason: str
) -> ExactCase:
    if values is not None:
        return edges(name, variant, call, points, values, slopes, reason)

    def run(nn: Backend, dtype: str) -> dict[str, Tensor]:
        return {"gradient": nn.grad(lambda y: nn.sum(call(nn, y)))(nn.asarray(points, dtype=dtype))}

    return ExactCase(name=name, variant=variant, run=run, expected={"gradient": slopes}, reason=reason)


CASES += [
    _edge(f"losses.{name}", variant, _of(name, y_true, **arguments), points, values, slopes, reason)
    for name, variant, y_true, arguments, points, values, slopes, reason in _EDGES
]


def _empty(nn: Backend, dtype: str) -> dict[str, Tensor]:
    nothing = nn.zeros((0, 2), dtype=dtype)
    return {
        "mean": losses.MeanSquaredError()(nothing, nothing),
        "sum": losses.MeanSquaredError(reduction="sum")(nothing, nothing),
    }


def _without_weight(nn: Backend, dtype: str) -> dict[str, Tensor]:
    t, y = nn.zeros((2, 1), dtype=dtype), nn.ones((2, 1), dtype=dtype)
    return {
        reduction: losses.MeanSquaredError(reduction=reduction)(t, y, [0.0, 0.0])
        for reduction in ("sum_over_batch_size", "mean_with_sample_weight")
    }


CASES += [
    ExactCase(
        name="losses.MeanSquaredError",
        variant="of no samples",
        run=_empty,
        expected={"mean": np.nan, "sum": 0.0},
        reason="0 / 0, and a sum of nothing",
    ),
    ExactCase(
        name="losses.MeanSquaredError",
        variant="weights of 0",
        run=_without_weight,
        expected={"sum_over_batch_size": 0.0, "mean_with_sample_weight": 0.0},
        reason="as in Keras, no weight at all gives 0",
    ),
]

# ------------------------------------------------------------------ what the formulas work on


def _operands(nn: Backend, dtype: str) -> dict[str, Tensor]:
    _, t, y = losses.operands([1, 2], nn.asarray([3.0, 4.0], dtype=dtype))
    return {"y_true": t, "y_pred": y}


def _same_shape(nn: Backend, dtype: str) -> dict[str, Tensor]:
    _, t, y = losses.same_shape([1, 2], nn.asarray([[3.0], [4.0]], dtype=dtype))
    return {"y_true": t, "y_pred": y}


def _class_indices(nn: Backend, dtype: str) -> dict[str, Tensor]:
    _, t, y = losses.class_indices([[1.0], [0.0]], nn.asarray([[3.0, 4.0], [5.0, 6.0]], dtype=dtype))
    return {"y_true": t, "y_pred": y}


def _aligned(nn: Backend, dtype: str) -> dict[str, Tensor]:
    t, y = losses.aligned(nn, nn.asarray([1.0, 2.0], dtype=dtype), nn.asarray([[3.0], [4.0]], dtype=dtype))
    return {"y_true": t, "y_pred": y}


def _aligned_weight(nn: Backend, dtype: str) -> dict[str, Tensor]:
    values = nn.zeros((2, 3), dtype=dtype)
    return {
        "samples": losses.aligned_weight(nn, [1, 2], values),
        "values": losses.aligned_weight(nn, np.ones((2, 3)), values),
    }


CASES += [
    ExactCase(name=f"losses.{name}", run=run, expected=expected, reason="its docstring")
    for name, run, expected in (
        ("operands", _operands, {"y_true": [1, 2], "y_pred": [3.0, 4.0]}),
        ("same_shape", _same_shape, {"y_true": [[1.0], [2.0]], "y_pred": [[3.0], [4.0]]}),
        ("aligned", _aligned, {"y_true": [[1.0], [2.0]], "y_pred": [[3.0], [4.0]]}),
        ("class_indices", _class_indices, {"y_true": [1, 0], "y_pred": [[3.0, 4.0], [5.0, 6.0]]}),
        ("aligned_weight", _aligned_weight, {"samples": [[1.0], [2.0]], "values": np.ones((2, 3))}),
    )
]
