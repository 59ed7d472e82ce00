"""The table that `Model.summary` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dualnn.layers import tree
from dualnn.layers.layer import Layer

if TYPE_CHECKING:
    from dualnn.models.model import Model


def summary(model: Model) -> str:
    """Return a table of the layers with their output shapes and numbers of weights.

    Raises:
        ValueError: the model is not built, so its shapes are not known.
    """
    if not model.built:
        raise ValueError(
            f"model {model.name!r} is not built yet: call build(input_shape), call it on data, or begin it "
            f"with dn.Input(shape)"
        )
    rows = [("Layer (type)", "Output shape", "Weights")]
    for path, layer in tree.walk(model):
        if path:
            label = f"{'  ' * _depth(path)}{layer.name} ({type(layer).__name__})"
            shape = layer._output_shape
            rows.append((label, "?" if shape is None else str(shape), f"{_own_count(layer):,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{label:<{widths[0]}}   {shape:<{widths[1]}}   {count:>{widths[2]}}" for label, shape, count in rows
    ]
    slots = tree.weight_slots(model)
    counts = {id(s.variable): int(np.prod(tuple(s.variable.shape), dtype=np.int64)) for s in slots}
    trainable = sum(counts[id(slot.variable)] for slot in slots if slot.trainable)
    total = sum(counts.values())
    size = total * np.dtype(model.dtype if model.dtype != "bfloat16" else "float16").itemsize
    return "\n".join(
        [
            f"Model: {model.name}",
            *lines,
            f"Total weights: {total:,} ({_bytes(size)})",
            f"Trainable: {trainable:,}   Not trainable: {total - trainable:,}",
        ]
    )


def _depth(path: str) -> int:
    names = [part for part in path.split(".") if not part.isdigit()]
    return max(len(names) - 1, 0)


def _own_count(layer: Layer) -> int:
    return sum(
        int(np.prod(tuple(slot.variable.shape), dtype=np.int64))
        for slot in tree.own_slots(layer)
        if layer.nn.isdtype(slot.variable.dtype, "real floating")
    )


def _bytes(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
