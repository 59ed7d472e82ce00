"""Pooling over all steps of a sequence."""

from __future__ import annotations

from typing import Any

from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class GlobalAveragePooling1D(Layer):
    """The mean over all steps of a sequence, or over those that its mask does not leave out.

    Args:
        keepdims: whether the output keeps an axis of size 1, (batch, 1, features).
        name: the layer's name.

    Input of shape (batch, steps, features), output of shape (batch, features). A sequence without any step
    that counts gives NaN, as in Keras.

    >>> import dualnn as dn
    >>> y = dn.layers.GlobalAveragePooling1D()([[[1.0], [3.0], [8.0]]], mask=[[True, True, False]])
    >>> dn.backend().to_numpy(y).tolist()
    [[2.0]]
    """

    _computes = True
    supports_masking = True

    def __init__(self, keepdims: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.keepdims = keepdims

    def build(self, input_shape: Shape) -> None:
        """Check the sequence's shape; pooling has no weights."""
        InputSpec(ndim=3).check(self.name, input_shape)
        self.input_spec = InputSpec(ndim=3)

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map (batch, steps, features) and a mask (batch, steps) to (batch, features)."""
        nn = self.nn
        if mask is None:
            return nn.mean(x, axis=1, keepdims=self.keepdims)
        counts = nn.expand_dims(mask, axis=-1)
        total = nn.sum(nn.where(counts, x, nn.zeros_like(x)), axis=1, keepdims=self.keepdims)
        return total / nn.sum(nn.astype(counts, x.dtype), axis=1, keepdims=self.keepdims)

    def compute_mask(self, x: Tensor, mask: Any = None) -> None:
        """Return None: there are no steps any more."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, features)."""
        InputSpec(ndim=3).check(self.name, input_shape)
        batch, _, features = input_shape
        return (batch, 1, features) if self.keepdims else (batch, features)
