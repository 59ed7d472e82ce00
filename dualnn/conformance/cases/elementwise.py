"""The element-wise functions of the array API standard.

Roundings: the arithmetic of IEEE 754 rounds once. For elementary functions the vector libraries below the
frameworks state 1 to 4 ULP: SLEEF's functions used by PyTorch 1.0, Eigen's used by TensorFlow up to 4
(https://libeigen.gitlab.io/docs/group__CoeffwiseMathFunctions.html), CUDA's up to 4 for most.

The helpers that other subjects use as well: `of_complex`, `exact` and `kink`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from dualnn.conformance.case import FLOATS, Array, Case, ExactCase, FunctionCase
from dualnn.conformance.references import erf
from dualnn.conformance.references import numbers as numbers  # other subjects take it from here
from dualnn.protocol import Backend, Tensor

INF, NAN = np.inf, np.nan

ONE_ROUNDING = "IEEE 754: rounded once"
ELEMENTARY = "4 ULP: the accuracy that the frameworks' vector libraries state for elementary functions"
NO_ROUNDING = "no arithmetic that rounds"
SPECIAL = "the array API standard's special cases"
INTEGERS = "the array API standard on integers; unsigned ones are modulo 2**bits"


def of_complex(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function(nn, *tensors)` of complex tensors, given as real parts, then imaginary ones."""

    def of_parts(nn: Any, *parts: Tensor) -> Any:
        dtype = {"float32": "complex64", "float64": "complex128"}[nn.dtype_name(parts[0].dtype)]
        half = len(parts) // 2
        z = [
            nn.astype(x, dtype) + 1j * nn.astype(y, dtype)
            for x, y in zip(parts[:half], parts[half:], strict=True)
        ]
        return function(nn, *z)

    return of_parts


