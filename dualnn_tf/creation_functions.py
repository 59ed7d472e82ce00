"""The creation functions of the array API standard.

Where no dtype is named, Python floats become the default floating-point dtype, Python integers
int64; where no device is named, the default device is meant.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dualnn.backends import owner
from dualnn.bfloat16 import is_bfloat16
from dualnn.names import unknown
from dualnn_tf.conversion import is_tensor
from dualnn_tf.conversion import shape as shape_of
from dualnn_tf.data_type_functions import astype, converted
from dualnn_tf.data_types import dtype as native_dtype
from dualnn_tf.data_types import floating_dtype, python_dtype
from dualnn_tf.devices import on_device, to_device


def arange(start, /, stop=None, step=1, *, dtype=None, device=None):
    """Return evenly spaced values of the half-open interval [start, stop)."""
    if stop is None:
        start, stop = 0, start
    dtype = python_dtype(start, stop, step) if dtype is None else native_dtype(dtype)
    if dtype == tf.uint64 and max(start, stop) > tf.int64.max:
        return arange(0, stop - start, step, dtype=dtype, device=device) + start
    # TensorFlow has ranges of a few data types only, and no empty ones against the step's sign.
    kind = tf.int64 if python_dtype(start, stop, step).is_integer else tf.float64
    with on_device(device):
        start, stop, delta = (converted(bound, kind) for bound in (start, stop, step))
        stop = tf.maximum(start, stop) if step > 0 else tf.minimum(start, stop)
        return tf.cast(tf.range(start, stop, delta), dtype)


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
    dtype = native_dtype(dtype)
    if is_tensor(obj):
        result = obj if dtype is None else astype(obj, dtype)
        result = result if device is None else to_device(result, device)
    else:
        with on_device(device):
            result = _host_tensor(obj, dtype)
    if copy is False and result is not obj:
        raise ValueError(f"expected memory to share (copy=False), got {type(obj).__name__}; use copy=None")
    return tf.raw_ops.Identity(input=result) if copy and result is obj else result


def empty(shape, *, dtype=None, device=None):
    """Return a tensor whose values are not set (TensorFlow sets them to zero)."""
    return zeros(shape, dtype=dtype, device=device)


def empty_like(x, /, *, dtype=None, device=None):
    """Return a tensor of the shape of `x` whose values are not set (TensorFlow sets them to zero)."""
    return zeros_like(x, dtype=dtype, device=device)


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None):
    """Return ones on the k-th diagonal and zeros elsewhere."""
    with on_device(device):
        rows, columns = tf.range(n_rows)[:, None], tf.range(n_rows if n_cols is None else n_cols)
        return tf.cast(columns - rows == _diagonal(k), floating_dtype(dtype))


def full(shape, fill_value, *, dtype=None, device=None):
    """Return a tensor filled with one value."""
    dtype = python_dtype(fill_value) if dtype is None else native_dtype(dtype)
    with on_device(device):
        return tf.fill(_dimensions(shape), asarray(fill_value, dtype=dtype))


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """Return a tensor of the shape of `x` filled with one value."""
    return full(shape_of(x), fill_value, dtype=_dtype_like(x, dtype), device=device)


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True):
    """Return `num` evenly spaced values from `start` to `stop`."""
    dtype = floating_dtype(dtype)
    with on_device(device):
        start, stop = converted(start, dtype), converted(stop, dtype)
        return tf.linspace(start, stop, max(num if endpoint else num + 1, 1))[:num]


def meshgrid(*arrays, indexing="xy"):
    """Return coordinate tensors of the grid that 1-d tensors span."""
    # Not tf.meshgrid, which multiplies by 1: a complex infinity becomes NaN.
    if indexing not in ("xy", "ij"):
        raise ValueError(unknown("indexing", indexing, ("xy", "ij")))
    count = len(arrays)
    order = [1, 0, *range(2, count)] if indexing == "xy" and count > 1 else range(count)
    arrays = [tf.reshape(array, (-1,)) for array in arrays]
    sizes = [tf.size(arrays[place]) for place in order]
    lines = (
        tf.reshape(array, [-1 if place == one else 1 for place in order]) for one, array in enumerate(arrays)
    )
    return tuple(tf.broadcast_to(line, sizes) for line in lines)


def ones(shape, *, dtype=None, device=None):
    """Return a tensor of ones."""
    with on_device(device):
        return tf.ones(_dimensions(shape), floating_dtype(dtype))


def ones_like(x, /, *, dtype=None, device=None):
    """Return ones of the shape of `x`."""
    with on_device(device):
        return tf.ones_like(x, _dtype_like(x, dtype))


def tril(x, /, *, k=0):
    """Return the lower triangle of (stacks of) matrices, up to the k-th diagonal."""
    return tf.where(_diagonals(x) <= _diagonal(k), x, tf.zeros_like(x))


def triu(x, /, *, k=0):
    """Return the upper triangle of (stacks of) matrices, from the k-th diagonal."""
    return tf.where(_diagonals(x) >= _diagonal(k), x, tf.zeros_like(x))


def zeros(shape, *, dtype=None, device=None):
    """Return a tensor of zeros."""
    with on_device(device):
        return tf.zeros(_dimensions(shape), floating_dtype(dtype))


def zeros_like(x, /, *, dtype=None, device=None):
    """Return zeros of the shape of `x`."""
    with on_device(device):
        return tf.zeros_like(x, _dtype_like(x, dtype))


def _dimensions(shape):
    return tuple(shape) if isinstance(shape, (tuple, list, tf.TensorShape)) else (shape,)


def _dtype_like(x, dtype):
    return x.dtype if dtype is None else native_dtype(dtype)


def _diagonal(k):
    # A number that an int32 holds: what is farther out is empty just the same.
    return max(tf.int32.min, min(k, tf.int32.max))


def _diagonals(x):
    # The number of the diagonal that each element of the last two axes is on.
    rows, columns = shape_of(x)[-2:]
    return tf.range(columns, dtype=tf.int64) - tf.range(rows, dtype=tf.int64)[:, None]


def _host_tensor(obj, dtype):
    other = owner(obj)
    if other is not None:
        dtype = dtype or native_dtype(other.dtype_name(obj.dtype))
        return tf.cast(tf.constant(other.to_numpy(obj)), dtype)
    array = np.asarray(obj)
    if dtype is not None and dtype.is_integer and array.dtype.kind == "f" and not hasattr(obj, "__array__"):
        array = np.asarray(obj, dtype.as_numpy_dtype)  # of small and of large integers NumPy makes floats
    if is_bfloat16(array):
        return tf.constant(array if dtype is None else array.astype(dtype.as_numpy_dtype, copy=False))
    if array.dtype.kind not in "biufc":
        hint = "; NumPy makes numbers of it by array.astype('float32')" if "float" in array.dtype.name else ""
        raise TypeError(f"expected numbers, got an array of dtype {array.dtype}{hint}")
    if dtype is None and array.dtype.kind in "fc" and not hasattr(obj, "__array__"):
        dtype = python_dtype(array.dtype.type().item())
    return tf.constant(array if dtype is None else array.astype(dtype.as_numpy_dtype, copy=False))
