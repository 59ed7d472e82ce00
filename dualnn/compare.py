"""Comparing two models layer by layer, in units in the last place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dualnn.layers import tree
from dualnn.layers.layer import without_batch
from dualnn.trace import Entry, numbered, trace
from dualnn.training.arrays import as_arrays
from dualnn.training.objective import Goals, Objective
from dualnn.training.precision import Precision

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer


@dataclass(frozen=True)
class Difference:
    """How far apart one tensor is on the two models: a layer's output, or a gradient.

    Attributes:
        path: where the layer, or the weight, stands in the model; ``""`` is the model itself.
        layer: the layer's name and type; empty for a weight.
        shape: the tensor's shape.
        largest: the largest absolute difference.
        ulp: the largest difference in units in the last place of the tensor's largest value. This is
            the unit in which rounding errors of sums and products are bounded; the spacing at single
            values says little where terms cancel. It is large where all of a tensor is a sum that
            cancels, such as the gradient by a bias before a batch normalisation.
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
        layers: the layers' outputs in the order in which they were computed.
        gradients: the loss's gradients in the order in which they are computed: by a layer's output, then
            by its weights, from the last layer to the first. Empty without a loss.
        alone: the layers that are not compared, as one side has not computed their output by itself: there
            a fused kernel does what they and others do.
    """

    left: str
    right: str
    weights: float
    layers: tuple[Difference, ...]
    gradients: tuple[Difference, ...] = ()
    alone: tuple[str, ...] = ()

    @property
    def ulp(self) -> float:
        """The largest difference of all layers, in units in the last place."""
        return max((difference.ulp for difference in self.layers), default=0.0)

    def __str__(self) -> str:
        head = f"{self.left} against {self.right}: weights differ by {self.weights:.3g} ULP"
        tables = [_table("layer", "output", self.layers)]
        if self.gradients:
            tables.append(_table("gradient by", "shape", self.gradients))
        if self.alone:
            tables.append(f"computed on one side only: {', '.join(self.alone)}")
        return "\n\n".join([f"{head}\n{tables[0]}", *tables[1:]])


def compare(
    left: Layer, right: Layer, x: Any, y: Any = None, loss: Any = None, training: bool = False
) -> Comparison:
    """Run two models of the same structure on the same data, and compare what every layer computes.

    With targets the gradients of the loss are compared too: by each layer's output, and by each weight.
    The models stay as they are, also what training would change. Each computes in the precision that it is
    compiled for.

    Args:
        left: a layer or model; it is built if it is not yet.
        right: one of the same structure, usually ``left.on(...)``; also on the same backend.
        x: one batch of inputs, as arrays.
        y: the targets, as arrays; None for no gradients.
        loss: a name, a loss or a function, for several outputs a list or a dictionary of them. None: what
            `left` was compiled with.
        training: whether the models are called as in training.

    Returns:
        The differences, layer by layer, in units in the last place (ULP).

    Raises:
        ValueError: the models differ in their layers; a loss without targets, or targets without a loss.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(3)])
    >>> y = model([[1.0, 2.0]])
    >>> report = dn.compare(model, model.on(), [[1.0, 2.0]], [[1.0, 0.0, 0.0]], loss="mse")
    >>> report.ulp, [difference.path for difference in report.gradients]
    (0.0, ['', 'layers.0', 'layers.0.kernel', 'layers.0.bias'])
    """
    arrays, targets = as_arrays(x, "x"), as_arrays(y, "y")
    for model in (left, right):
        if not all(layer.built for _, layer in tree.walk(model)):
            model(arrays)
    objective = _objective(left, targets, loss)
    layers, others = ([path for path, _ in tree.walk(model)] for model in (left, right))
    if layers != others:
        raise ValueError(f"expected two models of the same layers, got {layers} and {others}")
    traces = [trace(model, arrays, targets, objective, training=training) for model in (left, right)]
    outputs, alone = _differences(*(one.outputs for one in traces))
    gradients, _ = _differences(*(one.gradients for one in traces))
    weights = ulp(_flat(left), _flat(right))
    return Comparison(where(left), where(right), weights, outputs, gradients, alone)


def ulp(a: npt.NDArray[Any], b: npt.NDArray[Any], dtype: str | None = None) -> float:
    """Return the largest difference of two arrays in units in the last place of the largest value of `a`.

    Args:
        a: an array.
        b: another.
        dtype: in which the unit is meant; by default that of the array which has the fewer digits.

    >>> ulp(np.asarray([1.0, 2.0]), np.asarray([1.0 + 2**-51, 2.0]))
    1.0
    """
    gap = largest_difference(a, b)
    if gap == 0.0 or a.dtype.kind != "f":
        return gap
    coarser = a.dtype if np.finfo(a.dtype).eps >= np.finfo(b.dtype).eps else b.dtype
    return gap / unit(a, dtype or coarser)


def unit(a: npt.NDArray[Any], dtype: npt.DTypeLike | None = None) -> float:
    """Return the unit in the last place of the largest finite number, in a dtype; 1 for integers.

    >>> unit(np.asarray([0.5, 2.0, np.inf])) == 2**-51
    True
    """
    if a.dtype.kind != "f":
        return 1.0
    largest = np.max(np.abs(a[np.isfinite(a)]), initial=0.0)
    if dtype == "bfloat16":  # float32 with 16 bits less
        return float(np.spacing(largest.astype(np.float32))) * 2.0**16
    return float(np.spacing(largest.astype(dtype or a.dtype)))


def largest_difference(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Return the largest absolute difference; infinity where only one is finite, or the shapes differ.

    >>> largest_difference(np.asarray([1.0, np.nan]), np.asarray([3.0, np.nan]))
    2.0
    """
    if a.shape != b.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    # where both are the same infinity or both NaN, nothing differs
    same = (a == b) | ((a != a) & (b != b))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap)), initial=0.0))


