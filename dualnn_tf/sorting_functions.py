"""The sorting functions of the array API standard."""

from __future__ import annotations

import tensorflow as tf


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """Return the indices that sort a tensor along an axis."""
    order = tf.argsort(_sortable(x), axis, _direction(descending), stable)
    return tf.cast(order, tf.int64)


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """Return a tensor sorted along an axis."""
    return tf.cast(tf.sort(_sortable(x), axis, _direction(descending)), x.dtype)


def _direction(descending):
    return "DESCENDING" if descending else "ASCENDING"


def _sortable(x):
    return tf.cast(x, tf.int8) if x.dtype == tf.bool else x
