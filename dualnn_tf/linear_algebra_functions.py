"""The linear algebra functions of the array API standard's main namespace."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.conversion import shape
from dualnn_tf.data_type_functions import promote
from dualnn_tf.statistical_functions import sum


def matmul(x1, x2, /):
    """Return the matrix product; leading axes broadcast, a 1-d operand is a vector."""
    x1, x2 = promote(x1, x2)
    dtype = x1.dtype
    if dtype.is_integer and dtype not in (tf.int32, tf.int64):  # no kernel
        x1, x2 = tf.cast(x1, tf.int64), tf.cast(x2, tf.int64)
    return tf.cast(_matmul(x1, x2), dtype)


def matrix_transpose(x, /):
    """Return (stacks of) matrices with rows and columns exchanged."""
    return tf.linalg.matrix_transpose(x)


def tensordot(x1, x2, /, *, axes=2):
    """Return the sum of products over some axes of both: a number of axes, or their two lists."""
    return tf.tensordot(*promote(x1, x2), axes)


def vecdot(x1, x2, /, *, axis=-1):
    """Return the inner product of vectors along an axis, the first one conjugated."""
    x1, x2 = promote(x1, x2)
    return sum(tf.math.conj(x1) * x2, axis=axis, dtype=x1.dtype)


def _matmul(x1, x2):
    if x1.shape.rank == x2.shape.rank == 1:
        return tf.tensordot(x1, x2, 1)
    if x1.shape.rank == 1:
        return tf.squeeze(_matmul(x1[None, :], x2), -2)
    if x2.shape.rank == 1:
        return tf.squeeze(_matmul(x1, x2[:, None]), -1)
    if x2.shape.rank == 2 and x1.shape.rank > 2:
        # One large product, much faster than a batch of them, and so is its gradient.
        *leading, inner = shape(x1)
        return tf.reshape(tf.matmul(tf.reshape(x1, (-1, inner)), x2), (*leading, shape(x2)[1]))
    return tf.matmul(x1, x2)