def reference_of_complex(reference: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same of a reference."""

    def of_parts(*parts: Array) -> Any:
        half = len(parts) // 2
        return reference(*(x + 1j * y for x, y in zip(parts[:half], parts[half:], strict=True)))

    return of_parts


def exact(
    name: str, variant: str, run: Callable[..., Any], expected: Any, reason: str = SPECIAL
) -> ExactCase:
    """Return a case with one answer, or with a mapping of answers."""

    def answers(nn: Any, dtype: str) -> Mapping[str, Any]:
        found = run(nn, dtype)
        return found if isinstance(found, dict) else {"values": found}

    return ExactCase(
        name=name,
        variant=variant,
        run=answers,
        expected=expected if callable(expected) or isinstance(expected, dict) else {"values": expected},
        reason=reason,
    )


def kink(
    name: str,
    variant: str,
    function: Callable[..., Any],
    points: Sequence[Any],
    gradients: Sequence[Any],
    reason: str,
) -> ExactCase:
    """Return a case of the gradient of the sum of `function(nn, *tensors)`, by each of the tensors."""

    def run(nn: Backend, dtype: str) -> Mapping[str, Tensor]:
        tensors = [nn.asarray(np.asarray(point, "float64"), dtype=dtype) for point in points]
        gradient = nn.grad(lambda *tensors: nn.sum(function(nn, *tensors)), tuple(range(len(points))))
        return {f"by argument {i}": g for i, g in enumerate(gradient(*tensors))}

    expected = {f"by argument {i}": g for i, g in enumerate(gradients)}
    return ExactCase(name=name, variant=variant, run=run, expected=expected, reason=reason)


def _points(low: float, high: float) -> tuple[np.ndarray]:
    """Twelve numbers between two bounds, none at the middle, where many functions have a kink."""
    generator = np.random.default_rng(12)
    return (generator.uniform(low, high, 12) + 1e-3 * (high - low),)


_Order: TypeAlias = Literal[0, 1, 2]

# name: (reference, lowest, highest argument, roundings, derivatives)
_UNARY: dict[str, tuple[Callable[..., Any], float, float, int, _Order]] = {
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
    "erf": (erf, -2, 2, 4, 2),
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


# name: (reference, lowest, highest of the first argument, of the second, roundings, derivatives)
_BINARY: dict[str, tuple[Callable[..., Any], float, float, float, float, int, _Order]] = {
    "add": (np.add, -3, 3, -3, 3, 1, 1),
    "atan2": (np.arctan2, 0.3, 3, -3, -0.3, 4, 2),
    "copysign": (np.copysign, 0.3, 3, -3, 3, 0, 1),
    "divide": (np.divide, -3, 3, 0.3, 3, 1, 2),
    "hypot": (np.hypot, 0.3, 3, -3, -0.3, 4, 2),
    "maximum": (np.maximum, -3, 3, -3, 3, 1, 1),
    "minimum": (np.minimum, -3, 3, -3, 3, 1, 1),
    "multiply": (np.multiply, -3, 3, -3, 3, 1, 2),
    "pow": (np.power, 0.3, 3, -3, 3, 4, 2),
    "subtract": (np.subtract, -3, 3, -3, 3, 1, 1),
}


def _binary(name: str) -> FunctionCase:
    reference, low1, high1, low2, high2, roundings, derivatives = _BINARY[name]
    return FunctionCase(
        name=name,
        run=lambda nn, x, y: getattr(nn, name)(x, y),
        reference=reference,
        inputs=(numbers(2, 3, low=low1, high=high1, seed=1), numbers(3, low=low2, high=high2, seed=2)),
        roundings=roundings,
        scale="ulp",
        derivatives=derivatives,
        # The gradients of maximum and minimum round as well: they add up what was broadcast.
        reason=ONE_ROUNDING if roundings <= 1 else ELEMENTARY,
    )


# name: (reference, lowest, highest real and imaginary parts)
_COMPLEX: dict[str, tuple[Callable[..., Any], float, float]] = {
    "abs": (np.abs, 0.3, 3),
    "acos": (np.arccos, 0.3, 3),
    "acosh": (np.arccosh, 0.3, 3),
    "asin": (np.arcsin, 0.3, 3),
    "asinh": (np.arcsinh, 0.3, 3),
    "atan": (np.arctan, 0.3, 3),
    "atanh": (np.arctanh, 0.3, 3),
    "conj": (np.conj, -3, 3),
    "cos": (np.cos, -3, 3),
    "cosh": (np.cosh, -3, 3),
    "exp": (np.exp, -3, 3),
    "expm1": (np.expm1, -1, 1),
    "imag": (np.imag, -3, 3),
    "log": (np.log, 0.3, 3),
    "log10": (np.log10, 0.3, 3),
    "log1p": (np.log1p, -0.4, 0.4),
    "log2": (np.log2, 0.3, 3),
    "negative": (np.negative, -3, 3),
    "positive": (np.positive, -3, 3),
    "real": (np.real, -3, 3),
    "reciprocal": (np.reciprocal, 0.3, 3),
    "sign": (np.sign, 0.3, 3),
    "sin": (np.sin, -3, 3),
    "sinh": (np.sinh, -3, 3),
    "sqrt": (np.sqrt, 0.3, 3),
    "square": (np.square, -3, 3),
    "tan": (np.tan, -1.2, 1.2),
    "tanh": (np.tanh, -1.2, 1.2),
}
_COMPLEX_BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "divide": np.divide,
    "multiply": np.multiply,
    "pow": np.power,
    "subtract": np.subtract,
}
_PARTS = (
    "real elementary functions of both parts, of 4 ULP each, and up to 4 roundings of their products and sums"
)


def _complex(name: str) -> FunctionCase:
    count = 2 if name in _COMPLEX_BINARY else 1
    reference, low, high = (_COMPLEX_BINARY[name], 0.3, 3) if count == 2 else _COMPLEX[name]
    return FunctionCase(
        name=name,
        variant="complex",
        run=of_complex(lambda nn, *z: getattr(nn, name)(*z)),
        reference=reference_of_complex(reference),
        inputs=tuple(numbers(3, low=low, high=high, seed=i) for i in range(2 * count)),
        roundings=12,
        reason=_PARTS,
    )


# Small and large arguments: (lowest, highest exponent of 10).
_MAGNITUDES = {
    **dict.fromkeys(
        ["asin", "asinh", "atan", "atanh", "erf", "expm1", "log1p", "sin", "sinh", "tan", "tanh"], (-12, -3)
    ),
    **dict.fromkeys(["acosh", "log", "log10", "log2", "sqrt"], (3, 30)),
}


def _magnitudes(name: str) -> FunctionCase:
    low, high = _MAGNITUDES[name]
    exponents = np.linspace(low, high, 10)
    return FunctionCase(
        name=name,
        variant="small arguments" if low < 0 else "large arguments",
        run=lambda nn, x: getattr(nn, name)(x),
        reference=_UNARY[name][0],
        inputs=(10**exponents * (1 if low > 0 else np.resize([1, -1], 10)),),
        roundings=_UNARY[name][3],
        scale="ulp",
        derivatives=0,
        reason=ELEMENTARY,
    )


_ENDS = (np.array([-1e30, -1e10, -300, -20, 20, 300, 1e10, 1e30]),)
_LARGE = [
    FunctionCase(
        name=name,
        variant=f"{size} arguments",
        run=lambda nn, *x, name=name: getattr(nn, name)(*x),
        reference=reference,
        inputs=inputs,
        roundings=4,
        scale="ulp",
        derivatives=0,
        dtypes=dtypes,
        reason=ELEMENTARY,
    )
    for name, size, reference, inputs, dtypes in (
        ("asinh", "large", np.arcsinh, _ENDS, FLOATS),
        ("atan", "large", np.arctan, _ENDS, FLOATS),
        ("cosh", "large", np.cosh, (np.array([-85.0, -30.0, 30.0, 85.0]),), FLOATS),
        ("erf", "large", erf, _ENDS, FLOATS),
        ("exp", "large", np.exp, (np.array([-85.0, -30.0, 30.0, 85.0]),), FLOATS),
        ("expm1", "large", np.expm1, (np.array([-85.0, -30.0, 30.0, 85.0]),), FLOATS),
        ("sin", "large", np.sin, (np.array([1e2, -1e3, 1e4, -1e5, 1e6]),), FLOATS),
        ("cos", "large", np.cos, (np.array([1e2, -1e3, 1e4, -1e5, 1e6]),), FLOATS),
        ("sinh", "large", np.sinh, (np.array([-85.0, -30.0, 30.0, 85.0]),), FLOATS),
        ("tanh", "large", np.tanh, _ENDS, FLOATS),
        ("hypot", "large", np.hypot, (np.array([3e30, 1e38, 1e30]), np.array([4e30, 1e38, 1.0])), FLOATS),
        ("hypot", "tiny", np.hypot, (np.array([3e-30, 1e-35]), np.array([4e-30, 2e-35])), FLOATS),
        ("hypot", "1e300", np.hypot, (np.array([3e300, 1e307]), np.array([4e300, 1e307])), ("float64",)),
    )
]

# name: (arguments, values)
_SPECIAL = {
    "abs": ([-0.0, -INF, INF, NAN], [0.0, INF, INF, NAN]),
    "acos": ([1.0, 1.5, -1.5, NAN], [0.0, NAN, NAN, NAN]),
    "acosh": ([1.0, 0.5, -2.0, INF, NAN], [0.0, NAN, NAN, INF, NAN]),
    "asin": ([0.0, -0.0, 1.5, -1.5, NAN], [0.0, -0.0, NAN, NAN, NAN]),
    "asinh": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, INF, -INF, NAN]),
    "atan": ([0.0, -0.0, NAN], [0.0, -0.0, NAN]),
    "atanh": ([0.0, -0.0, 1.0, -1.0, 1.5, NAN], [0.0, -0.0, INF, -INF, NAN, NAN]),
    "ceil": ([0.0, -0.0, -0.5, 0.5, INF, -INF, NAN], [0.0, -0.0, -0.0, 1.0, INF, -INF, NAN]),
    "cos": ([0.0, -0.0, INF, -INF, NAN], [1.0, 1.0, NAN, NAN, NAN]),
    "cosh": ([0.0, -0.0, INF, -INF, NAN], [1.0, 1.0, INF, INF, NAN]),
    "erf": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, 1.0, -1.0, NAN]),
    "exp": ([0.0, -0.0, INF, -INF, NAN], [1.0, 1.0, INF, 0.0, NAN]),
    "expm1": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, INF, -1.0, NAN]),
    "floor": ([0.0, -0.0, -0.5, 0.5, INF, -INF, NAN], [0.0, -0.0, -1.0, 0.0, INF, -INF, NAN]),
    "isfinite": ([0.0, INF, -INF, NAN, 1e30], [True, False, False, False, True]),
    "isinf": ([0.0, INF, -INF, NAN, 1e30], [False, True, True, False, False]),
    "isnan": ([0.0, INF, -INF, NAN, 1e30], [False, False, False, True, False]),
    "log": ([0.0, -0.0, 1.0, INF, -1.0, NAN], [-INF, -INF, 0.0, INF, NAN, NAN]),
    "log10": ([0.0, -0.0, 1.0, INF, -1.0, NAN], [-INF, -INF, 0.0, INF, NAN, NAN]),
    "log1p": ([0.0, -0.0, -1.0, INF, -2.0, NAN], [0.0, -0.0, -INF, INF, NAN, NAN]),
    "log2": ([0.0, -0.0, 1.0, INF, -1.0, NAN, 8.0, 2.0**-20], [-INF, -INF, 0.0, INF, NAN, NAN, 3.0, -20.0]),
    "negative": ([0.0, -0.0, INF, NAN], [-0.0, 0.0, -INF, NAN]),
    "positive": ([0.0, -0.0, -INF, NAN], [0.0, -0.0, -INF, NAN]),
    "reciprocal": ([0.0, -0.0, INF, -INF, NAN], [INF, -INF, 0.0, -0.0, NAN]),
    "round": ([0.5, 1.5, 2.5, -0.5, -1.5, -0.0, INF, NAN], [0.0, 2.0, 2.0, -0.0, -2.0, -0.0, INF, NAN]),
    "sign": ([0.0, -3.0, 1e-30, INF, -INF, NAN], [0.0, -1.0, 1.0, 1.0, -1.0, NAN]),
    "signbit": ([0.0, -0.0, 1.0, -1.0, INF, -INF], [False, True, False, True, False, True]),
    "sin": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, NAN, NAN, NAN]),
    "sinh": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, INF, -INF, NAN]),
    "sqrt": ([0.0, -0.0, 4.0, INF, -1.0, NAN], [0.0, -0.0, 2.0, INF, NAN, NAN]),
    "square": ([0.0, -0.0, -3.0, INF, -INF, NAN], [0.0, 0.0, 9.0, INF, INF, NAN]),
    "tan": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, NAN, NAN, NAN]),
    "tanh": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, 1.0, -1.0, NAN]),
    "trunc": ([0.5, -0.5, -0.0, -1.5, INF, -INF, NAN], [0.0, -0.0, -0.0, -1.0, INF, -INF, NAN]),
}
# name: (first arguments, second ones, values)
_SPECIAL_BINARY = {
    "add": ([INF, -0.0, -0.0, 0.0, NAN], [-INF, -0.0, 0.0, -0.0, 1.0], [NAN, -0.0, 0.0, 0.0, NAN]),
    "atan2": ([0.0, -0.0, 0.0, -1.0, NAN], [1.0, 1.0, 0.0, INF, 1.0], [0.0, -0.0, 0.0, -0.0, NAN]),
    "copysign": ([1.0, -2.0, 0.0, INF, 3.0], [-0.0, 0.0, -1.0, -1.0, -INF], [-1.0, 2.0, -0.0, -INF, -3.0]),
    "divide": (
        [1.0, 1.0, 0.0, INF, 1.0, -1.0],
        [0.0, -0.0, 0.0, INF, -INF, 0.0],
        [INF, -INF, NAN, NAN, -0.0, -INF],
    ),
    "equal": ([0.0, NAN, INF, 1.0], [-0.0, NAN, INF, 2.0], [True, False, True, False]),
    "floor_divide": (
        [7.0, -7.0, 7.0, -7.0, INF, 1.0, -1.0, 6.0, NAN],
        [2.0, 2.0, -2.0, -2.0, 2.0, INF, -INF, 0.1, 1.0],
        [3.0, -4.0, -4.0, 3.0, INF, 0.0, 0.0, 59.0, NAN],
    ),
    "greater": ([0.0, NAN, INF, 1.0], [-0.0, NAN, 1.0, 2.0], [False, False, True, False]),
    "greater_equal": ([0.0, NAN, INF, 1.0], [-0.0, NAN, INF, 2.0], [True, False, True, False]),
    "hypot": (
        [INF, -INF, NAN, 0.0, 3.0, NAN],
        [NAN, 1.0, INF, -0.0, 4.0, 1.0],
        [INF, INF, INF, 0.0, 5.0, NAN],
    ),
    "less": ([0.0, NAN, -INF, 1.0], [-0.0, NAN, 1.0, 2.0], [False, False, True, True]),
    "less_equal": ([0.0, NAN, INF, 1.0], [-0.0, NAN, INF, 2.0], [True, False, True, True]),
    "logaddexp": (
        [-INF, INF, INF, -INF, NAN, 1000.0, -1000.0, 0.0],
        [-INF, INF, -INF, 3.0, 1.0, 0.0, 0.0, -1000.0],
        [-INF, INF, INF, 3.0, NAN, 1000.0, 0.0, 0.0],
    ),
    "maximum": ([NAN, 1.0, -INF, 2.0], [1.0, NAN, 3.0, INF], [NAN, NAN, 3.0, INF]),
    "minimum": ([NAN, 1.0, -INF, 2.0], [1.0, NAN, 3.0, INF], [NAN, NAN, -INF, 2.0]),
    "multiply": ([0.0, -0.0, INF, INF, NAN], [INF, 3.0, -2.0, INF, 0.0], [NAN, -0.0, -INF, INF, NAN]),
    "not_equal": ([0.0, NAN, INF, 1.0], [-0.0, NAN, INF, 2.0], [False, True, False, True]),
    "pow": (
        [NAN, 1.0, 0.0, 0.0, -0.0, -0.0, -2.0, -2.0, -1.0, INF, -INF, 0.5, 2.0, 0.0],
        [0.0, NAN, 0.0, -1.0, -1.0, 3.0, 3.0, 0.5, INF, -1.0, 3.0, INF, INF, INF],
        [1.0, 1.0, 1.0, INF, -INF, -0.0, -8.0, NAN, 1.0, 0.0, -INF, 0.0, INF, 0.0],
    ),
    "remainder": (
        [7.0, -7.0, 7.0, -7.0, 6.0, -6.0, INF, 1.0, NAN],
        [2.0, 2.0, -2.0, -2.0, -2.0, 2.0, 2.0, 0.0, 1.0],
        [1.0, 1.0, -1.0, -1.0, -0.0, 0.0, NAN, NAN, NAN],
    ),
    "subtract": ([INF, 0.0, -0.0, 0.0, NAN], [INF, 0.0, 0.0, -0.0, 1.0], [NAN, 0.0, -0.0, 0.0, NAN]),
}


def _special(name: str) -> ExactCase:
    *arguments, values = _SPECIAL[name] if name in _SPECIAL else _SPECIAL_BINARY[name]
    return exact(
        name,
        "special values",
        lambda nn, dtype: getattr(nn, name)(*(nn.asarray(x, dtype=dtype) for x in arguments)),
        values,
    )


# (name, dtype, arguments..., values)
_OF_INTEGERS: list[tuple[Any, ...]] = [
    ("abs", "int32", [-3, 0, 5], [3, 0, 5]),
    ("add", "uint8", [250, 255, 1], [10, 1, 1], [4, 0, 2]),
    ("add", "uint64", [2**64 - 1, 2**63], [1, 2**63], [0, 0]),
    ("bitwise_and", "int32", [12, -1, 5], [10, 7, -8], [8, 7, 0]),
    ("bitwise_and", "bool", [True, True, False], [True, False, False], [True, False, False]),
    ("bitwise_invert", "int32", [0, 5, -1], [-1, -6, 0]),
    ("bitwise_invert", "uint8", [0, 5, 255], [255, 250, 0]),
    ("bitwise_left_shift", "int32", [1, 3, -1, 1], [3, 0, 1, 30], [8, 3, -2, 2**30]),
    ("bitwise_left_shift", "uint8", [255, 1], [4, 7], [240, 128]),
    ("bitwise_left_shift", "int32", [1, -1, 5], [32, 33, 100], [0, 0, 0]),
    ("bitwise_or", "int32", [12, -1, 5], [10, 7, -8], [14, -1, -3]),
    ("bitwise_right_shift", "int32", [8, -8, -1, 7], [1, 1, 5, 2], [4, -4, -1, 1]),
    ("bitwise_right_shift", "uint64", [2**64 - 1, 2**63], [63, 1], [1, 2**62]),
    ("bitwise_right_shift", "int32", [8, -8], [32, 100], [0, -1]),
    ("bitwise_xor", "int32", [12, -1, 5], [10, 7, -8], [6, -8, -3]),
    ("ceil", "int32", [-3, 0, 5], [-3, 0, 5]),
    ("equal", "uint64", [2**64 - 1, 3], [2**63, 3], [False, True]),
    ("floor", "int32", [-3, 0, 5], [-3, 0, 5]),
    ("floor_divide", "int32", [7, -7, 7, -7, 6, -6], [2, 2, -2, -2, -2, 2], [3, -4, -4, 3, -3, -3]),
    ("floor_divide", "uint64", [2**64 - 1, 7], [2, 2**63], [2**63 - 1, 0]),
    ("greater", "uint64", [2**63, 3], [1, 2**64 - 1], [True, False]),
    ("isfinite", "int32", [-3, 0], [True, True]),
    ("isinf", "int32", [-3, 0], [False, False]),
    ("isnan", "int32", [-3, 0], [False, False]),
    (
        "logical_and",
        "bool",
        [True, True, False, False],
        [True, False, True, False],
        [True, False, False, False],
    ),
    ("logical_not", "bool", [True, False], [False, True]),
    ("logical_or", "bool", [True, True, False, False], [True, False, True, False], [True, True, True, False]),
    (
        "logical_xor",
        "bool",
        [True, True, False, False],
        [True, False, True, False],
        [False, True, True, False],
    ),
    ("maximum", "uint64", [2**63, 3], [1, 2**64 - 1], [2**63, 2**64 - 1]),
    ("minimum", "uint64", [2**63, 3], [1, 2**64 - 1], [1, 3]),
    ("multiply", "uint8", [16, 255, 3], [16, 255, 5], [0, 1, 15]),
    ("negative", "uint8", [1, 0, 255], [255, 0, 1]),
    ("negative", "int32", [1, 0, -5], [-1, 0, 5]),
    ("pow", "int32", [2, -2, 0, 7], [10, 3, 0, 1], [1024, -8, 1, 7]),
    ("pow", "uint8", [2, 3], [8, 5], [0, 243]),
    ("remainder", "int32", [7, -7, 7, -7, 6, -6], [2, 2, -2, -2, -2, 2], [1, 1, -1, -1, 0, 0]),
    ("round", "int32", [-3, 0, 5], [-3, 0, 5]),
    ("sign", "int32", [-3, 0, 5], [-1, 0, 1]),
    ("sign", "uint8", [0, 255], [0, 1]),
    ("square", "uint8", [16, 15], [0, 225]),
    ("subtract", "uint8", [1, 0], [2, 255], [255, 1]),
    ("trunc", "int32", [-3, 0, 5], [-3, 0, 5]),
]


def _of_integers() -> list[Case]:
    cases: list[Case] = []
    for number, (name, dtype, *arguments, values) in enumerate(_OF_INTEGERS):
        repeated = any(row[:2] == (name, dtype) for row in _OF_INTEGERS[:number])

        def run(
            nn: Backend, _: str, name: str = name, dtype: str = dtype, arguments: Any = arguments
        ) -> Tensor:
            return getattr(nn, name)(*(nn.asarray(np.asarray(x, dtype)) for x in arguments))

        cases.append(exact(name, f"{dtype}{', far shifts' if repeated else ''}", run, values, INTEGERS))
    return cases


_EVEN = "a subgradient; where two sides are equal, both frameworks take the mean of their slopes, 0"
_LIMIT = "the limit of the derivative, as both frameworks have it"
_KINKS: list[Case] = [
    kink("abs", "gradient at 0", lambda nn, x: nn.abs(x), [[0.0, -0.0, 2.0]], [[0.0, 0.0, 1.0]], _EVEN),
    kink(
        "abs",
        "gradient at the complex 0",
        of_complex(lambda nn, z: nn.abs(z)),
        [[0.0], [0.0]],
        [[0.0], [0.0]],
        _EVEN,
    ),
    kink(
        "sign",
        "gradient at 0",
        lambda nn, x: nn.sign(x),
        [[0.0, 2.0]],
        [[0.0, 0.0]],
        "constant on both sides",
    ),
    kink(
        "round",
        "gradient at a tie",
        lambda nn, x: nn.round(x),
        [[0.5, 2.0]],
        [[0.0, 0.0]],
        "constant on both sides",
    ),
    kink(
        "floor",
        "gradient at an integer",
        lambda nn, x: nn.floor(x),
        [[1.0]],
        [[0.0]],
        "constant on both sides",
    ),
    kink("sqrt", "gradient at 0", lambda nn, x: nn.sqrt(x), [[0.0, 4.0]], [[INF, 0.25]], _LIMIT),
    kink("log", "gradient at 0", lambda nn, x: nn.log(x), [[0.0, 4.0]], [[INF, 0.25]], _LIMIT),
    kink("log1p", "gradient at -1", lambda nn, x: nn.log1p(x), [[-1.0, 0.0]], [[INF, 1.0]], _LIMIT),
    kink(
        "reciprocal", "gradient at 0", lambda nn, x: nn.reciprocal(x), [[0.0, 2.0]], [[-INF, -0.25]], _LIMIT
    ),
    kink("asin", "gradient at 1", lambda nn, x: nn.asin(x), [[1.0, 0.0]], [[INF, 1.0]], _LIMIT),
    kink("acos", "gradient at 1", lambda nn, x: nn.acos(x), [[1.0, 0.0]], [[-INF, -1.0]], _LIMIT),
    kink("acosh", "gradient at 1", lambda nn, x: nn.acosh(x), [[1.0]], [[INF]], _LIMIT),
    kink("atanh", "gradient at 1", lambda nn, x: nn.atanh(x), [[1.0, 0.0]], [[INF, 1.0]], _LIMIT),
    kink("exp", "gradient far out", lambda nn, x: nn.exp(x), [[-2000.0, 0.0]], [[0.0, 1.0]], _LIMIT),
    kink(
        "tanh", "gradient far out", lambda nn, x: nn.tanh(x), [[-50.0, 0.0, 50.0]], [[0.0, 1.0, 0.0]], _LIMIT
    ),
    kink("atan", "gradient far out", lambda nn, x: nn.atan(x), [[-INF, 0.0, INF]], [[0.0, 1.0, 0.0]], _LIMIT),
    kink(
        "maximum",
        "gradient at ties",
        lambda nn, x, y: nn.maximum(x, y),
        [[1.0, 2.0], [1.0, 1.0]],
        [[0.5, 1.0], [0.5, 0.0]],
        "shared by both arguments, as torch documents it for amax",
    ),
    kink(
        "minimum",
        "gradient at ties",
        lambda nn, x, y: nn.minimum(x, y),
        [[1.0, 2.0], [1.0, 1.0]],
        [[0.5, 0.0], [0.5, 1.0]],
        "shared by both arguments, as torch documents it for amin",
    ),
    kink(
        "maximum",
        "gradient at a tie with a number",
        lambda nn, x: nn.maximum(x, 0.0),
        [[-1.0, 0.0, 1.0]],
        [[0.0, 1.0, 1.0]],
        "the tensor's side, in both frameworks",
    ),
    kink(
        "clip",
        "gradient at the bounds",
        lambda nn, x: nn.clip(x, -1.0, 1.0),
        [[-2.0, -1.0, 0.0, 1.0, 2.0]],
        [[0.0, 1.0, 1.0, 1.0, 0.0]],
        "the bounds belong to the interval, in both frameworks",
    ),
    kink(
        "hypot",
        "gradient at 0",
        lambda nn, x, y: nn.hypot(x, y),
        [[0.0, 3.0], [0.0, 4.0]],
        [[0.0, 0.6], [0.0, 0.8]],
        "a subgradient, the one of vector_norm",
    ),
    kink(
        "logaddexp",
        "gradient at ties and infinities",
        lambda nn, x, y: nn.logaddexp(x, y),
        [[1.0, 0.0, -INF], [1.0, -INF, 0.0]],
        [[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]],
        "the softmax of both arguments",
    ),
    kink(
        "pow",
        "gradient at 0",
        lambda nn, x, y: nn.pow(x, y),
        [[0.0, 0.0, 0.0, 0.0], [0.5, 1.0, 2.0, 3.0]],
        [[INF, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
        _LIMIT,
    ),
    kink(
        "pow",
        "gradient at 0, a number as exponent",
        lambda nn, x: nn.pow(x, 2) + nn.pow(x, 1),
        [[0.0, -3.0]],
        [[1.0, -5.0]],
        _LIMIT,
    ),
    kink(
        "pow",
        "gradient of the power 0 at 0",
        lambda nn, x: nn.pow(x, 0.0),
        [[0.0, 2.0]],
        [[0.0, 0.0]],
        "x**0 is 1, also at 0",
    ),
    kink(
        "pow",
        "gradient of negative bases",
        lambda nn, x: nn.pow(x, 3.0) + nn.pow(x, -1.0),
        [[-1.0, 2.0]],
        [[2.0, 11.75]],
        "exact arithmetic",
    ),
    kink(
        "copysign",
        "gradient at 0",
        lambda nn, x: nn.copysign(x, nn.asarray([1.0, -1.0], dtype=x.dtype)),
        [[2.0, 2.0]],
        [[1.0, -1.0]],
        "exact arithmetic",
    ),
]


def _between(variant: str, arguments: Callable[..., Any], reference: Callable[..., Any]) -> FunctionCase:
    return FunctionCase(
        name="clip",
        variant=variant,
        run=lambda nn, x, *bounds: nn.clip(x, *arguments(*bounds)),
        reference=reference,
        inputs=(_points(-3, 3)[0], numbers(12, low=-2, high=-1), numbers(12, low=1, high=2)),
        roundings=0,
        scale="ulp",
        derivatives=1,
        reason=NO_ROUNDING,
    )


def _neighbours(dtype: str) -> Mapping[str, Any]:
    x1, x2 = (np.array(x, dtype) for x in _NEXT)
    return {"values": np.nextafter(x1, x2)}


_NEXT = ([1.0, 1.0, 2.0, -1.0, 5.0, NAN, 1.0], [2.0, 0.0, INF, 0.0, 5.0, 1.0, NAN])

CASES: list[Case] = [
    *(_unary(name) for name in _UNARY),
    *(_binary(name) for name in _BINARY),
    *(_complex(name) for name in (*_COMPLEX, *_COMPLEX_BINARY)),
    *(_magnitudes(name) for name in _MAGNITUDES),
    *(_special(name) for name in (*_SPECIAL, *_SPECIAL_BINARY)),
    *_of_integers(),
    *_LARGE,
    *_KINKS,
    FunctionCase(
        name="logaddexp",
        run=lambda nn, x, y: nn.logaddexp(x, y),
        reference=np.logaddexp,
        inputs=(numbers(2, 3, seed=1), numbers(3, seed=2)),
        roundings=10,
        reason="an exponential and a logarithm of 4 ULP each, a difference and a sum",
    ),
    *(
        FunctionCase(
            name=name,
            run=lambda nn, x, y, name=name: getattr(nn, name)(x, y),
            reference=reference,
            inputs=(np.array([[7.5, -7.4, 3.1], [-4.7, 5.2, 9.3]]), np.array([2.1, -1.9, 1.3])),
            roundings=roundings,
            scale="ulp",
            derivatives=1,
            reason="the remainder of a division is exact; where the signs differ it is added to the divisor",
        )
        for name, reference, roundings in (
            ("floor_divide", np.floor_divide, 0),
            ("remainder", np.remainder, 1),
        )
    ),
    _between("numbers", lambda low, high: (-1.0, 1.5), lambda x, low, high: np.clip(x, -1.0, 1.5)),
    _between("tensors", lambda low, high: (low, high), np.clip),
    _between("one bound", lambda low, high: (None, high), lambda x, low, high: np.minimum(x, high)),
    exact(
        "clip",
        "special values",
        lambda nn, dtype: nn.clip(nn.asarray([NAN, INF, -INF, 0.5], dtype=dtype), -1.0, 1.0),
        [NAN, 1.0, -1.0, 0.5],
    ),
    exact("clip", "int32", lambda nn, _: nn.clip(nn.asarray([-9, 0, 9]), -3, 3), [-3, 0, 3], INTEGERS),
    exact(
        "clip",
        "uint8",
        lambda nn, _: nn.clip(nn.asarray([0, 200], dtype="uint8"), 10, 100),
        [10, 100],
        INTEGERS,
    ),
    exact(
        "divide",
        "integers",
        lambda nn, _: nn.divide(nn.asarray([7, -1, 1]), nn.asarray([2, 4, 0])),
        [3.5, -0.25, INF],
        "integers are divided in the default floating-point type",
    ),
    exact(
        "nextafter",
        "",
        lambda nn, dtype: nn.nextafter(*(nn.asarray(x, dtype=dtype) for x in _NEXT)),
        _neighbours,
        "IEEE 754: the neighbouring number",
    ),
    exact(
        "round",
        "complex",
        lambda nn, dtype: nn.round(nn.asarray([0.5 + 1.5j, -2.5 - 0.4j])),
        [0 + 2j, complex(-2, -0.0)],
    ),
    *(
        exact(
            name,
            "complex",
            lambda nn, dtype, name=name: getattr(nn, name)(
                nn.asarray([complex(1, 2), complex(INF, 1), complex(1, NAN), complex(1, -INF)])
            ),
            values,
        )
        for name, values in (
            ("isfinite", [True, False, False, False]),
            ("isinf", [False, True, False, True]),
            ("isnan", [False, False, True, False]),
        )
    ),
    *(
        exact(
            name,
            "complex",
            lambda nn, dtype, name=name: getattr(nn, name)(
                nn.asarray([1 + 2j, 3j]), nn.asarray([1 + 2j, -3j])
            ),
            values,
        )
        for name, values in (("equal", [True, False]), ("not_equal", [False, True]))
    ),
    *(
        exact(
            name,
            "empty and 0-d",
            lambda nn, dtype, name=name: {
                "empty": getattr(nn, name)(nn.zeros((0, 3), dtype=dtype)),
                "0-d": getattr(nn, name)(nn.asarray(0.0, dtype=dtype)),
            },
            {"empty": np.zeros((0, 3)), "0-d": 0.0},
        )
        for name in ("abs", "expm1", "sin", "sqrt", "tanh")
    ),
    exact(
        "add",
        "empty and 0-d",
        lambda nn, dtype: {
            "empty": nn.add(nn.zeros((2, 0), dtype=dtype), nn.zeros((0,), dtype=dtype)),
            "0-d": nn.add(nn.ones((3,), dtype=dtype), nn.asarray(2.0, dtype=dtype)),
            "number": nn.add(nn.ones((3,), dtype=dtype), 2),
        },
        {"empty": np.zeros((2, 0)), "0-d": np.full(3, 3.0), "number": np.full(3, 3.0)},
    ),
]