def objective_of(root: Layer, y: Any, goals: Goals) -> Objective:
    """Return the objective for the outputs of a built model and targets, and check the targets."""
    names = getattr(root, "output_names", None)
    return Objective(goals, root._output_shape, without_batch(y), names)


def _objective(root: Layer, y: Any, loss: Any) -> Objective | None:
    trainer = getattr(root, "_trainer", None)  # only models are compiled
    compiled = None if trainer is None or trainer.goals.loss is None else trainer.goals
    if y is None:
        if loss is not None:
            raise ValueError("expected targets y for the loss, got None")
        return None
    goals = compiled if loss is None else Goals(loss)
    if goals is None:
        raise ValueError(
            f"expected a loss for the targets: compare(..., loss=...), or a compiled {root.name!r}"
        )
    return objective_of(root, y, goals)


def _differences(left: list[Entry], right: list[Entry]) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Return how far apart the entries of both are, and the paths of those that only one has."""
    first, second = (dict(zip(numbered(e.path for e in side), side, strict=True)) for side in (left, right))
    common = [key for key in first if key in second]
    if common != [key for key in second if key in first]:
        raise ValueError(
            f"expected two models that call their layers in the same order, got {[e.path for e in left]} and "
            f"{[e.path for e in right]}"
        )
    differences = tuple(_difference(first[key], second[key]) for key in common)
    return differences, tuple(dict.fromkeys(path for path, n in first.keys() ^ second.keys()))


def _table(what: str, shape: str, differences: Iterable[Difference]) -> str:
    rows = [(what, shape, "largest difference", "ULP", "equal bits")]
    rows += [
        (
            f"{d.path} {d.layer}".strip(),
            str(d.shape),
            f"{d.largest:.3g}",
            f"{d.ulp:.3g}",
            f"{d.equal:.1%}",
        )
        for d in differences
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = ("   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _flat(root: Layer) -> npt.NDArray[Any]:
    return np.concatenate([weight.ravel() for weight in root.get_weights()] or [np.zeros(0)])


def _difference(entry: Entry, other: Entry) -> Difference:
    a, b = entry.value, other.value
    coarser = min((entry.dtype, other.dtype), key=_DIGITS.index) if entry.dtype in _DIGITS else None
    path, layer = entry.path, f"{entry.name} ({entry.kind})" if entry.kind else ""
    if a.shape != b.shape:
        raise ValueError(f"layer {path!r}: outputs of different shapes, {a.shape} and {b.shape}")
    same = (a == b) | (np.isnan(a) & np.isnan(b)) if a.dtype.kind == "f" else a == b
    equal = float(np.mean(same)) if a.size else 1.0
    return Difference(path, layer, a.shape, largest_difference(a, b), ulp(a, b, coarser), equal)


def where(layer: Layer) -> str:
    """Return a model's backend, device and precision in words."""
    compute = Precision.of_model(layer).compute
    dtype = layer.dtype if compute is None else f"{layer.dtype} weights, {compute} layers"
    return f"{layer.backend} ({layer.device}, {dtype})"


_DIGITS = ("bfloat16", "float16", "float32", "float64")
"""Floating-point formats from the coarsest to the finest."""
