"""The manipulation functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from dualnn_torch.data_type_functions import modular, promote

broadcast_arrays = xp.broadcast_arrays


def broadcast_shapes(*shapes):
    """Return the shape to which these broadcast.

    Raises:
        ValueError: there is none.
    """
    try:
        return tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def broadcast_to(x, /, shape):
    """Return `x` broadcast to a shape."""
    return torch.broadcast_to(x, shape)


def concat(arrays, /, *, axis=0):
    """Return tensors joined along an axis that they have; for None, all their values in one row."""
    arrays = _of_one_dtype(arrays)
    if axis is None:
        return torch.cat([array.reshape(-1) for array in arrays])
    return torch.cat(arrays, axis)


def expand_dims(x, /, axis=0):
    """Return `x` with axes of length 1 inserted at these positions."""
    return torch.unsqueeze(x, axis) if isinstance(axis, int) else xp.expand_dims(x, axis)


def flip(x, /, *, axis=None):
    """Return `x` with the order along some or all axes reversed."""
    return xp.flip(modular(x), axis=axis).to(x.dtype)


def moveaxis(x, source, destination, /):
    """Return `x` with axes moved to other positions; the others keep their order."""
    return torch.moveaxis(x, source, destination)


def permute_dims(x, /, axes):
    """Return `x` with its axes in another order."""
    return torch.permute(x, axes)


def repeat(x, repeats, /, *, axis=None):
    """Return each element along an axis repeated; for None, each of all the values."""
    if isinstance(repeats, torch.Tensor):
        repeats = repeats.to(torch.int64)  # torch takes two integer types only
    return torch.repeat_interleave(modular(x), repeats, axis).to(x.dtype)


def reshape(x, /, shape, *, copy=None):
    """Return the values of `x` in another shape.

    Raises:
        ValueError: ``copy=False``, and the memory cannot be shared.
    """
    return torch.reshape(x, shape) if copy is None else xp.reshape(x, shape, copy=copy)


def roll(x, /, shift, *, axis=None):
    """Return `x` with the elements along some axes moved on, the last ones to the front."""
    if isinstance(shift, int) and isinstance(axis, tuple):
        shift = (shift,) * len(axis)
    return torch.roll(x, shift, axis)


def squeeze(x, /, axis):
    """Return `x` without these axes of length 1.

    Raises:
        ValueError: an axis has another length.
    """
    shape = x.shape
    for one in (axis,) if isinstance(axis, int) else axis:
        if shape[one] != 1:
            raise ValueError(f"expected axes of length 1 to squeeze, got axis {one} of shape {tuple(shape)}")
    return torch.squeeze(x, axis)


def stack(arrays, /, *, axis=0):
    """Return tensors of one shape joined along a new axis."""
    return torch.stack(_of_one_dtype(arrays), axis)


def tile(x, repetitions, /):
    """Return `x` repeated as a whole along its axes."""
    return torch.tile(x, repetitions)


def unstack(x, /, *, axis=0):
    """Return the slices of `x` along an axis, in which they lack it."""
    return torch.unbind(x, axis)


def _of_one_dtype(arrays):
    dtype = arrays[0].dtype
    for array in arrays:
        if array.dtype is not dtype:
            return promote(*arrays)
    return arrays
