"""The linear algebra functions of the array API standard's extension."""

from __future__ import annotations as _annotations

import math as _math

import array_api_compat.torch.linalg as _native
import torch as _torch

from dualnn_torch import sums as _sums
from dualnn_torch.data_type_functions import modular as _modular
from dualnn_torch.data_type_functions import promote as _promote
from dualnn_torch.elementwise_functions import multiply as _multiply
from dualnn_torch.linear_algebra_functions import matmul, matrix_transpose, tensordot, vecdot
from dualnn_torch.statistical_functions import sum as _sum

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def cholesky(x, /, *, upper=False):
    """Return the triangular factor of a Hermitian, positive-definite matrix; the lower one by default."""
    return _native.cholesky(x, upper=upper)


def cross(x1, x2, /, *, axis=-1):
    """Return the cross products of vectors of three elements along an axis; other axes broadcast.

    Raises:
        ValueError: a vector has another size.
    """
    x1, x2 = _promote(x1, x2)
    return _native.cross(_modular(x1), _modular(x2), axis=axis).to(x1.dtype)


def det(x, /):
    """Return the determinant."""
    return _native.det(x)


def diagonal(x, /, *, offset=0):
    """Return a diagonal of each matrix; those above the main one have positive offsets."""
    return _torch.diagonal(x, offset, -2, -1)


def eig(x, /):
    """Return the eigenvalues and the eigenvectors, both complex, the latter as columns."""
    return _native.eig(x)


def eigh(x, /):
    """Return the eigenvalues, in ascending order, and the eigenvectors of a Hermitian matrix."""
    return _native.eigh(x)


def eigvals(x, /):
    """Return the eigenvalues as complex numbers."""
    return _native.eigvals(x)


def eigvalsh(x, /):
    """Return the eigenvalues of a Hermitian matrix in ascending order."""
    return _native.eigvalsh(x)


def inv(x, /):
    """Return the inverse matrix."""
    return _native.inv(x)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Return the norm of each matrix: ``"fro"``, ``"nuc"``, or 1, 2, infinity and their negatives."""
    return _native.matrix_norm(x, ord, (-2, -1), keepdims)


def matrix_power(x, n, /):
    """Return a square matrix multiplied by itself `n` times; by its inverse if `n` is negative."""
    return _native.matrix_power(x, n)


def matrix_rank(x, /, *, rtol=None):
    """Return the number of singular values above `rtol` times the largest one."""
    return _native.matrix_rank(x, rtol=rtol)


def outer(x1, x2, /):
    """Return all products of an element of `x1` and one of `x2`, both 1-d.

    Raises:
        ValueError: one has another number of dimensions.
    """
    if not x1.ndim == x2.ndim == 1:
        raise ValueError(f"expected two vectors, got tensors of {x1.ndim} and {x2.ndim} dimensions")
    return _multiply(x1.unsqueeze(-1), x2)


def pinv(x, /, *, rtol=None):
    """Return the Moore-Penrose pseudo-inverse; singular values below `rtol` times the largest are zero."""
    return _native.pinv(x, rtol=rtol)


def qr(x, /, *, mode="reduced"):
    """Return the factors Q, with orthonormal columns, and R, upper triangular."""
    return _native.qr(x, mode)


def slogdet(x, /):
    """Return the sign and the logarithm of the absolute value of the determinant."""
    return _native.slogdet(x)


def solve(x1, x2, /):
    """Return the `x` with ``x1 @ x == x2``; `x2` is one vector, or matrices."""
    x1, x2 = _promote(x1, x2)
    return _native.solve(x1, x2)


def svd(x, /, *, full_matrices=True):
    """Return the singular value decomposition: U, the values in descending order, and V, transposed."""
    return _native.svd(x, full_matrices)


def svdvals(x, /):
    """Return the singular values in descending order."""
    return _native.svdvals(x)


def trace(x, /, *, offset=0, dtype=None):
    """Return the sum of a diagonal of each matrix."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Return the norm over some or all axes, of order 2 by default."""
    if axis == ():
        return vector_norm(x.unsqueeze(-1), axis=-1, ord=ord)
    if ord == _math.inf and x.numel() == 0:
        ord = 1  # the norm of no numbers is 0 as well, and torch has it
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    if 0 < ord < _math.inf and _sums.is_long(_math.prod([x.shape[one] for one in axes])):
        axes = sorted([one % x.ndim for one in axes])
        wide = x.to(_torch.promote_types(x.dtype, _torch.float32))
        last = wide.movedim(axes, list(range(-len(axes), 0))).flatten(-len(axes))
        norms = _sums.norm(last, -1, ord).to(x.real.dtype if x.is_complex() else x.dtype)
        for one in axes if keepdims else ():
            norms = norms.unsqueeze(one)
        return norms
    return _native.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
