"""An activation function as a layer."""

from __future__ import annotations

from typing import Any

from dualnn import activations
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Activation(Layer):
    """Apply a function to every element.

    Args:
        activation: a name such as ``"relu"``, or a function of a tensor.
        name: the layer's name.

    >>> import dualnn as dn
    >>> dn.backend().to_numpy(dn.layers.Activation("relu")([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    _computes = True
    supports_masking = True

    def __init__(self, activation: Any, name: str | None = None) -> None:
        super().__init__(name)
        self.activation = activations.get(activation)

    def call(self, x: Tensor) -> Tensor:
        """Apply the function."""
        return self.activation(x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
