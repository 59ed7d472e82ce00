"""The manipulation functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp

broadcast_arrays = xp.broadcast_arrays
broadcast_shapes = xp.broadcast_shapes
broadcast_to = xp.broadcast_to
concat = xp.concat


def expand_dims(x, /, axis=0):
    """Return `x` with axes of length 1 inserted at these positions."""
    return xp.expand_dims(x, axis)


flip = xp.flip
moveaxis = xp.moveaxis
permute_dims = xp.permute_dims
repeat = xp.repeat
reshape = xp.reshape
roll = xp.roll
squeeze = xp.squeeze


def stack(arrays, /, *, axis=0):
    """Return tensors of one shape joined along a new axis."""
    return xp.stack(arrays, axis)


tile = xp.tile
unstack = xp.unstack
