"""Weights of samples and of classes: what they may be, and how the latter follow from the labels."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn.losses import Labels, StaticShape

_INSTEAD = "; give sample_weight instead"


def check_class_weight(class_weight: Any) -> None:
    """Raise an error if it is no dictionary of weights by class.

    Raises:
        TypeError: not a dictionary.
        ValueError: a class that is no integer, or a weight that is negative, infinite or NaN.
    """
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight: expected a dictionary {{class: weight}}, got {class_weight!r}")
    for label, weight in class_weight.items():
        if not isinstance(label, numbers.Real) or not float(label).is_integer():
            raise ValueError(
                f"class_weight: expected the number of a class as a key, an integer, got {label!r}"
            )
        if not isinstance(weight, numbers.Real) or not 0 <= float(weight) < math.inf:
            raise ValueError(
                f"class_weight[{label!r}]: expected a finite number of at least 0, got {weight!r}"
            )


def check_sample_weight(weight: Labels, y_pred_shape: StaticShape) -> None:
    """Raise a ValueError if weights are negative or not finite, or fit neither samples nor steps.

    Args:
        weight: the weights of some samples.
        y_pred_shape: the shape of the model's output, with None for the batch's size.
    """
    values = y_pred_shape[:-1] if len(y_pred_shape) > 1 else y_pred_shape
    sizes = zip(weight.shape, y_pred_shape, strict=False)
    if weight.ndim > len(y_pred_shape) + (len(y_pred_shape) == 1) or any(
        n != 1 and size is not None and n != size for n, size in sizes
    ):
        raise ValueError(
            f"sample_weight: expected a weight for each sample or step, {_prefixes(values)}, as the model's "
            f"output is {y_pred_shape}, got an array of shape {weight.shape}"
        )
    valid = (weight >= 0) & (weight < math.inf)
    if not valid.all():
        first = tuple(int(i) for i in np.argwhere(~valid)[0])
        raise ValueError(
            f"sample_weight: expected finite numbers of at least 0, got sample_weight"
            f"[{', '.join(map(str, first))}] = {weight[first]}; a factor of any sign belongs into y and a "
            f"loss of your own"
        )


def _prefixes(shape: StaticShape) -> str:
    return " or ".join(str(shape[:rank]) for rank in range(1, len(shape) + 1))


def weights_of(
    y_true: Labels, class_weight: Mapping[Any, Any], y_pred_shape: StaticShape
) -> npt.NDArray[np.float64]:
    """Return the weight of each label, 1 for a class not named.

    Args:
        y_true: classes as integers, or one-hot rows; of samples or of the steps of sequences.
        class_weight: weights by the number of the class.
        y_pred_shape: the shape of the model's output, with None for the batch's size.

    Returns:
        Weights of the shape of the output without its last axis, that of the classes.

    Raises:
        ValueError: labels that are no classes, such as several at once or any numbers; or weights of
            classes that there are not.
        TypeError: `class_weight` is not a dictionary.

    >>> weights_of(np.array([[0, 1], [1, 1]]), {1: 3.0}, (None, 2, 5)).tolist()
    [[1.0, 3.0], [3.0, 3.0]]
    """
    check_class_weight(class_weight)
    labels = _labels(y_true, y_pred_shape)
    outputs = y_pred_shape[-1] if len(y_pred_shape) > 1 else 1
    one = outputs in (1, None)
    classes = {-1, 0, 1} if one else set(range(outputs or 0))
    found = set(np.unique(labels).tolist()) if one else set()  # of one output the classes may be others
    wrong = [label for label in class_weight if label not in classes | found]
    if wrong:
        raise ValueError(
            f"class_weight: no class {wrong[0]!r}; the classes are "
            f"{f'0 to {outputs - 1}' if outputs and not one else sorted(found)}"
        )
    weights = np.ones(labels.shape)
    for label, weight in class_weight.items():
        weights[labels == label] = weight
    return weights


def _labels(y: Labels, y_pred_shape: StaticShape) -> Labels:
    """Return the classes as integers, of the shape of the output without its last axis."""
    rank = max(len(y_pred_shape) - 1, 1)  # of the labels
    outputs = y_pred_shape[-1] if len(y_pred_shape) > 1 else 1
    if y.ndim == rank + 1 and y.shape[-1] == 1:
        y = y[..., 0]
    if y.ndim == rank + 1 and y.shape[-1] == outputs:
        if not (((y == 0) | (y == 1)).all() and (y.sum(axis=-1) == 1).all()):
            raise ValueError(
                f"class_weight needs one class for each label, as an integer or one-hot, got y of shape "
                f"{y.shape} with rows that are not one-hot{_INSTEAD}"
            )
        return np.asarray(y.argmax(axis=-1))
    if y.ndim != rank:
        raise ValueError(
            f"class_weight needs one class for each label, got y of shape {y.shape} beside the model's "
            f"output of shape {y_pred_shape}{_INSTEAD}"
        )
    if y.dtype.kind not in "biuf" or not (y == np.floor(y)).all():
        raise ValueError(f"class_weight needs classes as integers in y, got other numbers{_INSTEAD}")
    return y
