"""Dropout."""

from __future__ import annotations

import numpy as np

from dualnn import random
from dualnn.layers.checks import fraction
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor


class Dropout(Layer):
    """In training, set a random share of the inputs to zero and scale the rest by ``1 / (1 - rate)``.

    The mask depends on the model's seed, the layer's place in the model and the number of masks drawn
    before, and is the same, bit for bit, on every backend and device (Srivastava et al., 2014).

    Args:
        rate: the share of inputs set to zero, at least 0 and less than 1.
        seed: fixes this layer's masks; by default they follow from the model's seed.
        name: the layer's name.

    Input and output of the same shape.

    >>> import dualnn as dn
    >>> y = dn.layers.Dropout(0.5, seed=0)(dn.backend().ones((1, 8)), training=True)
    >>> sorted({float(v) for v in dn.backend().to_numpy(y)[0]})
    [0.0, 2.0]
    """

    _computes = True
    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self.rate = fraction("rate", rate)
        self.mask_seed = seed

    def build(self, input_shape: Shape) -> None:
        """Make the random state: the key of the masks and the number of masks drawn."""
        key = self.random_key("mask") if self.mask_seed is None else random.key(self.mask_seed, "mask")
        self.key = self.add_variable(np.asarray(key, dtype=np.int64), name="key")
        self.drawn = self.add_variable(np.asarray(0, dtype=np.int64), name="drawn")

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Drop in training, else return `x`."""
        if not training or self.rate == 0:
            return x
        nn = self.nn
        key = random.fold(nn, self.key, self.drawn)
        self.drawn = self.drawn + 1
        keep = random.bernoulli_mask(nn, key, nn.shape(x), 1.0 - self.rate, device=self.device)
        return nn.where(keep, x * (1.0 / (1.0 - self.rate)), nn.zeros_like(x))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
