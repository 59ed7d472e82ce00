"""The set functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from dualnn_torch.data_type_functions import ordered, promote


def isin(x1, x2, /, *, invert=False):
    """Return for each value of `x1` whether `x2` contains it."""
    x1, x2 = promote(x1, x2)
    if x1.is_complex() or x1.dtype == torch.bool:  # of which torch has no kernel
        return (x1.unsqueeze(-1) == x2.reshape(-1)).any(-1) != invert
    return torch.isin(ordered(x1), ordered(x2), invert=invert)


def unique_all(x, /):
    """Return the different values, where each is first, where it is in them, and how often."""
    flat = x.reshape(-1)
    order = _order(flat)
    values = flat[order]
    is_first = torch.cat([torch.ones_like(values[:1], dtype=torch.bool), values[1:] != values[:-1]])
    places = torch.nonzero(is_first)[:, 0]
    ends = torch.cat([places, torch.full_like(order[:1], flat.numel())])
    inverse = torch.empty_like(order).scatter_(0, order, torch.cumsum(is_first, 0) - 1)
    return xp.UniqueAllResult(
        values=values[places],
        indices=order[places],
        inverse_indices=inverse.reshape(x.shape),
        counts=torch.diff(ends),
    )


def unique_counts(x, /):
    """Return the different values, and how often each is there."""
    unique = unique_all(x)
    return xp.UniqueCountsResult(unique.values, unique.counts)


def unique_inverse(x, /):
    """Return the different values, and where in them each value is."""
    unique = unique_all(x)
    return xp.UniqueInverseResult(unique.values, unique.inverse_indices)


def unique_values(x, /):
    """Return the different values."""
    return unique_all(x).values


def _order(x):
    """Return the indices that sort a 1-d tensor; complex numbers by their real parts first."""
    if not x.is_complex():
        return torch.argsort(x, stable=True)
    order = torch.argsort(x.imag, stable=True)
    return order[torch.argsort(x.real[order], stable=True)]
