"""One batch: inputs, targets and sample weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dualnn import backends
from dualnn.training.arrays import Tree, as_arrays, leaves, map_tree


class Batch(NamedTuple):
    """Inputs, targets and sample weights of one step; targets and weights may be None."""

    x: Tree
    y: Tree = None
    weight: Any = None


NAMES = ("x", "y", "sample_weight")
"""What the parts of a batch are called in errors."""


def as_batch(item: Any) -> Batch:
    """Return the batch that a generator, loader or data set has yielded, as NumPy arrays."""
    if isinstance(item, tuple | list):
        if not 1 <= len(item) <= 3:
            raise ValueError(f"expected batches of x, (x, y) or (x, y, sample_weight), got {len(item)} parts")
        return Batch(*(as_arrays(part, name) for part, name in zip(item, NAMES, strict=False)))
    return Batch(as_arrays(item, "x"))


def as_own_batch(item: Any) -> Batch:
    """Return the batch, or the sample, that has been yielded, as NumPy arrays in memory of their own."""
    return map_batch(np.array, as_batch(item)) if is_borrowed(item) else as_batch(item)


def is_borrowed(item: Any) -> bool:
    """Whether what was yielded may be over memory that its owner fills anew for the next batch.

    Native tensors are copied when NumPy arrays are made of them.
    """
    if isinstance(item, dict):
        return any(map(is_borrowed, item.values()))
    if isinstance(item, list | tuple):
        return any(map(is_borrowed, item))
    return not isinstance(item, int | float | None) and backends.owner(item) is None


def map_batch(function: Callable[[Any], Any], batch: Batch) -> Batch:
    """Return the batch with `function` applied to every array."""
    return Batch(*[None if part is None else map_tree(function, part) for part in batch])


def collated(samples: Sequence[Batch]) -> Batch:
    """Return samples as one batch.

    Raises:
        ValueError: samples of different shapes.

    >>> collated([as_own_batch(([0.0, 1.0], 3)), as_own_batch(([2.0, 3.0], 4))]).x.shape
    (2, 2)
    """
    parts = zip(*samples, strict=True)
    return Batch(*(_stacked(part, name) for part, name in zip(parts, NAMES, strict=True)))


def _stacked(parts: Sequence[Tree], name: str) -> Tree:
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, dict):
        return {key: _stacked([part[key] for part in parts], f"{name}[{key!r}]") for key in first}
    if isinstance(first, list):
        return [_stacked(part, f"{name}[{i}]") for i, part in enumerate(zip(*parts, strict=True))]
    try:
        return np.stack(parts)
    except ValueError as error:
        shapes = sorted({np.shape(part) for part in parts})
        raise ValueError(
            f"{name}: expected samples of one shape, got {shapes[0]} and {shapes[-1]}; fill them up to one "
            f"length in the data set, or give a DataLoader with a collate_fn"
        ) from error


def common_length(batch: Batch) -> int:
    """Return the number of samples.

    Raises:
        ValueError: there is none, or not the same number everywhere.
    """
    sizes: dict[str, int] = {}
    for part, name in zip(batch, NAMES, strict=True):
        for path, array in leaves(part, name):
            if np.ndim(array) == 0:
                raise ValueError(
                    f"{path}: expected an array with a batch axis, got a single number; what yields samples "
                    f"must be made to yield batches, with a DataLoader or .batch(n)"
                )
            sizes[path] = len(array)
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"expected the same number of samples everywhere, got {sizes}; what yields samples one by one "
            f"must be made to yield batches, with a DataLoader or .batch(n)"
        )
    size = next(iter(sizes.values()), 0)
    if size == 0:
        raise ValueError("the data set is empty: expected at least one sample, got none")
    return size
