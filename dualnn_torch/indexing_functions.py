"""The indexing functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch


def take(x, indices, /, *, axis=None):
    """Return the elements of `x` at these indices (of any shape) along an axis."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"expected an axis for a tensor of {x.ndim} dimensions, got None")
        axis = 0
    axis = axis + x.ndim if axis < 0 else axis
    taken = xp.take(x, indices.reshape(-1), axis=axis)
    return taken.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def take_along_axis(x, indices, /, *, axis=-1):
    """Return the elements of `x` that `indices`, of as many dimensions, select along an axis."""
    indices = indices.to(torch.int64)
    size = x.shape[axis]
    others = list(x.shape)
    others[axis] = indices.shape[axis]
    if list(indices.shape) != others:
        return xp.take_along_axis(x, indices, axis=axis)  # it broadcasts
    # torch's own function of this name takes an index that is out of range modulo the size
    return torch.gather(x, axis, torch.where(indices < 0, indices + size, indices))
