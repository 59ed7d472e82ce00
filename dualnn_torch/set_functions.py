"""The set functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch


def isin(x1, x2, /, *, invert=False):
    """Return for each value of `x1` whether `x2` contains it."""
    return torch.isin(x1, x2, invert=invert)


def unique_all(x):
    """Return the different values, where each is first, where it is in them, and how often."""
    flat = x.reshape(-1)
    ordered, order = torch.sort(flat, stable=True)
    is_first = torch.cat([torch.ones_like(ordered[:1], dtype=torch.bool), ordered[1:] != ordered[:-1]])
    places = torch.nonzero(is_first)[:, 0]
    ends = torch.cat([places[1:], places.new_tensor([flat.numel()])])
    inverse = torch.empty_like(order).scatter_(0, order, torch.cumsum(is_first, 0) - 1)
    return xp.UniqueAllResult(
        values=ordered[places],
        indices=order[places],
        inverse_indices=inverse.reshape(x.shape),
        counts=ends[: len(places)] - places,
    )


unique_counts = xp.unique_counts
unique_inverse = xp.unique_inverse
unique_values = xp.unique_values
