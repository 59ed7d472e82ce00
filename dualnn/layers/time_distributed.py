"""One layer for every step of a sequence."""

from __future__ import annotations

from typing import Any

from dualnn.foreign.modules import is_module, way_out
from dualnn.foreign.recognition import public_name
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class TimeDistributed(Layer):
    """Apply one layer, with the same weights, to every step of a sequence.

    All steps of all samples are given to the layer as one batch, so BatchNormalization takes its statistics
    over the steps, too.

    Args:
        layer: the layer, for inputs of shape (batch, ...).
        name: the layer's name.

    Raises:
        TypeError: `layer` is no layer.

    Input of shape (batch, steps, ...), output of shape (batch, steps, ...).

    >>> import dualnn as dn
    >>> layer = dn.layers.TimeDistributed(dn.layers.Flatten())
    >>> tuple(layer(dn.backend().zeros((2, 5, 4, 3))).shape)
    (2, 5, 12)
    """

    supports_masking = True

    def __init__(self, layer: Layer, name: str | None = None) -> None:
        super().__init__(name)
        if is_module(layer):
            raise TypeError(f"expected a layer, got a {public_name(layer)}: {way_out(layer)}")
        if not isinstance(layer, Layer):
            raise TypeError(f"layer {self.name!r}: expected a layer, got {layer!r}")
        self.layer = layer

    def build(self, input_shape: Shape) -> None:
        """Check that the input is a batch of sequences; the layer inside builds itself."""
        InputSpec(min_ndim=3).check(self.name, input_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, steps, ...) to (batch, steps, ...)."""
        nn = self.nn
        batch, steps, *rest = nn.shape(x)
        y = self.layer(nn.reshape(x, (batch * steps, *rest)))
        return nn.reshape(y, (batch, steps, *nn.shape(y)[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Return (batch, steps, ...)."""
        InputSpec(min_ndim=3).check(self.name, input_shape)
        batch, steps, *rest = input_shape
        inner = self.layer.compute_output_shape((None, *rest))
        return None if inner is None else (batch, steps, *inner[1:])
