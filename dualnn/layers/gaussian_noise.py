"""Noise that is added."""

from __future__ import annotations

from typing import Any

from dualnn.layers.random_layer import RandomLayer, normal, working_dtype
from dualnn.protocol import Tensor


class GaussianNoise(RandomLayer):
    """In training, add normal noise of mean 0 to each number of the input.

    Args:
        stddev: the noise's standard deviation, from 0 to 1.
        seed: fixes the noise; by default it follows from the model's seed.
        name: the layer's name.

    Raises:
        ValueError: a `stddev` out of its range.

    Input and output of the same shape. How the noise is drawn: `dualnn.layers.random_layer.normal`.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> noise = nn.to_numpy(dn.layers.GaussianNoise(0.5, seed=0)(nn.zeros((100, 100)), training=True))
    >>> bool(abs(noise.mean()) < 0.02), bool(abs(noise.std() - 0.5) < 0.02)
    (True, True)
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(seed, name)
        self.stddev = _deviation(stddev)

    def disturbed(self, x: Tensor, key: Tensor) -> Tensor:
        """Add the noise."""
        nn = self.nn
        noise = normal(nn, key, nn.shape(x), self.stddev, working_dtype(nn, x), self.device)
        return x + nn.astype(noise, x.dtype)


def _deviation(stddev: Any) -> float:
    if not isinstance(stddev, int | float) or not 0 <= stddev <= 1:
        raise ValueError(
            f"stddev must be a number from 0 to 1, got {stddev!r}; scale the input to numbers of that size"
        )
    return float(stddev)
