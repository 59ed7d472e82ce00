"""Data types: the native ones under their standard names, and the way from a name to a type."""

from __future__ import annotations

import builtins

import numpy as np
import torch
from torch import (
    bfloat16,
    bool,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)

from dualnn.defaults import defaults
from dualnn.names import unknown

_NATIVE = (
    bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
    float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
_NAMES = {native: str(native).removeprefix("torch.") for native in _NATIVE}
_BY_NAME = {name: native for native, name in _NAMES.items()}
_INTEGERS, _FLOATS = {int}, {float}

LIMITED = frozenset({uint16, uint32, uint64})
"""The data types that torch stores and converts, but for which it lacks most kernels."""
NARROW = frozenset({float16, bfloat16})
"""The data types in which a sum of many terms would stop growing."""


def dtype(dtype, /):
    """Return the native data type of that name; a native one, or None, is returned as it is.

    Raises:
        ValueError: no data type has this name.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.dtype("float32") == nn.float32
    True
    """
    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    if dtype in _BY_NAME:
        return _BY_NAME[dtype]
    raise ValueError(unknown("dtype", dtype, _BY_NAME))


def dtype_name(dtype, /):
    """Return the name of a data type in the array API standard.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.dtype_name(nn.zeros(3).dtype)
    'float32'
    """
    return _NAMES[_BY_NAME.get(dtype, dtype)]


def floating_dtype(native, /):
    """Return `dtype(native)`, or the default floating-point data type for None."""
    return dtype(defaults.dtype if native is None else native)


def python_dtype(*numbers):
    """Return the data type of a tensor made of these Python or NumPy numbers (or 0-d tensors)."""
    kinds = set(map(type, numbers))
    if kinds == _INTEGERS:  # the short way for the usual cases
        return int64
    if kinds == _FLOATS:
        return _BY_NAME[defaults.dtype]
    if all(isinstance(number, builtins.bool) for number in numbers):
        return bool
    if all(_is_integral(number) for number in numbers):
        return int64
    if any(isinstance(number, complex) for number in numbers):
        return complex128 if defaults.dtype == "float64" else complex64
    return dtype(defaults.dtype)


def _is_integral(number):
    if isinstance(number, torch.Tensor):
        return not (number.is_floating_point() or number.is_complex())
    return isinstance(number, (int, np.integer, torch.SymInt))
