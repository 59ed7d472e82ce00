"""The linear algebra functions of the array API standard's main namespace."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch


def matmul(x1, x2, /):
    """Return the matrix product; leading axes broadcast, a 1-d operand is a vector."""
    # The short way for the usual case: promotion takes longer than a small product.
    return torch.matmul(x1, x2) if x1.dtype == x2.dtype else xp.matmul(x1, x2)


matrix_transpose = xp.matrix_transpose
tensordot = xp.tensordot
vecdot = xp.vecdot
