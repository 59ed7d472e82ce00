"""The creation functions of the array API standard.

Where no dtype is named, Python floats become the default floating-point dtype, Python integers
int64; where no device is named, the default device is meant.
"""

from __future__ import annotations

import array_api_compat.torch as xp
import numpy as np
import torch

from dualnn.backends import owner
from dualnn.bfloat16 import as_float32, is_bfloat16
from dualnn_torch.data_type_functions import modular
from dualnn_torch.data_types import LIMITED, dtype_name, floating_dtype, python_dtype
from dualnn_torch.data_types import dtype as native_dtype
from dualnn_torch.devices import CPU, native_device

_NUMBERS = frozenset({bool, int, float, complex})


def arange(start, /, stop=None, step=1, *, dtype=None, device=None):
    """Return evenly spaced values of the half-open interval [start, stop)."""
    if stop is None:
        start, stop = 0, start
    dtype = python_dtype(start, stop, step) if dtype is None else native_dtype(dtype)
    device = native_device(device)
    if step != 0 and (stop - start) * step <= 0:
        return torch.empty(0, dtype=dtype, device=device)
    if dtype in LIMITED:
        return torch.arange(start, stop, step, dtype=torch.int64, device=device).to(dtype)
    return torch.arange(start, stop, step, dtype=dtype, device=device)


def asarray(obj, /, *, dtype=None, device=None, copy=None):
    """Return `obj` as a tensor: a number, nested lists of numbers, an array, a tensor of any backend.

    Python floats become the default floating-point dtype, Python integers int64. An array keeps its
    dtype, and a native tensor its dtype and device, unless told otherwise; a gradient flows through
    a native tensor. With ``copy=None`` the memory may be shared, with ``copy=False`` it must be.

    Raises:
        TypeError: `obj` holds something else than numbers.
        ValueError: ``copy=False``, and the memory cannot be shared.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.dtype_name(nn.asarray([1.0, 2.0]).dtype), nn.dtype_name(nn.asarray([1, 2]).dtype)
    ('float32', 'int64')
    """
    if isinstance(obj, torch.Tensor):
        if dtype is None and device is None and not copy:
            return obj
        source, device = obj, _device_like(obj, device)
    elif type(obj) in _NUMBERS and copy is not False:
        dtype = python_dtype(obj) if dtype is None else native_dtype(dtype)
        return torch.tensor(obj, dtype=dtype, device=native_device(device))
    else:
        source, device = _host_tensor(obj, native_dtype(dtype)), native_device(device)
        if device == CPU and (copy is None or (copy and _is_new(source, obj))):  # what was asked for already
            return source
    result = source.to(device, native_dtype(dtype), copy=copy is True)
    if copy is False and not _shares_memory(result, obj):
        raise ValueError(f"expected memory to share (copy=False), got {type(obj).__name__}; use copy=None")
    return result


def empty(shape, *, dtype=None, device=None):
    """Return a tensor whose values are not set."""
    return torch.empty(shape, dtype=floating_dtype(dtype), device=native_device(device))


def empty_like(x, /, *, dtype=None, device=None):
    """Return a tensor of the shape of `x` whose values are not set."""
    return torch.empty_like(x, dtype=native_dtype(dtype), device=_device_like(x, device))


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None):
    """Return ones on the k-th diagonal and zeros elsewhere."""
    dtype = floating_dtype(dtype)
    kernel_dtype = torch.int64 if dtype in LIMITED else dtype
    return xp.eye(n_rows, n_cols, k=k, dtype=kernel_dtype, device=native_device(device)).to(dtype)


def full(shape, fill_value, *, dtype=None, device=None):
    """Return a tensor filled with one value."""
    dtype = python_dtype(fill_value) if dtype is None else native_dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    return torch.full(shape, fill_value, dtype=dtype, device=native_device(device))


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """Return a tensor of the shape of `x` filled with one value."""
    return torch.full_like(x, fill_value, dtype=native_dtype(dtype), device=_device_like(x, device))


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True):
    """Return `num` evenly spaced values from `start` to `stop`."""
    return xp.linspace(
        start, stop, num, dtype=floating_dtype(dtype), device=native_device(device), endpoint=endpoint
    )


