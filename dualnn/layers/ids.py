"""Ids that a layer looks up in a table: one that has no row is an error, wherever it turns up.

On the host the layer looks at them itself. A compiled step cannot raise an error: there the layer notes a
number that leaves the step, and whoever has called the step raises the error (`dualnn.training.ids`).
"""

from __future__ import annotations

import math
from typing import Any

from dualnn.layers import context
from dualnn.protocol import Backend, Tensor

NONE = -0.5
"""What is noted where all ids have a row. An id cannot be this: it is an integer, or rounds to 0."""


def looked_up(layer: Any, x: Tensor, table: Tensor) -> Tensor:
    """Return the rows (n, length) of a table (rows, length) for all ids of `x`.

    Raises:
        ValueError: an id that has no row; in a compiled function of somebody's own its row is NaN instead.
    """
    nn, size = layer.nn, layer.input_dim
    ids = nn.reshape(nn.astype(x, nn.int64), (-1,))
    notes = context.notes()
    if notes is False or 0 in [n for n in tuple(x.shape) if isinstance(n, int)]:
        return nn.take(table, ids, axis=0)
    if isinstance(notes, list):
        notes.append((layer, _wrong(nn, x, size)))
        return nn.take(table, nn.clip(ids, 0, size - 1), axis=0)
    if notes is None or not nn.has_values(x):
        fits = nn.reshape(nn.logical_and(x > -1, x < size), (-1,))
        rows = nn.take(table, nn.where(fits, ids, 0), axis=0)
        return nn.where(nn.expand_dims(fits, axis=-1), rows, math.nan)
    wrong = float(nn.to_numpy(_wrong(nn, x, size)))
    if wrong != NONE:
        raise ValueError(message(layer, wrong))
    return nn.take(table, ids, axis=0)


def message(layer: Any, wrong: float) -> str:
    """Return what to say of an id that a layer has no row for."""
    got = f"{wrong:.0f}" if math.isfinite(wrong) and wrong == int(wrong) else f"{wrong}"
    return (
        f"layer {layer.name!r}: expected ids from 0 to {layer.input_dim - 1}, as its input_dim is "
        f"{layer.input_dim}, got {got}"
    )


def _wrong(nn: Backend, x: Tensor, size: int) -> Tensor:
    """Return one id that has no row, as float64; NONE if there is no such id."""
    if nn.isdtype(x.dtype, "unsigned integer"):
        x = nn.astype(x, nn.float64)  # int64 would make other numbers of the largest
    if not nn.isdtype(x.dtype, "real floating"):
        x = nn.astype(x, nn.int64)
        low = -1.0 - nn.astype(nn.max(~x), nn.float64)  # -1 - x, which exists for the lowest integer, too
    else:
        low = -nn.astype(nn.max(-x), nn.float64)
    high = nn.astype(nn.max(x), nn.float64)
    # NaN is neither above -1 nor below
    above, below = low > -1.0, high < float(size)
    return nn.where(nn.logical_and(above, below), NONE, nn.where(above, high, low))
