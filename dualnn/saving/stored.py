"""Building a model for the variables that a file holds: nothing is allocated but what they fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnn.layers import context, tree
from dualnn.layers.layer import Layer
from dualnn.place import Place
from dualnn.protocol import Shape
from dualnn.saving.trees import Array


@dataclass(frozen=True)
class StoredLayer:
    """What a file says of a layer beside its settings.

    Attributes:
        name: its name.
        trainable: False if it is frozen.
        built: whether it has been called, and so has its variables.
        input_shape: what it was built on.
        output_shape: its output's shape then.
    """

    name: str
    trainable: bool
    built: bool
    input_shape: Any
    output_shape: Any


class Stored:
    """What layers ask for while they are built for a file: room for their weights.

    The sizes in a description are not to be trusted. A weight that the file has no array for is refused
    before its memory is taken, and no initializer runs.

    Args:
        arrays: the file's variables.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._shapes = Counter(array.shape for array in arrays.values())

    def place_for(self, shape: Shape, path: str | None) -> Array:
        """Return zeros in place of the initial value of a weight of the layer with this path.

        Raises:
            ValueError: the file holds no array of this shape, or fewer than the layers ask for.
        """
        if not self._shapes[shape]:
            raise ValueError(
                f"layer {path!r} is described with a weight of shape {shape}, which the file does not hold"
            )
        self._shapes[shape] -= 1
        return np.broadcast_to(np.zeros(()), shape)


def build(root: Layer, layers: Mapping[str, StoredLayer], arrays: Mapping[str, Array], place: Place) -> None:
    """Build a model layer by layer as a file says; no layer is called. Its variables are zeros afterwards.

    Raises:
        ValueError: the model does not have the layers of the file.
    """
    call = context.Call(root=root, place=place, seed=root.seed, training=False, stored=Stored(arrays))
    done: set[int] = set()
    with context.entered(call):
        while new := [(path, layer) for path, layer in tree.walk(root) if id(layer) not in done]:
            for path, layer in new:  # building them may make others
                if path not in layers:
                    raise ValueError(f"the model has a layer {path!r}, which the file does not know")
                _build(layer, layers[path], place)
                done.add(id(layer))
    missing = layers.keys() - {path for path, _ in tree.walk(root)}
    if missing:
        raise ValueError(f"the file knows a layer {min(missing)!r}, which the model does not have")


def _build(layer: Layer, stored: StoredLayer, place: Place) -> None:
    layer.name = stored.name
    layer.__dict__["_trainable"] = stored.trainable
    layer._settle(place)
    if stored.built and not layer.built:
        layer._build(stored.input_shape)
    layer.__dict__["_output_shape"] = stored.output_shape
    layer.__dict__["built"] = stored.built
    tree.changed()
