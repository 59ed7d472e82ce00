"""The element-wise functions of the array API standard."""

from __future__ import annotations

import math

import tensorflow as tf

from dualnn_tf import complex_functions
from dualnn_tf.conversion import is_tensor
from dualnn_tf.data_type_functions import converted, finfo, operands, promote, result_type
from dualnn_tf.sums import traced_for_xla


def abs(x, /):
    """Return the absolute value."""
    return tf.identity(x) if x.dtype.is_unsigned else tf.abs(x)


def acos(x, /):
    """Return the inverse cosine."""
    return tf.acos(x)


def acosh(x, /):
    """Return the inverse hyperbolic cosine."""
    return tf.acosh(x)


def add(x1, x2, /):
    """Return the sum."""
    return tf.add(*operands(x1, x2))


def asin(x, /):
    """Return the inverse sine."""
    return tf.asin(x)


def asinh(x, /):
    """Return the inverse hyperbolic sine."""
    return tf.asinh(x)


def atan(x, /):
    """Return the inverse tangent."""
    return tf.atan(x)


def atan2(x1, x2, /):
    """Return the inverse tangent of ``x1 / x2``, in the quadrant of the point (x2, x1).

    Its gradient at the origin is 0.
    """
    x1, x2 = promote(x1, x2)
    is_origin = (x1 == 0) & (x2 == 0)
    one = tf.ones((), x1.dtype)
    elsewhere = tf.atan2(tf.where(is_origin, one, x1), tf.where(is_origin, one, x2))
    return tf.where(is_origin, tf.stop_gradient(tf.atan2(x1, x2)), elsewhere)


def atanh(x, /):
    """Return the inverse hyperbolic tangent."""
    return tf.atanh(x)


def bitwise_and(x1, x2, /):
    """Return the bitwise (for booleans the logical) AND."""
    return _bitwise(tf.bitwise.bitwise_and, tf.logical_and, x1, x2)


def bitwise_invert(x, /):
    """Return the bitwise (for booleans the logical) NOT."""
    return tf.logical_not(x) if x.dtype == tf.bool else tf.bitwise.invert(x)


def bitwise_left_shift(x1, x2, /):
    """Return the bits of `x1` shifted to the left by `x2`."""
    return _shifted(tf.bitwise.left_shift, x1, x2)


def bitwise_or(x1, x2, /):
    """Return the bitwise (for booleans the logical) OR."""
    return _bitwise(tf.bitwise.bitwise_or, tf.logical_or, x1, x2)


def bitwise_right_shift(x1, x2, /):
    """Return the bits of `x1` shifted to the right by `x2`, the sign bit filling up."""
    return _shifted(tf.bitwise.right_shift, x1, x2)


def bitwise_xor(x1, x2, /):
    """Return the bitwise (for booleans the logical) exclusive OR."""
    return _bitwise(tf.bitwise.bitwise_xor, tf.math.logical_xor, x1, x2)


def ceil(x, /):
    """Return the nearest integer that is not smaller."""
    return _to_integer(tf.math.ceil, x)


def clip(x, /, min=None, max=None):
    """Return `x` limited to [min, max]; either bound may be missing, a number or a tensor.

    The data type is that of `x`.
    """
    if min is None and max is None:
        return tf.identity(x)
    x = x if min is None else maximum(x, _bound_like(x, min))
    return x if max is None else minimum(x, _bound_like(x, max))


def conj(x, /):
    """Return the complex conjugate."""
    return tf.math.conj(x)


def copysign(x1, x2, /):
    """Return the magnitude of `x1` with the sign of `x2`."""
    x1, x2 = promote(x1, x2)
    return tf.where(signbit(x2), -tf.abs(x1), tf.abs(x1))


def cos(x, /):
    """Return the cosine."""
    return tf.cos(x)


def cosh(x, /):
    """Return the hyperbolic cosine."""
    return tf.cosh(x)


def divide(x1, x2, /):
    """Return the quotient; of integers it is a float32."""
    dividend, divisor = operands(x1, x2)
    if dividend.dtype.is_integer or dividend.dtype == tf.bool:
        dividend, divisor = converted(x1, tf.float32), converted(x2, tf.float32)
    return tf.divide(dividend, divisor)


