"""The indexing functions of the array API standard."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.conversion import shape


def take(x, indices, /, *, axis=None):
    """Return the elements of `x` at these indices (of any shape) along an axis."""
    if axis is None:
        if x.shape.rank != 1:
            raise ValueError(f"expected an axis for a tensor of {x.shape.rank} dimensions, got None")
        axis = 0
    return tf.gather(x, _from_the_start(x, indices, axis), axis=axis)


def take_along_axis(x, indices, /, *, axis=-1):
    """Return the elements of `x` that `indices`, of as many dimensions, select along an axis."""
    axis = axis % x.shape.rank
    order = [other for other in range(x.shape.rank) if other != axis] + [axis]
    back = sorted(range(len(order)), key=order.__getitem__)
    x, indices = tf.transpose(x, order), tf.transpose(indices, order)
    batch = tf.broadcast_dynamic_shape(tf.shape(x)[:-1], tf.shape(indices)[:-1])
    x = tf.broadcast_to(x, tf.concat([batch, tf.shape(x)[-1:]], 0))
    indices = tf.broadcast_to(indices, tf.concat([batch, tf.shape(indices)[-1:]], 0))
    taken = tf.gather(x, _from_the_start(x, indices, -1), axis=-1, batch_dims=len(order) - 1)
    return tf.transpose(taken, back)


def _from_the_start(x, indices, axis):
    # Negative indices, which TensorFlow does not take, counted from the start.
    size = tf.cast(shape(x)[axis], indices.dtype)
    return tf.where(indices < 0, indices + size, indices)
