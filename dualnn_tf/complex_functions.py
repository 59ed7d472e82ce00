"""Elementary functions of complex numbers where TensorFlow's own are wrong at some arguments.

Its logarithm is NaN for large and for tiny numbers, `expm1` and `log1p` lose the digits of small ones,
and infinities are not what the array API standard (and C's Annex G) says.
"""

from __future__ import annotations

import math

import tensorflow as tf


@tf.custom_gradient
def expm1(z):
    """Return ``exp(z) - 1``, precise for small `z`."""
    x, y = parts(z)
    exp = tf.exp(z)
    zero = tf.zeros_like(x)
    of_small = tf.where(x == 0, zero, tf.math.expm1(x)) * tf.cos(y) - 2 * tf.square(tf.sin(y / 2))
    real = tf.where(tf.abs(x) < 1, of_small, tf.math.real(exp) - 1)
    return tf.complex(real, tf.math.imag(exp)), lambda upstream: upstream * tf.math.conj(tf.exp(z))


@tf.custom_gradient
def log(z):
    """Return the natural logarithm."""
    x, y = parts(z)
    return tf.complex(_log_of_length(x, y), tf.atan2(y, x)), lambda upstream: upstream / tf.math.conj(z)


@tf.custom_gradient
def log1p(z):
    """Return ``log(1 + z)``, precise for small `z`."""
    x, y = parts(z)
    of_small = tf.math.log1p(x * (2 + x) + y * y) / 2
    real = tf.where(tf.abs(z) < 0.5, of_small, _log_of_length(1 + x, y))
    return tf.complex(real, tf.atan2(y, 1 + x)), lambda upstream: upstream / tf.math.conj(1 + z)


def on_parts(function, z):
    """Return the complex numbers whose parts are a real function of the parts of `z`."""
    return tf.complex(*map(function, parts(z)))


def parts(z):
    """Return the real and the imaginary parts."""
    return tf.math.real(z), tf.math.imag(z)


def sign(z):
    """Return ``z / abs(z)``, and 0 for 0."""
    x, y = parts(z)
    largest = tf.maximum(tf.abs(x), tf.abs(y))
    is_zero = largest == 0
    divisor = tf.where(is_zero, tf.ones_like(largest), largest)
    scaled = tf.complex(x / divisor, y / divisor)  # its length neither overflows nor vanishes
    length = tf.abs(tf.where(is_zero, tf.ones_like(scaled), scaled))
    return tf.where(is_zero, tf.zeros_like(z), on_parts(lambda part: part / length, scaled))


def sqrt(z):
    """Return the square root, of a non-negative real part."""
    x, y = parts(z)
    # TensorFlow's overflows for large numbers, so it is given a quarter of those.
    scale = tf.where(tf.maximum(tf.abs(x), tf.abs(y)) > 1, tf.constant(0.5, x.dtype), tf.ones_like(x))
    root = tf.sqrt(tf.complex(x * scale * scale, y * scale * scale))
    return on_parts(lambda part: part / scale, root)


def tan(z):
    """Return the tangent."""
    x, y = parts(z)
    v, u = parts(tanh(tf.complex(-y, x)))  # tan(z) = -i tanh(iz)
    return tf.complex(u, -v)


def tanh(z):
    """Return the hyperbolic tangent."""
    x, y = parts(z)
    is_infinite = tf.math.is_inf(x)
    finite = tf.tanh(tf.where(is_infinite, tf.zeros_like(z), z))
    at_infinity = tf.complex(tf.sign(x), tf.where(y < 0, -tf.zeros_like(y), tf.zeros_like(y)))
    return tf.where(is_infinite, at_infinity, finite)


def _log_of_length(x, y):
    # The logarithm of hypot(x, y), also where that would overflow, and precise where it is near 1.
    x, y = tf.abs(x), tf.abs(y)
    high, low = tf.maximum(x, y), tf.minimum(x, y)
    is_large = high > 1
    scale = tf.where(is_large, tf.constant(0.5, x.dtype), tf.ones_like(x))
    shift = tf.where(is_large, tf.constant(math.log(2), x.dtype), tf.zeros_like(x))
    far = tf.math.log(tf.abs(tf.complex(x * scale, y * scale))) + shift
    near = tf.math.log1p((high - 1) * (high + 1) + low * low) / 2
    return tf.where((high > 0.5) & (high < 2), near, far)
