"""The statistical functions of the array API standard."""

from __future__ import annotations

import math

import torch

from dualnn_torch import sums
from dualnn_torch.data_type_functions import from_ordered, modular, ordered
from dualnn_torch.data_types import LIMITED, dtype_name
from dualnn_torch.data_types import dtype as native_dtype


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Return the running product along an axis."""
    return _cumulative(torch.cumprod, 1, x, axis, dtype, include_initial)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Return the running sum along an axis."""
    return _cumulative(torch.cumsum, 0, x, axis, dtype, include_initial)


def max(x, /, *, axis=None, keepdims=False):
    """Return the largest value over some or all axes."""
    if x.dtype in LIMITED:
        return from_ordered(max(ordered(x), axis=axis, keepdims=keepdims), x.dtype)
    if axis is None and not keepdims:
        return torch.max(x)
    return torch.clone(x) if axis == () else torch.amax(x, axis, keepdims)


def mean(x, /, *, axis=None, keepdims=False):
    """Return the mean over some or all axes."""
    _floating(x, "mean")
    return torch.clone(x) if axis == () else sums.mean(x, axis, keepdims)


def min(x, /, *, axis=None, keepdims=False):
    """Return the smallest value over some or all axes."""
    if x.dtype in LIMITED:
        return from_ordered(min(ordered(x), axis=axis, keepdims=keepdims), x.dtype)
    if axis is None and not keepdims:
        return torch.min(x)
    return torch.clone(x) if axis == () else torch.amin(x, axis, keepdims)


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """Return the product over some or all axes; of small integers, as 64-bit ones."""
    dtype = _accumulator(x, dtype)
    factors = _cast_to_add(x, dtype)
    if factors.is_floating_point():
        factors = factors.to(torch.promote_types(dtype, torch.float32))
    if axis == ():
        return factors.to(dtype, copy=True)
    if axis is None:
        result = torch.prod(factors)
        return (result.reshape((1,) * x.ndim) if keepdims else result).to(dtype)
    if isinstance(axis, int):
        return torch.prod(factors, axis, keepdims).to(dtype)
    for one in axis:
        factors = torch.prod(factors, one, keepdim=True)
    return (factors if keepdims else torch.squeeze(factors, axis)).to(dtype)


def std(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Return the standard deviation over some or all axes; NaN with too few values for the correction.

    Its gradient where it is 0 is 0.
    """
    variance = var(x, axis=axis, correction=correction, keepdims=keepdims)
    is_zero = variance == 0
    return torch.where(is_zero, variance, torch.sqrt(torch.where(is_zero, 1, variance)))


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """Return the sum over some or all axes; of small integers, as a 64-bit one."""
    if dtype is None and axis != () and x.is_floating_point():
        return sums.total(x, axis, keepdims)
    dtype = _accumulator(x, dtype)
    terms = _cast_to_add(x, dtype)
    if axis == ():
        return terms.to(dtype, copy=True)
    return torch.sum(terms, axis, keepdims).to(dtype)


def var(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Return the variance over some or all axes; NaN with too few values for the correction."""
    _floating(x, "var")
    if axis == ():
        return var(x.unsqueeze(-1), axis=-1, correction=correction)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    count = math.prod([x.shape[one] for one in axes])
    if count <= correction or x.numel() == 0:  # of which torch warns, and makes infinities
        return torch.full_like(torch.sum(x, axes, keepdims), torch.nan)
    return torch.var(x, axes, correction=correction, keepdim=keepdims)


def _floating(x, function):
    if not (x.is_floating_point() or x.is_complex()):
        raise TypeError(
            f"{function} expected a floating-point tensor, got {dtype_name(x.dtype)}; cast it with nn.astype"
        )
    return x


def _accumulator(x, dtype):
    """Return the data type of a sum or product: as wide as the default integer's."""
    if dtype is not None:
        return native_dtype(dtype)
    if x.is_floating_point() or x.is_complex():
        return x.dtype
    return torch.int64 if x.dtype.is_signed or x.dtype == torch.bool else torch.uint64


def _cast_to_add(x, dtype):
    # Via the type, if it has a kernel, and else via int64, which wraps around in the same way.
    return modular(x if x.dtype is dtype else x.to(dtype))


def _cumulative(function, initial, x, axis, dtype, include_initial):
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"expected an axis for a tensor of {x.ndim} dimensions, got None")
        axis = 0
    dtype = _accumulator(x, dtype)
    result = function(_cast_to_add(x, dtype), axis).to(dtype)
    if not include_initial:
        return result
    shape = list(x.shape)
    shape[axis] = 1
    return torch.cat([torch.full(shape, initial, dtype=dtype, device=x.device), result], axis)
