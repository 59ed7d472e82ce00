"""Normalisation over the batch, and over the features of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dualnn.fast_paths import fast_path
from dualnn.layers import masks
from dualnn.layers.checks import axes, axis, feature_axes, fraction, number_from_zero
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class BatchNormalization(Layer):
    """Normalise each feature over the batch: ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``.

    In training, mean and (biased) variance are the batch's, and moving averages of both are kept;
    otherwise the moving averages are used (Ioffe and Szegedy, 2015).

    Args:
        axis: the axis of the features.
        momentum: how much of the moving average is kept each step,
            ``moving = momentum * moving + (1 - momentum) * batch``.
        epsilon: added to the variance.
        center: whether there is a ``beta``.
        scale: whether there is a ``gamma``.
        beta_initializer: a name or a function.
        gamma_initializer: a name or a function.
        moving_mean_initializer: a name or a function.
        moving_variance_initializer: a name or a function.
        beta_regularizer: a name or a function, or None.
        gamma_regularizer: a name or a function, or None.
        name: the layer's name.

    Raises:
        ValueError: `axis` is no axis of the input behind the batch's, or a number out of range.

    Input and output of the same shape, (batch, ..., features) for ``axis=-1``. Steps that a mask, (batch,
    steps), leaves out do not count in the batch's statistics.

    >>> import dualnn as dn
    >>> layer = dn.layers.BatchNormalization(momentum=0.5, center=False, scale=False)
    >>> y = layer([[0.0], [2.0]], training=True)
    >>> [float(m) for m in dn.backend().to_numpy(layer.moving_mean)]
    [0.5]
    """

    _computes = True
    supports_masking = True
    keeps_precision = True  # means of many numbers in 16 bits would be far off

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.axis = _axis("axis", axis)
        self.momentum = fraction("momentum", momentum)
        self.epsilon = number_from_zero("epsilon", epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = beta_initializer
        self.gamma_initializer = gamma_initializer
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.beta_regularizer = beta_regularizer
        self.gamma_regularizer = gamma_regularizer

    def build(self, input_shape: Shape) -> None:
        """Make gamma, beta and the moving mean and variance, each (features,)."""
        InputSpec(min_ndim=2).check(self.name, input_shape)
        (axis,) = feature_axes(self.name, "axis", self.axis, input_shape)
        features = input_shape[axis]
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                (features,), self.gamma_initializer, regularizer=self.gamma_regularizer, name="gamma"
            )
        if self.center:
            self.beta = self.add_weight(
                (features,), self.beta_initializer, regularizer=self.beta_regularizer, name="beta"
            )
        self.moving_mean = self.add_weight(
            (features,), self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            (features,), self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={axis: features})

    def call(self, x: Tensor, training: bool = False, mask: Tensor | None = None) -> Tensor:
        """Normalise; in training by the batch's statistics, which the moving averages follow."""
        nn = self.nn
        rank = len(x.shape)
        axis = self.axis % rank
        own = training and self.trainable
        x = x if mask is None else masks.settled(nn, x, mask)
        statistics = None if own else (self.moving_mean, self.moving_variance)
        by_kernel = axis == rank - 1 and (mask is None or not own)
        kernel = fast_path(nn, "batch_normalization") if by_kernel else None
        fused = kernel and kernel(x, self.gamma, self.beta, statistics, epsilon=self.epsilon)
        y, mean, variance = fused or self._formula(x, statistics, axis, mask)
        if own:
            self.moving_mean = self._follow(self.moving_mean, mean)
            self.moving_variance = self._follow(self.moving_variance, variance)
        return y

    def _formula(
        self, x: Tensor, statistics: tuple[Tensor, Tensor] | None, axis: int, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        nn, rank = self.nn, len(x.shape)
        if statistics is None:
            axes = tuple(i for i in range(rank) if i != axis)
            mean = _mean(nn, x, axes, mask)
            centered = x - mean
            variance = _mean(nn, centered * centered, axes, mask)
        else:
            mean, variance = (_along(nn, one, (axis,), rank) for one in statistics)
            centered = x - mean
        # One scale per feature before the images are touched: every pass over them takes memory and time.
        gamma = 1.0 if self.gamma is None else _along(nn, self.gamma, (axis,), rank)
        y = centered * (gamma / nn.sqrt(variance + self.epsilon))
        return y if self.beta is None else y + _along(nn, self.beta, (axis,), rank), mean, variance

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape

    def _follow(self, moving: Tensor, batch: Tensor) -> Tensor:
        batch = self.nn.stop_gradient(self.nn.reshape(batch, (-1,)))
        return moving * self.momentum + batch * (1.0 - self.momentum)


class LayerNormalization(Layer):
    """Normalise each sample over its features (Ba, Kiros and Hinton, 2016).

    ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``, with the sample's own mean and (biased)
    variance.

    Args:
        axis: the axis of the features, or a list of several over which it is normalised together; gamma and
            beta have their sizes, in ascending order of the axes.
        epsilon: added to the variance.
        center: whether there is a ``beta``.
        scale: whether there is a ``gamma``.
        beta_initializer: a name or a function.
        gamma_initializer: a name or a function.
        beta_regularizer: a name or a function, or None.
        gamma_regularizer: a name or a function, or None.
        name: the layer's name.

    Raises:
        ValueError: `axis` is no axis of the input behind the batch's, or `epsilon` not positive.

    Input and output of the same shape, (batch, ..., features) for ``axis=-1``.

    >>> import dualnn as dn
    >>> y = dn.layers.LayerNormalization()([[1.0, 3.0]])
    >>> [round(float(v), 3) for v in dn.backend().to_numpy(y)[0]]
    [-1.0, 1.0]
    """

    _computes = True
    supports_masking = True
    keeps_precision = True  # means of many numbers in 16 bits would be far off

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.axis = axes("axis", axis)
        self.epsilon = number_from_zero("epsilon", epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = beta_initializer
        self.gamma_initializer = gamma_initializer
        self.beta_regularizer = beta_regularizer
        self.gamma_regularizer = gamma_regularizer

    def build(self, input_shape: Shape) -> None:
        """Make gamma and beta, each (features,), or with the sizes of several axes."""
        InputSpec(min_ndim=2).check(self.name, input_shape)
        axes = feature_axes(self.name, "axis", self.axis, input_shape)
        sizes = tuple(input_shape[axis] for axis in axes)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                sizes, self.gamma_initializer, regularizer=self.gamma_regularizer, name="gamma"
            )
        if self.center:
            self.beta = self.add_weight(
                sizes, self.beta_initializer, regularizer=self.beta_regularizer, name="beta"
            )
        self.input_spec = InputSpec(ndim=len(input_shape), axes=dict(zip(axes, sizes, strict=True)))

    def call(self, x: Tensor) -> Tensor:
        """Normalise each sample."""
        axes = feature_axes(self.name, "axis", self.axis, tuple(x.shape))
        kernel = fast_path(self.nn, "layer_normalization") if axes == (len(x.shape) - 1,) else None
        y = None if kernel is None else kernel(x, self.gamma, self.beta, epsilon=self.epsilon)
        return self._formula(x, axes) if y is None else y

    def _formula(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        nn, rank = self.nn, len(x.shape)
        centered = x - nn.mean(x, axis=axes, keepdims=True)
        variance = nn.mean(centered * centered, axis=axes, keepdims=True)
        y = centered / nn.sqrt(variance + self.epsilon)
        if self.gamma is not None:
            y = y * _along(nn, self.gamma, axes, rank)
        if self.beta is not None:
            y = y + _along(nn, self.beta, axes, rank)
        return y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


def _mean(nn: Any, x: Tensor, axes: tuple[int, ...], mask: Tensor | None) -> Tensor:
    if mask is None:
        return nn.mean(x, axis=axes, keepdims=True)
    for _ in range(len(x.shape) - len(mask.shape)):
        mask = nn.expand_dims(mask, axis=-1)
    counts = nn.broadcast_to(mask, nn.shape(x))
    total = nn.sum(nn.where(counts, x, nn.zeros_like(x)), axis=axes, keepdims=True)
    # as in Keras: where no step counts, the mean is 0
    return total / (nn.sum(nn.astype(counts, x.dtype), axis=axes, keepdims=True) + 1e-7)


def _along(nn: Any, weight: Tensor, axes: tuple[int, ...], rank: int) -> Tensor:
    sizes = dict(zip(axes, weight.shape, strict=True))
    return nn.reshape(weight, tuple(sizes.get(axis, 1) for axis in range(rank)))


_axis = axis  # the constructors' argument has the same name
