"""Pooling over windows of an image, and over the whole of it."""

from __future__ import annotations

from dualnn.layers import context
from dualnn.layers.checks import fits, padding, pair, window_size
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class _Pooling2D(Layer):
    _computes = True

    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.pool_size = pair("pool_size", pool_size)
        self.strides = self.pool_size if strides is None else pair("strides", strides)
        self.padding = _padding(padding)

    def build(self, input_shape: Shape) -> None:
        """Check the image's shape; pooling has no weights."""
        self._check(input_shape)
        self.input_spec = InputSpec(ndim=4)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, new height, new width, channels)."""
        self._check(input_shape)
        rows, columns = (
            window_size(size, window, stride, self.padding)
            for size, window, stride in zip(input_shape[1:3], self.pool_size, self.strides, strict=True)
        )
        return (input_shape[0], rows, columns, input_shape[3])

    def _check(self, input_shape: Shape) -> None:
        InputSpec(ndim=4).check(self.name, input_shape)
        fits(self.name, input_shape, self.pool_size, self.padding)


class MaxPooling2D(_Pooling2D):
    """The largest value of each window of an image, channels last.

    Args:
        pool_size: rows and columns of the window.
        strides: the step from window to window; by default the window's size.
        padding: ``"valid"`` for none; with ``"same"`` the output has ``ceil(size / stride)`` rows and
            columns, and padded pixels never win.
        name: the layer's name.

    >>> import dualnn as dn
    >>> tuple(dn.layers.MaxPooling2D()(dn.backend().zeros((1, 28, 28, 3))).shape)
    (1, 14, 14, 3)
    """

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, height, width, channels) to (batch, new height, new width, channels)."""
        context.show_guard(x)  # as a kernel may leave NaN out
        return self.nn.max_pool2d(x, pool_size=self.pool_size, strides=self.strides, padding=self.padding)


class AveragePooling2D(_Pooling2D):
    """The mean of each window of an image, channels last.

    Args:
        pool_size: rows and columns of the window.
        strides: the step from window to window; by default the window's size.
        padding: ``"valid"`` for none; with ``"same"`` the output has ``ceil(size / stride)`` rows and
            columns, and padded pixels do not count.
        name: the layer's name.

    >>> import dualnn as dn
    >>> tuple(dn.layers.AveragePooling2D(3, padding="same")(dn.backend().zeros((1, 28, 28, 3))).shape)
    (1, 10, 10, 3)
    """

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, height, width, channels) to (batch, new height, new width, channels)."""
        return self.nn.avg_pool2d(x, pool_size=self.pool_size, strides=self.strides, padding=self.padding)


class GlobalAveragePooling2D(Layer):
    """The mean over all pixels of an image, channels last.

    Args:
        keepdims: whether the output keeps axes of size 1, (batch, 1, 1, channels).
        name: the layer's name.

    Input of shape (batch, height, width, channels), output of shape (batch, channels).

    >>> import dualnn as dn
    >>> tuple(dn.layers.GlobalAveragePooling2D()(dn.backend().zeros((1, 28, 28, 3))).shape)
    (1, 3)
    """

    _computes = True

    def __init__(self, keepdims: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.keepdims = keepdims

    def build(self, input_shape: Shape) -> None:
        """Check the image's shape; pooling has no weights."""
        InputSpec(ndim=4).check(self.name, input_shape)
        self.input_spec = InputSpec(ndim=4)

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, height, width, channels) to (batch, channels)."""
        return self.nn.mean(x, axis=(1, 2), keepdims=self.keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, channels)."""
        InputSpec(ndim=4).check(self.name, input_shape)
        batch, _, _, channels = input_shape
        return (batch, 1, 1, channels) if self.keepdims else (batch, channels)


_padding = padding  # the constructors' argument has the same name