def equal(x1, x2, /):
    """Return where the values are equal."""
    return tf.equal(*operands(x1, x2))


def exp(x, /):
    """Return e to the power of `x`."""
    return tf.exp(x)


def expm1(x, /):
    """Return ``exp(x) - 1``, precise for small `x`."""
    return complex_functions.expm1(x) if x.dtype.is_complex else tf.math.expm1(x)


def floor(x, /):
    """Return the nearest integer that is not larger."""
    return _to_integer(tf.floor, x)


def floor_divide(x1, x2, /):
    """Return the quotient rounded down."""
    x1, x2 = promote(x1, x2)
    if x1.dtype.is_integer:
        return tf.math.floordiv(x1, x2)
    # As Python and NumPy do it: 6.0 / 0.1 rounds up to 60.0, but 0.1 goes into 6.0 59 times.
    quotient, rest = x1 / x2, _truncated_remainder(x1, x2)
    below = tf.cast((rest != 0) & ((rest < 0) != (x2 < 0)), x1.dtype)
    whole = copysign(tf.round((x1 - rest) / x2) - below, quotient)
    is_ordinary = (rest != 0) & tf.math.is_finite(x2) & tf.math.is_finite(quotient)
    return tf.floor(tf.where(is_ordinary, whole, quotient))


def greater(x1, x2, /):
    """Return where ``x1 > x2``."""
    return tf.greater(*operands(x1, x2))


def greater_equal(x1, x2, /):
    """Return where ``x1 >= x2``."""
    return tf.greater_equal(*operands(x1, x2))


def hypot(x1, x2, /):
    """Return ``sqrt(x1**2 + x2**2)``, without overflow."""
    x1, x2 = promote(x1, x2)
    if x1.dtype.size == 2:  # there are no complex numbers of this size
        return tf.cast(hypot(tf.cast(x1, tf.float32), tf.cast(x2, tf.float32)), x1.dtype)
    result = tf.abs(tf.complex(x1, x2))
    if not traced_for_xla():
        return result
    # beside an infinity, XLA makes NaN of NaN
    is_infinite = tf.math.is_inf(x1) | tf.math.is_inf(x2)
    return tf.where(is_infinite, tf.constant(math.inf, x1.dtype), result)


def imag(x, /):
    """Return the imaginary part."""
    return tf.math.imag(x)


def isfinite(x, /):
    """Return where the values are neither infinite nor NaN."""
    if x.dtype.is_complex:
        return tf.math.is_finite(tf.math.real(x)) & tf.math.is_finite(tf.math.imag(x))
    return tf.math.is_finite(x) if x.dtype.is_floating else tf.ones_like(x, tf.bool)


def isinf(x, /):
    """Return where the values are infinite."""
    if x.dtype.is_complex:
        return tf.math.is_inf(tf.math.real(x)) | tf.math.is_inf(tf.math.imag(x))
    return tf.math.is_inf(x) if x.dtype.is_floating else tf.zeros_like(x, tf.bool)


def isnan(x, /):
    """Return where the values are NaN."""
    return tf.not_equal(x, x)


def less(x1, x2, /):
    """Return where ``x1 < x2``."""
    return tf.less(*operands(x1, x2))


def less_equal(x1, x2, /):
    """Return where ``x1 <= x2``."""
    return tf.less_equal(*operands(x1, x2))


def log(x, /):
    """Return the natural logarithm."""
    return complex_functions.log(x) if x.dtype.is_complex else tf.math.log(x)


def log10(x, /):
    """Return the logarithm to base 10, exact for its powers."""
    return _log_to_base(10, x)


def log1p(x, /):
    """Return ``log(1 + x)``, precise for small `x`."""
    return complex_functions.log1p(x) if x.dtype.is_complex else tf.math.log1p(x)


def log2(x, /):
    """Return the logarithm to base 2, exact for its powers."""
    return _log_to_base(2, x)


