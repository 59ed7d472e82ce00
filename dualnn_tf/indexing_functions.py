"""The indexing functions of the array API standard."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dualnn_tf.conversion import shape

_SMALL = 2**14  # indices, for which on a CPU the gradient gains 2 ms, and the selection itself loses 0.2 ms


def take(x, indices, /, *, axis=None):
    """Return the elements of `x` at these indices (of any shape) along an axis."""
    if axis is None:
        if x.shape.rank != 1:
            raise ValueError(f"expected an axis for a tensor of {x.shape.rank} dimensions, got None")
        axis = 0
    return tf.gather(x, _from_the_start(x, indices, axis), axis=axis)


def take_along_axis(x, indices, /, *, axis=-1):
    """Return the elements of `x` that `indices`, of as many dimensions, select along an axis."""
    last = x.shape.rank - 1
    if axis not in (-1, last):
        order = list(range(last + 1))
        order[axis], order[-1] = order[-1], order[axis]
        taken = take_along_axis(tf.transpose(x, order), tf.transpose(indices, order))
        return tf.transpose(taken, order)
    batch, other = x.shape[:-1], indices.shape[:-1]
    if not (batch.is_fully_defined() and batch == other):
        sizes = tf.broadcast_dynamic_shape(tf.shape(x)[:-1], tf.shape(indices)[:-1])
        x = tf.broadcast_to(x, tf.concat([sizes, tf.shape(x)[-1:]], 0))
        indices = tf.broadcast_to(indices, tf.concat([sizes, tf.shape(indices)[-1:]], 0))
    indices = _from_the_start(x, indices, -1)
    if tf.executing_eagerly() and indices.shape.num_elements() <= _SMALL:
        return _at_positions(x, indices)
    return tf.gather(x, indices, axis=-1, batch_dims=last)


def _at_positions(x, indices):
    # The gradient of a `gather` of rows is two dozen operations, which take 2 ms when each is called from
    # Python; that of `gather_nd` is one.
    before = np.indices(tuple(indices.shape), dtype=indices.dtype.as_numpy_dtype)[:-1]
    return tf.gather_nd(x, tf.stack([*before, indices], -1))


def _from_the_start(x, indices, axis):
    # Negative indices, which TensorFlow does not take, counted from the start. Most often there are
    # none, which to see on the host is quicker than to compute.
    if indices.dtype is not tf.int64 and indices.dtype is not tf.int32:
        indices = tf.cast(indices, tf.int64)
    if tf.executing_eagerly() and indices.device.endswith("CPU:0") and not (indices.numpy() < 0).any():
        return indices
    size = tf.cast(shape(x)[axis], indices.dtype)
    return tf.where(indices < 0, indices + size, indices)
