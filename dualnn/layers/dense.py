"""The fully connected layer."""

from __future__ import annotations

from typing import Any

from dualnn import activations
from dualnn.layers.checks import positive_int
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Dense(Layer):
    """``activation(x @ kernel + bias)``.

    Args:
        units: the number of outputs.
        activation: a name or a function; None for none.
        use_bias: whether there is a bias.
        kernel_initializer: a name or a function.
        bias_initializer: a name or a function.
        kernel_regularizer: a name or a function, or None.
        bias_regularizer: a name or a function, or None.
        name: the layer's name.

    Input of shape (batch, ..., features), output of shape (batch, ..., units).

    >>> import dualnn as dn
    >>> tuple(dn.layers.Dense(3)([[1.0, 2.0]]).shape)
    (1, 3)
    """

    _computes = True
    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.units = positive_int("units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer

    def build(self, input_shape: Shape) -> None:
        """Make the kernel, (features, units), and the bias, (units,)."""
        InputSpec(min_ndim=2).check(self.name, input_shape)
        features = input_shape[-1]
        self.kernel = self.add_weight(
            (features, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias"
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, ..., features) to (batch, ..., units)."""
        return self.activation(self.nn.linear(x, self.kernel, self.bias))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, ..., units)."""
        InputSpec(min_ndim=2).check(self.name, input_shape)
        return (*input_shape[:-1], self.units)