def logaddexp(x1, x2, /):
    """Return ``log(exp(x1) + exp(x2))``, without overflow."""
    x1, x2 = promote(x1, x2)
    is_first = x1 >= x2
    high, low = tf.where(is_first, x1, x2), tf.where(is_first, x2, x1)
    equal_infinities = tf.math.is_inf(high) & (low == high)
    return high + tf.math.softplus(tf.where(equal_infinities, tf.zeros_like(high), low - high))


def logical_and(x1, x2, /):
    """Return the logical AND of booleans."""
    return tf.logical_and(x1, x2)


def logical_not(x, /):
    """Return the logical NOT of booleans."""
    return tf.logical_not(x)


def logical_or(x1, x2, /):
    """Return the logical OR of booleans."""
    return tf.logical_or(x1, x2)


def logical_xor(x1, x2, /):
    """Return the logical exclusive OR of booleans."""
    return tf.math.logical_xor(x1, x2)


def maximum(x1, x2, /):
    """Return the larger value; NaN if either is."""
    return _of_nan_too(tf.maximum, *operands(x1, x2))


def minimum(x1, x2, /):
    """Return the smaller value; NaN if either is."""
    return _of_nan_too(tf.minimum, *operands(x1, x2))


def multiply(x1, x2, /):
    """Return the product."""
    return tf.multiply(*operands(x1, x2))


def negative(x, /):
    """Return ``-x``."""
    return tf.zeros_like(x) - x if x.dtype.is_unsigned else tf.negative(x)


def nextafter(x1, x2, /):
    """Return the next floating-point number after `x1` in the direction of `x2`."""
    return tf.math.nextafter(*promote(x1, x2))


def not_equal(x1, x2, /):
    """Return where the values differ."""
    return tf.not_equal(*operands(x1, x2))


def positive(x, /):
    """Return ``+x``."""
    return tf.identity(x)


def pow(x1, x2, /):
    """Return `x1` to the power of `x2`."""
    x1, x2 = operands(x1, x2)
    if x1.dtype.is_complex:  # 0 to the power of 0 is 1, not NaN
        x1 = tf.where((x1 == 0) & (x2 == 0), tf.ones((), x1.dtype), x1)
    if not x1.dtype.is_unsigned:
        return tf.pow(x1, x2)
    # No kernel, but arithmetic of 64 bits wraps around to the same low bits. An exponent of 2**63 and
    # more, negative there, may be any that is equal to it modulo 2**62 and not small.
    base, exponent = tf.cast(x1, tf.int64), tf.cast(x2, tf.int64)
    exponent = tf.where(exponent < 0, exponent & (2**62 - 1) | 2**62, exponent)
    return tf.cast(tf.pow(base, exponent), x1.dtype)


def real(x, /):
    """Return the real part."""
    return tf.math.real(x)


def reciprocal(x, /):
    """Return ``1 / x``."""
    # not tf.math.reciprocal, whose approximation loses digits where the result is small, and which graphs
    # make of a quotient of 1
    return tf.constant(-1, x.dtype) / -x


def remainder(x1, x2, /):
    """Return the remainder of `floor_divide`, which has the sign of `x2`."""
    x1, x2 = promote(x1, x2)
    rest = tf.math.floormod(x1, x2)
    if x1.dtype.is_integer:
        return rest
    return _with_value(rest, tf.where(rest == 0, copysign(tf.zeros_like(rest), x2), rest))


def round(x, /):
    """Return the nearest integer; the even one of two that are equally near."""
    return complex_functions.on_parts(tf.round, x) if x.dtype.is_complex else _to_integer(tf.round, x)


def sign(x, /):
    """Return -1, 0 or 1 (for complex numbers ``x / abs(x)``)."""
    if x.dtype.is_complex:
        return complex_functions.sign(x)
    return tf.cast(x > 0, x.dtype) if x.dtype.is_unsigned else tf.sign(x)


def signbit(x, /):
    """Return where the sign bit is set: negative values, -0.0 too."""
    integers = {2: tf.int16, 4: tf.int32, 8: tf.int64}
    return (tf.bitcast(x, integers[x.dtype.size]) if x.dtype.is_floating else x) < 0


