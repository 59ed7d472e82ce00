"""The statistical functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp

from dualnn_torch.data_types import dtype as native_dtype


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Return the running product along an axis."""
    return xp.cumulative_prod(x, axis=axis, dtype=native_dtype(dtype), include_initial=include_initial)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Return the running sum along an axis."""
    return xp.cumulative_sum(x, axis=axis, dtype=native_dtype(dtype), include_initial=include_initial)


max = xp.max
mean = xp.mean
min = xp.min


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """Return the product over some or all axes."""
    return xp.prod(x, axis=axis, dtype=native_dtype(dtype), keepdims=keepdims)


std = xp.std


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """Return the sum over some or all axes."""
    return xp.sum(x, axis=axis, dtype=native_dtype(dtype), keepdims=keepdims)


var = xp.var
