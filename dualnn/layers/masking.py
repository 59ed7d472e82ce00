"""Leaving out steps of a sequence by their value."""

from __future__ import annotations

from typing import Any

from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Masking(Layer):
    """Mark the steps of a sequence whose features all have one value: layers behind leave them out.

    Args:
        mask_value: the value.
        name: the layer's name.

    Input and output of shape (batch, steps, features); the steps left out are 0 in the output.

    >>> import dualnn as dn
    >>> x = dn.layers.Masking(-1.0)([[[5.0], [-1.0]]])
    >>> float(dn.layers.GlobalAveragePooling1D()(x)[0, 0])
    5.0
    """

    _computes = True
    supports_masking = True

    def __init__(self, mask_value: float = 0.0, name: str | None = None) -> None:
        super().__init__(name)
        self.mask_value = mask_value

    def call(self, x: Tensor) -> Tensor:
        """Set the steps to 0 that are left out."""
        counts = self.nn.expand_dims(self.compute_mask(x), axis=-1)
        return self.nn.where(counts, x, self.nn.zeros_like(x))

    def compute_mask(self, x: Tensor, mask: Any = None) -> Tensor:
        """Return the mask (batch, steps): True where a feature differs from the value."""
        return self.nn.logical_not(self.nn.all(self.nn.equal(x, self.mask_value), axis=-1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
