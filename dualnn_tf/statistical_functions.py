"""The statistical functions of the array API standard."""

from __future__ import annotations

import math

import tensorflow as tf

from dualnn_tf import complex_functions, sums
from dualnn_tf.data_types import dtype as native_dtype
from dualnn_tf.manipulation_functions import moveaxis


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Return the running product along an axis."""
    return _cumulative(_running_product, tf.ones_like, x, axis, dtype, include_initial)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Return the running sum along an axis."""
    return _cumulative(sums.running, tf.zeros_like, x, axis, dtype, include_initial)


def max(x, /, *, axis=None, keepdims=False):
    """Return the largest value over some or all axes."""
    return _of_nan_too(tf.reduce_max, x, axis, keepdims)


def mean(x, /, *, axis=None, keepdims=False):
    """Return the mean over some or all axes.

    Raises:
        TypeError: `x` is not of a floating-point dtype.
    """
    if x.dtype.is_complex:  # of no complex numbers TensorFlow's is 0
        return complex_functions.on_parts(lambda part: sums.mean(part, axis, keepdims), x)
    return sums.mean(_floating(x, "mean"), axis, keepdims)


def min(x, /, *, axis=None, keepdims=False):
    """Return the smallest value over some or all axes."""
    return _of_nan_too(tf.reduce_min, x, axis, keepdims)


def _of_nan_too(reduced, x, axis, keepdims):
    result = reduced(x, axis, keepdims)
    if not x.dtype.is_floating or not sums.traced_for_xla():
        return result
    has_nan = tf.reduce_any(tf.math.is_nan(x), axis, keepdims)  # XLA leaves them out on a CPU
    return tf.where(has_nan, tf.constant(math.nan, x.dtype), result)


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """Return the product over some or all axes."""
    factors = _wide(x, dtype)
    if factors.dtype.is_floating and factors.dtype.size == 2:
        return tf.cast(tf.reduce_prod(tf.cast(factors, tf.float32), axis, keepdims), factors.dtype)
    return tf.reduce_prod(factors, axis, keepdims)


def std(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Return the standard deviation over some or all axes; its gradient where it is 0 is 0."""
    variance = var(x, axis=axis, correction=correction, keepdims=keepdims)
    is_zero = variance == 0
    return tf.where(is_zero, variance, tf.sqrt(tf.where(is_zero, tf.ones_like(variance), variance)))


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """Return the sum over some or all axes."""
    return sums.total(_wide(x, dtype), axis, keepdims)


def var(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Return the variance over some or all axes: squared deviations over ``n - correction``.

    It is NaN where that is not positive.
    """
    if _floating(x, "var").dtype.size == 2:  # as in `mean`
        variance = var(tf.cast(x, tf.float32), axis=axis, correction=correction, keepdims=keepdims)
        return tf.cast(variance, x.dtype)
    deviations = x - sums.mean(x, axis, keepdims=True)
    total = sums.total(tf.square(deviations), axis, keepdims)
    count = tf.size(x, tf.int64) // tf.maximum(tf.size(total, tf.int64), 1)
    divisor = tf.cast(count, x.dtype) - tf.constant(correction, x.dtype)
    return total / tf.where(divisor > 0, divisor, tf.constant(math.nan, x.dtype))


def _cumulative(running, initial, x, axis, dtype, include_initial):
    if axis is None:
        if x.shape.rank != 1:
            raise ValueError(f"expected an axis for a tensor of {x.shape.rank} dimensions, got None")
        axis = 0
    result = running(_wide(x, dtype), axis)
    if not include_initial:
        return result
    first = initial(tf.reduce_sum(result, axis, keepdims=True))
    return tf.concat([first, result], axis)


def _running_product(x, axis):
    if not (x.dtype.is_floating or x.dtype.is_complex) or x.shape[axis] is None:
        return tf.math.cumprod(x, axis)
    if x.dtype.size == 2:
        return tf.cast(_running_product(tf.cast(x, tf.float32), axis), x.dtype)

    @tf.custom_gradient
    def product(x):
        def gradient(upstream):
            # TensorFlow's own divides by x, and is wrong where that is 0.
            with tf.GradientTape() as tape:
                tape.watch(x)
                result = _product_by_doubling(x, axis)
            return tape.gradient(result, x, upstream)

        return tf.math.cumprod(x, axis), gradient

    return product(x)


def _product_by_doubling(x, axis):
    # Each element becomes the product of the last 1, 2, 4, ... elements up to it.
    x, reach = moveaxis(x, axis, 0), 1
    while reach < x.shape[0]:
        x = tf.concat([x[:reach], x[reach:] * x[:-reach]], 0)
        reach *= 2
    return moveaxis(x, 0, axis)


def _floating(x, function):
    if not (x.dtype.is_floating or x.dtype.is_complex):
        raise TypeError(
            f"{function} expected a floating-point tensor, got {x.dtype.name}; cast it with nn.astype"
        )
    return x


def _wide(x, dtype):
    # Sums and products of integers are of 64 bits unless told otherwise.
    if dtype is not None:
        return tf.cast(x, native_dtype(dtype))
    if x.dtype.is_integer or x.dtype == tf.bool:
        return tf.cast(x, tf.uint64 if x.dtype.is_unsigned else tf.int64)
    return x
