"""The utility functions of the array API standard."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.data_type_functions import truth
from dualnn_tf.manipulation_functions import concat


def all(x, /, *, axis=None, keepdims=False):
    """Return whether all values over some or all axes are true (not zero)."""
    return tf.reduce_all(truth(x), axis, keepdims)


def any(x, /, *, axis=None, keepdims=False):
    """Return whether any value over some or all axes is true (not zero)."""
    return tf.reduce_any(truth(x), axis, keepdims)


def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """Return the n-th differences of neighbours along an axis."""
    parts = [part for part in (prepend, x, append) if part is not None]
    x = concat(parts, axis=axis)
    if not -x.shape.rank <= axis < x.shape.rank:
        raise IndexError(f"expected an axis of a tensor of {x.shape.rank} dimensions, got {axis}")
    for _ in range(n):
        before, after = _without_last(x, axis), _without_first(x, axis)
        x = after != before if x.dtype == tf.bool else after - before
    return x


def _without_first(x, axis):
    return x[(slice(None),) * (axis % x.shape.rank) + (slice(1, None),)]


def _without_last(x, axis):
    return x[(slice(None),) * (axis % x.shape.rank) + (slice(None, -1),)]
