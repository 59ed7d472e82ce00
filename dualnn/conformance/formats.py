"""The floating-point formats: what the bounds need to know of each, and rounding to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dualnn.conformance.case import Array


class Format(NamedTuple):
    """A floating-point format.

    Attributes:
        eps: the distance from 1 to the next number.
        smallest_normal: below it numbers have fewer digits.
        largest: the largest finite number.
        lost: an error that is none. The frameworks' vector kernels flush numbers below the normal ones of
            float32 and float64 to zero; those of float16 are normal in float32, in which they compute.
    """

    eps: float
    smallest_normal: float
    largest: float
    lost: float


def _of(dtype: str) -> Format:
    info = np.finfo(dtype)
    eps, normal, largest = float(info.eps), float(info.smallest_normal), float(info.max)
    return Format(eps, normal, largest, normal)


FORMATS = {
    "float64": _of("float64"),
    "float32": _of("float32"),
    "bfloat16": Format(2.0**-7, 2.0**-126, 2.0**127 * (2 - 2.0**-7), 2.0**-126),
    "float16": _of("float16")._replace(lost=2.0**-24),
}


def rounded(values: Any, dtype: str) -> Array:
    """Return the array in a dtype, complex numbers in the one of that precision, integers as they are.

    NumPy has no bfloat16: its numbers come in float32.
    """
    array: Array = np.asarray(values)
    if array.dtype.kind == "c":
        found: Array = array.astype(np.result_type(dtype, np.complex64))
        return found
    if array.dtype.kind != "f":
        return array
    if dtype != "bfloat16":
        found = array.astype(dtype)
        return found
    bits = array.astype(np.float32).view(np.uint32)
    to_even = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    found = np.where(np.isnan(array), np.float32(np.nan), to_even.astype(np.uint32).view(np.float32))
    return found
