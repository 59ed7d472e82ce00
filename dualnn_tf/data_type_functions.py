"""The data type functions of the array API standard, and the promotion of operands."""

from __future__ import annotations

import functools
import numbers
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import tensorflow as tf

from dualnn.names import unknown
from dualnn_tf import data_types
from dualnn_tf.conversion import is_tensor
from dualnn_tf.devices import to_device

_KINDS = {
    "bool": (tf.bool,),
    "signed integer": (tf.int8, tf.int16, tf.int32, tf.int64),
    "unsigned integer": (tf.uint8, tf.uint16, tf.uint32, tf.uint64),
    "real floating": (tf.float16, tf.bfloat16, tf.float32, tf.float64),
    "complex floating": (tf.complex64, tf.complex128),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]

_RANKS = ("bool", "integral", "real floating", "complex floating")


@dataclass(frozen=True)
class FloatingLimits:
    """The limits of a floating-point data type."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: tf.DType


@dataclass(frozen=True)
class IntegerLimits:
    """The limits of an integer data type."""

    bits: int
    max: int
    min: int
    dtype: tf.DType


def astype(x, dtype, /, *, copy=True, device=None):
    """Return `x` cast to a data type, on its own device or the given one."""
    dtype = data_types.dtype(dtype)
    # Tensors are immutable, so whether one is a copy cannot be seen; a variable is always read.
    result = truth(x) if dtype == tf.bool else tf.cast(x, dtype)
    return result if device is None else to_device(result, device)


def can_cast(from_, to, /):
    """Return whether type promotion leads from one data type (or tensor's) to another."""
    to = data_types.dtype(to)
    try:
        return result_type(from_, to) == to
    except TypeError:
        return False


def finfo(type, /):
    """Return the limits of a floating-point data type (or of a tensor's)."""
    dtype = _native(type)
    if not (dtype.is_floating or dtype.is_complex):
        raise TypeError(f"expected a floating-point data type, got {dtype.name}; use nn.iinfo")
    limits = ml_dtypes.finfo(dtype.real_dtype.as_numpy_dtype)
    return FloatingLimits(
        bits=limits.bits,
        eps=float(limits.eps),
        max=float(limits.max),
        min=float(limits.min),
        smallest_normal=float(limits.smallest_normal),
        dtype=dtype.real_dtype,
    )


def iinfo(type, /):
    """Return the limits of an integer data type (or of a tensor's)."""
    dtype = _native(type)
    if not dtype.is_integer:
        raise TypeError(f"expected an integer data type, got {dtype.name}; use nn.finfo")
    return IntegerLimits(bits=8 * dtype.size, max=dtype.max, min=dtype.min, dtype=dtype)


def isdtype(dtype, kind):
    """Return whether a data type is of a kind, such as ``"integral"`` or ``"real floating"``."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, tf.DType):
        return data_types.dtype(dtype) == kind
    if kind not in _KINDS:
        raise ValueError(unknown("kind of data type", kind, _KINDS))
    return data_types.dtype(dtype) in _KINDS[kind]


def result_type(*arrays_and_dtypes):
    """Return the data type that type promotion gives for these tensors, data types and numbers."""
    natives = [_native(operand) for operand in arrays_and_dtypes if not isinstance(operand, numbers.Number)]
    if not natives:
        raise ValueError("expected at least one tensor or data type, got none")
    result = functools.reduce(_promoted, natives)
    for operand in arrays_and_dtypes:
        if isinstance(operand, numbers.Number):
            result = _promoted_by_number(result, operand)
    return result


def converted(operand, dtype):
    """Return a tensor or a Python number as a tensor of a data type."""
    if is_tensor(operand):
        return tf.cast(operand, dtype)
    if isinstance(operand, bool) and dtype != tf.bool:
        operand = int(operand)
    if operand == 0:  # TensorFlow keeps constants by their value, and would give 0.0 for -0.0
        operand = np.asarray(operand)
    return tf.constant(operand, dtype)  # not by tf.cast, which makes a float a float32 on the way


def operands(x1, x2):
    """Return what `promote` does, but a Python number that TensorFlow converts itself, as it is."""
    if isinstance(x1, tf.Tensor):
        kind, dtype = type(x2), x1.dtype
        # It silently wraps an integer around that does not fit into a small type.
        is_number = (kind is float and x2 != 0) or kind is int  # of -0.0 it may make 0.0
        if (dtype.is_floating and is_number) or (dtype is tf.int64 and kind is int):
            return x1, x2
    return promote(x1, x2)


def promote(*operands):
    """Return tensors and Python numbers, at least one of them a tensor, as tensors of one dtype."""
    first = operands[0]
    if isinstance(first, tf.Tensor) and all(
        isinstance(operand, tf.Tensor) and operand.dtype is first.dtype for operand in operands
    ):
        return operands
    dtype = result_type(*operands)
    return tuple(converted(operand, dtype) for operand in operands)


def truth(x):
    """Return where the values are not zero."""
    # A cast of a complex number looks at its real part only.
    return tf.not_equal(x, tf.zeros((), x.dtype)) if x.dtype.is_complex else tf.cast(x, tf.bool)


def _native(operand):
    if is_tensor(operand):
        return operand.dtype
    if isinstance(operand, (tf.DType, str)):
        return data_types.dtype(operand)
    kind = f"{type(operand).__module__}.{type(operand).__qualname__}"
    raise TypeError(
        f"expected a TensorFlow tensor, a dtype or a number, got {kind}; convert it with nn.asarray(x)"
    )


@functools.cache
def _promoted(first, second):
    if first == second:
        return first
    low, high = sorted((first, second), key=lambda dtype: (_rank(dtype), dtype.size))
    if _rank(low) < _rank(high):
        return tf.complex128 if high.is_complex and low == tf.float64 else high
    if low.is_integer and low.is_unsigned != high.is_unsigned:
        return _mixed_sign(low, high)
    return tf.float32 if low.size == high.size else high  # equal: float16 and bfloat16


def _mixed_sign(first, second):
    unsigned, signed = (first, second) if first.is_unsigned else (second, first)
    size = max(signed.size, 2 * unsigned.size)
    if size > 8:
        raise TypeError(f"expected integers that fit into int64, got uint64 and {signed.name}")
    return data_types.dtype(f"int{8 * size}")


def _promoted_by_number(dtype, number):
    # As in torch, a number of a higher kind gives that kind's smallest type of at least 32 bits.
    if isinstance(number, bool) or _rank(dtype) == 3:
        return dtype
    if isinstance(number, numbers.Integral):
        return tf.int64 if dtype == tf.bool else dtype
    if isinstance(number, numbers.Real):
        return dtype if dtype.is_floating else tf.float32
    return tf.complex128 if dtype == tf.float64 else tf.complex64


def _rank(dtype):
    return next(rank for rank, kind in enumerate(_RANKS) if dtype in _KINDS[kind])
