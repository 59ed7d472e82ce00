"""The utility functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from dualnn_torch.data_type_functions import modular, promote


def all(x, /, *, axis=None, keepdims=False):
    """Return whether all values over some or all axes are true (not zero)."""
    if x.dtype is not torch.bool:
        x = x != 0
    return torch.clone(x) if axis == () else torch.all(x, axis, keepdims)


def any(x, /, *, axis=None, keepdims=False):
    """Return whether any value over some or all axes is true (not zero)."""
    if x.dtype is not torch.bool:
        x = x != 0
    return torch.clone(x) if axis == () else torch.any(x, axis, keepdims)


def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """Return the n-th differences of neighbours along an axis, of `x` between what goes before and after."""
    given = [one for one in (prepend, x, append) if one is not None]
    given = promote(*given)
    joined = modular(torch.cat(given, axis))
    return xp.diff(joined, axis=axis, n=n).to(given[0].dtype)
