"""The element-wise functions of the array API standard.

Roundings: the arithmetic of IEEE 754 rounds once. For elementary functions the vector libraries below the
frameworks state 1 to 4 ULP: SLEEF's functions used by PyTorch 1.0, Eigen's used by TensorFlow up to 4
(https://libeigen.gitlab.io/docs/group__CoeffwiseMathFunctions.html), CUDA's up to 4 for most.
"""

from __future__ import annotations

import mpmath
import numpy as np

from dualnn.conformance.case import Case, ExactCase, FunctionCase

ONE_ROUNDING = "IEEE 754: rounded once"
ELEMENTARY = "4 ULP: the accuracy that the frameworks' vector libraries state for elementary functions"


def _points(low: float, high: float) -> tuple[np.ndarray]:
    """Twelve numbers between two bounds, none at the middle, where many functions have a kink."""
    generator = np.random.default_rng(12)
    return (generator.uniform(low, high, 12) + 1e-3 * (high - low),)


# name: (reference, lowest, highest argument, roundings, derivatives)
_UNARY = {
    "abs": (np.abs, -3, 3, 0, 2),
    "acos": (np.arccos, -0.9, 0.9, 4, 2),
    "acosh": (np.arccosh, 1.4, 20, 4, 2),
    "asin": (np.arcsin, -0.9, 0.9, 4, 2),
    "asinh": (np.arcsinh, -20, 20, 4, 2),
    "atan": (np.arctan, -20, 20, 4, 2),
    "atanh": (np.arctanh, -0.9, 0.9, 4, 2),
    "ceil": (np.ceil, -3, 3, 0, 1),
    "cos": (np.cos, -6, 6, 4, 2),
    "cosh": (np.cosh, -5, 5, 4, 2),
    "exp": (np.exp, -5, 5, 4, 2),
    "expm1": (np.expm1, -5, 5, 4, 2),
    "floor": (np.floor, -3, 3, 0, 1),
    "log": (np.log, 0.1, 20, 4, 2),
    "log10": (np.log10, 0.1, 20, 4, 2),
    "log1p": (np.log1p, -0.6, 20, 4, 2),
    "log2": (np.log2, 0.1, 20, 4, 2),
    "negative": (np.negative, -3, 3, 0, 2),
    "positive": (np.positive, -3, 3, 0, 2),
    "reciprocal": (np.reciprocal, 0.1, 5, 1, 2),
    "round": (np.round, -3, 3, 0, 1),
    "sign": (np.sign, -3, 3, 0, 1),
    "sin": (np.sin, -6, 6, 4, 2),
    "sinh": (np.sinh, -5, 5, 4, 2),
    "sqrt": (np.sqrt, 0.1, 20, 1, 2),
    "square": (np.square, -3, 3, 1, 2),
    "tan": (np.tan, -1.2, 1.2, 4, 2),
    "tanh": (np.tanh, -3, 3, 4, 2),
    "trunc": (np.trunc, -3, 3, 0, 1),
    "erf": (np.vectorize(mpmath.erf, otypes=[np.longdouble]), -2, 2, 4, 0),
}


def _unary(name: str) -> FunctionCase:
    reference, low, high, roundings, derivatives = _UNARY[name]
    return FunctionCase(
        name=name,
        run=lambda nn, x: getattr(nn, name)(x),
        reference=reference,
        inputs=_points(low, high),
        roundings=roundings,
        scale="ulp",
        derivatives=derivatives,
        reason=ONE_ROUNDING if roundings <= 1 else ELEMENTARY,
    )


CASES: list[Case] = [_unary(name) for name in _UNARY]
CASES.append(
    ExactCase(
        name="sqrt",
        variant="special values",
        run=lambda nn, dtype: {"values": nn.sqrt(nn.asarray([0.0, -0.0, np.inf, -1.0, np.nan], dtype=dtype))},
        expected={"values": [0.0, -0.0, np.inf, np.nan, np.nan]},
        reason="the array API standard's special cases, as IEEE 754 has them",
    )
)
