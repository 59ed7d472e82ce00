"""The set functions of the array API standard."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from dualnn_tf.conversion import shape
from dualnn_tf.data_type_functions import promote
from dualnn_tf.searching_functions import searchsorted
from dualnn_tf.sorting_functions import argsort


class UniqueAllResult(NamedTuple):
    """What `unique_all` returns."""

    values: tf.Tensor
    indices: tf.Tensor
    inverse_indices: tf.Tensor
    counts: tf.Tensor


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` returns."""

    values: tf.Tensor
    counts: tf.Tensor


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` returns."""

    values: tf.Tensor
    inverse_indices: tf.Tensor


def isin(x1, x2, /, *, invert=False):
    """Return for each value of `x1` whether `x2` contains it."""
    x1, x2 = promote(x1, x2)
    flat = tf.reshape(x2, (-1,))
    if x1.dtype.is_complex:  # these have no order to search in
        found = tf.reduce_any(x1[..., None] == flat, -1)
    else:
        order = argsort(flat)
        first = searchsorted(flat, x1, side="left", sorter=order)
        after = searchsorted(flat, x1, side="right", sorter=order)
        found = (first < after) & (x1 == x1)  # NaN is equal to none
    return tf.logical_not(found) if invert else found


def unique_all(x):
    """Return the different values, where each is first, where it is in them, and how often."""
    flat = tf.reshape(x, (-1,))
    order = _order(flat)
    ordered = tf.gather(flat, order)
    is_first = tf.concat([tf.ones_like(ordered[:1], tf.bool), ordered[1:] != ordered[:-1]], 0)
    places = tf.where(is_first)[:, 0]
    ends = tf.concat([places[1:], tf.size(flat, tf.int64)[None]], 0)
    numbers = tf.cumsum(tf.cast(is_first, tf.int64)) - 1
    inverse = tf.tensor_scatter_nd_update(tf.zeros_like(numbers), order[:, None], numbers)
    return UniqueAllResult(
        values=tf.gather(ordered, places),
        indices=tf.gather(order, places),
        inverse_indices=tf.reshape(inverse, shape(x)),
        counts=ends[: tf.size(places)] - places,
    )


def unique_counts(x):
    """Return the different values, and how often each occurs."""
    unique = unique_all(x)
    return UniqueCountsResult(unique.values, unique.counts)


def unique_inverse(x):
    """Return the different values, and for each element its place among them."""
    unique = unique_all(x)
    return UniqueInverseResult(unique.values, unique.inverse_indices)


def unique_values(x):
    """Return the different values."""
    return unique_all(x).values


def _order(x):
    if not x.dtype.is_complex:
        return argsort(x)
    order = argsort(tf.math.imag(x))
    return tf.gather(order, argsort(tf.gather(tf.math.real(x), order)))
