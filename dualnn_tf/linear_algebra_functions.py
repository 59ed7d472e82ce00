"""The linear algebra functions of the array API standard's main namespace."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf import sums
from dualnn_tf.conversion import shape
from dualnn_tf.data_type_functions import promote


def matmul(x1, x2, /):
    """Return the matrix product; leading axes broadcast, a 1-d operand is a vector."""
    return _by_kernel(_matmul, *promote(x1, x2))


def matrix_transpose(x, /):
    """Return (stacks of) matrices with rows and columns exchanged."""
    return tf.linalg.matrix_transpose(x)


def tensordot(x1, x2, /, *, axes=2):
    """Return the sum of products over some axes of both: a number of axes, or their two lists."""
    return _by_kernel(lambda x1, x2: tf.tensordot(x1, x2, axes), *promote(x1, x2))


def vecdot(x1, x2, /, *, axis=-1):
    """Return the inner product of vectors along an axis, the first one conjugated.

    Raises:
        ValueError: the vectors are not of one length.
    """
    x1, x2 = promote(x1, x2)
    lengths = {x1.shape[axis], x2.shape[axis]} - {None}
    if len(lengths) > 1:
        raise ValueError(f"expected vectors of one length, got {x1.shape[axis]} and {x2.shape[axis]}")
    return sums.of_products(tf.math.conj(x1), x2, axis)


def _by_kernel(product, x1, x2):
    # There are kernels for few integers, but arithmetic of 64 bits wraps around to the same low bits.
    dtype = x1.dtype
    if not dtype.is_integer or dtype in (tf.int32, tf.int64):
        return product(x1, x2)
    return tf.cast(product(tf.cast(x1, tf.int64), tf.cast(x2, tf.int64)), dtype)


def _matmul(x1, x2):
    ranks = x1.shape.rank, x2.shape.rank
    if ranks == (1, 1):
        return sums.of_products(x1, x2, 0)
    if ranks[0] == 1:
        return tf.squeeze(_matmul(x1[None, :], x2), -2)
    if ranks[1] == 1:
        return tf.squeeze(_matmul(x1, x2[:, None]), -1)
    if ranks[1] == 2 and ranks[0] > 2:
        # One large product, much faster than a batch of them, and so is its gradient.
        *leading, inner = shape(x1)
        return tf.reshape(tf.matmul(tf.reshape(x1, (-1, inner)), x2), (*leading, shape(x2)[1]))
    return tf.matmul(x1, x2)
