"""The statistical functions of the array API standard.

Roundings: a sum of n numbers, in whatever order, rounds each of them at most n - 1 times (Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., section 4.2), and so does a product. Bounds are relative to
the sum of the absolute values, which `scale="stable"` measures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from dualnn.conformance.case import Case, FunctionCase
from dualnn.conformance.cases.elementwise import (
    INF,
    INTEGERS,
    NAN,
    NO_ROUNDING,
    exact,
    kink,
    numbers,
    of_complex,
    reference_of_complex,
)

_SHAPE = (2, 3, 2)
_X = numbers(*_SHAPE)
_SUM = "n - 1 sums of n numbers"
_MEAN = "n - 1 sums of n numbers and a division"
_PRODUCT = "n - 1 products of n numbers"
_VARIANCE = "the sums of n numbers and of n squared deviations, each a difference and a square; two divisions"
# What is reduced: how many numbers that are, and the arguments.
_REDUCED: dict[str, tuple[int, dict[str, Any]]] = {
    "": (12, {}),
    "axis": (3, {"axis": 1}),
    "axes, keepdims": (4, {"axis": (0, -1), "keepdims": True}),
}


def _variance_roundings(n: int) -> int:
    return 2 * (n - 1) + 4


# name: (reference, roundings of n numbers, derivatives, reason)
_REDUCTIONS: dict[str, tuple[Callable[..., Any], Callable[[int], int], Literal[1, 2], str]] = {
    "max": (np.max, lambda n: 0, 1, NO_ROUNDING),
    "mean": (np.mean, lambda n: n, 1, _MEAN),
    "min": (np.min, lambda n: 0, 1, NO_ROUNDING),
    "prod": (np.prod, lambda n: n - 1, 2, _PRODUCT),
    "std": (np.std, lambda n: _variance_roundings(n) + 1, 2, _VARIANCE + "; a square root"),
    "sum": (np.sum, lambda n: n - 1, 1, _SUM),
    "var": (np.var, _variance_roundings, 2, _VARIANCE),
}

_LONG = {name: _REDUCTIONS[name] for name in ("sum", "mean", "var")}
_LONG["cumulative_sum"] = (np.cumsum, lambda n: n - 1, 1, _SUM)


def _reduction(name: str, variant: str) -> FunctionCase:
    reference, roundings, derivatives, reason = _REDUCTIONS[name]
    n, arguments = _REDUCED[variant]
    return FunctionCase(
        name=name,
        variant=variant,
        run=lambda nn, x: getattr(nn, name)(x, **arguments),
        reference=lambda x: reference(x, **arguments),
        inputs=(_X,),
        roundings=roundings(n),
        derivatives=derivatives,
        reason=reason,
    )


def _corrected(name: str) -> FunctionCase:
    reference, roundings, _, reason = _REDUCTIONS[name]
    return FunctionCase(
        name=name,
        variant="correction",
        run=lambda nn, x: getattr(nn, name)(x, axis=-1, correction=1),
        reference=lambda x: reference(x, axis=-1, ddof=1),
        inputs=(numbers(2, 4),),
        roundings=roundings(4),
        reason=reason,
    )


def _long(name: str, n: int) -> FunctionCase:
    reference, roundings, _, reason = _LONG[name]
    return FunctionCase(
        name=name,
        variant=f"{n} numbers",
        run=lambda nn, x: getattr(nn, name)(x),
        reference=reference,
        inputs=(numbers(n, low=-1, high=2),),
        roundings=roundings(n),
        derivatives=0,
        size=n,
        level="quick" if n <= 1000 else "full",
        reason=reason,
    )


def _cumulative(
    name: str, variant: str, reference: Callable[..., Any], derivatives: Literal[1, 2], **arguments: Any
) -> FunctionCase:
    return FunctionCase(
        name=name,
        variant=variant,
        run=lambda nn, x: getattr(nn, name)(x, **arguments),
        reference=reference,
        inputs=(_X[0, :, 0] if variant == "" else _X[0],),
        roundings=2,
        derivatives=derivatives,
        reason=_SUM if derivatives == 1 else _PRODUCT,
    )


def _with_initial(function: Callable[..., Any], initial: float) -> Callable[..., Any]:
    def reference(x: Any) -> Any:
        return np.concatenate([np.full((1, x.shape[1]), initial, x.dtype), function(x, axis=0)])

    return reference


_COMPLEX: dict[str, tuple[Callable[..., Any], int, Literal[1, 2], str]] = {
    "sum": (np.sum, 2, 1, _SUM),
    "mean": (np.mean, 3, 1, _MEAN),
    "prod": (np.prod, 6, 2, "2 products of complex numbers, of two roundings and a sum"),
    "cumulative_sum": (np.cumsum, 2, 1, _SUM),
    "cumulative_prod": (
        np.cumprod,
        6,
        2,
        "2 products of complex numbers, of two roundings and a sum",
    ),
}
_SHARED = "shared by the equal ones, in both frameworks"
_ZERO = np.zeros(3)

CASES: list[Case] = [
    *(_reduction(name, variant) for name in _REDUCTIONS for variant in _REDUCED),
    *(_corrected(name) for name in ("std", "var")),
    *(_long(name, n) for name in _LONG for n in (10, 100, 1_000, 10_000)),
    *(
        FunctionCase(
            name=name,
            variant="complex",
            run=of_complex(lambda nn, z, name=name: getattr(nn, name)(z, axis=-1)),
            reference=reference_of_complex(lambda z, reference=reference: reference(z, axis=-1)),
            inputs=(numbers(2, 3, seed=1), numbers(2, 3, seed=2)),
            roundings=roundings,
            derivatives=derivatives,
            reason=reason,
        )
        for name, (reference, roundings, derivatives, reason) in _COMPLEX.items()
    ),
    _cumulative("cumulative_sum", "", np.cumsum, 1),
    _cumulative("cumulative_sum", "axis", lambda x: np.cumsum(x, axis=1), 1, axis=-1),
    _cumulative("cumulative_sum", "initial", _with_initial(np.cumsum, 0), 1, axis=0, include_initial=True),
    _cumulative("cumulative_prod", "", np.cumprod, 2),
    _cumulative("cumulative_prod", "axis", lambda x: np.cumprod(x, axis=1), 2, axis=-1),
    _cumulative("cumulative_prod", "initial", _with_initial(np.cumprod, 1), 2, axis=0, include_initial=True),
    *(
        FunctionCase(
            name=name,
            variant="with a zero",
            run=lambda nn, x, name=name: getattr(nn, name)(x),
            reference=reference,
            inputs=(np.array([2.0, 0.0, 3.0, -1.5]),),
            roundings=3,
            reason=_PRODUCT,
        )
        for name, reference in (("prod", np.prod), ("cumulative_prod", np.cumprod))
    ),
    # Edges.
    *(
        exact(
            name,
            "special values",
            lambda nn, dtype, name=name: {
                "NaN": getattr(nn, name)(nn.asarray([1.0, NAN, 3.0], dtype=dtype)),
                "infinity": getattr(nn, name)(nn.asarray([1.0, INF, 3.0], dtype=dtype)),
                "0-d": getattr(nn, name)(nn.asarray(2.0, dtype=dtype)),
                "no axes": getattr(nn, name)(nn.asarray([1.0, 2.0], dtype=dtype), axis=()),
            },
            {"NaN": NAN, "infinity": infinity, "0-d": scalar, "no axes": none},
        )
        for name, infinity, scalar, none in (
            ("max", INF, 2.0, [1.0, 2.0]),
            ("mean", INF, 2.0, [1.0, 2.0]),
            ("min", 1.0, 2.0, [1.0, 2.0]),
            ("prod", INF, 2.0, [1.0, 2.0]),
            ("std", NAN, 0.0, [0.0, 0.0]),
            ("sum", INF, 2.0, [1.0, 2.0]),
            ("var", NAN, 0.0, [0.0, 0.0]),
        )
    ),
    *(
        exact(
            name,
            "of nothing",
            lambda nn, dtype, name=name: {
                "all": getattr(nn, name)(nn.zeros((0,), dtype=dtype)),
                "axis": getattr(nn, name)(nn.zeros((0, 2), dtype=dtype), axis=0),
                "other axis": getattr(nn, name)(nn.zeros((0, 2), dtype=dtype), axis=1),
            },
            {"all": value, "axis": [value, value], "other axis": []},
            "of no numbers the sum is 0, the product 1, the mean NaN",
        )
        for name, value in (("sum", 0.0), ("prod", 1.0), ("mean", NAN), ("std", NAN), ("var", NAN))
    ),
    exact(
        "var",
        "too few numbers",
        lambda nn, dtype: {
            name: getattr(nn, name)(nn.ones((2, 1), dtype=dtype), axis=1, correction=1)
            for name in ("var", "std")
        },
        {"var": [NAN, NAN], "std": [NAN, NAN]},
        "the correction is not smaller than the number of values: NaN",
    ),
    exact(
        "var",
        "large mean",
        lambda nn, dtype: nn.var(nn.asarray([4097.0, 4098.0, 4099.0, 4100.0], dtype=dtype)),
        1.25,
        "deviations from the mean, and not a difference of squares: every step is exact",
    ),
    exact(
        "sum",
        "integers",
        lambda nn, _: {
            "int32": nn.sum(nn.asarray([2**31 - 1, 1], dtype="int32")),
            "uint8": nn.sum(nn.asarray([255, 255], dtype="uint8")),
            "bool": nn.sum(nn.asarray([True, True, False])),
            "dtype": nn.sum(nn.asarray([255, 255], dtype="uint8"), dtype="uint8"),
            "to float": nn.sum(nn.asarray([1, 2]), dtype="float32"),
        },
        {"int32": 2**31, "uint8": np.uint64(510), "bool": 2, "dtype": np.uint8(254), "to float": 3.0},
        "sums of integers are of 64 bits unless told otherwise",
    ),
    exact(
        "prod",
        "integers",
        lambda nn, _: {
            "int32": nn.prod(nn.asarray([2**16, 2**16], dtype="int32")),
            "uint8": nn.prod(nn.asarray([16, 32], dtype="uint8")),
            "int64 axis": nn.prod(nn.asarray([[1, 2], [3, -4]]), axis=1),
        },
        {"int32": 2**32, "uint8": np.uint64(512), "int64 axis": [2, -12]},
        "products of integers are of 64 bits unless told otherwise",
    ),
    *(
        exact(
            name,
            "integers",
            lambda nn, _, name=name: {
                "int32": getattr(nn, name)(nn.asarray([[3, -1], [7, 2]], dtype="int32"), axis=0),
                "uint64": getattr(nn, name)(nn.asarray(np.array([2**64 - 1, 2**63, 5], "uint64"))),
            },
            {"int32": small, "uint64": np.uint64(large)},
            INTEGERS,
        )
        for name, small, large in (("max", [7, 2], 2**64 - 1), ("min", [3, -1], 5))
    ),
    exact(
        "cumulative_sum",
        "integers",
        lambda nn, _: {
            "uint8": nn.cumulative_sum(nn.asarray([255, 1, 2], dtype="uint8")),
            "initial": nn.cumulative_sum(nn.asarray([5, -3]), include_initial=True),
            "of nothing": nn.cumulative_sum(nn.zeros((0,), dtype="int64"), include_initial=True),
            "dtype": nn.cumulative_sum(nn.asarray([255, 1, 2], dtype="uint8"), dtype="uint8"),
        },
        {
            "uint8": np.array([255, 256, 258], "uint64"),
            "initial": [0, 5, 2],
            "of nothing": [0],
            "dtype": np.array([255, 0, 2], "uint8"),
        },
        "sums of integers are of 64 bits unless told otherwise",
    ),
    exact(
        "cumulative_prod",
        "integers",
        lambda nn, _: {
            "int32": nn.cumulative_prod(nn.asarray([2**16, 2**16, -2], dtype="int32")),
            "initial": nn.cumulative_prod(nn.asarray([5, -3]), include_initial=True),
        },
        {"int32": [2**16, 2**32, -(2**33)], "initial": [1, 5, -15]},
        "products of integers are of 64 bits unless told otherwise",
    ),
    *(
        exact(
            name,
            "special values",
            lambda nn, dtype, name=name: getattr(nn, name)(
                nn.asarray([2.0, INF, 1.0, NAN, 1.0], dtype=dtype)
            ),
            [2.0, INF, INF, NAN, NAN],
        )
        for name in ("cumulative_sum", "cumulative_prod")
    ),
    *(
        kink(
            name,
            f"gradient at ties{variant}",
            lambda nn, x, name=name, axis=axis: getattr(nn, name)(x, axis=axis),
            [point],
            [gradient],
            _SHARED,
        )
        for name, variant, axis, point, gradient in (
            ("max", "", None, [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
            ("max", ", axis", 1, [[1.0, 3.0, 3.0], [4.0, 2.0, 0.0]], [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]),
            ("min", "", None, [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
            ("min", ", axis", 1, [[1.0, 1.0, 3.0], [4.0, 2.0, 0.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
        )
    ),
    kink("std", "gradient at equal values", lambda nn, x: nn.std(x), [np.ones(3)], [_ZERO], "a subgradient"),
    kink("var", "gradient at equal values", lambda nn, x: nn.var(x), [np.ones(3)], [_ZERO], "its minimum"),
    *(
        kink(
            name,
            "gradient with zeros",
            lambda nn, x, name=name: getattr(nn, name)(x),
            [point],
            [gradient],
            "products of the others: exact arithmetic",
        )
        for name, point, gradient in (
            ("prod", [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
            ("cumulative_prod", [2.0, 0.0, 3.0], [1.0, 8.0, 0.0]),
        )
    ),
    kink(
        "prod",
        "gradient with two zeros",
        lambda nn, x: nn.prod(x),
        [[2.0, 0.0, 0.0]],
        [_ZERO],
        "products of the others: exact arithmetic",
    ),
    kink(
        "sum",
        "gradient of nothing",
        lambda nn, x: nn.sum(x) + nn.prod(x),
        [np.zeros((0, 2))],
        [np.zeros((0, 2))],
        "there is nothing to differentiate by",
    ),
]
