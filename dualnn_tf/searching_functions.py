"""The searching functions of the array API standard."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.conversion import is_tensor, shape
from dualnn_tf.data_type_functions import converted, promote, truth
from dualnn_tf.data_types import python_dtype
from dualnn_tf.sorting_functions import order_keys


def argmax(x, /, *, axis=None, keepdims=False):
    """Return the indices of the largest values along an axis."""
    return _index_of(tf.argmax, x, axis, keepdims)


def argmin(x, /, *, axis=None, keepdims=False):
    """Return the indices of the smallest values along an axis."""
    return _index_of(tf.argmin, x, axis, keepdims)


def count_nonzero(x, /, *, axis=None, keepdims=False):
    """Return the number of values that are not zero."""
    return tf.math.count_nonzero(x, axis, keepdims)


def nonzero(x, /):
    """Return the indices, axis by axis, of the values that are not zero."""
    if x.shape.rank == 0:
        raise ValueError("expected a tensor of at least one dimension, got one of none")
    return tuple(tf.unstack(tf.where(truth(x)), num=x.shape.rank, axis=1))


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Return where the values `x2` would go in the sorted `x1`."""
    x1, x2 = promote(x1, x2)
    if sorter is not None:
        x1 = tf.gather(x1, sorter)
    keys, values = order_keys(x1), order_keys(tf.reshape(x2, (1, -1)))
    return tf.reshape(tf.searchsorted(keys[None], values, side=side, out_type=tf.int64), shape(x2))


def where(condition, x1, x2, /):
    """Return `x1` where the condition holds, else `x2`."""
    if not (is_tensor(x1) or is_tensor(x2)):
        x1 = converted(x1, python_dtype(x1, x2))
    return tf.where(condition, *promote(x1, x2))


def _index_of(search, x, axis, keepdims):
    if x.dtype == tf.bool:
        x = tf.cast(x, tf.int8)
    if axis is not None:
        index = _first(search, x, axis)
        return tf.expand_dims(index, axis) if keepdims else index
    index = _first(search, tf.reshape(x, (-1,)), 0)
    return tf.reshape(index, (1,) * x.shape.rank) if keepdims else index


def _first(search, x, axis):
    index = search(x, axis)
    if not x.dtype.is_floating:
        return index
    # TensorFlow's kernels leave NaN out
    is_nan = tf.math.is_nan(x)
    return tf.where(tf.reduce_any(is_nan, axis), tf.argmax(tf.cast(is_nan, tf.int8), axis), index)
