"""Scaling images."""

from __future__ import annotations

import math

from dualnn.layers.random_affine import Grid, RandomAffine, bounds
from dualnn.protocol import Tensor

BOUNDS = math.nextafter(-1.0, 0.0), 1.0
"""At -1 all of the image would be one point of it."""


class RandomZoom(RandomAffine):
    """In training, zoom out of each image, or into it, by a random factor.

    Args:
        height_factor: how much smaller what is seen becomes in height at most, 0.5 for positions that are
            1.5 times as far apart; or a pair, the least and the most, of which negative ones mean larger. One
            number is taken in both directions.
        width_factor: likewise in width; None for that of the height, which keeps the image's proportions.
        fill_mode: what is beyond the image, as of `RandomTranslation`.
        interpolation: ``"bilinear"`` or ``"nearest"``: what is between pixels.
        seed: fixes the factors; by default they follow from the model's seed.
        fill_value: the number beyond the image with ``"constant"``.
        name: the layer's name.

    Raises:
        ValueError: a factor that is not more than -1 and at most 1, another fill mode or interpolation.

    Input and output (batch, height, width, channels).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> image = nn.reshape(nn.asarray([1.0, 2.0, 3.0]), (1, 1, 3, 1))
    >>> out = dn.layers.RandomZoom((0.5, 0.5), fill_mode="nearest")
    >>> nn.to_numpy(out(image, training=True))[0, 0, :, 0].tolist()
    [1.0, 2.0, 3.0]
    >>> nn.to_numpy(dn.layers.RandomZoom((-0.5, -0.5))(image, training=True))[0, 0, :, 0].tolist()
    [1.5, 2.0, 2.5]
    """

    def __init__(
        self,
        height_factor: float | tuple[float, float],
        width_factor: float | tuple[float, float] | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        name: str | None = None,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed, name)
        self.height_factor = bounds("height_factor", height_factor, BOUNDS)
        self.width_factor = None if width_factor is None else bounds("width_factor", width_factor, BOUNDS)

    def positions(self, key: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Return where the pixels come from: farther from the image's middle, or nearer to it."""
        taller, wider = self.uniform(key, grid, self.height_factor, self.width_factor or (0.0, 0.0))
        wider = taller if self.width_factor is None else wider
        middle = (grid.height - 1) / 2, (grid.width - 1) / 2
        down, right = grid.rows - middle[0], grid.columns - middle[1]
        return middle[0] + (1.0 + taller) * down, middle[1] + (1.0 + wider) * right
