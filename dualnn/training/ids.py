"""Ids without a row in steps that may be compiled: noted inside a step, and an error when it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dualnn.layers import tree
from dualnn.layers.embedding import Embedding
from dualnn.layers.ids import NONE, message
from dualnn.protocol import Backend, Tensor

if TYPE_CHECKING:
    from dualnn.models.model import Model

Notes = list[tuple[Any, Tensor]]


def layers_of(model: Model) -> list[Embedding]:
    """Return the layers of a model that look up ids."""
    return [layer for _, layer in tree.walk(model) if isinstance(layer, Embedding)]


def initial(layers: list[Embedding]) -> npt.NDArray[np.float64]:
    """Return the vector of the ids without a row, one for each layer, before the first step."""
    return np.full(len(layers), NONE)


def after(nn: Backend, layers: list[Embedding], notes: Notes, before: Tensor | None = None) -> Tensor:
    """Return the vector after a step in which layers have made notes: the first id of each stays."""
    none = nn.asarray(NONE, dtype=nn.float64) if before is None else None
    found = []
    for i, layer in enumerate(layers):
        wrong = none if before is None else before[i]
        for one, noted in notes:
            if one is layer:
                wrong = nn.where(wrong == NONE, noted, wrong)
        found.append(wrong)
    return nn.stack(found)


def have_rows(nn: Backend, vector: Tensor) -> Tensor:
    """Return whether all ids had a row, a boolean tensor of shape ()."""
    return nn.all(vector == NONE)


def check(nn: Backend, layers: list[Embedding], vector: Tensor, where: str = "") -> None:
    """Raise ValueError for the first layer that met an id without a row."""
    for layer, wrong in zip(layers, nn.to_numpy(vector), strict=True):
        if wrong != NONE:
            raise ValueError(f"{where}{message(layer, float(wrong))}")
