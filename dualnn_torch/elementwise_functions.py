"""The element-wise functions of the array API standard.

Where torch's own function does what the standard says, it is that function.
"""

from __future__ import annotations

import torch

from dualnn_torch.data_type_functions import from_ordered, modular, ordered, promote
from dualnn_torch.data_types import LIMITED

_NUMBERS = frozenset({bool, int, float, complex})


def _directly(native, x1, x2):
    return native(x1, x2)


def _of_two(name, native, limited=_directly, first_numbers=_NUMBERS, second_numbers=_NUMBERS):
    """Return a function of two tensors, or of a tensor and a number, that promotes as the standard says.

    `limited(native, x1, x2)` is for the limited data types.
    The numbers are the Python types that `native` takes in place of a tensor.
    """

    def function(x1, x2, /):
        # The short way for the usual cases: promotion takes longer than a small operation.
        if isinstance(x1, torch.Tensor):
            dtype = x1.dtype
            is_usual = type(x2) in second_numbers or getattr(x2, "dtype", None) is dtype
            if is_usual and dtype not in LIMITED:
                return native(x1, x2)
        elif type(x1) in first_numbers and isinstance(x2, torch.Tensor) and x2.dtype not in LIMITED:
            return native(x1, x2)
        x1, x2 = promote(x1, x2)
        return limited(native, x1, x2) if x1.dtype in LIMITED else native(x1, x2)

    return _named(function, name)


def _of_one(name, native, limited):
    """Return a function of a tensor; `limited(x)` is for data types of which `native` has no kernel."""

    def function(x, /):
        return limited(x) if x.dtype in LIMITED else native(x)

    return _named(function, name)


def _named(function, name):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return `{name}` of the array API standard, element by element."
    return function


def _wrapping(native, x1, x2):
    return native(modular(x1), modular(x2)).to(x1.dtype)


def _comparing(native, x1, x2):
    return native(ordered(x1), ordered(x2))


def _choosing(native, x1, x2):
    return from_ordered(native(ordered(x1), ordered(x2)), x1.dtype)


def _with_zeros_negative_where(negative, x):
    # By arithmetic, and not by torch.copysign, whose gradient at zero is zero.
    return torch.where(negative, -(0.0 - x), x + 0.0)


def _acos(x):
    if not x.is_complex():
        return torch.acos(x)
    # Near 1 torch's loses digits; these are the formulas of Kahan, Branch Cuts for Complex Functions (1987).
    below = torch.sqrt(torch.complex(1 - x.real, -x.imag))
    above = torch.sqrt(torch.complex(1 + x.real, x.imag))
    real = 2 * torch.atan2(below.real, above.real)
    imaginary = torch.asinh(above.real * below.imag - above.imag * below.real)
    result = torch.where(torch.abs(x) < 2, torch.complex(real, imaginary), torch.acos(x))
    # A zero imaginary part has the opposite sign of that of x.
    imaginary = _with_zeros_negative_where(~torch.signbit(x.imag), result.imag)
    return torch.complex(result.real, imaginary)


def _expm1(x):
    if not x.is_complex():
        return torch.expm1(x)
    exponential, half_sine = torch.exp(x), torch.sin(x.imag / 2)
    real = torch.expm1(x.real) * torch.cos(x.imag) + (0.0 - 2 * half_sine * half_sine)  # 0, not -0, at -0
    # The imaginary part of exp(x) - 1, and what both are beyond the finite numbers, are those of exp(x).
    return torch.complex(torch.where(torch.isfinite(x), real, exponential.real - 1), exponential.imag)


def _log1p(x):
    # torch's complex log1p makes NaN of some infinities; there, 1 makes no difference.
    return torch.where(torch.isinf(x), torch.log(x), torch.log1p(x)) if x.is_complex() else torch.log1p(x)


def _round(x):
    return torch.complex(torch.round(x.real), torch.round(x.imag)) if x.is_complex() else torch.round(x)


def _sign(x):
    if not x.is_floating_point():
        return torch.sgn(x)
    return torch.where(torch.isnan(x), x, torch.sign(x))  # torch says that the sign of NaN is 0


def _tan(x):
    if not x.is_complex():
        return torch.tan(x)
    turned = _tanh(torch.complex(-x.imag, x.real))
    return torch.complex(turned.imag, -turned.real)


def _tanh(x):
    result = torch.tanh(x)
    if not x.is_complex():
        return result
    # At an infinity the imaginary part is a zero, to which torch gives the sign of a sine.
    zero = torch.copysign(torch.zeros_like(x.imag), x.imag)
    is_limit = torch.isinf(x.real) & torch.isfinite(x.imag)
    return torch.complex(result.real, torch.where(is_limit, zero, result.imag))


