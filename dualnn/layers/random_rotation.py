"""Turning images."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from dualnn.layers.random_affine import Grid, RandomAffine, between, bounds
from dualnn.layers.random_layer import TABLE, chosen
from dualnn.protocol import Tensor


class RandomRotation(RandomAffine):
    """In training, turn each image about its middle by a random angle.

    The angle is one of 65,536 equally spaced ones.

    Args:
        factor: how far counterclockwise at most, in full turns; or a pair, the least and the most, of which
            negative ones mean clockwise. One number is taken in both directions.
        fill_mode: what is beyond the image, as of `RandomTranslation`.
        interpolation: ``"bilinear"`` or ``"nearest"``: what is between pixels.
        seed: fixes the angles; by default they follow from the model's seed.
        fill_value: the number beyond the image with ``"constant"``.
        name: the layer's name.

    Raises:
        ValueError: a factor that is not from -1 to 1, another fill mode or interpolation.

    Input and output (batch, height, width, channels).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> image = nn.reshape(nn.asarray([1.0, 2.0, 3.0, 4.0]), (1, 2, 2, 1))
    >>> quarter = dn.layers.RandomRotation((0.25, 0.25), interpolation="nearest")
    >>> nn.to_numpy(quarter(image, training=True))[0, :, :, 0].tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """

    def __init__(
        self,
        factor: float | tuple[float, float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        name: str | None = None,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed, name)
        self.factor = bounds("factor", factor)

    def positions(self, key: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Return where the pixels come from: the grid, turned clockwise as rows go down."""
        drawn = chosen(self.nn, key, grid.batch, _turns(self.factor), grid.dtype, self.device)
        drawn = self.nn.reshape(drawn, (-1, 2, 1, 1))
        cosine, sine = drawn[:, 0:1, :, 0], drawn[:, 1:2, :, 0]
        middle = (grid.height - 1) / 2, (grid.width - 1) / 2
        down, right = grid.rows - middle[0], grid.columns - middle[1]
        return middle[0] + sine * right + cosine * down, middle[1] + cosine * right - sine * down


@functools.lru_cache(maxsize=16)
def _turns(factor: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Return cosine and sine of equally spaced angles within these bounds, (`TABLE`, 2)."""
    turns = between((np.arange(TABLE) + 0.5) / TABLE, factor)
    return np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)
