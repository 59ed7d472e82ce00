"""The lookup table of vectors."""

from __future__ import annotations

from typing import Any

from dualnn.layers import ids
from dualnn.layers.checks import positive_int
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Embedding(Layer):
    """Turn integers into vectors: row ``i`` of a table for each ``i``.

    Args:
        input_dim: the number of rows; the integers are 0 to ``input_dim - 1``.
        output_dim: the length of a vector.
        embeddings_initializer: a name or a function.
        embeddings_regularizer: a name or a function, or None.
        mask_zero: whether 0 stands for a step that is not there: layers behind leave it out.
        name: the layer's name.

    Input of integers of shape (batch, ...), output of shape (batch, ..., output_dim). Floating-point numbers
    are cut off to integers. Any other number is an error that names the layer and the number, in every
    engine: `fit` raises it when the steps of a call are done, with the model as it was before the step of
    that number. Inside of a function that you compile yourself, of a cell in a loop, and of a `Checkpoint`
    nothing can be raised: there the vector is NaN.

    Raises:
        ValueError: a number that is not in 0 to ``input_dim - 1``.

    >>> import dualnn as dn
    >>> tuple(dn.layers.Embedding(100, 8)([[3, 14, 15]]).shape)
    (1, 3, 8)
    """

    declared_dtype = "int32"

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        mask_zero: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.input_dim = positive_int("input_dim", input_dim)
        self.output_dim = positive_int("output_dim", output_dim)
        self.embeddings_initializer = embeddings_initializer
        self.embeddings_regularizer = embeddings_regularizer
        self.mask_zero = self.supports_masking = mask_zero

    def build(self, input_shape: Shape) -> None:
        """Make the table, (input_dim, output_dim)."""
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            name="embeddings",
        )

    def call(self, x: Tensor) -> Tensor:
        """Map integers (batch, ...) to vectors (batch, ..., output_dim)."""
        vectors = ids.looked_up(self, x, self.embeddings)
        return self.nn.reshape(vectors, (*self.nn.shape(x), self.output_dim))

    def compute_mask(self, x: Tensor, mask: Any = None) -> Tensor:
        """Return the mask: True where the integer is not 0."""
        return self.nn.logical_not(self.nn.equal(x, 0))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, ..., output_dim)."""
        return (*input_shape, self.output_dim)
