"""Metrics, under Keras's names: what training reports and does not follow the gradient of.

A metric is three pure functions, so that it can run inside a compiled step: `Metric.initial_state`,
`Metric.update` for a batch, and `Metric.compute` for the number. Its state is a few float64 scalars, or
vectors with a number for each class or threshold: counts stay exact up to 2**53, and sums do not lose the
small terms of a long epoch. The value is that of all data at once, however it is cut into batches. Over these
functions lies Keras's stateful interface, `Metric.update_state`, `Metric.result` and `Metric.reset_state`.
"""

from __future__ import annotations

import copy
import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dualnn import backends, losses
from dualnn.losses import StaticShape, aligned, aligned_weight, class_indices, operands, same_shape
from dualnn.names import lookup
from dualnn.protocol import Backend, Tensor
from dualnn.saving.configs import Configured

State = dict[str, Tensor]


class Metric(Configured):
    """The base class: a subclass names its sums and defines `update` and `compute`.

    Args:
        name: the key of the metric in the history of training.

    >>> import dualnn as dn
    >>> class Largest(dn.metrics.Metric):
    ...     sums = ("largest",)
    ...     def update(self, nn, state, y_true, y_pred, sample_weight=None):
    ...         return {"largest": nn.maximum(state["largest"], nn.astype(nn.max(y_pred), nn.float64))}
    ...     def compute(self, state):
    ...         return float(state["largest"])
    >>> metric = Largest(name="largest")
    >>> metric.update_state([0.0, 0.0], [1.0, 3.0])
    >>> metric.result()
    3.0
    """

    sums: tuple[str, ...] = ()
    """The names of the scalars in the state."""
    direction: str | None = None
    """Which way is better, ``"up"`` or ``"down"``; None if the metric does not say. Callbacks go by it."""

    diary: ClassVar[frozenset[str]] = frozenset({"_state"})
    """The attributes that record what has happened, and do not say what the metric computes."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or type(self).__name__
        self._state: State | None = None

    def initial_state(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return the state before the first batch: zeros in float64, on the host."""
        return {name: np.zeros(()) for name in self.sums}

    def initial_state_for(self, y_pred_shape: StaticShape) -> dict[str, npt.NDArray[np.float64]]:
        """Return the state before the first batch of outputs of a shape, if it depends on their shape."""
        return self.initial_state()

    def update(
        self, nn: Backend, state: State, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> State:
        """Return the state after one more batch; pure, so that it can be compiled.

        Args:
            nn: the backend of the tensors.
            state: the state so far, native float64 scalars.
            y_true: the targets.
            y_pred: the model's output.
            sample_weight: a weight for each sample, or None for all 1.

        Raises:
            ValueError: the shapes do not fit.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update(nn, state, y_true, y_pred)")

    def compute(self, state: Mapping[str, npt.NDArray[Any]]) -> Any:
        """Return the metric's value, from a state on the host: a float, or an array of several."""
        raise NotImplementedError(f"{type(self).__name__} must define compute(state)")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in one more batch: native tensors, arrays or lists.

        Raises:
            ValueError: the shapes do not fit.
            TypeError: tensors of two frameworks.
        """
        nn, y_true, y_pred = operands(y_true, y_pred)
        y_true, y_pred = self._aligned(nn, y_true, y_pred)
        self._state = self.update(nn, self._native_state(nn, y_pred), y_true, y_pred, sample_weight)

    def result(self) -> Any:
        """Return the metric's value over the batches since the start or the last `reset_state`."""
        if self._state is None:
            return self.compute(self.initial_state())
        nn = backends.namespace(*self._state.values())
        return self.compute({name: nn.to_numpy(value) for name, value in self._state.items()})

    def reset_state(self) -> None:
        """Forget all batches."""
        self._state = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do `update_state`, and return the `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def _aligned(self, nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `update` is given: somebody's own one need not know that shapes broadcast."""
        is_ours = type(self).update.__module__ == __name__
        return (y_true, y_pred) if is_ours else aligned(nn, y_true, y_pred)

    def _native_state(self, nn: Backend, like: Tensor) -> State:
        if self._state is not None:
            return self._state
        device, shape = nn.device(like), (None, *tuple(like.shape)[1:])
        state = self.initial_state_for(shape)
        return {name: nn.asarray(value, device=device) for name, value in state.items()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


# ------------------------------------------------------------------ means


class _Average(Metric):
    """A metric that is a sum of values divided by the sum of their weights."""

    sums = ("total", "count")

    def compute(self, state: Mapping[str, npt.NDArray[Any]]) -> float:
        """Return the weighted mean; 0 of nothing."""
        return float(_ratio(state["total"], state["count"]))

    def _add(self, nn: Backend, state: State, values: Tensor, sample_weight: Tensor | None) -> State:
        if sample_weight is None:
            total, count = nn.sum(values, dtype=nn.float64), math.prod(nn.shape(values))
            if nn.is_tensor(count):
                count = nn.astype(count, nn.float64)
        else:
            values = nn.astype(values, nn.float64)
            weight = aligned_weight(nn, sample_weight, values)
            total, count = nn.sum(values * weight), nn.sum(nn.broadcast_to(weight, nn.shape(values)))
        return {"total": state["total"] + total, "count": state["count"] + count}


class Mean(_Average):
    """The weighted mean of the values it is given.

    >>> import dualnn as dn
    >>> metric = dn.metrics.Mean()
    >>> metric([1.0, 2.0]), metric(6.0)
    (1.5, 3.0)
    """

    def __init__(self, name: str = "mean") -> None:
        super().__init__(name)

    def update(  # type: ignore[override]  # as in Keras, values take the place of two arguments
        self, nn: Backend, state: State, values: Tensor, sample_weight: Tensor | None = None
    ) -> State:
        """Return the state after more values of any shape, with weights for each or for each row."""
        return self._add(nn, state, values, sample_weight)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in more values of any shape, with weights for each or for each row."""
        nn, _, values = operands(values, values)
        self._state = self.update(nn, self._native_state(nn, values), values, sample_weight)


class _MeanOf(_Average):
    """The mean of a value for each sample, or each number, of `y_true` and `y_pred`."""

    def update(
        self, nn: Backend, state: State, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> State:
        """Return the state after one more batch, as `Metric.update` says."""
        values = self._values(y_true, y_pred)
        if len(values.shape) == 0 and len(y_pred.shape) > 0 and sample_weight is None:
            # a function that returns one number for the batch: that of each sample in it
            values = nn.broadcast_to(values, nn.shape(y_pred)[:1])
        return self._add(nn, state, values, sample_weight)

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        raise NotImplementedError


class MeanMetricWrapper(_MeanOf):
    """The mean of a loss, or of a function of `y_true` and `y_pred` that returns one value a sample.

    Args:
        fn: a loss, or a function as in `dualnn.losses.LossFunctionWrapper`, whose attribute `direction` says
            which way is better, as that of a metric does.
        name: the key in the history; None: the name of `fn`.
        kwargs: further arguments for a function.

    >>> import dualnn as dn
    >>> metric = dn.metrics.MeanMetricWrapper(dn.losses.huber, delta=1.0)
    >>> metric([[0.0], [0.0]], [[1.0], [3.0]])
    1.5
    """

    def __init__(self, fn: Callable[..., Tensor], name: str | None = None, **kwargs: Any) -> None:
        loss = fn if isinstance(fn, losses.Loss) else losses.LossFunctionWrapper(fn, **kwargs)
        super().__init__(name or loss.name)
        self._loss = copy.copy(loss)
        self._loss.reduction = "none"
        is_loss = isinstance(fn, losses.Loss) or fn in losses.FUNCTIONS
        self.direction = "down" if is_loss else getattr(fn, "direction", None)

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return self._loss(y_true, y_pred)


class MeanSquaredError(MeanMetricWrapper):
    """The mean of ``(y_true - y_pred)**2``.

    >>> import dualnn as dn
    >>> dn.metrics.MeanSquaredError()([[0.0], [1.0]], [[2.0], [1.0]])
    2.0
    """

    def __init__(self, name: str = "mean_squared_error") -> None:
        super().__init__(losses.mean_squared_error, name)


class RootMeanSquaredError(MeanMetricWrapper):
    """The square root of the mean of ``(y_true - y_pred)**2``.

    >>> import dualnn as dn
    >>> dn.metrics.RootMeanSquaredError()([[0.0], [4.0]], [[4.0], [0.0]])
    4.0
    """

    def __init__(self, name: str = "root_mean_squared_error") -> None:
        super().__init__(losses.mean_squared_error, name)

    def compute(self, state: Mapping[str, npt.NDArray[Any]]) -> float:
        """Return the root of the weighted mean; 0 of nothing."""
        return math.sqrt(super().compute(state))


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of ``abs(y_true - y_pred)``.

    >>> import dualnn as dn
    >>> dn.metrics.MeanAbsoluteError()([[0.0], [1.0]], [[2.0], [1.0]])
    1.0
    """

    def __init__(self, name: str = "mean_absolute_error") -> None:
        super().__init__(losses.mean_absolute_error, name)


class CosineSimilarity(_MeanOf):
    """The mean cosine of the angle between `y_true` and `y_pred` along an axis: 1 for the same direction.

    >>> import dualnn as dn
    >>> dn.metrics.CosineSimilarity()([[0.0, 4.0]], [[0.0, 0.5]])
    1.0
    """

    direction = "up"

    def __init__(self, name: str = "cosine_similarity", axis: int = -1) -> None:
        super().__init__(name)
        self.axis = axis

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return -losses.cosine_similarity(y_true, y_pred, self.axis)


# ------------------------------------------------------------------ accuracies


class Accuracy(_MeanOf):
    """How often `y_pred` is equal to `y_true`.

    In `compile`, the name ``"accuracy"`` does not mean this but the accuracy that fits the loss: see `get`.

    >>> import dualnn as dn
    >>> dn.metrics.Accuracy()([[1], [2], [3], [4]], [[0], [2], [3], [4]])
    0.75
    """

    direction = "up"

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(name)

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        nn, y_true, y_pred = same_shape(y_true, y_pred)
        return nn.equal(y_true, y_pred)


class BinaryAccuracy(_MeanOf):
    """How often `y_pred` is on the side of `threshold` that `y_true` asks for.

    Args:
        name: the key in the history.
        threshold: a `y_pred` above it means the class 1. For logits give 0.

    A label above one half is the class 1, so 0 and 1 will do for the classes, and so will -1 and 1.

    >>> import dualnn as dn
    >>> dn.metrics.BinaryAccuracy()([1, 1, 0, 0], [[0.75], [0.5], [0.25], [0.0]])
    0.75
    """

    direction = "up"

    def __init__(self, name: str = "binary_accuracy", threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = threshold

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        nn, y_true, y_pred = same_shape(y_true, y_pred)
        right = nn.equal(y_true > 0.5, y_pred > self.threshold)
        return nn.logical_and(right, nn.equal(y_pred, y_pred))  # NaN is not equal to itself


class CategoricalAccuracy(_MeanOf):
    """How often the largest of `y_pred` is where the largest of `y_true` is, such as the 1 of a one-hot row.

    >>> import dualnn as dn
    >>> dn.metrics.CategoricalAccuracy()([[0, 1], [0, 1]], [[0.25, 0.75], [0.75, 0.25]])
    0.5
    """

    direction = "up"

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(name)

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        nn, y_true, y_pred = same_shape(y_true, y_pred)
        return _is_largest(nn, nn.argmax(y_true, axis=-1), y_pred)


class SparseCategoricalAccuracy(_MeanOf):
    """How often the largest of `y_pred` is at the index `y_true`.

    >>> import dualnn as dn
    >>> dn.metrics.SparseCategoricalAccuracy()([1, 1], [[0.25, 0.75], [0.75, 0.25]])
    0.5
    """

    direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(name)

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        nn, y_true, y_pred = class_indices(y_true, y_pred)
        return _is_largest(nn, y_true, y_pred)


def _is_largest(nn: Backend, classes: Tensor, y_pred: Tensor) -> Tensor:
    # `argmax` takes a NaN for the largest, yet a NaN is no right answer
    has_no_nan = nn.all(nn.equal(y_pred, y_pred), axis=-1)  # NaN is not equal to itself
    return nn.logical_and(nn.equal(classes, nn.argmax(y_pred, axis=-1)), has_no_nan)


class TopKCategoricalAccuracy(_MeanOf):
    """How often fewer than `k` of `y_pred` are larger than the one where the largest of `y_true` is.

    >>> import dualnn as dn
    >>> dn.metrics.TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 0, 1]], [[0.5, 0.0, 0.3], [0.5, 0.4, 0.1]])
    0.5
    """

    direction = "up"

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy") -> None:
        super().__init__(name)
        self.k = k

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        nn, y_true, y_pred = same_shape(y_true, y_pred)
        return _in_top_k(nn, nn.argmax(y_true, axis=-1), y_pred, self.k)


class SparseTopKCategoricalAccuracy(_MeanOf):
    """How often fewer than `k` of `y_pred` are larger than the one at the index `y_true`.

    >>> import dualnn as dn
    >>> dn.metrics.SparseTopKCategoricalAccuracy(k=2)([2, 2], [[0.5, 0.0, 0.3], [0.5, 0.4, 0.1]])
    0.5
    """

    direction = "up"

    def __init__(self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy") -> None:
        super().__init__(name)
        self.k = k

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        nn, y_true, y_pred = class_indices(y_true, y_pred)
        return _in_top_k(nn, y_true, y_pred, self.k)


def _in_top_k(nn: Backend, classes: Tensor, y_pred: Tensor, k: int) -> Tensor:
    score = nn.take_along_axis(y_pred, nn.expand_dims(classes, axis=-1), axis=-1)
    larger = nn.sum(nn.astype(y_pred > score, nn.int64), axis=-1)
    # No number is larger than a NaN, yet a NaN is no right answer.
    return nn.logical_and(larger < k, nn.isfinite(nn.squeeze(score, -1)))


# ------------------------------------------------------------------ between two classes


class _PositivesMetric(Metric):
    """A metric of how many entries are positive: in `y_true`, in `y_pred`, and in both."""

    direction = "up"
    sums = ("true_positives", "predicted_positives", "actual_positives")

    def update(
        self, nn: Backend, state: State, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> State:
        """Return the state after one more batch, as `Metric.update` says."""
        nn, y_true, y_pred = same_shape(y_true, y_pred)
        if len(y_pred.shape) == 1:  # n samples of one number
            y_true, y_pred = (nn.expand_dims(x, axis=-1) for x in (y_true, y_pred))
        actual = nn.astype(y_true > 0.5, nn.float64)
        weight = None if sample_weight is None else aligned_weight(nn, sample_weight, actual)
        actual = actual if weight is None else actual * weight
        counts = self._counts(nn, actual, y_pred, weight)
        return {name: state[name] + count for name, count in zip(self.sums, counts, strict=True)}

    def _counts(
        self, nn: Backend, actual: Tensor, y_pred: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weights of what is positive in both, in `y_pred`, and in `y_true`."""
        raise NotImplementedError


class _AtThresholds(_PositivesMetric):
    """A metric at one threshold, or at several, for each of which it has a value."""

    def __init__(self, thresholds: Any, name: str) -> None:
        super().__init__(name)
        thresholds = 0.5 if thresholds is None else thresholds
        values = np.asarray(thresholds, dtype=np.float64) if _are_numbers(thresholds) else np.zeros(0)
        if values.ndim > 1 or values.size == 0 or not np.isfinite(values).all():
            raise ValueError(
                f"{type(self).__name__}: expected thresholds to be a finite number or a list of such, "
                f"got {thresholds!r}"
            )
        self.thresholds = thresholds

    def initial_state(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return zeros, one for each threshold."""
        return {name: np.zeros(np.shape(self.thresholds)) for name in self.sums}

    def _counts(
        self, nn: Backend, actual: Tensor, y_pred: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        def at(threshold: float) -> tuple[Tensor, Tensor]:
            predicted = nn.astype(y_pred > threshold, nn.float64)
            return nn.sum(predicted * actual), nn.sum(predicted if weight is None else predicted * weight)

        if np.ndim(self.thresholds) == 0:
            return (*at(float(self.thresholds)), nn.sum(actual))
        both, predicted = zip(*(at(float(threshold)) for threshold in self.thresholds), strict=True)
        return nn.stack(both), nn.stack(predicted), nn.sum(actual)


def _are_numbers(x: Any) -> bool:
    items = x if isinstance(x, list | tuple | np.ndarray) else [x]
    return all(isinstance(item, numbers.Real) for item in items)


class Precision(_AtThresholds):
    """How many of the entries of `y_pred` above the threshold are positive in `y_true`; 0 of none.

    Args:
        thresholds: a `y_pred` above it is predicted positive; None: 0.5. For logits give 0. For a list the
            value is an array with a number for each threshold.
        name: the key in the history.

    >>> import dualnn as dn
    >>> dn.metrics.Precision()([0, 1, 1, 1], [[1.0], [0.0], [1.0], [1.0]])
    0.6666666666666666
    """

    def __init__(self, thresholds: Any = None, name: str = "precision") -> None:
        super().__init__(thresholds, name)

    def compute(self, state: Mapping[str, npt.NDArray[Any]]) -> Any:
        """Return the precision, or an array with that at each threshold."""
        return _ratio(state["true_positives"], state["predicted_positives"])


class Recall(_AtThresholds):
    """How many of the positive entries of `y_true` are above the threshold in `y_pred`; 0 of none.

    Args:
        thresholds: a `y_pred` above it is predicted positive; None: 0.5. For logits give 0. For a list the
            value is an array with a number for each threshold.
        name: the key in the history.

    >>> import dualnn as dn
    >>> dn.metrics.Recall()([0, 1, 1, 1], [[1.0], [0.0], [1.0], [1.0]])
    0.6666666666666666
    """

    def __init__(self, thresholds: Any = None, name: str = "recall") -> None:
        super().__init__(thresholds, name)

    def compute(self, state: Mapping[str, npt.NDArray[Any]]) -> Any:
        """Return the recall, or an array with that at each threshold."""
        return _ratio(state["true_positives"], state["actual_positives"])


class F1Score(_PositivesMetric):
    """The harmonic mean of precision and recall of each class; 0 of none.

    Labels are one-hot, or 0 and 1 for each of several outputs; or 0 and 1 for the only one.

    Args:
        average: None: an array with the score of each class; ``"micro"``: that of all entries together;
            ``"macro"``: the mean of the classes' scores; ``"weighted"``: their mean weighted by how many of
            `y_true` each has. Of a model with one output it is a number anyway.
        threshold: a `y_pred` above it is predicted positive. None: of several outputs the largest is, as of
            a softmax, and one output is compared with 0.5. For logits of one output give 0.
        name: the key in the history.

    Raises:
        ValueError: another average, or a threshold that is no finite number.

    >>> import dualnn as dn
    >>> dn.metrics.F1Score()([[1, 0], [0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]).round(3).tolist()
    [0.667, 0.667]
    >>> dn.metrics.F1Score()([0, 1, 1, 1], [[1.0], [0.0], [1.0], [1.0]])
    0.6666666666666666
    """

    _AVERAGES = (None, "micro", "macro", "weighted")

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str = "f1_score"
    ) -> None:
        super().__init__(name)
        if average not in self._AVERAGES:
            raise ValueError(f"F1Score: expected an average among {self._AVERAGES}, got {average!r}")
        if threshold is not None and not (isinstance(threshold, numbers.Real) and math.isfinite(threshold)):
            raise ValueError(f"F1Score: expected a finite number as threshold, got {threshold!r}")
        self.average, self.threshold = average, threshold

    def initial_state_for(self, y_pred_shape: StaticShape) -> dict[str, npt.NDArray[np.float64]]:
        """Return zeros, one for each class."""
        classes = y_pred_shape[-1] if len(y_pred_shape) > 1 else 1
        return {name: np.zeros((classes,) if classes and classes > 1 else ()) for name in self.sums}

    def _counts(
        self, nn: Backend, actual: Tensor, y_pred: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        one = tuple(y_pred.shape)[-1] == 1
        if self.threshold is None and not one:
            largest = nn.max(y_pred, axis=-1, keepdims=True)
            # as in Keras, a row of zeros predicts nothing
            predicted = nn.logical_and(y_pred >= largest, nn.abs(y_pred) > 1e-9)
        else:
            predicted = y_pred > (0.5 if self.threshold is None else self.threshold)
        predicted = nn.astype(predicted, nn.float64)
        axes = None if one else tuple(range(len(y_pred.shape) - 1))
        both, predicted = predicted * actual, predicted if weight is None else predicted * weight
        return nn.sum(both, axis=axes), nn.sum(predicted, axis=axes), nn.sum(actual, axis=axes)

    def compute(self, state: Mapping[str, npt.NDArray[Any]]) -> Any:
        """Return the F1 score, or an array with that of each class."""
        both, predicted, actual = (np.asarray(state[name]) for name in self.sums)
        if self.average == "micro":
            both, predicted, actual = both.sum(), predicted.sum(), actual.sum()
        scores = _ratio(2 * both, predicted + actual)
        if np.ndim(scores) == 0 or self.average is None:
            return scores
        if self.average == "macro":
            return float(np.mean(scores))
        return _ratio((scores * actual).sum(), actual.sum())


# ------------------------------------------------------------------ regression


class R2Score(Metric):
    """The coefficient of determination of one output: 1 less the residual's share of the variance.

    It is 0 where `y_true` is constant.

    >>> import dualnn as dn
    >>> round(dn.metrics.R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]), 4)
    0.5714
    """

    direction = "up"
    sums = ("count", "mean", "deviation", "residual")

    def __init__(self, name: str = "r2_score") -> None:
        super().__init__(name)

    def update(
        self, nn: Backend, state: State, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> State:
        """Return the state after one more batch, as `Metric.update` says.

        Raises:
            ValueError: the shapes do not fit, or there is more than one output.
        """
        nn, y_true, y_pred = same_shape(y_true, y_pred)
        if len(y_pred.shape) > 1 and tuple(y_pred.shape)[-1] != 1:
            raise ValueError(f"R2Score: expected one output, got y_pred of shape {tuple(y_pred.shape)}")
        y_true, y_pred = nn.astype(y_true, nn.float64), nn.astype(y_pred, nn.float64)
        weight = nn.ones_like(y_true)
        if sample_weight is not None:
            weight = nn.broadcast_to(aligned_weight(nn, sample_weight, y_true), nn.shape(y_true))
        # Means and squared deviations of two parts make those of both (Chan, Golub and LeVeque, 1979).
        # Sums of squares would lose all digits where the mean is large beside the deviations.
        count = nn.sum(weight)
        mean = nn.sum(weight * y_true) / nn.where(count == 0.0, 1.0, count)
        deviation = nn.sum(weight * nn.square(y_true - mean))
        both = state["count"] + count
        share, step = count / nn.where(both == 0.0, 1.0, both), mean - state["mean"]
        return {
            "count": both,
            "mean": state["mean"] + step * share,
            "deviation": state["deviation"] + deviation + nn.square(step) * state["count"] * share,
            "residual": state["residual"] + nn.sum(weight * nn.square(y_true - y_pred)),
        }

    def compute(self, state: Mapping[str, npt.NDArray[Any]]) -> float:
        """Return the coefficient."""
        deviation, rounding = float(state["deviation"]), 8 * np.finfo(np.float64).eps * state["mean"]
        if deviation <= state["count"] * rounding**2:  # constant, but for the rounding of the mean
            return 0.0
        return 1.0 - float(state["residual"]) / deviation


def _ratio(total: Any, count: Any) -> Any:
    """Return a quotient as a float, or an array of them; 0 where nothing was counted."""
    quotient = np.divide(total, np.where(np.equal(count, 0), 1.0, count)) * np.not_equal(count, 0)
    return float(quotient) if np.ndim(quotient) == 0 else quotient


# ------------------------------------------------------------------ finding one


_CLASSES: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "cosine_similarity": CosineSimilarity,
    "f1_score": F1Score,
    "mean": Mean,
    "precision": Precision,
    "r2_score": R2Score,
    "recall": Recall,
    "root_mean_squared_error": RootMeanSquaredError,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
    "top_k_categorical_accuracy": TopKCategoricalAccuracy,
}
_BY_NAME: dict[str, Any] = {
    **losses.BY_NAME,
    **_CLASSES,
    **{metric.__name__: metric for metric in _CLASSES.values()},
}


def get(
    identifier: Any,
    loss: losses.Loss | None = None,
    y_true_shape: StaticShape | None = None,
    y_pred_shape: StaticShape | None = None,
) -> Metric:
    """Return the metric that a model was compiled with.

    Args:
        identifier: a metric, or its class, or its name; a loss, its class or its name; or a function of
            `y_true` and `y_pred`, as in `MeanMetricWrapper`. A metric found by a name has that name.
        loss: the model's loss, which says what ``"accuracy"`` or ``"acc"`` means: of a
            `dualnn.losses.BinaryCrossentropy` the `BinaryAccuracy`, with the threshold 0 if it is from
            logits (Keras leaves it at 0.5 there); of the hinges the same with the threshold 0; of the
            others for classes the `CategoricalAccuracy` or the `SparseCategoricalAccuracy`. A loss of
            PyTorch or Keras counts as its twin here.
        y_true_shape: the shape of the targets, which decides for any other loss, as in Keras.
        y_pred_shape: the shape of the model's output, likewise.

    Raises:
        ValueError: no metric has this name, or nothing says which accuracy is meant.
        TypeError: none of these.

    >>> import dualnn as dn
    >>> dn.metrics.get("accuracy", dn.losses.SparseCategoricalCrossentropy())
    <SparseCategoricalAccuracy 'accuracy'>
    """
    if isinstance(identifier, str):
        if identifier.lower() in ("accuracy", "acc"):
            metric = _accuracy(loss, y_true_shape, y_pred_shape)
        else:
            metric = get(lookup("metric", identifier, _BY_NAME))
        metric.name = identifier
        return metric
    if isinstance(identifier, Metric):
        return identifier
    from dualnn.foreign import losses as foreign  # here, as its classes inherit from those of this module

    native = foreign.metric(identifier)
    if native is not None:
        return native
    if inspect.isclass(identifier):
        return get(identifier())
    if callable(identifier):
        return MeanMetricWrapper(identifier)
    raise TypeError(f"expected a metric, its name or a function of y_true and y_pred, got {identifier!r}")


def _accuracy(
    loss: losses.Loss | None, y_true_shape: StaticShape | None, y_pred_shape: StaticShape | None
) -> Metric:
    loss = loss and loss.twin()
    if isinstance(loss, losses.BinaryCrossentropy):
        return BinaryAccuracy(threshold=0.0 if loss.from_logits else 0.5)
    if isinstance(loss, losses.Hinge | losses.SquaredHinge):
        return BinaryAccuracy(threshold=0.0)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return SparseCategoricalAccuracy()
    if isinstance(loss, losses.CategoricalCrossentropy | losses.CategoricalHinge):
        return CategoricalAccuracy()
    if not y_true_shape or not y_pred_shape:
        raise ValueError(
            "which accuracy is meant depends on the loss or the shapes of y_true and y_pred; "
            "name it: 'binary_accuracy', 'categorical_accuracy', 'sparse_categorical_accuracy'"
        )
    if y_pred_shape[-1] == 1:
        return BinaryAccuracy()
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return SparseCategoricalAccuracy()
    return CategoricalAccuracy()
