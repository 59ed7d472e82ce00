"""Every activation function: those of `cases.neural` by way of `dualnn.activations`, and the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn import activations
from dualnn.conformance.case import Case, FunctionCase
from dualnn.conformance.cases.neural import (
    ACTIVATIONS,
    COUNTED,
    INF,
    LIMITS,
    NAN,
    activation_case,
    edges,
)
from dualnn.conformance.references import hard_sigmoid, mish, numbers, softsign


def _called(name: str) -> Callable[..., Any]:
    return lambda nn, x, **arguments: getattr(activations, name)(x, **arguments)


# name: (reference, highest argument, roundings, scale, derivatives)
_OTHERS: dict[str, tuple[Callable[..., Any], float, float, Any, Any]] = {
    "linear": (lambda x: x, 3, 0, "ulp", 1),
    "relu6": (lambda x: np.clip(x, 0, 6), 8, 0, "ulp", 1),
    "hard_sigmoid": (hard_sigmoid, 5, 2, "stable", 1),
    "hard_silu": (lambda x: x * hard_sigmoid(x), 5, 3, "stable", 2),
    "tanh": (np.tanh, 3, 4, "ulp", 2),
    "softsign": (softsign, 3, 2, "ulp", 2),
    "mish": (mish, 3, 8 + 4 + 1, "stable", 2),
    "exponential": (np.exp, 3, 4, "ulp", 2),
}

CASES: list[Case] = [
    activation_case(name, variant, "activations.", _called(name)) for name, variant in ACTIVATIONS
]
CASES += [
    FunctionCase(
        name=f"activations.{name}",
        run=_called(name),
        reference=reference,
        inputs=(numbers(10, low=-highest, high=highest),),
        roundings=roundings,
        scale=scale,
        derivatives=derivatives,
        reason=COUNTED,
    )
    for name, (reference, highest, roundings, scale, derivatives) in _OTHERS.items()
]

# name, variant: (points, values, gradient, reason)
_EDGES: dict[tuple[str, str], tuple[Any, Any, Any, str]] = {
    ("relu6", "at its kinks"): ([0.0, 6.0], [0.0, 6.0], [0.0, 0.0], "its docstring"),
    ("relu6", "special values"): ([INF, -INF, NAN], [6.0, 0.0, NAN], None, LIMITS),
    ("hard_sigmoid", "at its kinks"): ([-3.0, 3.0], [0.0, 1.0], [0.0, 0.0], "relu6, whose slope is 0 there"),
    ("hard_silu", "at its kinks"): ([-3.0, 3.0], [-0.0, 3.0], [0.0, 1.0], "relu6, whose slope is 0 there"),
    ("softsign", "at 0"): ([0.0], [0.0], [1.0], "the slope from both sides"),
    ("softsign", "far out"): ([1e30, -1e30], [1.0, -1.0], None, LIMITS),
    ("mish", "far out"): ([1e4, -1e4, 0.0], [1e4, -0.0, 0.0], None, LIMITS),
    ("mish", "gradient far out"): ([1e3, -1e3], [1e3, -0.0], [1.0, 0.0], LIMITS),
    ("tanh", "special values"): ([INF, -INF, NAN], [1.0, -1.0, NAN], None, LIMITS),
    ("tanh", "far out"): ([1e4, -1e4], [1.0, -1.0], [0.0, 0.0], LIMITS),
    ("exponential", "special values"): ([INF, -INF, NAN, 0.0], [INF, 0.0, NAN, 1.0], None, LIMITS),
    ("leaky_relu", "at 0"): ([0.0], [0.0], [0.2], "its docstring: x where positive"),
}
CASES += [
    edges(f"activations.{name}", variant, _called(name), points, values, slopes, reason)
    for (name, variant), (points, values, slopes, reason) in _EDGES.items()
]
