"""The searching functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp


def argmax(x, /, *, axis=None, keepdims=False):
    """Return the indices of the largest values along an axis."""
    return xp.argmax(x, axis, keepdims)


def argmin(x, /, *, axis=None, keepdims=False):
    """Return the indices of the smallest values along an axis."""
    return xp.argmin(x, axis, keepdims)


count_nonzero = xp.count_nonzero
nonzero = xp.nonzero


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Return where the values `x2` would go in the sorted `x1`."""
    return xp.searchsorted(x1, x2, side=side, sorter=sorter)


where = xp.where
