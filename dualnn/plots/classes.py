"""The classes of samples, in whatever form people have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn.training.arrays import as_array


def class_numbers(y: Any, name: str) -> npt.NDArray[Any]:
    """Return one class a sample, a whole number or a name, of shape (samples,).

    Args:
        y: classes, of shape (samples,) or (samples, 1); or one-hot, probabilities or logits of shape
            (samples, classes), whose largest counts.
        name: what errors call it.

    Raises:
        ValueError: another shape, or numbers that are not whole.

    >>> class_numbers([[0.2, 0.8], [0.9, 0.1]], "y").tolist()
    [1, 0]
    """
    array = np.asarray(y) if isinstance(y, list | tuple) else y
    if getattr(getattr(array, "dtype", None), "kind", "") not in "USO":
        array = as_array(array, name)
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[:, 0] if array.shape[1] == 1 else array.argmax(axis=1)
    if array.ndim != 1 or (array.dtype.kind == "f" and not np.array_equal(array, np.floor(array))):
        raise ValueError(
            f"{name}: expected classes of shape (samples,), or (samples, classes) with the largest at the "
            f"class, got shape {np.shape(y)}; of the probability of one class, give {name} > 0.5"
        )
    return array.astype(np.int64) if array.dtype.kind in "bf" else array
