"""Gradient checkpointing: less memory for more time."""

from __future__ import annotations

from typing import Any

from dualnn.layers import context, tree
from dualnn.layers.layer import Layer
from dualnn.protocol import Tensor


class Checkpoint(Layer):
    """A layer that does not keep what it computes on the way, but computes it again for the gradient.

    A deep model of such blocks needs memory for their inputs only, and one more forward pass of each block
    (Chen et al., "Training deep nets with sublinear memory cost", 2016). Its numbers are those of the
    layer inside.

    Args:
        layer: the layer, a block of a model or a whole model.
        name: the layer's name.

    Input and output are those of the layer inside.

    >>> import dualnn as dn
    >>> block = dn.Sequential([dn.layers.Dense(8, activation="relu"), dn.layers.Dense(4)])
    >>> model = dn.Sequential([dn.layers.Checkpoint(block), dn.layers.Dense(2)])
    >>> tuple(model([[1.0, 2.0, 3.0]]).shape)
    (1, 2)
    """

    kind_of_work = "checkpoint"
    supports_masking = True

    def __init__(self, layer: Layer, name: str | None = None) -> None:
        super().__init__(name)
        if not isinstance(layer, Layer):
            raise TypeError(f"expected a layer to checkpoint, got {layer!r}")
        self.layer = layer

    def call(self, x: Any, training: bool = False) -> Any:
        """Call the layer inside; in training, keep nothing but the input for the gradient."""
        built = all(layer.built for _, layer in tree.walk(self.layer))
        if not training or not built or context.is_observed():
            return self.layer(x, training=training)
        slots = tree.slots_in_step(self.layer)
        nn, around = self.nn, context.current()
        assert around is not None

        def pure(values: list[Tensor], x: Any) -> tuple[Any, list[Tensor]]:
            # it is done again when the gradient is taken, long after the call around has ended
            # nor can a note leave it
            with context.entered(around), context.noting(None), tree.bound(slots, values) as now:
                y = self.layer(x, training=True)
                return y, [value for slot, value in zip(slots, now(), strict=True) if not slot.trainable]

        # copies of the state: it is changed before the gradient is taken
        values = [slot.get() if slot.trainable else nn.stop_gradient(slot.get()) for slot in slots]
        y, state = nn.checkpoint(pure)(values, x)
        for slot, value in zip([slot for slot in slots if not slot.trainable], state, strict=True):
            if nn.is_variable(slot.get()):
                nn.assign(slot.get(), value)
            else:
                slot.put(value)
        return y

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output shape of the layer inside."""
        return self.layer.compute_output_shape(input_shape)
