"""The data type functions of the array API standard, and the promotion of operands."""

from __future__ import annotations

import functools
import numbers
from dataclasses import dataclass

import array_api_compat.torch as xp
import torch

from dualnn_torch import data_types
from dualnn_torch.data_types import LIMITED, dtype_name
from dualnn_torch.devices import native_device

_NUMBERS = frozenset({bool, int, float, complex})
_REAL_NUMBERS = frozenset({bool, int, float})
_LOWEST = torch.iinfo(torch.int64).min


@dataclass(frozen=True)
class FloatingLimits:
    """The limits of a floating-point data type."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: torch.dtype


@dataclass(frozen=True)
class IntegerLimits:
    """The limits of an integer data type."""

    bits: int
    max: int
    min: int
    dtype: torch.dtype


def astype(x, dtype, /, *, copy=True, device=None):
    """Return `x` cast to a data type, on its own device or the given one."""
    dtype = data_types.dtype(dtype)
    if device is None:
        return x.to(dtype, copy=copy)
    return x.to(native_device(device), dtype, copy=copy)


def can_cast(from_, to, /):
    """Return whether type promotion leads from one data type (or tensor's) to another."""
    to = data_types.dtype(to)
    try:
        return result_type(from_, to) == to
    except TypeError:
        return False


def finfo(type, /):
    """Return the limits of a floating-point data type (or of a tensor's)."""
    limits = torch.finfo(_native(type))
    return FloatingLimits(
        bits=limits.bits,
        eps=limits.eps,
        max=limits.max,
        min=limits.min,
        smallest_normal=limits.smallest_normal,
        dtype=data_types.dtype(limits.dtype),
    )


def iinfo(type, /):
    """Return the limits of an integer data type (or of a tensor's)."""
    dtype = _native(type)
    limits = torch.iinfo(dtype)
    return IntegerLimits(bits=limits.bits, max=limits.max, min=limits.min, dtype=dtype)


def isdtype(dtype, kind):
    """Return whether a data type is of a kind, such as ``"integral"`` or ``"real floating"``."""
    return xp.isdtype(data_types.dtype(dtype), kind)


def result_type(*arrays_and_dtypes):
    """Return the data type that type promotion gives for these tensors, data types and numbers.

    Raises:
        TypeError: an operand is of another kind, or integers of all these types have no common type.
        ValueError: no tensor or data type is among them.
    """
    natives = [_native(operand) for operand in arrays_and_dtypes if not _is_number(operand)]
    if not natives:
        raise ValueError("expected at least one tensor or data type, got none")
    result = functools.reduce(_promoted, natives)
    for operand in arrays_and_dtypes:
        if _is_number(operand):
            result = _promoted_by_number(result, operand)
    return result


def promote(*operands):
    """Return tensors and Python numbers, at least one of them a tensor, as tensors of one dtype."""
    dtype = result_type(*operands)
    device = next(operand.device for operand in operands if isinstance(operand, torch.Tensor))
    return [
        operand.to(dtype)
        if isinstance(operand, torch.Tensor)
        else torch.scalar_tensor(operand, dtype=dtype, device=device)
        for operand in operands
    ]


def ordered(x):
    """Return a tensor of a limited data type as int64, in the same order; others as they are."""
    if x.dtype not in LIMITED:
        return x
    return x.to(torch.int64) ^ _LOWEST if x.dtype == torch.uint64 else x.to(torch.int64)


def from_ordered(x, dtype):
    """Return the tensor of which `ordered` made `x`."""
    return (x ^ _LOWEST if dtype == torch.uint64 else x).to(dtype)


def modular(x):
    """Return a tensor of a limited data type as int64, equal modulo 2**64; others as they are.

    Sums, differences and products of such, cast back, wrap around as unsigned integers do.
    """
    return x.to(torch.int64) if x.dtype in LIMITED else x


def _is_number(operand):
    # The usual cases first, since an abstract class is slow to ask.
    if isinstance(operand, torch.Tensor):
        return False
    return type(operand) in _NUMBERS or isinstance(operand, numbers.Number)


def _native(operand):
    if isinstance(operand, torch.Tensor):
        return operand.dtype
    if isinstance(operand, (torch.dtype, str)):
        return data_types.dtype(operand)
    kind = f"{type(operand).__module__}.{type(operand).__qualname__}"
    raise TypeError(
        f"expected a torch tensor, a dtype or a number, got {kind}; convert it with nn.asarray(x)"
    )


def _promoted(first, second):
    if first == second:
        return first
    low, high = sorted((first, second), key=lambda dtype: (_rank(dtype), dtype.itemsize))
    if _rank(low) < _rank(high):
        return torch.complex128 if high.is_complex and low == torch.float64 else high
    if _rank(low) == 1 and low.is_signed != high.is_signed:
        return _mixed_sign(low, high)
    return torch.float32 if low.itemsize == high.itemsize else high  # equal: float16 and bfloat16


def _mixed_sign(first, second):
    unsigned, signed = (second, first) if first.is_signed else (first, second)
    size = max(signed.itemsize, 2 * unsigned.itemsize)
    if size > 8:
        raise TypeError(f"expected integers that fit into int64, got uint64 and {dtype_name(signed)}")
    return data_types.dtype(f"int{8 * size}")


def _promoted_by_number(dtype, number):
    # A number of a higher kind gives that kind's default type, of the precision of what it meets.
    if dtype.is_floating_point and (type(number) in _REAL_NUMBERS or isinstance(number, numbers.Real)):
        return dtype
    if isinstance(number, bool) or dtype.is_complex:
        return dtype
    if isinstance(number, numbers.Integral):
        return torch.int64 if dtype == torch.bool else dtype
    if isinstance(number, numbers.Real):
        return torch.float32
    return torch.complex128 if dtype == torch.float64 else torch.complex64


def _rank(dtype):
    if dtype.is_complex:
        return 3
    if dtype.is_floating_point:
        return 2
    return 0 if dtype == torch.bool else 1
