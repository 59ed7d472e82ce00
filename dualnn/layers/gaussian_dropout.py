"""Noise that is multiplied."""

from __future__ import annotations

import math

from dualnn.layers.checks import fraction
from dualnn.layers.random_layer import RandomLayer, normal, working_dtype
from dualnn.protocol import Tensor


class GaussianDropout(RandomLayer):
    """In training, multiply each number of the input by a normal number of mean 1.

    Its variance is that of the factors of `Dropout`, ``rate / (1 - rate)`` (Srivastava et al., 2014,
    section 10).

    Args:
        rate: as of `Dropout`, at least 0 and less than 1.
        seed: fixes the noise; by default it follows from the model's seed.
        name: the layer's name.

    Raises:
        ValueError: a rate out of its range.

    Input and output of the same shape.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> factors = nn.to_numpy(dn.layers.GaussianDropout(0.2, seed=0)(nn.ones((100, 100)), training=True))
    >>> bool(abs(factors.mean() - 1) < 0.02), bool(abs(factors.std() - 0.5) < 0.02)
    (True, True)
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(seed, name)
        self.rate = fraction("rate", rate)

    def disturbed(self, x: Tensor, key: Tensor) -> Tensor:
        """Multiply by the noise."""
        nn = self.nn
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        noise = normal(nn, key, nn.shape(x), stddev, working_dtype(nn, x), self.device)
        return x * nn.astype(1.0 + noise, x.dtype)
