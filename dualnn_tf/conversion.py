"""From and to NumPy and other frameworks, and what a tensor tells of itself."""

from __future__ import annotations

import contextlib
import ctypes

import numpy as np
import tensorflow as tf

from dualnn_tf.devices import to_device

_ALIGNMENT = 64

_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


def is_tensor(x, /):
    """Return whether `x` is a native tensor or variable.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.is_tensor(nn.zeros(3)), nn.is_tensor([0.0])
    (True, False)
    """
    return isinstance(x, (tf.Tensor, tf.Variable))


def shape(x, /):
    """Return the shape as a tuple.

    A dimension that is not known while compiling is a 0-d int64 tensor.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.shape(nn.zeros((2, 3)))
    (2, 3)
    """
    static = x.shape.as_list()
    if None not in static:
        return tuple(static)
    dynamic = tf.shape(x, tf.int64)
    return tuple(dynamic[axis] if size is None else size for axis, size in enumerate(static))


def has_values(x, /):
    """Return whether Python may look at the numbers of a tensor now, and not while a function is compiled.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.has_values(nn.zeros(3))
    True
    """
    return not tf.is_symbolic_tensor(x)


def to_numpy(x, /):
    """Return a new NumPy array with the tensor's values, from any device.

    NumPy has no bfloat16; such values come as float32, which holds them exactly.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.asarray([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """
    array = np.asarray(x.numpy())
    return array.astype(np.float32) if x.dtype == tf.bfloat16 else array  # tf.cast makes 0 of small numbers


def from_dlpack(x, /, *, device=None, copy=None):
    """Return a tensor of another library's array, over the same memory where that is possible.

    >>> import dualnn as dn, numpy as np
    >>> nn = dn.backend()
    >>> nn.shape(nn.from_dlpack(np.zeros((2, 3))))
    (2, 3)
    """
    capsule = x.__dlpack__()
    if not copy and _is_aligned(capsule):
        with contextlib.suppress(tf.errors.InvalidArgumentError):  # not contiguous
            return _on(device, tf.experimental.dlpack.from_dlpack(capsule))
    if copy is False:
        raise ValueError(
            f"expected contiguous memory at a multiple of {_ALIGNMENT} bytes to share (copy=False); "
            f"use copy=None"
        )
    return _on(device, tf.constant(np.from_dlpack(x)))


def _on(device, tensor):
    return tensor if device is None else to_device(tensor, device)


def _is_aligned(capsule):
    # TensorFlow ends the process when it computes on memory that its vector instructions cannot
    # load. The address is in the capsule's struct DLTensor: `data` comes first, `byte_offset` sixth.
    words = ctypes.cast(_capsule_pointer(capsule, b"dltensor"), ctypes.POINTER(ctypes.c_uint64))
    return (words[0] + words[5]) % _ALIGNMENT == 0
