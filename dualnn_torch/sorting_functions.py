"""The sorting functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """Return the indices that sort `x` along an axis."""
    return xp.argsort(x, axis=axis, descending=descending, stable=stable)


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """Return the values of `x` sorted along an axis."""
    return xp.sort(x, axis=axis, descending=descending, stable=stable)
