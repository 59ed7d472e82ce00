"""The manipulation functions of the array API standard."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.conversion import shape as shape_of
from dualnn_tf.data_type_functions import promote


def broadcast_arrays(*arrays):
    """Return the tensors broadcast to one shape."""
    shape = broadcast_shapes(*map(shape_of, arrays))
    return tuple(tf.broadcast_to(array, shape) for array in arrays)


def broadcast_shapes(*shapes):
    """Return the shape that these broadcast to."""
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(_broadcast_size(sizes) for sizes in zip(*padded, strict=True))


def broadcast_to(x, /, shape):
    """Return `x` broadcast to a shape."""
    return tf.broadcast_to(x, shape)


def concat(arrays, /, *, axis=0):
    """Return the tensors joined along an axis; for None flattened first."""
    arrays = promote(*arrays)
    if axis is None:
        arrays, axis = [tf.reshape(array, (-1,)) for array in arrays], 0
    return tf.concat(arrays, axis)


def expand_dims(x, /, axis=0):
    """Return `x` with axes of length 1 inserted at these positions."""
    added = 1 if isinstance(axis, int) else len(axis)
    for one in sorted(_axes(x.shape.rank + added, axis)):
        x = tf.expand_dims(x, one)
    return x


def flip(x, /, *, axis=None):
    """Return `x` with the order of the elements reversed along some or all axes."""
    return tf.reverse(x, _axes(x.shape.rank, axis))


def moveaxis(x, source, destination, /):
    """Return `x` with axes moved to other positions."""
    sources, destinations = _axes(x.shape.rank, source), _axes(x.shape.rank, destination)
    order = [axis for axis in range(x.shape.rank) if axis not in sources]
    for target, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(target, axis)
    return tf.transpose(x, order)


def permute_dims(x, /, axes):
    """Return `x` with its axes in another order."""
    return tf.transpose(x, _axes(x.shape.rank, tuple(axes)))


def repeat(x, repeats, /, *, axis=None):
    """Return `x` with each element repeated along an axis; for None flattened first."""
    if isinstance(repeats, int):
        return _as_int32(lambda x: tf.repeat(x, repeats, axis), x)
    if axis is None:
        x, axis = tf.reshape(x, (-1,)), 0
    # Of the places, since tf.repeat refuses a tensor without elements, and needs more memory.
    return tf.gather(x, tf.repeat(tf.range(shape_of(x)[axis]), repeats), axis=axis)


def reshape(x, /, shape, *, copy=None):
    """Return the elements of `x` in another shape; one size may be -1."""
    # Tensors are immutable, so whether one is a copy cannot be seen.
    return tf.reshape(x, shape)


def roll(x, /, shift, *, axis=None):
    """Return `x` with its elements shifted along some axes, around the end; for None as if flat."""
    if axis is None:
        return tf.reshape(tf.roll(tf.reshape(x, (-1,)), shift, 0), shape_of(x))
    if isinstance(axis, tuple) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return tf.roll(x, shift, axis)


def squeeze(x, /, axis):
    """Return `x` without these axes, which have length 1."""
    axes = _axes(x.shape.rank, axis)
    if any(x.shape[one] not in (1, None) for one in axes):
        raise ValueError(f"expected axes of length 1 to remove, got axis {axis} of shape {tuple(x.shape)}")
    return tf.squeeze(x, axes) if axes else tf.identity(x)


def stack(arrays, /, *, axis=0):
    """Return tensors of one shape joined along a new axis."""
    return tf.stack(promote(*arrays), axis)


def tile(x, repetitions, /):
    """Return `x` repeated as a whole along each axis."""
    rank = max(x.shape.rank, len(repetitions))
    x = tf.reshape(x, (1,) * (rank - x.shape.rank) + shape_of(x))
    repetitions = (1,) * (rank - len(repetitions)) + tuple(repetitions)
    return _as_int32(lambda x: tf.tile(x, repetitions), x)


def unstack(x, /, *, axis=0):
    """Return the slices of `x` along an axis."""
    return tuple(tf.unstack(x, axis=axis))


def _as_int32(function, x):
    # TensorFlow lacks kernels for uint16 that it has for int32.
    return tf.cast(function(tf.cast(x, tf.int32)), tf.uint16) if x.dtype == tf.uint16 else function(x)


def _axes(rank, axis):
    # Axes of a tensor of that many, given as None (all), one or several, as a list of numbers from 0.
    axes = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    if any(not -rank <= one < rank for one in axes):
        raise IndexError(f"expected axes of a tensor of {rank} dimensions, got {axis}")
    axes = [one % rank for one in axes]
    if len(set(axes)) < len(axes):
        raise ValueError(f"expected different axes, got {axis}")
    return axes


def _broadcast_size(sizes):
    known = {size for size in sizes if isinstance(size, int) and size != 1}
    if len(known) > 1:
        raise ValueError(f"expected sizes that broadcast, got {' and '.join(map(str, sorted(known)))}")
    unknown = [size for size in sizes if not isinstance(size, int)]
    return known.pop() if known else tf.reduce_max(unknown) if unknown else 1
