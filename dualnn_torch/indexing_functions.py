"""The indexing functions of the array API standard."""

from __future__ import annotations

import torch

from dualnn_torch.data_type_functions import modular
from dualnn_torch.data_types import LIMITED

_SMALL = 4096  # elements; measured on a CPU, where the two ways of `take` cost the same


def take(x, indices, /, *, axis=None):
    """Return the elements of `x` at these indices (of any shape) along an axis."""
    if x.dtype in LIMITED:
        return take(modular(x), indices, axis=axis).to(x.dtype)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"expected an axis for a tensor of {x.ndim} dimensions, got None")
        axis = 0
    if indices.dtype is not torch.int64:
        indices = indices.to(torch.int64)
    if axis == 0 and not torch.compiler.is_compiling() and indices.numel() * x.numel() < _SMALL * x.size(0):
        return x[indices]  # the shorter call, and the slower copy
    axis = axis + x.ndim if axis < 0 else axis
    if indices.ndim == 1:  # the usual case, in which nothing need be given another shape
        return torch.index_select(x, axis, _from_start(indices, x.size(axis)))
    taken = torch.index_select(x, axis, _from_start(indices.reshape(-1), x.size(axis)))
    return taken.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def take_along_axis(x, indices, /, *, axis=-1):
    """Return the elements of `x` that `indices`, of as many dimensions, select along an axis."""
    if x.dtype in LIMITED:
        return take_along_axis(modular(x), indices, axis=axis).to(x.dtype)
    if indices.dtype is not torch.int64:
        indices = indices.to(torch.int64)
    size, axis = x.size(axis), axis % x.ndim
    if indices.shape[:axis] != x.shape[:axis] or indices.shape[axis + 1 :] != x.shape[axis + 1 :]:
        if indices.ndim != x.ndim:
            raise ValueError(f"expected indices of as many dimensions as {x.ndim}, got {indices.ndim}")
        ones = [(*shape[:axis], 1, *shape[axis + 1 :]) for shape in (x.shape, indices.shape)]
        shape = list(torch.broadcast_shapes(*ones))
        shape[axis] = -1  # not broadcast
        x, indices = x.expand(shape), indices.expand(shape)
    # torch's own function of this name takes an index that is out of range modulo the size
    return torch.gather(x, axis, _from_start(indices, size))


def _from_start(indices, size):
    """Return indices of which the negative ones count from the end, all counted from the start."""
    are_negative = torch.clamp(indices, -1, 0)  # -1 or 0, in less time than a comparison with a number
    return torch.sub(indices, are_negative, alpha=size)
