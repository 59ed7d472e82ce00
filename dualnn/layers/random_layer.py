"""What the layers have in common that disturb their input in training, and the numbers they draw.

Numbers that need more than additions and products are looked up in tables that are made on the host: the
logarithms and cosines of two frameworks differ in their last bits.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from dualnn import random
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Backend, Device, Shape, Tensor

TABLE = 2**16
"""The entries of a table; 16 bits of a random word choose one."""
IMAGES = InputSpec(ndim=4)


class RandomLayer(Layer):
    """The base of layers that disturb their input in training, and leave it as it is otherwise.

    What is drawn depends on the model's seed, the layer's place in the model and the number of draws before,
    and is the same, bit for bit, on every backend and device.

    Args:
        seed: fixes what this layer draws; by default it follows from the model's seed.
        name: the layer's name.

    Input and output of the same shape.
    """

    _computes = True

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self.draw_seed = seed

    def build(self, input_shape: Shape) -> None:
        """Make the random state: the key of the draws and their number so far."""
        key = self.random_key("draw") if self.draw_seed is None else random.key(self.draw_seed, "draw")
        self.key = self.add_variable(np.asarray(key, dtype=np.int64), name="key")
        self.drawn = self.add_variable(np.asarray(0, dtype=np.int64), name="drawn")

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Disturb in training, else return `x`."""
        if not training:
            return x
        key = random.fold(self.nn, self.key, self.drawn)
        self.drawn = self.drawn + 1
        return self.disturbed(x, key)

    def disturbed(self, x: Tensor, key: Tensor) -> Tensor:
        """Return what becomes of `x` by the random numbers of a key."""
        raise NotImplementedError(f"{type(self).__name__} must define disturbed(self, x, key)")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class RandomImageLayer(RandomLayer):
    """The base of random layers whose input is images, (batch, height, width, channels)."""

    def build(self, input_shape: Shape) -> None:
        """Check that the input is images; make the random state."""
        IMAGES.check(self.name, input_shape)
        super().build(input_shape)
        self.input_spec = IMAGES

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        IMAGES.check(self.name, input_shape)
        return input_shape


def working_dtype(nn: Backend, x: Tensor) -> str:
    """Return the dtype to compute in for `x`: float32, in which 16 bits lose nothing, or float64."""
    return "float64" if nn.dtype_name(x.dtype) == "float64" else "float32"


def chosen(
    nn: Backend, key: Tensor, count: Tensor, table: npt.NDArray[np.float64], dtype: str, device: Device
) -> Tensor:
    """Return random rows of a table of `TABLE` rows, (count, columns)."""
    rows = nn.bitwise_and(random.bits(nn, key, 0, (count,), device), TABLE - 1)
    return nn.take(nn.asarray(table, dtype=dtype, device=device), rows, axis=0)


def normal(nn: Backend, key: Tensor, shape: Shape, stddev: float, dtype: str, device: Device) -> Tensor:
    """Return normal numbers of mean 0.

    Each is the sum of two quantiles of the normal distribution that are chosen at random out of `TABLE`,
    scaled so that the sum has the variance asked for: the sum of two normal numbers is one. None is beyond
    6.1 standard deviations, where one of a billion would be.

    Args:
        nn: the backend.
        key: a 0-d int64 tensor.
        shape: the shape of the result; its entries may be 0-d integer tensors.
        stddev: the standard deviation.
        dtype: the name of a floating-point dtype.
        device: where the key is, and the result is made.
    """
    size = math.prod(shape)
    words = random.bits(nn, key, 0, ((size + 1) // 2,), device)
    table = nn.asarray(stddev / math.sqrt(2) * _normal_quantiles(), dtype=dtype, device=device)
    first, second, third, fourth = (
        nn.take(table, nn.bitwise_and(nn.bitwise_right_shift(words, 16 * n), TABLE - 1), axis=0)
        for n in range(4)
    )
    return nn.reshape(nn.concat([first + second, third + fourth])[:size], shape)


@functools.cache
def _normal_quantiles() -> npt.NDArray[np.float64]:
    """Return the normal distribution's quantiles in the middles of `TABLE` equal shares, of variance 1."""
    from statistics import NormalDist  # here, as it takes long to import

    distribution = NormalDist()
    upper = np.asarray([distribution.inv_cdf((TABLE // 2 + i + 0.5) / TABLE) for i in range(TABLE // 2)])
    quantiles = np.concatenate([-upper[::-1], upper])
    scaled: npt.NDArray[np.float64] = quantiles / np.sqrt(np.mean(np.square(quantiles)))
    return scaled
