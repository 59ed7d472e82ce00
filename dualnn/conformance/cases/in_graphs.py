"""Special values and slopes at kinks once more, in graphs and machine code as well, and in 16 bits.

A compiler has other formulas, other fusions and other rules for NaN than the framework's kernels. The
points and answers are those of `cases.elementwise`, `cases.neural` and `cases.activations`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn import activations
from dualnn.conformance.case import FLOATS, HALVES, Case, FunctionCase
from dualnn.conformance.cases import activations as of_activations
from dualnn.conformance.cases import elementwise, neural
from dualnn.protocol import Tensor

REASON = "the limits of the formula, in floating point"


def _special(name: str, points: list[Any], values: Any) -> Case:
    return FunctionCase(
        name=name,
        variant="special values in a graph",
        run=lambda nn, *x: nn.astype(getattr(nn, name)(*x), x[0].dtype),
        reference=lambda *x: np.asarray(values, np.longdouble),
        inputs=tuple(np.asarray(point, float) for point in points),
        roundings=1,
        scale="ulp",
        derivatives=0,
        dtypes=(*FLOATS, *HALVES),
        reason=REASON,
        machine_code=True,
    )


def _is_small(values: Any) -> bool:
    """Return whether all numbers are in the range of float16, or no numbers."""
    sizes = np.abs(np.asarray(values, float))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return bool(np.all((sizes < 1e4) & (sizes > 1e-4)))


CASES: list[Case] = [
    _special(name, points, values)
    for name, (*points, values) in {**elementwise._SPECIAL, **elementwise._SPECIAL_BINARY}.items()
    if all(map(_is_small, (*points, values))) and name != "floor_divide"
]


def _edge(name: str, variant: str, call: Callable[..., Any], points: Any, values: Any, slopes: Any) -> Case:
    def run(nn: Any, x: Tensor) -> Any:
        y = call(nn, x)
        return y if slopes is None else (y, nn.grad(lambda x: nn.sum(call(nn, x)))(x))

    def reference(x: Any) -> Any:
        y = np.asarray(values, np.longdouble)
        return y if slopes is None else (y, np.asarray(slopes, np.longdouble))

    return FunctionCase(
        name=name,
        variant=f"{variant}, in a graph",
        run=run,
        reference=reference,
        inputs=(np.asarray(points, float),),
        roundings=4,
        scale="ulp",
        derivatives=0,
        reason=REASON,
        machine_code=True,
    )


CASES += [
    _edge(
        name,
        variant,
        lambda nn, x, name=name, arguments=arguments: getattr(nn, name)(x, **arguments),
        points,
        values,
        slopes,
    )
    for name, variant, arguments, points, values, slopes, _ in neural.EDGES
    if np.size(points)
]
CASES += [
    _edge(
        f"activations.{name}",
        variant,
        lambda nn, x, name=name: getattr(activations, name)(x),
        points,
        values,
        slopes,
    )
    for (name, variant), (points, values, slopes, _) in of_activations._EDGES.items()
]

# ------------------------------------------------------------------ slopes at kinks

_TIES = [0.5, -2.0, 0.0, 1.0, 3.0]
_OTHERS = [0.5, -2.0, 0.0, 3.0, 1.0]
# name: (function, points, gradients)
_KINKS: dict[str, tuple[Callable[..., Any], list[Any], list[Any]]] = {
    "maximum": (
        lambda nn, x, y: nn.maximum(x, y),
        [_TIES, _OTHERS],
        [[0.5] * 3 + [0, 1], [0.5] * 3 + [1, 0]],
    ),
    "minimum": (
        lambda nn, x, y: nn.minimum(x, y),
        [_TIES, _OTHERS],
        [[0.5] * 3 + [1, 0], [0.5] * 3 + [0, 1]],
    ),
    "abs": (lambda nn, x: nn.abs(x), [[0.0, 2.0, -2.0]], [[0.0, 1.0, -1.0]]),
    "relu": (lambda nn, x: nn.relu(x), [[0.0, 2.0, -2.0]], [[0.0, 1.0, 0.0]]),
    "activations.relu6": (
        lambda nn, x: activations.relu6(x),
        [[0.0, 6.0, 2.0, 7.0, -2.0]],
        [[0.0, 0.0, 1.0, 0.0, 0.0]],
    ),
    "where": (
        lambda nn, x: nn.where(x > 0, nn.square(x), -x),
        [[0.0, 2.0, -2.0]],
        [[-1.0, 4.0, -1.0]],
    ),
    "max": (lambda nn, x: nn.max(x, axis=0), [[1.0, 3.0, 2.0]], [[0.0, 1.0, 0.0]]),
    "min": (lambda nn, x: nn.min(x, axis=0), [[1.0, 3.0, 2.0]], [[1.0, 0.0, 0.0]]),
}


def _kink(name: str) -> Case:
    function, points, gradients = _KINKS[name]

    def run(nn: Any, *x: Tensor) -> Any:
        return nn.grad(lambda *x: nn.sum(function(nn, *x)), tuple(range(len(x))))(*x)

    return FunctionCase(
        name=name,
        variant="slopes, in a graph",
        run=run,
        reference=lambda *x: tuple(np.asarray(g, np.longdouble) for g in gradients),
        inputs=tuple(np.asarray(point, float) for point in points),
        roundings=0,
        derivatives=0,
        reason="a subgradient; where two sides are equal, the mean of their slopes",
        machine_code=True,
    )


CASES += [_kink(name) for name in _KINKS]


def _of_nan(name: str, order: Any) -> Case:
    return FunctionCase(
        name=f"linalg.{name}",
        variant=f"NaN, of order {order}, in a graph",
        run=lambda nn, x: getattr(nn.linalg, name)(x, ord=order),
        reference=lambda x: np.longdouble(np.nan),
        inputs=(np.array([[0.3, np.nan, 0.7]]),),
        roundings=0,
        derivatives=0,
        reason=REASON,
        machine_code=True,
    )


CASES += [_of_nan("vector_norm", order) for order in (1, 2, np.inf, -np.inf)]
CASES += [_of_nan("matrix_norm", order) for order in ("fro", 1, -1, np.inf, -np.inf)]
