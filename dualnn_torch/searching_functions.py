"""The searching functions of the array API standard."""

from __future__ import annotations

import torch

from dualnn_torch.data_type_functions import ordered, promote


def argmax(x, /, *, axis=None, keepdims=False):
    """Return the indices of the largest values along an axis."""
    return torch.argmax(ordered(x), axis, keepdims)


def argmin(x, /, *, axis=None, keepdims=False):
    """Return the indices of the smallest values along an axis."""
    return torch.argmin(ordered(x), axis, keepdims)


def count_nonzero(x, /, *, axis=None, keepdims=False):
    """Return the number of values that are not zero over some or all axes."""
    is_counted = x != 0
    return is_counted.to(torch.int64) if axis == () else torch.sum(is_counted, axis, keepdims)


def nonzero(x, /):
    """Return for each axis the indices of the values that are not zero.

    Raises:
        ValueError: `x` has no axis.
    """
    if x.ndim == 0:
        raise ValueError("expected a tensor of at least one dimension, got a 0-d one")
    return torch.nonzero(x != 0, as_tuple=True)


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Return where the values `x2` would go in the sorted `x1`."""
    x1, x2 = promote(x1, x2)
    if sorter is not None:
        sorter = sorter.to(torch.int64)
    return torch.searchsorted(ordered(x1), ordered(x2).contiguous(), side=side, sorter=sorter)


def where(condition, x1, x2, /):
    """Return the values of `x1` where the condition is true, else those of `x2`."""
    # The short way for the usual cases: promotion takes longer than a small operation.
    if _are_alike(x1, x2):
        return torch.where(condition, x1, x2)
    return torch.where(condition, *promote(x1, x2))


def _are_alike(x1, x2):
    """Return whether two tensors or numbers are of one data type for torch as well."""
    if not isinstance(x1, torch.Tensor):
        x1, x2 = x2, x1
    if not isinstance(x1, torch.Tensor):
        return True
    return x1.is_floating_point() if type(x2) is float else getattr(x2, "dtype", None) is x1.dtype