meshgrid = xp.meshgrid


def ones(shape, *, dtype=None, device=None):
    """Return a tensor of ones."""
    return torch.ones(shape, dtype=floating_dtype(dtype), device=native_device(device))


def ones_like(x, /, *, dtype=None, device=None):
    """Return ones of the shape of `x`."""
    if dtype is None and device is None:
        return torch.ones_like(x)
    return torch.ones_like(x, dtype=native_dtype(dtype), device=_device_like(x, device))


def tril(x, /, *, k=0):
    """Return each matrix with zeros above its k-th diagonal."""
    return torch.tril(modular(x), k).to(x.dtype)


def triu(x, /, *, k=0):
    """Return each matrix with zeros below its k-th diagonal."""
    return torch.triu(modular(x), k).to(x.dtype)


def zeros(shape, *, dtype=None, device=None):
    """Return a tensor of zeros."""
    return torch.zeros(shape, dtype=floating_dtype(dtype), device=native_device(device))


def zeros_like(x, /, *, dtype=None, device=None):
    """Return zeros of the shape of `x`."""
    if dtype is None and device is None:
        return torch.zeros_like(x)
    return torch.zeros_like(x, dtype=native_dtype(dtype), device=_device_like(x, device))


def _device_like(x, device):
    return x.device if device is None else native_device(device)


def _host_tensor(obj, dtype):
    if torch.compiler.is_compiling() and isinstance(obj, (np.ndarray, list, tuple)):
        # The compiler follows these, but not np.asarray.
        is_array = isinstance(obj, np.ndarray)
        return (
            torch.as_tensor(obj).to(dtype) if is_array else torch.tensor(obj, dtype=dtype or _dtype_of(obj))
        )
    other = owner(obj)
    if other is not None:
        dtype = dtype or native_dtype(other.dtype_name(obj.dtype))
        return torch.from_numpy(other.to_numpy(obj)).to(dtype)
    array, dtype = _array_and_dtype(obj, dtype)
    tensor = torch.from_numpy(_writable(array))
    return tensor if tensor.dtype is dtype else tensor.to(dtype)


def _array_and_dtype(obj, dtype):
    array = np.asarray(obj)
    is_integer = dtype is not None and not (dtype.is_floating_point or dtype.is_complex)
    if is_integer and array.dtype.kind == "f" and not hasattr(obj, "__array__"):
        array = np.asarray(obj, dtype_name(dtype))  # of small and of large integers NumPy makes floats
    if is_bfloat16(array):
        return as_float32(array), dtype or torch.bfloat16
    if array.dtype.kind not in "biufc":
        hint = "; NumPy makes numbers of it by array.astype('float32')" if "float" in array.dtype.name else ""
        raise TypeError(f"expected numbers, got an array of dtype {array.dtype}{hint}")
    if dtype is None and array.dtype.kind in "fc" and not hasattr(obj, "__array__"):
        dtype = python_dtype(array.dtype.type().item())
    return array, dtype


def _dtype_of(numbers):
    array, dtype = _array_and_dtype(numbers, None)
    return dtype or native_dtype(array.dtype.name)


# What torch.compiler.assume_constant_result does, which imports the compiler first, for most of a second.
_dtype_of._dynamo_marked_constant = True


def _writable(array):
    # torch.from_numpy warns of read-only memory; other byte orders and negative strides it rejects.
    # An axis of size 1 may have one, too.
    is_plain = array.flags.writeable and min(array.strides, default=0) >= 0 and array.dtype.isnative
    return array if is_plain else np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def _is_new(tensor, obj):
    # torch.compile cannot compare addresses, so a graph copies
    is_array = isinstance(obj, np.ndarray) and not torch.compiler.is_compiling()
    return is_array and not _shares_memory(tensor, obj)


def _shares_memory(tensor, obj):
    if isinstance(obj, np.ndarray):
        return tensor.data_ptr() == obj.ctypes.data
    return isinstance(obj, torch.Tensor) and tensor.data_ptr() == obj.data_ptr()
