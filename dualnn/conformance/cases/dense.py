"""Each function of one number at thousands of points over its whole range, with its derivative.

The points are spaced evenly in their logarithm from the smallest normal number of the dtype to the largest,
of both signs; evenly between -20 and 20; and close to -1, 0 and 1. The numbers below the normal ones are a
case of their own, as vector kernels take them for zero.

Roundings: as in `cases.elementwise` and `cases.neural`. Functions of 16 bits are computed in 32 and rounded
once, or made of a few that are.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dualnn import activations
from dualnn.conformance import references
from dualnn.conformance.case import FLOATS, HALVES, Array, Case, DenseCase
from dualnn.conformance.cases.elementwise import ELEMENTARY, ONE_ROUNDING
from dualnn.conformance.cases.neural import COUNTED
from dualnn.conformance.formats import FORMATS, rounded
from dualnn.conformance.references import PI, WIDE, sigmoid, softplus

INF = float("inf")
WHOLE, SUBNORMAL = "whole range", "subnormal numbers"
LN2, LN10 = np.log(WIDE(2)), np.log(WIDE(10))


def _zero(x: Array) -> Array:
    return np.zeros_like(x)


def _one(x: Array) -> Array:
    return np.ones_like(x)


class _Function(NamedTuple):
    """A function: reference, slope, roundings, domain, kinks, and what the slope is rounded beside."""

    reference: Callable[[Array], Any]
    slope: Callable[[Array], Any] | None
    roundings: float
    low: float = -INF
    high: float = INF
    kinks: tuple[float, ...] = ()
    cancels: Callable[[Array], Any] = _zero
    run: Callable[..., Any] | None = None
    operations: float = 1  # of which each rounds to 16 bits


def _bell(x: Array) -> Array:
    return np.exp(-(x**2) / 2) / np.sqrt(2 * PI)


def _gelu_slope(x: Array) -> Array:
    return references.normal_distribution(x) + np.where(np.isfinite(x * _bell(x)), x * _bell(x), 0)


def _of_tanh(x: Array) -> tuple[Array, Array]:
    root, a = np.sqrt(2 / PI), WIDE("0.044715")
    return root * (x + a * x**3), root * (1 + 3 * a * x**2)


def _gelu_by_tanh_slope(x: Array) -> Array:
    inner, slope = _of_tanh(x)
    square = np.where(np.abs(inner) < 1000, 1 / np.cosh(np.clip(inner, -1000, 1000)) ** 2, 0)
    return (1 + np.tanh(inner)) / 2 + x / 2 * square * slope


def _mish_slope(x: Array) -> Array:
    soft = softplus(x)
    return np.tanh(soft) + x * sigmoid(x) / np.cosh(np.minimum(soft, 5000)) ** 2


def _selu_slope(x: Array) -> Array:
    scale, alpha = (
        WIDE("1.0507009873554804934193349852946"),
        WIDE("1.6732632423543772848170429916717"),
    )
    return scale * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


_FUNCTIONS: dict[str, _Function] = {
    "abs": _Function(np.abs, np.sign, 0, kinks=(0,)),
    "acos": _Function(np.arccos, lambda x: -1 / np.sqrt((1 - x) * (1 + x)), 4, -1, 1, (-1, 1)),
    "acosh": _Function(np.arccosh, lambda x: 1 / np.sqrt(x - 1) / np.sqrt(x + 1), 4, 1, kinks=(1,)),
    "asin": _Function(np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x)), 4, -1, 1, (-1, 1)),
    "asinh": _Function(np.arcsinh, lambda x: 1 / np.hypot(1, x), 4),
    "atan": _Function(np.arctan, lambda x: 1 / (1 + x**2), 4),
    "atanh": _Function(np.arctanh, lambda x: 1 / ((1 - x) * (1 + x)), 4, -1, 1, (-1, 1)),
    "ceil": _Function(np.ceil, _zero, 0),
    "cos": _Function(np.cos, lambda x: -np.sin(x), 4),
    "cosh": _Function(np.cosh, np.sinh, 4),
    "erf": _Function(references.erf, lambda x: 2 / np.sqrt(PI) * np.exp(-(x**2)), 4),
    "exp": _Function(np.exp, np.exp, 4),
    "expm1": _Function(np.expm1, np.exp, 4, cancels=_one),  # expm1(x) + 1
    "floor": _Function(np.floor, _zero, 0),
    "log": _Function(np.log, lambda x: 1 / x, 4, 0, kinks=(0,)),
    "log10": _Function(np.log10, lambda x: 1 / (x * LN10), 4, 0, kinks=(0,)),
    "log1p": _Function(np.log1p, lambda x: 1 / (1 + x), 4, -1, kinks=(-1,)),
    "log2": _Function(np.log2, lambda x: 1 / (x * LN2), 4, 0, kinks=(0,)),
    "negative": _Function(np.negative, lambda x: -_one(x), 0),
    "positive": _Function(np.positive, _one, 0),
    "reciprocal": _Function(np.reciprocal, lambda x: -1 / x**2, 1, kinks=(0,)),
    "round": _Function(np.round, _zero, 0),
    "sign": _Function(np.sign, _zero, 0),
    "sin": _Function(np.sin, np.cos, 4),
    "sinh": _Function(np.sinh, np.cosh, 4),
    "sqrt": _Function(np.sqrt, lambda x: 1 / (2 * np.sqrt(x)), 1, 0, kinks=(0,)),
    "square": _Function(np.square, lambda x: 2 * x, 1),
    "tan": _Function(np.tan, lambda x: 1 / np.cos(x) ** 2, 4, cancels=_one),
    "tanh": _Function(np.tanh, lambda x: 1 / np.cosh(np.clip(x, -5000, 5000)) ** 2, 4, cancels=_one),
    "trunc": _Function(np.trunc, _zero, 0),
    # ------------------------------------------------------------------ activations
    "relu": _Function(lambda x: np.maximum(x, 0), lambda x: (x > 0) * _one(x), 0, kinks=(0,)),
    "leaky_relu": _Function(
        references.leaky_relu, lambda x: np.where(x > 0, 1, WIDE(2) / 10), 2, kinks=(0,), operations=2
    ),
    "elu": _Function(
        references.elu, lambda x: np.exp(np.minimum(x, 0)), 4, kinks=(0,), operations=2, cancels=_one
    ),
    "selu": _Function(references.selu, _selu_slope, 4 + 4, kinks=(0,), operations=3, cancels=lambda x: 2.0),
    "silu": _Function(
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
        4 + 3,
        operations=2,
    ),
    "sigmoid": _Function(sigmoid, lambda x: sigmoid(x) * sigmoid(-x), 4 + 2, operations=3, cancels=_one),
    "softplus": _Function(softplus, sigmoid, 4 + 4, operations=3),
    "gelu": _Function(references.gelu, _gelu_slope, 4 + 5, cancels=_one, operations=5),
    # ------------------------------------------------------------------ made of others in the core
    "activations.relu6": _Function(
        lambda x: np.clip(x, 0, 6), lambda x: ((x > 0) & (x < 6)) * _one(x), 0, kinks=(0, 6)
    ),
    "activations.hard_sigmoid": _Function(
        references.hard_sigmoid,
        lambda x: (np.abs(x) < 3) * _one(x) / 6,
        3,
        kinks=(-3, 3),
        operations=3,
        cancels=_one,
    ),
    "activations.softsign": _Function(
        references.softsign,
        lambda x: 1 / (1 + np.abs(x)) ** 2,
        2,
        operations=2,
        kinks=(0,),
        cancels=lambda x: 1 / (1 + np.abs(x)),
    ),
    "activations.mish": _Function(
        references.mish, _mish_slope, 4 + 8 + 1, operations=5, cancels=lambda x: 1 + np.minimum(np.abs(x), 40)
    ),
    "activations.hard_silu": _Function(
        lambda x: x * references.hard_sigmoid(x),
        lambda x: np.where(np.abs(x) < 3, (2 * x + 3) / 6, x > 0),
        4,
        kinks=(-3, 3),
        operations=4,
        cancels=_one,
    ),
    # ------------------------------------------------------------------ of two numbers, one of them fixed
    "pow": _Function(
        lambda x: x ** WIDE(2.5),
        lambda x: WIDE(2.5) * x ** WIDE(1.5),
        4,
        0,
        kinks=(0,),
        run=lambda nn, x: nn.pow(x, 2.5),
    ),
    "divide": _Function(
        lambda x: 3 / x, lambda x: -3 / x**2, 1, kinks=(0,), run=lambda nn, x: nn.divide(3.0, x)
    ),
    "hypot": _Function(
        lambda x: np.hypot(x, 3),
        lambda x: x / np.hypot(x, 3),
        4,
        run=lambda nn, x: nn.hypot(x, _like(nn, x, 3.0)),
    ),
    "atan2": _Function(
        lambda x: np.arctan2(x, WIDE(1.5)),
        lambda x: 1 / (1 + (x / WIDE(1.5)) ** 2) / WIDE(1.5),
        4,
        run=lambda nn, x: nn.atan2(x, _like(nn, x, 1.5)),
    ),
    "logaddexp": _Function(
        lambda x: np.logaddexp(x, WIDE(1)),
        lambda x: sigmoid(x - 1),
        4 + 4,
        run=lambda nn, x: nn.logaddexp(x, _like(nn, x, 1.0)),
        operations=4,
        cancels=_one,
    ),
    "maximum": _Function(
        lambda x: np.maximum(x, WIDE(0.5)),
        lambda x: (x > 0.5) * _one(x),
        0,
        kinks=(0.5,),
        run=lambda nn, x: nn.maximum(x, _like(nn, x, 0.5)),
    ),
    "minimum": _Function(
        lambda x: np.minimum(x, WIDE(0.5)),
        lambda x: (x < 0.5) * _one(x),
        0,
        kinks=(0.5,),
        run=lambda nn, x: nn.minimum(x, _like(nn, x, 0.5)),
    ),
    "clip": _Function(
        lambda x: np.clip(x, WIDE(-1.5), WIDE(0.5)),
        lambda x: ((x > -1.5) & (x < 0.5)) * _one(x),
        0,
        kinks=(-1.5, 0.5),
        run=lambda nn, x: nn.clip(x, -1.5, 0.5),
    ),
}


def _like(nn: Any, x: Any, number: float) -> Any:
    return nn.full_like(x, number)


def _points(function: _Function, dtype: str) -> Array:
    form = FORMATS[dtype]
    sizes = np.geomspace(form.smallest_normal, form.largest / 1.001, 1000)
    close = 2.0 ** -np.linspace(1, 30, 88)
    even = np.linspace(-20, 20, 1601)
    found = np.concatenate([sizes, -sizes, even, close - 1, 1 - close, 1 + close, -1 - close])
    found = np.unique(rounded(found, dtype))
    found = found[(found >= function.low) & (found <= function.high)]
    for kink in function.kinks:  # close to it, either side's slope is right
        found = found[np.abs(found - kink) > 4 * form.eps * abs(kink)]
    return found[np.abs(found) >= form.smallest_normal]


def _subnormal(function: _Function, dtype: str) -> Array:
    form = FORMATS[dtype]
    found = form.smallest_normal * np.geomspace(2 * form.eps, 0.99, 100)
    found = np.unique(rounded(np.concatenate([found, -found]), dtype))
    return found[(found >= function.low) & (found <= function.high)]


def _run(name: str) -> Callable[..., Any]:
    if name.startswith("activations."):
        return lambda nn, x: getattr(activations, name.partition(".")[2])(x)
    return lambda nn, x: getattr(nn, name)(x)


def _case(name: str, variant: str) -> DenseCase:
    function = _FUNCTIONS[name]
    points = _points if variant == WHOLE else _subnormal
    in_halves = min(function.operations, function.roundings)  # what does not round does not in 16 bits
    return DenseCase(
        name=name,
        variant=variant,
        dtypes=(*FLOATS, *HALVES),
        run=function.run or _run(name),
        reference=function.reference,
        slope=function.slope if variant == WHOLE else None,
        machine_code=variant == WHOLE,
        composed=function.operations > 1,
        points=functools.partial(points, function),
        roundings={**dict.fromkeys(FLOATS, function.roundings), **dict.fromkeys(HALVES, in_halves)},
        cancels=function.cancels,
        reason={0: "no arithmetic that rounds", 1: ONE_ROUNDING, 4: ELEMENTARY}.get(
            int(function.roundings), COUNTED
        ),
    )


CASES: list[Case] = [_case(name, variant) for variant in (WHOLE, SUBNORMAL) for name in _FUNCTIONS]
