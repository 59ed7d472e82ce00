"""Moving images."""

from __future__ import annotations

from dualnn.layers.random_affine import Grid, RandomAffine, bounds
from dualnn.protocol import Tensor


class RandomTranslation(RandomAffine):
    """In training, move each image up or down, left or right, by a random distance.

    Args:
        height_factor: how far down at most, in heights of the image; or a pair, the least and the most, of
            which negative ones mean up. One number is taken in both directions.
        width_factor: how far to the right, in widths, likewise.
        fill_mode: what is beyond the image: ``"reflect"`` (``d c b a | a b c d | d c b a``), ``"wrap"``
            (``a b c d | a b c d | a b c d``), ``"nearest"`` (``a a a a | a b c d | d d d d``) or
            ``"constant"``.
        interpolation: ``"bilinear"`` or ``"nearest"``: what is between pixels.
        seed: fixes the distances; by default they follow from the model's seed.
        fill_value: the number beyond the image with ``"constant"``.
        name: the layer's name.

    Raises:
        ValueError: a factor that is not from -1 to 1, another fill mode or interpolation.

    Input and output (batch, height, width, channels).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> image = nn.reshape(nn.asarray([1.0, 2.0, 3.0, 4.0]), (1, 1, 4, 1))
    >>> right = dn.layers.RandomTranslation(0.0, (0.25, 0.25), fill_mode="constant")
    >>> nn.to_numpy(right(image, training=True))[0, 0, :, 0].tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(
        self,
        height_factor: float | tuple[float, float],
        width_factor: float | tuple[float, float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        name: str | None = None,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed, name)
        self.height_factor = bounds("height_factor", height_factor)
        self.width_factor = bounds("width_factor", width_factor)

    def positions(self, key: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Return where the pixels come from: as far up and left as the image moves down and right."""
        down, right = self.uniform(key, grid, self.height_factor, self.width_factor)
        return grid.rows - grid.height * down, grid.columns - grid.width * right
