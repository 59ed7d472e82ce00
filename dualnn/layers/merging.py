"""Layers that make one tensor of several."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Add(Layer):
    """The sum of tensors of the same shape.

    Args:
        name: the layer's name.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(dn.layers.Add()([nn.ones(2), nn.ones(2)])).tolist()
    [2.0, 2.0]
    """

    supports_masking = True
    _takes_list = True

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Check that the shapes are the same."""
        self._check(input_shape)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Add them up, in their order."""
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where one of the masks is True; None, all steps count, unless each tensor has a mask."""
        if mask is None or any(one is None for one in mask):
            return None
        nn = self.nn
        return nn.logical_not(functools.reduce(nn.logical_and, map(nn.logical_not, mask)))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the common shape."""
        self._check(input_shape)
        return input_shape[0]

    def _check(self, shapes: Sequence[Shape]) -> None:
        _several(self.name, shapes)
        if any(tuple(shape) != tuple(shapes[0]) for shape in shapes):
            raise ValueError(f"layer {self.name!r}: expected tensors of the same shape, got {list(shapes)}")


class Concatenate(Layer):
    """Tensors joined along an axis.

    Args:
        axis: the axis along which they are joined; the other axes have the same sizes.
        name: the layer's name.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> tuple(dn.layers.Concatenate()([nn.ones((2, 3)), nn.ones((2, 4))]).shape)
    (2, 7)
    """

    supports_masking = True
    _takes_list = True

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        super().__init__(name)
        self.axis = axis

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Check that the shapes agree but for the axis."""
        self._check(input_shape)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Join them, in their order."""
        return self.nn.concat(list(inputs), axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where a number comes from a step that counts; all steps of a tensor without a mask do."""
        if mask is None:
            return None
        nn = self.nn
        left_out = [
            nn.zeros_like(x, dtype=nn.bool)
            if one is None
            else nn.broadcast_to(nn.logical_not(nn.expand_dims(one, axis=-1)), nn.shape(x))
            for x, one in zip(inputs, mask, strict=True)
        ]
        return nn.logical_not(nn.all(nn.concat(left_out, axis=self.axis), axis=-1))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the shape with the sizes along the axis added up."""
        axis = self._check(input_shape)
        sizes = [shape[axis] for shape in input_shape]
        total = None if None in sizes else sum(sizes)
        first = input_shape[0]
        return (*first[:axis], total, *first[axis + 1 :])

    def _check(self, shapes: Sequence[Shape]) -> int:
        _several(self.name, shapes)
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            raise ValueError(f"layer {self.name!r}: tensors of shape {shapes[0]} have no axis {self.axis}")
        axis = self.axis % rank
        rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in map(tuple, shapes)}
        if len(rests) > 1 or any(len(shape) != rank for shape in shapes):
            raise ValueError(
                f"layer {self.name!r}: expected the same sizes on all axes but {self.axis}, "
                f"got {list(shapes)}"
            )
        return axis


def _several(layer: str, shapes: Sequence[Shape]) -> None:
    if not isinstance(shapes, list) or len(shapes) < 1:
        raise ValueError(f"layer {layer!r}: expected a list of tensors, got one of shape {shapes}")
