"""The linear algebra functions of the array API standard's main namespace."""

from __future__ import annotations

import torch

from dualnn_torch.data_type_functions import modular, promote
from dualnn_torch.data_types import LIMITED, NARROW


def matmul(x1, x2, /):
    """Return the matrix product; leading axes broadcast, a 1-d operand is a vector."""
    # The short way for the usual case: promotion takes longer than a small product.
    if x1.dtype is x2.dtype and x1.dtype not in LIMITED:
        return torch.matmul(x1, x2)
    x1, x2 = promote(x1, x2)
    return torch.matmul(modular(x1), modular(x2)).to(x1.dtype)


def matrix_transpose(x, /):
    """Return each matrix with rows and columns exchanged.

    Raises:
        ValueError: `x` has fewer than two dimensions.
    """
    if x.ndim < 2:
        raise ValueError(f"expected a tensor of at least two dimensions, got {x.ndim}")
    return x.mT


def tensordot(x1, x2, /, *, axes=2):
    """Return the sums of products over the last axes of `x1` and the first of `x2`, or over axes named."""
    x1, x2 = promote(x1, x2)
    return torch.tensordot(modular(x1), modular(x2), dims=axes).to(x1.dtype)


def vecdot(x1, x2, /, *, axis=-1):
    """Return the dot products of vectors along an axis, those of `x1` conjugated; other axes broadcast.

    Raises:
        ValueError: the vectors have different sizes.
    """
    x1, x2 = promote(x1, x2)
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"expected vectors of one length, got {x1.shape[axis]} and {x2.shape[axis]}")
    dtype = x1.dtype
    if dtype in NARROW:
        x1, x2 = x1.float(), x2.float()
    # not torch.linalg.vecdot, which adds up the products one after the other
    return torch.sum(torch.conj(modular(x1)) * modular(x2), axis).to(dtype)
