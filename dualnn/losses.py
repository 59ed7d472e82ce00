"""Losses, under Keras's names and by Keras's formulas.

Each loss is a function of ``y_true`` and ``y_pred`` that returns one value a sample, and a class that
weights these values and reduces them to a scalar. ``y_pred`` is a tensor of floating-point numbers;
``y_true`` may be a tensor, an array or a list, and takes the dtype of ``y_pred``; numbers of 16 bits are
computed in float32, as sums and squares leave the range of float16 and the digits of bfloat16. The two never
broadcast against each other: (n,) beside (n, 1) means the same n numbers, and other differences of
shape are errors.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn import backends
from dualnn.defaults import defaults
from dualnn.fast_paths import fast_path
from dualnn.names import lookup, unknown
from dualnn.protocol import Backend, Tensor
from dualnn.saving.configs import Configured

EPSILON = 1e-7
"""Keras's ``epsilon()``: how far probabilities are kept away from 0 and 1."""

Labels = npt.NDArray[Any]
StaticShape = tuple[int | None, ...]
"""A shape with None where the size is not known yet."""

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")  # the same where there are no weights
_REDUCTIONS = (*_MEANS, "sum", "none")


# ------------------------------------------------------------------ what the formulas work on


def operands(y_true: Any, y_pred: Any) -> tuple[Backend, Tensor, Tensor]:
    """Return the backend of the arguments, and both as its tensors, `y_pred` in float32 or float64.

    Raises:
        TypeError: tensors of two frameworks.
    """
    nn = backends.owner(y_pred)
    if nn is None or not nn.is_tensor(y_true):
        nn, y_true, y_pred = _as_tensors(y_true, y_pred)
    if y_pred.dtype != nn.float32 and y_pred.dtype != nn.float64:
        floating = nn.isdtype(y_pred.dtype, "real floating")
        y_pred = nn.astype(y_pred, nn.float32 if floating else _computed(nn, defaults.dtype))
    return nn, y_true, y_pred


def _computed(nn: Backend, dtype: str) -> Any:
    return nn.float64 if dtype == "float64" else nn.float32


def _as_tensors(y_true: Any, y_pred: Any) -> tuple[Backend, Tensor, Tensor]:
    native = [x for x in (y_true, y_pred) if backends.owner(x) is not None]
    nn = backends.namespace(*native) if native else backends.backend()
    device = nn.device(native[0]) if native else None

    def tensor(x: Any) -> Tensor:
        if nn.is_tensor(x):
            return x
        # beside a tensor a list keeps all its digits, as its dtype will be that of the tensor
        return nn.asarray(np.asarray(x) if native else x, device=device)

    return nn, tensor(y_true), tensor(y_pred)


def same_shape(y_true: Any, y_pred: Any) -> tuple[Backend, Tensor, Tensor]:
    """Return `operands` with one shape and the dtype of `y_pred`.

    Raises:
        ValueError: the shapes differ by more than one axis of size 1 at the end.
        TypeError: tensors of two frameworks.
    """
    nn, y_true, y_pred = operands(y_true, y_pred)
    true_shape, pred_shape = tuple(y_true.shape), tuple(y_pred.shape)
    if not pred_shape or not _hold_the_same(true_shape, pred_shape):
        advice = ""
        if _are_class_indices(true_shape, pred_shape):
            advice = "; classes as integers are for what begins with Sparse, for all else use one_hot(y_true)"
        raise ValueError(
            f"expected y_true and y_pred of one shape, got {true_shape} and {pred_shape}{advice}"
        )
    y_true, y_pred = _of_one_rank(nn, y_true, y_pred)
    return nn, _cast(nn, y_true, y_pred.dtype), y_pred


