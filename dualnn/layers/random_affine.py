"""What the layers have in common that move, turn or scale images."""

from __future__ import annotations

from typing import Any, NamedTuple

from dualnn import random
from dualnn.layers.affine_sampling import FILL_MODES, INTERPOLATIONS, sampled
from dualnn.layers.random_layer import RandomImageLayer, working_dtype
from dualnn.names import unknown
from dualnn.protocol import Tensor


class Grid(NamedTuple):
    """The images, and the positions of their pixels."""

    rows: Tensor
    """The numbers of the rows, (1, height, 1)."""
    columns: Tensor
    """The numbers of the columns, (1, 1, width)."""
    batch: Tensor
    height: int
    width: int
    dtype: str
    """What the positions are computed in."""


class RandomAffine(RandomImageLayer):
    """The base of layers that read each image at positions of its own.

    Args:
        fill_mode, interpolation, fill_value: as of `dualnn.layers.affine_sampling.sampled`.
        seed, name: as of `RandomLayer`.
    """

    def __init__(
        self, fill_mode: str, interpolation: str, fill_value: float, seed: int | None, name: str | None
    ) -> None:
        super().__init__(seed, name)
        if fill_mode not in FILL_MODES:
            raise ValueError(unknown("fill_mode", fill_mode, FILL_MODES))
        if interpolation not in INTERPOLATIONS:
            raise ValueError(unknown("interpolation", interpolation, INTERPOLATIONS))
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, float(fill_value)

    def disturbed(self, x: Tensor, key: Tensor) -> Tensor:
        """Return each image as it is at its positions."""
        nn = self.nn
        batch, height, width, _ = nn.shape(x)
        dtype = working_dtype(nn, x)  # positions in 16 bits would be off by whole pixels
        rows, columns = (nn.arange(n, dtype=dtype, device=self.device) for n in (height, width))
        grid = Grid(
            nn.reshape(rows, (1, -1, 1)), nn.reshape(columns, (1, 1, -1)), batch, height, width, dtype
        )
        moved = sampled(
            nn,
            nn.astype(x, nn.dtype(dtype)),
            *self.positions(key, grid),
            self.interpolation,
            self.fill_mode,
            self.fill_value,
        )
        return nn.astype(moved, x.dtype)

    def uniform(
        self, key: Tensor, grid: Grid, first: tuple[float, float], second: tuple[float, float]
    ) -> tuple[Tensor, Tensor]:
        """Return two random numbers for each image, (batch, 1, 1), between two bounds each.

        They are drawn in float32, so that they are the same in any dtype.
        """
        nn = self.nn
        numbers = random.uniform(nn, key, (grid.batch, 2, 1, 1), "float32", self.device)
        numbers = nn.astype(numbers, nn.dtype(grid.dtype))
        return between(numbers[:, 0], first), between(numbers[:, 1], second)

    def positions(self, key: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Return the rows and columns where the images are read."""
        raise NotImplementedError(f"{type(self).__name__} must define positions(self, key, grid)")


def bounds(name: str, factor: Any, within: tuple[float, float] = (-1.0, 1.0)) -> tuple[float, float]:
    """Return the smallest and the largest factor, for one number (of either sign) or for two.

    Raises:
        ValueError: something else, or a number out of its range.

    >>> bounds("factor", 0.2), bounds("factor", (0.3, -0.1))
    ((-0.2, 0.2), (-0.1, 0.3))
    """
    both = tuple(factor) if isinstance(factor, tuple | list) else (factor, factor)
    if len(both) != 2 or not all(isinstance(x, int | float) and within[0] <= x <= within[1] for x in both):
        raise ValueError(
            f"{name} must be a number from {within[0]} to {within[1]}, or a pair of such, got {factor!r}"
        )
    if isinstance(factor, tuple | list):
        return float(min(both)), float(max(both))
    return -abs(float(factor)), abs(float(factor))


def between(numbers: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Return numbers from 0 to 1 as numbers between two bounds."""
    low, high = bounds
    return low + (high - low) * numbers
