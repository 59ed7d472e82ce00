"""From and to NumPy and other frameworks, and what a tensor tells of itself."""

from __future__ import annotations

import numpy as np
import torch

from dualnn_torch.devices import native_device


def is_tensor(x, /):
    """Return whether `x` is a native tensor or variable.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.is_tensor(nn.zeros(3)), nn.is_tensor([0.0])
    (True, False)
    """
    return isinstance(x, torch.Tensor)


def shape(x, /):
    """Return the shape as a tuple.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.shape(nn.zeros((2, 3)))
    (2, 3)
    """
    return tuple(x.shape)


def to_numpy(x, /):
    """Return a new NumPy array with the tensor's values, from any device.

    NumPy has no bfloat16; such values come as float32, which holds them exactly.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.asarray([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """
    host = x.to(torch.float32) if x.dtype == torch.bfloat16 else x
    return np.array(host.numpy(force=True))


def from_dlpack(x, /, *, device=None, copy=None):
    """Return a tensor of another library's array, over the same memory where that is possible.

    >>> import dualnn as dn, numpy as np
    >>> nn = dn.backend()
    >>> nn.shape(nn.from_dlpack(np.zeros((2, 3))))
    (2, 3)
    """
    device = None if device is None else native_device(device)
    return torch.from_dlpack(x, device=device, copy=copy)
