"""The searching functions of the array API standard."""

from __future__ import annotations

import torch

from dualnn_torch.data_type_functions import ordered, promote
from dualnn_torch.data_types import python_dtype

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


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
    return torch.searchsorted(_order_keys(x1), _order_keys(x2).contiguous(), side=side, sorter=sorter)


def where(condition, x1, x2, /):
    """Return the values of `x1` where the condition is true, else those of `x2`."""
    # The short way for the usual cases: promotion takes longer than a small operation.
    if _are_alike(x1, x2):
        return torch.where(condition, x1, x2)
    if not (isinstance(x1, torch.Tensor) or isinstance(x2, torch.Tensor)):
        x1 = torch.tensor(x1, dtype=python_dtype(x1, x2), device=condition.device)
    return torch.where(condition, *promote(x1, x2))


def _order_keys(x):
    """Return integers in the order of the values of `x`, with the zeros equal and NaN last, as in sorting."""
    if not x.is_floating_point():
        return ordered(x)
    # The bits of a floating-point number are its sign and its magnitude, an integer in the same order.
    bits = x.detach().view(_INTEGERS[x.dtype.itemsize])
    limits = torch.iinfo(bits.dtype)
    return torch.where(bits < 0, limits.min - bits, bits).masked_fill(torch.isnan(x), limits.max)


def _are_alike(x1, x2):
    """Return whether a tensor and a tensor or number are of one data type for torch as well."""
    if not isinstance(x1, torch.Tensor):
        x1, x2 = x2, x1
    if not isinstance(x1, torch.Tensor):
        return False
    return x1.is_floating_point() if type(x2) is float else getattr(x2, "dtype", None) is x1.dtype