def aligned(nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Return targets and outputs for a function of somebody's own: (n,) beside (n, 1) as (n, 1) both.

    As in Keras an axis of size 1 at the end, that one of them has alone, is added to one of the shape (n,)
    and else removed. Integers may have another shape, that of classes.

    Raises:
        ValueError: other shapes that would broadcast against each other.
    """
    true_shape, pred_shape = tuple(y_true.shape), tuple(y_pred.shape)
    if true_shape == pred_shape:
        return y_true, y_pred
    if _hold_the_same(true_shape, pred_shape):
        return _of_one_rank(nn, y_true, y_pred) if pred_shape else (y_true, y_pred)
    if nn.isdtype(y_true.dtype, "real floating") and _broadcast(true_shape, pred_shape):
        raise ValueError(
            f"expected y_true and y_pred of one shape, got {true_shape} and {pred_shape}, which would "
            f"broadcast against each other; repeat or reshape y, and give classes as integers"
        )
    return y_true, y_pred


def class_indices(y_true: Any, y_pred: Any) -> tuple[Backend, Tensor, Tensor]:
    """Return `operands` with `y_true` as int64 classes, of the shape of `y_pred` less its last axis.

    Raises:
        ValueError: the shapes do not fit.
        TypeError: tensors of two frameworks.
    """
    nn, y_true, y_pred = operands(y_true, y_pred)
    true_shape, samples = tuple(y_true.shape), tuple(y_pred.shape)[:-1]
    if len(true_shape) == len(samples) + 1 and true_shape[-1] == 1:
        y_true = nn.squeeze(y_true, -1)
    if true_shape != samples and not _agree(tuple(y_true.shape), samples):
        raise ValueError(f"expected y_true of shape {samples}, one class a sample, got {true_shape}")
    return nn, _cast(nn, y_true, nn.int64), y_pred


def aligned_weight(nn: Backend, sample_weight: Any, values: Tensor) -> Tensor:
    """Return weights in the dtype of `values` that broadcast to it from the first axis on.

    A single number is the weight of all.

    Raises:
        ValueError: the shapes do not fit.
    """
    if nn.is_tensor(sample_weight):
        weight = _cast(nn, sample_weight, values.dtype)
    else:
        weight = nn.asarray(sample_weight, dtype=values.dtype, device=nn.device(values))
    given, rank = tuple(weight.shape), len(values.shape)
    if len(given) == rank + 1 and given[-1] == 1:
        weight = nn.squeeze(weight, -1)
    while len(weight.shape) < rank:
        weight = nn.expand_dims(weight, axis=-1)
    sizes = zip(tuple(weight.shape), tuple(values.shape), strict=False)
    if rank == 0 and any(size != 1 for size in given):
        raise ValueError(
            f"sample weights or a mask of shape {given} cannot count: the function returns one number for "
            f"the whole batch; let it return one of the loss for each sample, such as nn.mean(..., axis=-1)"
        )
    if len(weight.shape) > rank or not all(size == 1 or _agree((size,), (other,)) for size, other in sizes):
        raise ValueError(
            f"expected sample_weight of the shape {tuple(values.shape)} of the loss, got {given}"
        )
    return weight


def _require_tensor(nn: Backend, values: Any, name: str) -> Tensor:
    """Return what a function of somebody's own has returned, if it is a tensor.

    Raises:
        TypeError: it is none; nothing could be learned from a number that was computed elsewhere.
    """
    if not nn.is_tensor(values):
        raise TypeError(
            f"{name} returned {values!r:.80}, a {type(values).__name__}: return a tensor with a value for "
            f"each sample, made of y_true and y_pred"
        )
    return values


def _cast(nn: Backend, x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype == dtype else nn.astype(x, dtype)


def _of_one_rank(nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    true_rank, pred_rank = len(y_true.shape), len(y_pred.shape)
    if true_rank < pred_rank == 2:
        y_true = nn.expand_dims(y_true, axis=-1)
    elif pred_rank < true_rank == 2:
        y_pred = nn.expand_dims(y_pred, axis=-1)
    elif true_rank < pred_rank:
        y_pred = nn.squeeze(y_pred, -1)
    elif pred_rank < true_rank:
        y_true = nn.squeeze(y_true, -1)
    return y_true, y_pred


def _broadcast(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether two shapes of at least one axis differ and fit each other all the same, as far as is known."""
    sizes = list(zip(reversed(a), reversed(b), strict=False))
    fits = all(m == n or 1 in (m, n) for m, n in sizes if isinstance(m, int) and isinstance(n, int))
    return bool(sizes) and fits and (len(a) != len(b) or not _agree(a, b))


def _agree(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether two shapes may be equal, as far as their sizes are known."""
    known = ((m, n) for m, n in zip(a, b, strict=False) if isinstance(m, int) and isinstance(n, int))
    return len(a) == len(b) and all(m == n for m, n in known)


def _hold_the_same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether two shapes may be equal but for one axis of size 1 at the end of either."""
    shorter, longer = sorted((a, b), key=len)
    return _agree(a, b) or (longer[-1:] == (1,) and _agree(longer[:-1], shorter))


# ------------------------------------------------------------------ the formulas


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean((y_true - y_pred)**2)`` over the last axis.

    >>> import dualnn as dn
    >>> float(dn.losses.mean_squared_error([[0.0, 1.0]], [[2.0, 1.0]])[0])
    2.0
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    return nn.mean(nn.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(abs(y_true - y_pred))`` over the last axis.

    >>> import dualnn as dn
    >>> float(dn.losses.mean_absolute_error([[0.0, 1.0]], [[2.0, 1.0]])[0])
    1.0
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    return nn.mean(nn.abs(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``100 * mean(abs((y_true - y_pred) / max(abs(y_true), 1e-7)))`` over the last axis.

    >>> import dualnn as dn
    >>> float(dn.losses.mean_absolute_percentage_error([[4.0, 1.0]], [[2.0, 1.0]])[0])
    25.0
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    return 100.0 * nn.mean(nn.abs((y_true - y_pred) / nn.maximum(nn.abs(y_true), EPSILON)), axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean((log(1 + y_true) - log(1 + y_pred))**2)`` over the last axis.

    Numbers below 1e-7 count as 1e-7.

    >>> import dualnn as dn
    >>> float(dn.losses.mean_squared_logarithmic_error([[3.0, 1.0]], [[3.0, 1.0]])[0])
    0.0
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    log_true, log_pred = (nn.log1p(nn.maximum(x, EPSILON)) for x in (y_true, y_pred))
    return nn.mean(nn.square(log_true - log_pred), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """Return the mean of ``e**2 / 2`` where ``abs(e) <= delta``, else ``delta * abs(e) - delta**2 / 2``.

    The mean over the last axis, with ``e = y_pred - y_true`` (Huber, 1964).

    >>> import dualnn as dn
    >>> float(dn.losses.huber([[0.0, 0.0]], [[1.0, 3.0]])[0])
    1.5
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    error = y_pred - y_true
    size = nn.abs(error)
    values = nn.where(size <= delta, 0.5 * nn.square(error), delta * size - 0.5 * delta**2)
    return nn.mean(values, axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(log(cosh(y_pred - y_true)))`` over the last axis, without overflow.

    >>> import dualnn as dn
    >>> round(float(dn.losses.log_cosh([[0.0, 0.0]], [[1.0, -1.0]])[0]), 4)
    0.4338
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    error = y_pred - y_true
    # log(cosh(e)) is -log1p(-tanh(e)**2) / 2, as 1 - tanh**2 = 1 / cosh**2: nothing cancels where e is small.
    # For a large e it is abs(e) + log1p(exp(-2 * abs(e))) - log(2), which does not overflow.
    size, small = nn.abs(error), nn.clip(error, -1.0, 1.0)
    near = -0.5 * nn.log1p(-nn.square(nn.tanh(small)))
    far = size + nn.log1p(nn.exp(-2.0 * size)) - math.log(2.0)
    return nn.mean(nn.where(size < 1.0, near, far), axis=-1)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0
) -> Tensor:
    """Return ``mean(-t * log(p) - (1 - t) * log(1 - p))`` over the last axis.

    Args:
        y_true: ``t``, the probabilities of the class 1, most often 0 or 1.
        y_pred: ``p``, clipped to 1e-7 from 0 and 1; or with `from_logits` its logit ``log(p / (1 - p))``.
        from_logits: no sigmoid was applied to `y_pred`. More precise, and never saturated.
        label_smoothing: move ``t`` by this fraction towards one half.

    >>> import dualnn as dn
    >>> loss = dn.losses.binary_crossentropy([[1.0], [0.0]], [[0.0], [0.0]], from_logits=True)
    >>> round(float(loss[0]), 4)
    0.6931
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        # -log(p) and -log(1 - p), both precise where they are small.
        values = y_true * nn.softplus(-y_pred) + (1.0 - y_true) * nn.softplus(y_pred)
    else:
        p = nn.clip(y_pred, EPSILON, 1.0 - EPSILON)
        values = -(y_true * nn.log(p) + (1.0 - y_true) * nn.log(1.0 - p))
    return nn.mean(values, axis=-1)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0
) -> Tensor:
    """Return ``-sum(t * log(p))`` over the last axis, the classes.

    Args:
        y_true: ``t``, the probabilities of the classes, most often one-hot.
        y_pred: ``p``, divided by its sum and clipped to 1e-7 from 0 and 1; or with `from_logits` its
            logarithm but for a constant.
        from_logits: no softmax was applied to `y_pred`. More precise, and never saturated.
        label_smoothing: move ``t`` by this fraction towards equal probabilities.

    >>> import dualnn as dn
    >>> loss = dn.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    >>> round(float(loss[0]), 4)
    0.6931
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]
    if from_logits:
        log_p = nn.log_softmax(y_pred)
    else:
        p = y_pred / nn.sum(y_pred, axis=-1, keepdims=True)
        log_p = nn.log(nn.clip(p, EPSILON, 1.0 - EPSILON))
    return -nn.sum(y_true * log_p, axis=-1)


def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Tensor:
    """Return ``-log(p)`` of the true class.

    Args:
        y_true: the classes, integers from 0, of shape (n, ...) or (n, ..., 1).
        y_pred: the probabilities of the classes, of shape (n, ..., classes), divided by their sum and
            clipped to 1e-7 from 0 and 1; or with `from_logits` their logarithms but for a constant.
        from_logits: no softmax was applied to `y_pred`. More precise, and never saturated.

    >>> import dualnn as dn
    >>> loss = dn.losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]])
    >>> round(float(loss[0]), 4)
    0.6931
    """
    nn, y_true, y_pred = class_indices(y_true, y_pred)
    kernel = fast_path(nn, "sparse_softmax_cross_entropy") if from_logits else None
    if kernel is not None:
        values: Tensor = kernel(y_true, y_pred, mean=False)
        return values
    index = nn.expand_dims(y_true, axis=-1)
    if from_logits:
        log_p = nn.take_along_axis(nn.log_softmax(y_pred), index, axis=-1)
    else:
        p = nn.take_along_axis(y_pred, index, axis=-1) / nn.sum(y_pred, axis=-1, keepdims=True)
        log_p = nn.log(nn.clip(p, EPSILON, 1.0 - EPSILON))
    return -nn.squeeze(log_p, -1)


def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``sum(t * log(t / p))`` over the last axis, both clipped to [1e-7, 1].

    >>> import dualnn as dn
    >>> float(dn.losses.kl_divergence([[0.5, 0.5]], [[0.5, 0.5]])[0])
    0.0
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    t, p = nn.clip(y_true, EPSILON, 1.0), nn.clip(y_pred, EPSILON, 1.0)
    return nn.sum(t * nn.log(t / p), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(y_pred - y_true * log(y_pred + 1e-7))`` over the last axis.

    >>> import dualnn as dn
    >>> float(dn.losses.poisson([[0.0, 0.0]], [[1.0, 3.0]])[0])
    2.0
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    return nn.mean(y_pred - y_true * nn.log(y_pred + EPSILON), axis=-1)


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(max(1 - t * y_pred, 0))`` over the last axis, ``t`` -1 or 1.

    If all of `y_true` is 0 or 1, a 0 counts as -1. Where the margin is just kept, the gradient is that of
    the missed side.

    >>> import dualnn as dn
    >>> float(dn.losses.hinge([[-1.0, 1.0]], [[1.0, 0.5]])[0])
    1.25
    """
    nn, margin = _missed_margin(y_true, y_pred)
    return nn.mean(margin, axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(max(1 - t * y_pred, 0)**2)`` over the last axis, ``t`` -1 or 1.

    If all of `y_true` is 0 or 1, a 0 counts as -1.

    >>> import dualnn as dn
    >>> float(dn.losses.squared_hinge([[-1.0, 1.0]], [[1.0, 0.5]])[0])
    2.125
    """
    nn, margin = _missed_margin(y_true, y_pred)
    return nn.mean(nn.square(margin), axis=-1)


def _missed_margin(y_true: Any, y_pred: Any) -> tuple[Backend, Tensor]:
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    zero_or_one = nn.all((y_true == 0.0) | (y_true == 1.0))
    sign = nn.where(zero_or_one, 2.0 * y_true - 1.0, y_true)
    return nn, nn.maximum(1.0 - sign * y_pred, 0.0)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``max(1 + max((1 - t) * y_pred) - sum(t * y_pred), 0)`` over the last axis, ``t`` one-hot.

    Where the margin is just kept, the gradient is that of the missed side.

    >>> import dualnn as dn
    >>> float(dn.losses.categorical_hinge([[0.0, 1.0]], [[2.0, 0.5]])[0])
    2.5
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    right = nn.sum(y_true * y_pred, axis=-1)
    wrong = nn.max((1.0 - y_true) * y_pred, axis=-1)
    return nn.maximum(wrong - right + 1.0, 0.0)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Return the negative cosine of the angle between the vectors along an axis: -1 for the same direction.

    A vector shorter than 1e-7 counts as that long.

    >>> import dualnn as dn
    >>> float(dn.losses.cosine_similarity([[0.0, 4.0]], [[0.0, 0.5]])[0])
    -1.0
    """
    nn, y_true, y_pred = same_shape(y_true, y_pred)
    squares = (nn.sum(nn.square(x), axis=axis, keepdims=True) for x in (y_true, y_pred))
    # The maximum inside of the root, as the root's slope at 0 is infinite.
    true_length, pred_length = (nn.sqrt(nn.maximum(square, EPSILON**2)) for square in squares)
    return -nn.sum((y_true / true_length) * (y_pred / pred_length), axis=axis)


# ------------------------------------------------------------------ the classes


class Loss(Configured):
    """The base class of losses: a subclass defines `call`, one value a sample.

    Args:
        reduction: how the values become one: ``"sum_over_batch_size"`` or ``"mean"``, their mean;
            ``"sum"``; ``"mean_with_sample_weight"``, their sum divided by that of the weights;
            ``"none"`` or None, not at all.
        name: what messages call it.

    Raises:
        ValueError: an unknown reduction.

    >>> import dualnn as dn
    >>> class Quartic(dn.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return (y_true - y_pred) ** 4
    >>> float(Quartic()([1.0, 2.0], [1.0, 0.0]))
    8.0
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None) -> None:
        self.reduction = "none" if reduction is None else reduction
        if self.reduction not in _REDUCTIONS:
            raise ValueError(unknown("reduction", reduction, _REDUCTIONS))
        self.name = name or type(self).__name__

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        """Return the loss.

        Args:
            y_true: the targets: a native tensor, an array, or a list.
            y_pred: the model's output, likewise; floating point.
            sample_weight: a weight for each value of `call`, or for each sample; None: all 1.

        Returns:
            A native scalar of the dtype of `y_pred`, float32 where that has 16 bits; without a reduction, the
            values of `call`.

        Raises:
            ValueError: the shapes do not fit.
            TypeError: tensors of two frameworks.
        """
        return self.measure(y_true, y_pred, sample_weight)[0]

    def measure(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """Return the loss, and what it was divided by, so that batches can be put together again.

        The loss of all batches is the sum of loss times divisor, over the sum of divisors.

        Args:
            y_true: the targets, as in a call.
            y_pred: the model's output, likewise.
            sample_weight: a weight for each value of `call`, or for each sample; None: all 1.
            mask: booleans or numbers likewise; what is 0 counts as if it were not there.

        Returns:
            The loss; and the number of values, the sum of their weights, or None for a sum: an int or a
            native scalar. A function that returns one number for all samples has it for each of them.

        Raises:
            ValueError: the shapes do not fit.
            TypeError: tensors of two frameworks.
        """
        nn, y_true, y_pred = operands(y_true, y_pred)
        values = _require_tensor(nn, self.call(*self._arguments(nn, y_true, y_pred)), self.name)
        shape = nn.shape(values) if len(values.shape) else nn.shape(y_pred)[:1]
        weight = None if sample_weight is None else aligned_weight(nn, sample_weight, values)
        present = None if mask is None else aligned_weight(nn, mask, values)
        if present is not None:
            # not by the factor 0 alone, which leaves NaN and infinities as NaN
            values = nn.where(present == 0.0, nn.zeros_like(values), values)
            weight = present if weight is None else weight * present
        if weight is not None:
            values = values * weight
        if self.reduction == "none":
            return values, None
        if self.reduction == "sum":
            return nn.sum(values), None
        counted = weight if self.reduction == "mean_with_sample_weight" else present
        if counted is None:
            return nn.mean(values), math.prod(shape)
        count = nn.sum(nn.broadcast_to(counted, shape))
        return nn.sum(values) / nn.where(count == 0.0, 1.0, count), count

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return one value a sample; the arguments are native and of one dtype."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def twin(self) -> Loss:
        """Return the loss of dualnn that takes targets and outputs for the same; mostly itself."""
        return self

    def check(self, y_true: Labels, y_pred_shape: StaticShape) -> None:
        """Raise a ValueError if these targets cannot be right; `fit` asks before it starts.

        Args:
            y_true: the targets of some samples.
            y_pred_shape: the shape of the model's output, with None for the batch's size.
        """

    def _arguments(self, nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        y_true, y_pred = aligned(nn, y_true, y_pred)
        return _cast(nn, y_true, y_pred.dtype), y_pred

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class LossFunctionWrapper(Loss):
    """A loss made of a function.

    Args:
        fn: a function of `y_true` and `y_pred`, native and of one dtype, that returns one value a sample.
        reduction: as in `Loss`.
        name: what messages call it; None: the function's name.
        kwargs: further arguments for the function.

    >>> import dualnn as dn
    >>> loss = dn.losses.LossFunctionWrapper(lambda y_true, y_pred: (y_true - y_pred) ** 2)
    >>> float(loss([1.0, 2.0], [1.0, 0.0]))
    2.0
    """

    def __init__(
        self,
        fn: Callable[..., Tensor],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(reduction, name or getattr(fn, "__name__", None))
        self.fn = fn
        self.kwargs = kwargs

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the function's value."""
        if len(y_pred.shape) == 1 and self.fn in _OF_NUMBERS:  # n samples of one number, not one of n
            y_pred = backends.namespace(y_pred).expand_dims(y_pred, axis=-1)
        return self.fn(y_true, y_pred, **self.kwargs)


_OF_NUMBERS = (
    *(mean_squared_error, mean_absolute_error, mean_absolute_percentage_error),
    *(mean_squared_logarithmic_error, huber, log_cosh, binary_crossentropy, poisson, hinge, squared_hinge),
)
"""The functions that compare number with number, and then take the mean of a sample's."""

FUNCTIONS = (
    *(*_OF_NUMBERS, categorical_crossentropy, sparse_categorical_crossentropy, kl_divergence),
    *(categorical_hinge, cosine_similarity),
)
"""All losses as functions."""


class _SameShapeLoss(LossFunctionWrapper):
    """A loss that compares each number of `y_pred` with one of `y_true`."""

    def check(self, y_true: Labels, y_pred_shape: StaticShape) -> None:
        """Raise a ValueError if `y_true` is not numbers in the shape of `y_pred`."""
        _require_numbers(self.name, y_true)
        if not _hold_the_same(y_true.shape, y_pred_shape):
            raise ValueError(
                f"{self.name}: expected y_true of the shape {y_pred_shape} of the model's output, "
                f"got {y_true.shape}{self._advice(y_true.shape, y_pred_shape)}"
            )

    def _advice(self, true_shape: StaticShape, pred_shape: StaticShape) -> str:
        return ""


class MeanSquaredError(_SameShapeLoss):
    """The mean of `mean_squared_error`.

    >>> import dualnn as dn
    >>> float(dn.losses.MeanSquaredError()([[0.0], [1.0]], [[2.0], [1.0]]))
    2.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error"
    ) -> None:
        super().__init__(mean_squared_error, reduction, name)


class MeanAbsoluteError(_SameShapeLoss):
    """The mean of `mean_absolute_error`.

    >>> import dualnn as dn
    >>> float(dn.losses.MeanAbsoluteError()([[0.0], [1.0]], [[2.0], [1.0]]))
    1.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error"
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name)


class MeanAbsolutePercentageError(_SameShapeLoss):
    """The mean of `mean_absolute_percentage_error`.

    >>> import dualnn as dn
    >>> float(dn.losses.MeanAbsolutePercentageError()([[4.0], [1.0]], [[2.0], [1.0]]))
    25.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_percentage_error"
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name)


class MeanSquaredLogarithmicError(_SameShapeLoss):
    """The mean of `mean_squared_logarithmic_error`.

    >>> import dualnn as dn
    >>> float(dn.losses.MeanSquaredLogarithmicError()([[3.0], [1.0]], [[3.0], [1.0]]))
    0.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_logarithmic_error"
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name)


class Huber(_SameShapeLoss):
    """The mean of `huber`.

    Raises:
        ValueError: `delta` is not positive.

    >>> import dualnn as dn
    >>> float(dn.losses.Huber(delta=1.0)([[0.0], [0.0]], [[1.0], [3.0]]))
    1.5
    """

    def __init__(
        self, delta: float = 1.0, reduction: str | None = "sum_over_batch_size", name: str = "huber_loss"
    ) -> None:
        if delta <= 0:
            raise ValueError(f"expected a positive delta, got {delta!r}")
        super().__init__(huber, reduction, name, delta=delta)


class LogCosh(_SameShapeLoss):
    """The mean of `log_cosh`.

    >>> import dualnn as dn
    >>> round(float(dn.losses.LogCosh()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh") -> None:
        super().__init__(log_cosh, reduction, name)


class BinaryCrossentropy(_SameShapeLoss):
    """The mean of `binary_crossentropy`: for one output between two classes, or several yes-or-no outputs.

    Raises:
        ValueError: `label_smoothing` is not in [0, 1].

    >>> import dualnn as dn
    >>> loss = dn.losses.BinaryCrossentropy(from_logits=True)
    >>> round(float(loss([1, 0], [[0.0], [0.0]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
    ) -> None:
        _require_fraction("label_smoothing", label_smoothing)
        super().__init__(
            binary_crossentropy, reduction, name, from_logits=from_logits, label_smoothing=label_smoothing
        )
        self.from_logits = from_logits

    def check(self, y_true: Labels, y_pred_shape: StaticShape) -> None:
        """Raise a ValueError if `y_true` is not probabilities in the shape of `y_pred`."""
        super().check(y_true, y_pred_shape)
        advice = "; labels -1 and 1 are for Hinge" if np.isin(y_true, (-1, 1)).all() else ""
        _require_probabilities(self.name, y_true, advice)

    def _advice(self, true_shape: StaticShape, pred_shape: StaticShape) -> str:
        if _are_class_indices(true_shape, pred_shape):
            return "; for one class a sample use SparseCategoricalCrossentropy, or a model with one output"
        return ""


class CategoricalCrossentropy(_SameShapeLoss):
    """The mean of `categorical_crossentropy`: for one-hot labels.

    Raises:
        ValueError: `label_smoothing` is not in [0, 1].

    >>> import dualnn as dn
    >>> loss = dn.losses.CategoricalCrossentropy(from_logits=True)
    >>> round(float(loss([[0, 1]], [[0.0, 0.0]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
    ) -> None:
        _require_fraction("label_smoothing", label_smoothing)
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )
        self.from_logits = from_logits

    def check(self, y_true: Labels, y_pred_shape: StaticShape) -> None:
        """Raise a ValueError if `y_true` is not probabilities in the shape of `y_pred`."""
        _require_two_classes(self.name, y_pred_shape)
        super().check(y_true, y_pred_shape)
        _require_probabilities(self.name, y_true, "")

    def _advice(self, true_shape: StaticShape, pred_shape: StaticShape) -> str:
        if _are_class_indices(true_shape, pred_shape):
            return "; for integer labels use SparseCategoricalCrossentropy, or one_hot(y_true, classes)"
        return ""


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """The mean of `sparse_categorical_crossentropy`: for integer labels.

    >>> import dualnn as dn
    >>> loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    >>> round(float(loss([1, 0], [[0.0, 0.0], [0.0, 0.0]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str = "sparse_categorical_crossentropy",
    ) -> None:
        super().__init__(sparse_categorical_crossentropy, reduction, name, from_logits=from_logits)
        self.from_logits = from_logits

    def measure(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """Return the loss, and what it was divided by; as `Loss.measure`."""
        if (
            self.from_logits
            and sample_weight is None
            and mask is None
            and self.reduction in _MEANS
            and type(self).call is LossFunctionWrapper.call
        ):
            # one kernel for the values and their mean: in small models each call counts
            nn, labels, logits = class_indices(y_true, y_pred)
            kernel = fast_path(nn, "sparse_softmax_cross_entropy")
            if kernel is not None:
                return kernel(labels, logits, mean=True), math.prod(nn.shape(labels))
        return super().measure(y_true, y_pred, sample_weight, mask)

    def check(self, y_true: Labels, y_pred_shape: StaticShape) -> None:
        """Raise a ValueError if `y_true` is not one class a sample, an integer from 0."""
        _require_numbers(self.name, y_true)
        _require_two_classes(self.name, y_pred_shape)
        if not _are_class_indices(y_true.shape, y_pred_shape):
            one_hot = _agree(y_true.shape, y_pred_shape)
            advice = (
                "; for one-hot labels use CategoricalCrossentropy, or y_true.argmax(-1)" if one_hot else ""
            )
            raise ValueError(
                f"{self.name}: expected y_true of shape {y_pred_shape[:-1]}, one class a sample, "
                f"as the model's output is {y_pred_shape}, got {y_true.shape}{advice}"
            )
        _require_all(self.name, y_true, y_true == np.floor(y_true), "expected an integer class")
        classes = y_pred_shape[-1]
        if classes is not None:
            from_one = y_true.size and y_true.min() == 1 and y_true.max() == classes
            advice = "; the labels start from 1: subtract 1" if from_one else ""
            expected = f"expected a class from 0 to {classes - 1}, as the model has {classes} outputs{advice}"
            _require_all(self.name, y_true, (y_true >= 0) & (y_true < classes), expected)

    def _arguments(self, nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        return y_true, y_pred  # a dtype of few bits would not hold every class


class KLDivergence(_SameShapeLoss):
    """The mean of `kl_divergence`, the divergence of Kullback and Leibler (1951).

    >>> import dualnn as dn
    >>> float(dn.losses.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]))
    0.0
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "kl_divergence") -> None:
        super().__init__(kl_divergence, reduction, name)


class Poisson(_SameShapeLoss):
    """The mean of `poisson`, the negative log-likelihood of counts but for a constant.

    >>> import dualnn as dn
    >>> float(dn.losses.Poisson()([[0.0], [0.0]], [[1.0], [3.0]]))
    2.0
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "poisson") -> None:
        super().__init__(poisson, reduction, name)


class Hinge(_SameShapeLoss):
    """The mean of `hinge`.

    >>> import dualnn as dn
    >>> float(dn.losses.Hinge()([-1, 1], [[1.0], [0.5]]))
    1.25
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "hinge") -> None:
        super().__init__(hinge, reduction, name)


class SquaredHinge(_SameShapeLoss):
    """The mean of `squared_hinge`.

    >>> import dualnn as dn
    >>> float(dn.losses.SquaredHinge()([-1, 1], [[1.0], [0.5]]))
    2.125
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge") -> None:
        super().__init__(squared_hinge, reduction, name)


class CategoricalHinge(_SameShapeLoss):
    """The mean of `categorical_hinge`.

    >>> import dualnn as dn
    >>> float(dn.losses.CategoricalHinge()([[0, 1]], [[2.0, 0.5]]))
    2.5
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "categorical_hinge"
    ) -> None:
        super().__init__(categorical_hinge, reduction, name)


class CosineSimilarity(_SameShapeLoss):
    """The mean of `cosine_similarity`.

    >>> import dualnn as dn
    >>> float(dn.losses.CosineSimilarity()([[0.0, 4.0]], [[0.0, 0.5]]))
    -1.0
    """

    def __init__(
        self, axis: int = -1, reduction: str | None = "sum_over_batch_size", name: str = "cosine_similarity"
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, axis=axis)


# ------------------------------------------------------------------ what targets must be


def _require_numbers(name: str, y_true: Labels) -> None:
    if y_true.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: expected numbers in y_true, got an array of dtype {y_true.dtype}; "
            f"np.unique(y_true, return_inverse=True) numbers the labels"
        )


def _require_all(name: str, y_true: Labels, valid: npt.NDArray[np.bool_], expected: str) -> None:
    if not valid.all():
        first = tuple(int(i) for i in np.argwhere(~valid)[0])
        raise ValueError(f"{name}: {expected}, got y_true[{', '.join(map(str, first))}] = {y_true[first]}")


def _require_probabilities(name: str, y_true: Labels, advice: str) -> None:
    _require_all(name, y_true, (y_true >= 0) & (y_true <= 1), f"expected a label from 0 to 1{advice}")


def _require_two_classes(name: str, y_pred_shape: StaticShape) -> None:
    if y_pred_shape[-1:] == (1,):
        raise ValueError(
            f"{name}: expected an output for each class, two or more, got a model's output of shape "
            f"{y_pred_shape}; for one output use BinaryCrossentropy"
        )


def _require_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"expected {name} from 0 to 1, got {value!r}")


def _are_class_indices(true_shape: StaticShape, pred_shape: StaticShape) -> bool:
    """Whether `y_true` has one class where `y_pred` has a vector."""
    return _agree(true_shape, pred_shape[:-1]) or _agree(true_shape, (*pred_shape[:-1], 1))


# ------------------------------------------------------------------ finding one


_CLASSES: dict[str, type[Loss]] = {
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "categorical_hinge": CategoricalHinge,
    "cosine_similarity": CosineSimilarity,
    "hinge": Hinge,
    "huber": Huber,
    "kl_divergence": KLDivergence,
    "log_cosh": LogCosh,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_error": MeanSquaredError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "poisson": Poisson,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "squared_hinge": SquaredHinge,
}
_ABBREVIATIONS: dict[str, type[Loss]] = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
BY_NAME: dict[str, type[Loss]] = {
    **_CLASSES,
    **{loss.__name__: loss for loss in _CLASSES.values()},
    **_ABBREVIATIONS,
    **{name.upper(): loss for name, loss in _ABBREVIATIONS.items()},
}
"""The losses by the names that Keras gives them."""


def get(identifier: Any) -> Loss:
    """Return the loss that a model was compiled with.

    Args:
        identifier: a loss, or its class, or its name: ``"mse"``, ``"mean_squared_error"`` or
            ``"MeanSquaredError"``; or a function of `y_true` and `y_pred`, as in `LossFunctionWrapper`. A
            loss of PyTorch or Keras is called as its own library calls it, on that library's backend.

    Raises:
        ValueError: no loss has this name.
        TypeError: none of these, or another object of a library.

    >>> import dualnn as dn
    >>> dn.losses.get("mse")
    <MeanSquaredError 'mean_squared_error'>
    """
    if isinstance(identifier, str):
        identifier = lookup("loss", identifier, BY_NAME)
    if isinstance(identifier, Loss):
        return identifier
    if inspect.isclass(identifier) and issubclass(identifier, Loss):
        return identifier()
    from dualnn.foreign import losses as foreign  # here, as its classes inherit from those of this module

    native = foreign.loss(identifier)
    if native is not None:
        return native
    if callable(identifier):
        return LossFunctionWrapper(identifier)
    raise TypeError(f"expected a loss, its name or a function of y_true and y_pred, got {identifier!r}")
