"""Fourier transforms, against NumPy's in long double.

A fast Fourier transform of n numbers has an error, relative to the norm of its result, of a small constant
times ``log2(n)`` roundings (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2,
with precomputed twiddle factors; the constant is below 8). Lengths with large prime factors are transformed
by three transforms of at most four times the length, which is three times as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn.conformance.case import Array, Case, FunctionCase
from dualnn.conformance.cases.elementwise import (
    NO_ROUNDING,
    ONE_ROUNDING,
    exact,
    numbers,
    of_complex,
    reference_of_complex,
)

_REASON = "8 log2(n) roundings of each of three transforms of four times the length, and a scaling"
_OF_REAL = ("rfft", "ihfft", "rfftn")

_ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
_AXES = ("fftn", "ifftn", "rfftn", "irfftn")

# (variant, names, arguments of one transform or of several, shape, the most numbers of a transform)
_TRANSFORMS: list[tuple[str, tuple[str, ...], list[dict[str, Any]], tuple[int, ...], int]] = [
    ("", _ONE_AXIS, [{}], (5,), 8),
    ("to 7", _ONE_AXIS, [{"n": 7}], (4,), 7),
    ("cut off", _ONE_AXIS, [{"n": 3}], (5,), 5),
    ("norms", _ONE_AXIS, [{"axis": 0, "norm": "ortho"}, {"axis": 0, "norm": "forward"}], (4, 2), 6),
    ("", _AXES, [{}], (2, 4), 12),
    ("sizes", _AXES, [{"s": (3, 4), "axes": (0, 1), "norm": "ortho"}], (2, 4), 12),
]


def roundings(n: int) -> float:
    """Return the roundings of the transform of n numbers."""
    return 3 * 8 * math.log2(4 * n) + 1


def _transform(
    name: str, variant: str, arguments: list[dict[str, Any]], shape: tuple[int, ...], n: int
) -> FunctionCase:
    def run(nn: Any, x: Any) -> Any:
        return tuple(getattr(nn.fft, name)(x, **one) for one in arguments)

    def reference(x: Array) -> Any:
        return tuple(getattr(np.fft, name)(x, **one) for one in arguments)

    is_real = name in _OF_REAL
    return FunctionCase(
        name=f"fft.{name}",
        variant=variant,
        run=run if is_real else of_complex(run),
        reference=reference if is_real else reference_of_complex(reference),
        inputs=tuple(numbers(*shape, seed=seed) for seed in range(1 if is_real else 2)),
        roundings=roundings(n),
        scale="norm",
        derivatives=1,
        reason=_REASON,
    )


def _long(name: str, n: int) -> FunctionCase:
    return FunctionCase(
        name=f"fft.{name}",
        variant=f"{n} numbers",
        run=lambda nn, x: getattr(nn.fft, name)(x),
        reference=lambda x: getattr(np.fft, name)(x),
        inputs=(numbers(n) if name in _OF_REAL else numbers(n) + 1j * numbers(n, seed=1),),
        roundings=roundings(n),
        scale="norm",
        derivatives=0,
        size=n,
        level="quick" if n <= 1000 else "full",
        reason=_REASON,
    )


def _frequencies(name: str, n: int, reference: Callable[[int], Array]) -> FunctionCase:
    return FunctionCase(
        name=f"fft.{name}",
        variant=f"{n} numbers of distance 0.3",
        run=lambda nn, like: getattr(nn.fft, name)(n, d=0.3, dtype=nn.dtype_name(like.dtype)),
        reference=lambda like: reference(n) / (np.longdouble(0.3) * n),
        inputs=(np.zeros(1),),
        roundings=3,
        scale="ulp",
        derivatives=0,
        reason="a product n d, its inverse and a product; the distance is a float64",
    )


def _of_fft(n: int) -> Array:
    return np.concatenate([np.arange((n + 1) // 2), np.arange(-(n // 2), 0)]).astype(np.longdouble)


CASES: list[Case] = [
    *(
        _transform(name, variant, arguments, shape, n)
        for variant, names, arguments, shape, n in _TRANSFORMS
        for name in names
    ),
    *(_long(name, n) for name in ("fft", "rfft") for n in (10, 100, 1_000, 10_000)),
    *(_frequencies("fftfreq", n, _of_fft) for n in (7, 8)),
    *(_frequencies("rfftfreq", n, lambda n: np.arange(n // 2 + 1, dtype=np.longdouble)) for n in (7, 8)),
    *(
        FunctionCase(
            name=f"fft.{name}",
            variant=variant,
            run=lambda nn, x, name=name, axes=axes: getattr(nn.fft, name)(x, axes=axes),
            reference=lambda x, name=name, axes=axes: getattr(np.fft, name)(x, axes=axes),
            inputs=(numbers(3, 4),),
            roundings=0,
            scale="ulp",
            derivatives=1,
            reason=NO_ROUNDING,
        )
        for name in ("fftshift", "ifftshift")
        for variant, axes in (("", None), ("axis", 0))
    ),
    exact(
        "fft.fft",
        "one number",
        lambda nn, dtype: nn.fft.fft(nn.asarray([1.5 - 2j])),
        [1.5 - 2j],
        "the transform of one number is itself",
    ),
    exact(
        "fft.fftfreq",
        "",
        lambda nn, dtype: {
            "even": nn.fft.fftfreq(4, dtype=dtype),
            "odd": nn.fft.fftfreq(5, d=0.2, dtype=dtype),
            "real": nn.fft.rfftfreq(4, dtype=dtype),
        },
        {"even": [0.0, 0.25, -0.5, -0.25], "odd": [0.0, 1.0, 2.0, -2.0, -1.0], "real": [0.0, 0.25, 0.5]},
        ONE_ROUNDING,
    ),
]
