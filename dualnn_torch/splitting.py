"""Equal parts of a tensor."""

from __future__ import annotations

import torch

from dualnn_torch.conversion import shape


def split(x, sections, /, *, axis=0):
    """Return `x` in so many equal parts along an axis, as `numpy.split` does.

    Compilers know it as one operation, whose gradient is one, too; of slices they know less.

    Args:
        x: a tensor.
        sections: how many parts.
        axis: the axis along which it is divided.

    Raises:
        ValueError: the axis's length is no multiple of `sections`.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> [nn.to_numpy(part).tolist() for part in nn.split(nn.asarray([1, 2, 3, 4]), 2)]
    [[1, 2], [3, 4]]
    """
    length = shape(x)[axis]
    if isinstance(length, int) and length % sections:
        raise ValueError(f"split: expected a length that is a multiple of {sections}, got {length}")
    return torch.split(x, length // sections, axis)
