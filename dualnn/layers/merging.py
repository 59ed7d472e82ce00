"""Layers that make one tensor of several."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Add(Layer):
    """The sum of tensors, as in Keras of shapes that may differ by broadcasting.

    Args:
        name: the layer's name.

    The batch's size is the same for all. Of the axes behind it, one of size 1 goes along with any size, and a
    tensor with fewer axes gets the missing ones right behind the batch's: (batch, 3) beside (batch, 4, 3) is
    (batch, 1, 3).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(dn.layers.Add()([nn.ones(2), nn.ones(2)])).tolist()
    [2.0, 2.0]
    """

    supports_masking = True
    _takes_list = True

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Check that the shapes go together."""
        self._check(input_shape)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Add them up, in their order."""
        rank = max(len(x.shape) for x in inputs)
        return functools.reduce(operator.add, (self._of_rank(rank, x) for x in inputs))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where one of the masks is True; None, all steps count, unless each tensor has a mask."""
        if mask is None or any(one is None for one in mask):
            return None
        nn = self.nn
        return nn.logical_not(functools.reduce(nn.logical_and, map(nn.logical_not, mask)))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the shape that all have by broadcasting."""
        return self._check(input_shape)

    def _of_rank(self, rank: int, x: Tensor) -> Tensor:
        while len(x.shape) < rank:
            x = self.nn.expand_dims(x, axis=1)
        return x

    def _check(self, shapes: Sequence[Shape]) -> Shape:
        _several(self.name, shapes)
        rank = max(map(len, shapes))
        full = [(*shape[:1], *[1] * (rank - len(shape)), *shape[1:]) for shape in map(tuple, shapes)]
        found: list[Any] = []
        for axis, sizes in enumerate(zip(*full, strict=True)):
            known = {size for size in sizes if size is not None and (size != 1 or axis == 0)}
            if len(known) > 1:
                raise ValueError(
                    f"layer {self.name!r}: expected tensors of the same shape, or with sizes of 1 behind the "
                    f"batch's, got {list(shapes)}"
                )
            found.append(known.pop() if known else None if None in sizes else 1)
        return tuple(found)


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
