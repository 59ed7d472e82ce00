"""What a built layer expects of its input, checked before any kernel runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dualnn.protocol import Shape


@dataclass(frozen=True)
class InputSpec:
    """The rank and the sizes that a layer's input must have.

    Args:
        ndim: the exact number of axes, or None.
        min_ndim: the least number of axes, or None.
        axes: the sizes of some axes, ``{-1: 64}``.

    >>> InputSpec(ndim=2, axes={-1: 4}).check("dense", (32, 5))
    Traceback (most recent call last):
    ...
    ValueError: layer 'dense': expected size 4 on axis -1 of its input, got 5 (input shape (32, 5))
    """

    ndim: int | None = None
    min_ndim: int | None = None
    axes: Mapping[int, int] = field(default_factory=dict)

    def check(self, layer: str, shape: Shape) -> None:
        """Raise ValueError if `shape` is not what the layer expects; unknown sizes pass."""
        if not isinstance(shape, tuple):
            raise ValueError(
                f"layer {layer!r}: expected one tensor, got a structure of {len(shape)}; "
                f"make one array of a list of samples with np.stack(samples)"
            )
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim:
            raise ValueError(
                f"layer {layer!r}: expected an input of {self.ndim} axes, got {rank} (input shape {shape})"
            )
        if self.min_ndim is not None and rank < self.min_ndim:
            raise ValueError(
                f"layer {layer!r}: expected an input of at least {self.min_ndim} axes, got {rank} "
                f"(input shape {shape})"
            )
        for axis, size in self.axes.items():
            if shape[axis] is not None and shape[axis] != size:
                raise ValueError(
                    f"layer {layer!r}: expected size {size} on axis {axis} of its input, "
                    f"got {shape[axis]} (input shape {shape})"
                )
