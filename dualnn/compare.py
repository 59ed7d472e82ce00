"""Comparing two models layer by layer, in units in the last place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dualnn.layers import context, tree
from dualnn.training.data import as_arrays, leaves

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer


@dataclass(frozen=True)
class Difference:
    """How far apart one layer's outputs are on the two models.

    Attributes:
        path: where the layer stands in the model; ``""`` is the model itself.
        layer: the layer's name and type.
        shape: the output's shape.
        largest: the largest absolute difference.
        ulp: the largest difference in units in the last place of the output's largest value. This is
            the unit in which rounding errors of sums and products are bounded; the spacing at single
            values says little where terms cancel.
        equal: the share of elements that are equal bit for bit.
    """

    path: str
    layer: str
    shape: tuple[int, ...]
    largest: float
    ulp: float
    equal: float


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; print it for a table.

    Attributes:
        left, right: where the two models live.
        weights: the largest difference of a weight, in units in the last place of the largest weight.
        layers: the layers in the order in which they were computed.
    """

    left: str
    right: str
    weights: float
    layers: tuple[Difference, ...]

    @property
    def ulp(self) -> float:
        """The largest difference of all layers, in units in the last place."""
        return max((difference.ulp for difference in self.layers), default=0.0)

    def __str__(self) -> str:
        head = f"{self.left} against {self.right}: weights differ by {self.weights:.3g} ULP"
        rows = [("layer", "output", "largest difference", "ULP", "equal bits")]
        rows += [
            (
                f"{d.path} {d.layer}".strip(),
                str(d.shape),
                f"{d.largest:.3g}",
                f"{d.ulp:.3g}",
                f"{d.equal:.1%}",
            )
            for d in self.layers
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = (
            "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
        )
        return "\n".join([head, *(line.rstrip() for line in lines)])


def compare(left: Layer, right: Layer, x: Any, training: bool = False) -> Comparison:
    """Run two models of the same structure on the same data, and compare every layer's output.

    Args:
        left: a layer or model, built.
        right: one of the same structure, usually ``left.on(...)``; also on the same backend.
        x: one batch of inputs, as arrays.
        training: whether the models are called as in training.

    Returns:
        The differences, layer by layer, in units in the last place (ULP).

    Raises:
        ValueError: the models differ in their layers.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(3)])
    >>> y = model([[1.0, 2.0]])
    >>> dn.compare(model, model.on(), [[1.0, 2.0]]).ulp
    0.0
    """
    arrays = as_arrays(x, "x")
    first, second = _outputs(left, arrays, training), _outputs(right, arrays, training)
    if [path for path, _, _ in first] != [path for path, _, _ in second]:
        raise ValueError(
            f"expected two models of the same layers, got {[p for p, _, _ in first]} and "
            f"{[p for p, _, _ in second]}"
        )
    differences = tuple(
        _difference(path, layer, a, b) for (path, layer, a), (_, _, b) in zip(first, second, strict=True)
    )
    weights = _ulp(_flat(left), _flat(right))
    return Comparison(_where(left), _where(right), weights, differences)


def _flat(root: Layer) -> npt.NDArray[Any]:
    return np.concatenate([weight.ravel() for weight in root.get_weights()] or [np.zeros(0)])


def _outputs(root: Layer, x: Any, training: bool) -> list[tuple[str, str, npt.NDArray[Any]]]:
    calls: list[tuple[Layer, Any]] = []
    with context.observed(lambda layer, output: calls.append((layer, output))):
        root(x, training=training)
    paths = {id(layer): path for path, layer in tree.walk(root)}
    return list(_named(calls, paths, root))


def _named(
    calls: list[tuple[Layer, Any]], paths: dict[int, str], root: Layer
) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
    for layer, output in calls:
        label = f"{layer.name} ({type(layer).__name__})"
        for name, tensor in leaves(output):
            yield paths.get(id(layer), "") + name, label, root.nn.to_numpy(tensor)


def _difference(path: str, layer: str, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Difference:
    if a.shape != b.shape:
        raise ValueError(f"layer {path!r}: outputs of different shapes, {a.shape} and {b.shape}")
    same = (a == b) | (np.isnan(a) & np.isnan(b)) if a.dtype.kind == "f" else a == b
    equal = float(np.mean(same)) if a.size else 1.0
    return Difference(path, layer, a.shape, _largest(a, b), _ulp(a, b), equal)


def _largest(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    if a.size == 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    # where both are the same infinity or both NaN, nothing differs
    same = (a == b) | ((a != a) & (b != b))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))))


def _ulp(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    if a.size == 0:
        return 0.0
    gap = _largest(a, b)
    if gap == 0.0 or a.dtype.kind != "f":
        return gap
    coarser = a.dtype if np.finfo(a.dtype).eps >= np.finfo(b.dtype).eps else b.dtype
    scale = np.max(np.abs(a[np.isfinite(a)]), initial=0.0).astype(coarser)
    return gap / float(np.spacing(scale))


def _where(layer: Layer) -> str:
    return f"{layer.backend} ({layer.device}, {layer.dtype})"
