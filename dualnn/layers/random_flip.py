"""Flipping images."""

from __future__ import annotations

from dualnn import random
from dualnn.layers.random_layer import RandomImageLayer
from dualnn.names import unknown
from dualnn.protocol import Tensor

_AXES = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (1, 2)}


class RandomFlip(RandomImageLayer):
    """In training, flip every other image, at random.

    Left and right are exchanged by ``"horizontal"``, top and bottom by ``"vertical"``. As in Keras 3,
    ``"horizontal_and_vertical"`` does both or neither: it turns an image by 180 degrees. For each by itself,
    put two layers one after the other.

    Args:
        mode: ``"horizontal"``, ``"vertical"`` or ``"horizontal_and_vertical"``.
        seed: fixes which images are flipped; by default it follows from the model's seed.
        name: the layer's name.

    Raises:
        ValueError: another mode.

    Input and output (batch, height, width, channels).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> images = nn.reshape(nn.asarray([1.0, 2.0, 3.0] * 8), (8, 1, 3, 1))
    >>> flipped = nn.to_numpy(dn.layers.RandomFlip("horizontal", seed=0)(images, training=True))
    >>> sorted({tuple(image[0, :, 0].tolist()) for image in flipped})
    [(1.0, 2.0, 3.0), (3.0, 2.0, 1.0)]
    """

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(seed, name)
        if mode not in _AXES:
            raise ValueError(unknown("mode", mode, _AXES))
        self.mode = mode

    def disturbed(self, x: Tensor, key: Tensor) -> Tensor:
        """Flip half of the images."""
        nn = self.nn
        flips = random.bernoulli_mask(nn, key, (nn.shape(x)[0], 1, 1, 1), 0.5, device=self.device)
        return nn.where(flips, nn.flip(x, axis=_AXES[self.mode]), x)