def _floor_divide(x1, x2):
    result = torch.div(x1, x2, rounding_mode="floor")  # of torch.floor_divide there is no gradient
    if not result.is_floating_point():
        return result
    # torch makes NaN of an infinite quotient, and -1 of a quotient that is -0.
    quotient = torch.divide(x1.detach(), x2.detach())
    return torch.where(torch.isinf(x1) | torch.isinf(x2), quotient, result)


def _floor_divide_limited(native, x1, x2):
    if x1.dtype != torch.uint64:
        return _wrapping(native, x1, x2)
    return _divmod_uint64(x1, x2)[0].to(torch.uint64)


def _divmod_uint64(x1, x2):
    """Return the quotient and the remainder of uint64, as int64 that are equal modulo 2**64."""
    dividend, divisor = modular(x1), modular(x2)
    # Half of the dividend fits into int64; the quotient of the halves is short of the true one by 0 or 1.
    quotient = torch.floor_divide(_half(dividend), divisor) * 2
    rest = dividend - quotient * divisor
    is_short = ordered(rest.to(torch.uint64)) >= ordered(x2)
    quotient, rest = quotient + is_short, torch.where(is_short, rest - divisor, rest)
    # A divisor that does not fit is in the dividend once or not at all.
    is_huge, fits_once = divisor < 0, ordered(x1) >= ordered(x2)
    return (
        torch.where(is_huge, fits_once.to(torch.int64), quotient),
        torch.where(is_huge, torch.where(fits_once, dividend - divisor, dividend), rest),
    )


def _half(x):
    # An arithmetic shift copies the sign bit, which is a bit of the number here.
    return (x >> 1) & torch.iinfo(torch.int64).max


def _hypot(x1, x2):
    is_origin = (x1 == 0) & (x2 == 0)  # there the gradient of torch.hypot is NaN
    length = torch.hypot(torch.where(is_origin, 1, x1), torch.where(is_origin, 1, x2))
    return torch.where(is_origin, 0, length)


def _logaddexp(x1, x2):
    is_limit = torch.isinf(x1) & (x1 == x2)  # there the gradient of torch.logaddexp is NaN
    result = torch.logaddexp(torch.where(is_limit, 0, x1), torch.where(is_limit, 0, x2))
    return torch.where(is_limit, x1, result)


def _maximum(x1, x2):
    return torch.maximum(x1, x2) if isinstance(x2, torch.Tensor) else _bounded(torch.maximum, x1, x2, "min")


def _minimum(x1, x2):
    return torch.minimum(x1, x2) if isinstance(x2, torch.Tensor) else _bounded(torch.minimum, x1, x2, "max")


def _bounded(native, x, number, bound):
    if x.is_floating_point() and number == number:  # torch.clamp lets NaN pass as a bound
        return torch.clamp(x, **{bound: number})
    return native(*promote(x, number))


def _pow_limited(native, x1, x2):
    base, exponent = modular(x1), modular(x2)
    # An exponent of 2**63 and more, negative there, may be any that is equal to it modulo 2**62 and not
    # small.
    exponent = torch.where(exponent < 0, exponent & (2**62 - 1) | 2**62, exponent)
    return native(base, exponent).to(x1.dtype)


def _remainder(x1, x2):
    result = torch.remainder(x1, x2)
    if not result.is_floating_point():
        return result
    # Also a zero has the sign of x2.
    return _with_zeros_negative_where(torch.signbit(x2), result)


def _remainder_limited(native, x1, x2):
    if x1.dtype != torch.uint64:
        return _wrapping(native, x1, x2)
    return _divmod_uint64(x1, x2)[1].to(torch.uint64)


def _right_shift_limited(native, x1, x2):
    value, places = modular(x1), modular(x2)
    if x1.dtype != torch.uint64:
        return native(value, places).to(x1.dtype)
    return torch.where(places == 0, value, native(_half(value), places - 1)).to(x1.dtype)


def clip(x, /, min=None, max=None):
    """Return the values of `x`, those below `min` or above `max` replaced by these.

    The bounds are numbers or tensors, which broadcast; the data type is that of `x`.
    """
    if x.is_floating_point() and _is_bound(min) and _is_bound(max) and not (min is None and max is None):
        return torch.clamp(x, min, max)
    low, high = _bound_like(x, min), _bound_like(x, max)
    if x.dtype in LIMITED:
        return from_ordered(_clipped(ordered(x), low, high), x.dtype)
    return _clipped(x, low, high)


def _is_bound(number):
    # torch.clamp lets NaN pass as a bound, so that a NaN goes the long way.
    return number is None or (type(number) in _NUMBERS and number == number)


def _bound_like(x, bound):
    if bound is None:
        return None
    if not isinstance(bound, torch.Tensor):
        bound = _number_like(x, bound)
    elif bound.dtype != x.dtype:
        bound = bound.to(x.dtype)
    return ordered(bound)


