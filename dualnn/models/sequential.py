"""A model that is a list of layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dualnn.layers.layer import Layer
from dualnn.layers.symbolic import SymbolicTensor, conformed
from dualnn.models.model import Model


class Sequential(Model):
    """Layers one after the other.

    Args:
        layers: the layers; the first may be `dualnn.Input`, which tells the input's shape.
        name: the model's name.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(16, activation="relu"), dn.layers.Dense(3)])
    >>> tuple(model([[1.0, 2.0, 3.0, 4.0]]).shape)
    (1, 3)
    """

    def __init__(self, layers: Iterable[Layer | SymbolicTensor] = (), name: str | None = None) -> None:
        super().__init__(name=name)
        self.layers: list[Layer] = []
        for layer in layers:
            self.add(layer)

    def add(self, layer: Layer | SymbolicTensor) -> None:
        """Append a layer; the model is then built anew for its new end when it is next called."""
        if isinstance(layer, SymbolicTensor):
            if self.layers or layer.function is not None:
                raise ValueError("Input comes first in a Sequential model, before any layer")
            self.declared_input = layer
            return
        if not isinstance(layer, Layer):
            raise TypeError(
                f"expected a layer, got {layer!r}; make a layer of a function with "
                f"dn.layers.Activation(function)"
            )
        self.layers.append(layer)
        self.built = False

    def pop(self) -> Layer:
        """Remove and return the last layer."""
        if not self.layers:
            raise ValueError("the model has no layer to remove")
        self.built = False
        return self.layers.pop()

    def call(self, x: Any) -> Any:
        """Call the layers one after the other."""
        if self.declared_input is not None:
            x = conformed(self.nn, self.name, self.declared_input, x)
        for layer in self.layers:
            x = layer(x)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the last layer's output shape."""
        for layer in self.layers:
            if input_shape is None:
                return None
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape
