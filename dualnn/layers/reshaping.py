"""Layers that change the shape only."""

from __future__ import annotations

import math

from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Flatten(Layer):
    """All axes but the batch's in one: (batch, a, b, ...) to (batch, a * b * ...).

    Args:
        name: the layer's name.

    >>> import dualnn as dn
    >>> tuple(dn.layers.Flatten()(dn.backend().zeros((2, 3, 4))).shape)
    (2, 12)
    """

    def build(self, input_shape: Shape) -> None:
        """Check that there is a batch axis; reshaping has no weights."""
        InputSpec(min_ndim=1).check(self.name, input_shape)

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, ...) to (batch, features)."""
        batch, *sizes = self.nn.shape(x)  # in a graph for several shapes, sizes may be tensors
        return self.nn.reshape(x, (batch, math.prod(sizes)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, features)."""
        sizes = input_shape[1:]
        return (input_shape[0], None if None in sizes else math.prod(sizes))


class Reshape(Layer):
    """Give every sample another shape: (batch, ...) to (batch, *target_shape).

    Args:
        target_shape: the shape of a sample; one size may be -1 and is computed.
        name: the layer's name.

    Raises:
        ValueError: sizes that are no whole numbers or below -1, or samples that cannot have this shape.

    >>> import dualnn as dn
    >>> tuple(dn.layers.Reshape((2, -1))(dn.backend().zeros((5, 6))).shape)
    (5, 2, 3)
    """

    def __init__(self, target_shape: tuple[int, ...] | int, name: str | None = None) -> None:
        super().__init__(name)
        sizes = target_shape if isinstance(target_shape, list | tuple) else (target_shape,)
        whole = all(
            hasattr(size, "__index__") and not isinstance(size, bool) and size >= -1 for size in sizes
        )
        if not whole or list(sizes).count(-1) > 1:
            raise ValueError(
                f"target_shape must be the sizes of a sample's axes, whole numbers with at most one -1, "
                f"got {target_shape!r}"
            )
        self.target_shape = tuple(int(size) for size in sizes)

    def build(self, input_shape: Shape) -> None:
        """Check that the sizes agree; reshaping has no weights."""
        self._sizes(input_shape)

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, ...) to (batch, *target_shape)."""
        if None not in x.shape[1:]:
            return self.nn.reshape(x, (self.nn.shape(x)[0], *self._sizes(tuple(x.shape))))
        # in a graph for several shapes sizes are tensors, and the backend says which do not fit
        batch, *sizes = self.nn.shape(x)
        computed = math.prod(sizes) // math.prod(n for n in self.target_shape if n != -1)
        return self.nn.reshape(x, (batch, *(computed if n == -1 else n for n in self.target_shape)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, *target_shape)."""
        if None in input_shape[1:]:
            return (input_shape[0], *(None if size == -1 else size for size in self.target_shape))
        return (input_shape[0], *self._sizes(input_shape))

    def _sizes(self, input_shape: Shape) -> tuple[int, ...]:
        size = math.prod(input_shape[1:])
        known = math.prod(n for n in self.target_shape if n != -1)
        if -1 in self.target_shape:
            if known and size % known == 0:
                return tuple(size // known if n == -1 else n for n in self.target_shape)
        elif size == known:
            return self.target_shape
        raise ValueError(
            f"layer {self.name!r}: cannot give samples of shape {tuple(input_shape[1:])} ({size} numbers) "
            f"the shape {self.target_shape}"
        )