def _number_like(x, number):
    if not x.is_floating_point():
        limits = torch.iinfo(x.dtype)
        number = limits.min if number < limits.min else limits.max if number > limits.max else number
    return torch.full((), number, dtype=x.dtype, device=x.device)


def _clipped(x, low, high):
    if low is None and high is None:
        return x.clone()
    return torch.clamp(x, low, high)


_TENSOR_FIRST = {"first_numbers": frozenset()}
_REAL_NUMBER_LAST = {"first_numbers": frozenset(), "second_numbers": frozenset({int, float})}
_NUMBERS_BUT_BOOLEANS = dict.fromkeys(("first_numbers", "second_numbers"), _NUMBERS - {bool})
_TENSORS_ONLY = {"first_numbers": frozenset(), "second_numbers": frozenset()}

abs = _of_one("abs", torch.abs, torch.clone)
acos = _named(_acos, "acos")
acosh = torch.acosh
add = _of_two("add", torch.add, _wrapping)
asin = torch.asin
asinh = torch.asinh
atan = torch.atan
atan2 = _of_two("atan2", torch.atan2, **_TENSORS_ONLY)
atanh = torch.atanh
bitwise_and = _of_two("bitwise_and", torch.bitwise_and)
bitwise_invert = _of_one("bitwise_invert", torch.bitwise_not, lambda x: (~modular(x)).to(x.dtype))
bitwise_left_shift = _of_two("bitwise_left_shift", torch.bitwise_left_shift, _wrapping)
bitwise_or = _of_two("bitwise_or", torch.bitwise_or)
bitwise_right_shift = _of_two("bitwise_right_shift", torch.bitwise_right_shift, _right_shift_limited)
bitwise_xor = _of_two("bitwise_xor", torch.bitwise_xor)
ceil = torch.ceil
conj = torch.conj_physical  # torch.conj leaves the work to be done by whoever reads the tensor
copysign = _of_two("copysign", torch.copysign, **_TENSOR_FIRST)
cos = torch.cos
cosh = torch.cosh
divide = _of_two("divide", torch.divide)
equal = _of_two("equal", torch.eq, **_TENSOR_FIRST)
exp = torch.exp
expm1 = _named(_expm1, "expm1")
floor = torch.floor
floor_divide = _of_two("floor_divide", _floor_divide, _floor_divide_limited, **_TENSORS_ONLY)
greater = _of_two("greater", torch.gt, _comparing, **_TENSOR_FIRST)
greater_equal = _of_two("greater_equal", torch.ge, _comparing, **_TENSOR_FIRST)
hypot = _of_two("hypot", _hypot, **_TENSORS_ONLY)
imag = torch.imag
isfinite = torch.isfinite
isinf = torch.isinf
isnan = torch.isnan
less = _of_two("less", torch.lt, _comparing, **_TENSOR_FIRST)
less_equal = _of_two("less_equal", torch.le, _comparing, **_TENSOR_FIRST)
log = torch.log
log10 = torch.log10
log1p = _named(_log1p, "log1p")
log2 = torch.log2
logaddexp = _of_two("logaddexp", _logaddexp, **_TENSORS_ONLY)
logical_and = _of_two("logical_and", torch.logical_and, **_TENSORS_ONLY)
logical_not = torch.logical_not
logical_or = _of_two("logical_or", torch.logical_or, **_TENSORS_ONLY)
logical_xor = _of_two("logical_xor", torch.logical_xor, **_TENSORS_ONLY)
maximum = _of_two("maximum", _maximum, _choosing, **_REAL_NUMBER_LAST)
minimum = _of_two("minimum", _minimum, _choosing, **_REAL_NUMBER_LAST)
multiply = _of_two("multiply", torch.multiply)
negative = _of_one("negative", torch.negative, lambda x: (-modular(x)).to(x.dtype))
nextafter = _of_two("nextafter", torch.nextafter, **_TENSORS_ONLY)
not_equal = _of_two("not_equal", torch.ne, **_TENSOR_FIRST)
positive = torch.positive
pow = _of_two("pow", torch.pow, _pow_limited)
real = torch.real
reciprocal = torch.reciprocal
remainder = _of_two("remainder", _remainder, _remainder_limited, **_TENSORS_ONLY)
round = _named(_round, "round")
sign = _of_one("sign", _sign, lambda x: (x != 0).to(x.dtype))
signbit = torch.signbit
sin = torch.sin
sinh = torch.sinh
sqrt = torch.sqrt
square = _of_one("square", torch.square, lambda x: x * x)
subtract = _of_two("subtract", torch.subtract, _wrapping, **_NUMBERS_BUT_BOOLEANS)
tan = _named(_tan, "tan")
tanh = _named(_tanh, "tanh")
trunc = torch.trunc
