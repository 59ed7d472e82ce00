"""The sorting functions of the array API standard. NaN is the largest of all numbers."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.indexing_functions import take_along_axis

_INTEGERS = {2: tf.int16, 4: tf.int32, 8: tf.int64}


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """Return the indices that sort a tensor along an axis."""
    # TensorFlow's own is always stable.
    direction = "DESCENDING" if descending else "ASCENDING"
    return tf.cast(tf.argsort(order_keys(x), axis, direction, stable), tf.int64)


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """Return a tensor sorted along an axis."""
    return take_along_axis(x, argsort(x, axis=axis, descending=descending, stable=stable), axis=axis)


def order_keys(x):
    """Return integers that are in the order of the values of `x`, with the zeros equal and NaN last."""
    if x.dtype == tf.bool:
        return tf.cast(x, tf.int8)
    if not x.dtype.is_floating:
        return x
    # The bits of a floating-point number are its sign and its magnitude, an integer in the same order.
    integer = _INTEGERS[x.dtype.size]
    bits = tf.bitcast(x, integer)
    keys = tf.where(bits < 0, integer.min - bits, bits)
    return tf.where(tf.math.is_nan(x), tf.constant(integer.max, integer), keys)
