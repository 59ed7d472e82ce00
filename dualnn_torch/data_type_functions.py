"""The data type functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp

from dualnn_torch import data_types
from dualnn_torch.devices import native_device


def astype(x, dtype, /, *, copy=True, device=None):
    """Return `x` cast to a data type, on its own device or the given one."""
    device = x.device if device is None else native_device(device)
    return x.to(device, data_types.dtype(dtype), copy=copy)


def can_cast(from_, to, /):
    """Return whether type promotion leads from one data type (or tensor's) to another."""
    to = data_types.dtype(to)
    try:
        return result_type(from_, to) == to
    except RuntimeError:  # what torch raises for types that it does not promote
        return False


def finfo(type, /):
    """Return the limits of a floating-point data type (or of a tensor's)."""
    return xp.finfo(_native(type))


def iinfo(type, /):
    """Return the limits of an integer data type (or of a tensor's)."""
    return xp.iinfo(_native(type))


def isdtype(dtype, kind):
    """Return whether a data type is of a kind, such as ``"integral"`` or ``"real floating"``."""
    return xp.isdtype(data_types.dtype(dtype), kind)


def result_type(*arrays_and_dtypes):
    """Return the data type that type promotion gives for these tensors, data types and numbers."""
    return xp.result_type(*map(_native, arrays_and_dtypes))


def _native(operand):
    return data_types.dtype(operand) if isinstance(operand, str) else operand