def sin(x, /):
    """Return the sine."""
    return tf.sin(x)


def sinh(x, /):
    """Return the hyperbolic sine."""
    return tf.sinh(x)


def sqrt(x, /):
    """Return the square root."""
    return complex_functions.sqrt(x) if x.dtype.is_complex else tf.sqrt(x)


def square(x, /):
    """Return ``x * x``."""
    return tf.square(x)


def subtract(x1, x2, /):
    """Return the difference."""
    return tf.subtract(*operands(x1, x2))


def tan(x, /):
    """Return the tangent."""
    return complex_functions.tan(x) if x.dtype.is_complex else tf.tan(x)


def tanh(x, /):
    """Return the hyperbolic tangent."""
    return complex_functions.tanh(x) if x.dtype.is_complex else tf.tanh(x)


def trunc(x, /):
    """Return the integer part."""
    return _to_integer(lambda x: tf.where(x < 0, tf.math.ceil(x), tf.floor(x)), x)


def _bitwise(of_integers, of_booleans, x1, x2):
    x1, x2 = promote(x1, x2)
    return of_booleans(x1, x2) if x1.dtype == tf.bool else of_integers(x1, x2)


def _to_integer(rounding, x):
    return tf.identity(x) if x.dtype.is_integer else rounding(x)


def _log_to_base(base, x):
    if x.dtype.is_complex:
        return complex_functions.on_parts(lambda part: part / math.log(base), log(x))
    if x.dtype.size < 4:  # the logarithm and the factor are rounded once, not each
        return tf.cast(_log_to_base(base, tf.cast(x, tf.float32)), x.dtype)
    result = tf.math.log(x) * tf.constant(1 / math.log(base), x.dtype)
    nearest = tf.round(result)
    # over x, since a difference of the smallest normal numbers is flushed to 0
    error = tf.abs(tf.pow(tf.constant(base, x.dtype), nearest) / x - 1)
    # A power of 10 that is not exact may be off by one ULP, which does not show in logarithms of 2 and more.
    is_inexact = (base == 10) & (tf.abs(nearest) >= 2)
    is_power = error <= tf.where(is_inexact, tf.constant(finfo(x.dtype).eps, x.dtype), tf.zeros_like(x))
    return _with_value(result, tf.where(is_power, nearest, result))


def _shifted(shift, x1, x2):
    bits = 8 * result_type(x1, x2).size
    if isinstance(x2, int) and 0 <= x2 < bits:
        return shift(*promote(x1, x2))
    x1, x2 = promote(x1, x2)
    # as in NumPy and torch, a negative number of places is as far as can be
    is_far, most = (x2 >= bits) | (x2 < 0), tf.constant(bits - 1, x2.dtype)
    shifted = shift(x1, tf.where(is_far, most, x2))  # TensorFlow does not shift farther
    return tf.where(is_far, shift(shifted, most), shifted)


def _bound_like(x, bound):
    # In the data type of x; a number that its integer type does not hold becomes the limit of the type.
    if isinstance(bound, (int, float)):
        return int(min(max(bound, x.dtype.min), x.dtype.max)) if x.dtype.is_integer else bound
    return tf.cast(bound, x.dtype) if is_tensor(bound) else bound


def _truncated_remainder(x1, x2):
    if x1.dtype.size == 2:  # no kernel
        return tf.cast(tf.truncatemod(tf.cast(x1, tf.float32), tf.cast(x2, tf.float32)), x1.dtype)
    return tf.truncatemod(x1, x2)


def _of_nan_too(chosen, x1, x2):
    result = chosen(x1, x2)
    if not result.dtype.is_floating or not traced_for_xla():
        return result
    first, second = (tf.math.is_nan(tf.cast(x, result.dtype)) for x in (x1, x2))
    # XLA leaves NaN out on a CPU
    return tf.where(first | second, tf.constant(math.nan, result.dtype), result)


@tf.custom_gradient
def _with_value(x, value):
    # `value` with the gradient of `x`, of which it is a correction.
    return value, lambda upstream: (upstream, None)
