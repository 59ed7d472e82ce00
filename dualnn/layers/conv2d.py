"""The 2-D convolution."""

from __future__ import annotations

from typing import Any

from dualnn import activations
from dualnn.fast_paths import fast_path
from dualnn.layers.checks import fits, padding, pair, positive_int, window_size
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Conv2D(Layer):
    """A 2-D convolution (cross-correlation) over images, channels last.

    Args:
        filters: the number of output channels.
        kernel_size: rows and columns of the window.
        strides: the step from window to window.
        padding: ``"valid"`` for none; ``"same"`` pads with zeros so that the output has
            ``ceil(size / stride)`` rows and columns, the odd pixel at the bottom and right.
        dilation_rate: the step from pixel to pixel inside a window.
        groups: splits the channels into groups that do not mix.
        activation: a name or a function; None for none.
        use_bias: whether there is a bias.
        kernel_initializer: a name or a function.
        bias_initializer: a name or a function.
        kernel_regularizer: a name or a function, or None.
        bias_regularizer: a name or a function, or None.
        name: the layer's name.

    Input of shape (batch, height, width, channels), output of shape (batch, new height, new width,
    filters).

    >>> import dualnn as dn
    >>> layer = dn.layers.Conv2D(8, 3, padding="same", strides=2)
    >>> tuple(layer(dn.backend().zeros((1, 28, 28, 1))).shape)
    (1, 14, 14, 8)
    """

    kind_of_work = "convolution"
    _computes = True

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        dilation_rate: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.filters = positive_int("filters", filters)
        self.kernel_size = pair("kernel_size", kernel_size)
        self.strides = pair("strides", strides)
        self.padding = _padding(padding)
        self.dilation_rate = pair("dilation_rate", dilation_rate)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"strides above 1 cannot be combined with a dilation_rate above 1, as in Keras, got "
                f"{strides!r} and {dilation_rate!r}"
            )
        self.groups = positive_int("groups", groups)
        if self.filters % self.groups:
            raise ValueError(f"filters ({filters}) must be a multiple of groups ({groups})")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer

    def build(self, input_shape: Shape) -> None:
        """Make the kernel, (rows, columns, channels // groups, filters), and the bias, (filters,)."""
        self._check(input_shape)
        channels = input_shape[-1]
        self.kernel = self.add_weight(
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
            outputs_first=True,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.filters,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias"
            )
        self.input_spec = InputSpec(ndim=4, axes={-1: channels})

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, height, width, channels) to (batch, new height, new width, filters)."""
        y = self.nn.conv2d(
            x,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=self.groups,
            bias=self.bias,
        )
        if self.activation is activations.relu:
            kernel = fast_path(self.nn, "relu_in_place")
            activated = None if kernel is None else kernel(y)
            if activated is not None:
                return activated
        return self.activation(y)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, new height, new width, filters)."""
        self._check(input_shape)
        rows, columns = (
            window_size(size, extent, stride, self.padding)
            for size, extent, stride in zip(input_shape[1:3], self._extent(), self.strides, strict=True)
        )
        return (input_shape[0], rows, columns, self.filters)

    def _check(self, input_shape: Shape) -> None:
        InputSpec(ndim=4).check(self.name, input_shape)
        if input_shape[-1] % self.groups:
            raise ValueError(
                f"layer {self.name!r}: {input_shape[-1]} channels cannot be split into {self.groups} groups"
            )
        fits(self.name, input_shape, self._extent(), self.padding)

    def _extent(self) -> tuple[int, int]:
        (rows, columns), (down, right) = self.kernel_size, self.dilation_rate
        return (rows - 1) * down + 1, (columns - 1) * right + 1


_padding = padding  # the constructor's argument has the same name
