"""The linear algebra extension of the array API standard.

Matrices are the last two axes of a tensor, the axes before them number a stack. Tensors are of
floating-point data types where a function does not say otherwise.
"""

from __future__ import annotations

import math as _math
from typing import NamedTuple as _NamedTuple

import tensorflow as _tf

from dualnn_tf import manipulation_functions as _manipulation
from dualnn_tf import statistical_functions as _statistics
from dualnn_tf import sums as _sums
from dualnn_tf.conversion import shape as _shape
from dualnn_tf.data_type_functions import finfo as _finfo
from dualnn_tf.data_type_functions import promote as _promote
from dualnn_tf.elementwise_functions import maximum as _maximum
from dualnn_tf.linear_algebra_functions import matmul, matrix_transpose, tensordot, vecdot

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet",
    "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


class _EigResult(_NamedTuple):
    """What `eig` and `eigh` return."""

    eigenvalues: _tf.Tensor
    eigenvectors: _tf.Tensor


class _QRResult(_NamedTuple):
    """What `qr` returns."""

    Q: _tf.Tensor
    R: _tf.Tensor


class _SlogdetResult(_NamedTuple):
    """What `slogdet` returns."""

    sign: _tf.Tensor
    logabsdet: _tf.Tensor


class _SVDResult(_NamedTuple):
    """What `svd` returns."""

    U: _tf.Tensor
    S: _tf.Tensor
    Vh: _tf.Tensor


def cholesky(x, /, *, upper=False):
    """Return the triangular L (or for `upper` U) of positive definite ``x = L @ L^H = U^H @ U``."""
    lower = _tf.linalg.cholesky(_square(x, "cholesky"))
    return _tf.linalg.adjoint(lower) if upper else lower


def cross(x1, x2, /, *, axis=-1):
    """Return the cross product of vectors of three numbers, of any numeric data type, along an axis.

    Raises:
        ValueError: the axis is not negative, or not of length 3 in both.
    """
    x1, x2 = _promote(x1, x2)
    if not -min(x1.shape.rank, x2.shape.rank) <= axis < 0:
        raise ValueError(f"expected a negative axis of both tensors, got {axis}")
    if not x1.shape[axis] == x2.shape[axis] == 3:
        raise ValueError(f"expected vectors of length 3, got {x1.shape[axis]} and {x2.shape[axis]}")
    a, b = _tf.unstack(x1, axis=axis), _tf.unstack(x2, axis=axis)
    parts = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return _tf.stack(parts, axis)


def det(x, /):
    """Return the determinants of square matrices."""
    return _tf.linalg.det(_square(x, "det"))


def diagonal(x, /, *, offset=0):
    """Return a diagonal of matrices of any data type, the one `offset` places above the main one."""
    *stack, rows, columns = _shape(_matrices(x, "diagonal", floating=False))
    length = _tf.maximum(_tf.minimum(rows + min(offset, 0), columns - max(offset, 0)), 0)
    first = offset if offset >= 0 else -offset * columns
    places = first + (columns + 1) * _tf.range(length)
    return _tf.gather(_tf.reshape(x, (*stack, rows * columns)), places, axis=-1)


def eig(x, /):
    """Return the complex eigenvalues and eigenvectors (as columns) of square matrices."""
    return _EigResult(*_tf.linalg.eig(_square(x, "eig")))


def eigh(x, /):
    """Return the eigenvalues, ascending, and eigenvectors (as columns) of Hermitian matrices."""
    values, vectors = _tf.linalg.eigh(_square(x, "eigh"))
    return _EigResult(_real(values), vectors)


def eigvals(x, /):
    """Return the complex eigenvalues of square matrices."""
    return _tf.linalg.eigvals(_square(x, "eigvals"))


def eigvalsh(x, /):
    """Return the eigenvalues of Hermitian matrices, ascending."""
    return _real(_tf.linalg.eigvalsh(_square(x, "eigvalsh")))


def inv(x, /):
    """Return the inverses of square matrices."""
    return _tf.linalg.inv(_square(x, "inv"))


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Return norms of matrices: ``"fro"``, ``"nuc"``, 1, 2, inf and the smallest ones -1, -2, -inf."""
    x = _matrices(x, "matrix_norm")
    if ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord == "nuc":
        return _kept(_sums.total(svdvals(x), -1), keepdims)
    if ord not in (1, -1, 2, -2, _math.inf, -_math.inf):
        raise ValueError(f'expected ord "fro", "nuc", 1, -1, 2, -2, inf or -inf, got {ord!r}')
    values = svdvals(x) if abs(ord) == 2 else _sums.total(_tf.abs(x), -2 if abs(ord) == 1 else -1)
    if ord < 0:
        return _kept(_statistics.min(values, axis=-1), keepdims)
    return _kept(_maximum(_statistics.max(values, axis=-1), 0), keepdims)  # 0 if there are no values


def matrix_power(x, n, /):
    """Return square matrices to an integer power; a negative one is a power of the inverse."""
    x = _square(x, "matrix_power")
    if n < 0:
        return matrix_power(inv(x), -n)
    result = None
    while n:
        if n % 2:
            result = x if result is None else result @ x
        n //= 2
        x = x @ x if n else x
    if result is None:
        return _tf.eye(_shape(x)[-1], batch_shape=_shape(x)[:-2], dtype=x.dtype)
    return result


def matrix_rank(x, /, *, rtol=None):
    """Return how many singular values of matrices are larger than `rtol` times the largest one."""
    x = _matrices(x, "matrix_rank")
    values = svdvals(x)
    return _tf.math.count_nonzero(values > _cutoff(x, values, rtol), -1)


def outer(x1, x2, /):
    """Return the products of all pairs of elements of two vectors of any numeric data type."""
    if not x1.shape.rank == x2.shape.rank == 1:
        raise ValueError(
            f"expected two vectors, got tensors of {x1.shape.rank} and {x2.shape.rank} dimensions"
        )
    x1, x2 = _promote(x1, x2)
    return x1[:, None] * x2


def pinv(x, /, *, rtol=None):
    """Return the pseudo-inverses of matrices; smaller singular values, as in `matrix_rank`, are left out."""
    adjoint = _tf.linalg.adjoint

    @_tf.custom_gradient
    def inverse(x):
        u, values, vh = svd(x, full_matrices=False)
        is_kept = values > _cutoff(x, values, rtol)
        scale = _tf.where(is_kept, 1 / _tf.where(is_kept, values, _tf.ones_like(values)), 0)
        result = (adjoint(vh) * _tf.cast(scale, x.dtype)[..., None, :]) @ adjoint(u)

        def gradient(upstream):
            # Of Golub and Pereyra (1973); that of the decomposition is wrong at equal singular values.
            y = inverse(x)  # whose gradient is this one again
            left, right = adjoint(upstream), adjoint(y)
            over_columns, over_rows = left @ y @ right, right @ y @ left
            return (
                over_columns - x @ (y @ over_columns) + over_rows - (over_rows @ y) @ x
            ) - right @ upstream @ right

        return result, gradient

    return inverse(_matrices(x, "pinv"))


def qr(x, /, *, mode="reduced"):
    """Return ``Q`` with orthonormal columns and triangular ``R`` of matrices ``x = Q @ R``."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f'expected mode "reduced" or "complete", got {mode!r}')
    x = _matrices(x, "qr")
    scale = _power_of_two(x)
    q, r = _tf.linalg.qr(x / scale, full_matrices=mode == "complete")
    return _QRResult(q, r * scale)


def slogdet(x, /):
    """Return the sign of the determinants of square matrices, and the logarithm of their size."""
    sign, logarithm = _tf.linalg.slogdet(_square(x, "slogdet"))
    return _SlogdetResult(sign, _real(logarithm))


def solve(x1, x2, /):
    """Return the solution X of ``x1 @ X = x2``; the stacks broadcast, a 1-d `x2` is one vector."""
    x1, x2 = _promote(_square(x1, "solve"), x2)
    if x2.shape.rank == 1:
        return _tf.squeeze(solve(x1, x2[:, None]), -1)
    *stack1, rows, _ = _shape(x1)
    *stack2, _, columns = _shape(x2)
    stack = _manipulation.broadcast_shapes(stack1, stack2)
    x1 = _tf.broadcast_to(x1, (*stack, rows, rows))
    return _tf.linalg.solve(x1, _tf.broadcast_to(x2, (*stack, rows, columns)))


def svd(x, /, *, full_matrices=True):
    """Return ``U``, the singular values ``S``, descending, and ``Vh`` of ``x = U @ diag(S) @ Vh``."""
    values, u, v = _tf.linalg.svd(_matrices(x, "svd"), full_matrices)
    return _SVDResult(u, _real(values), _tf.linalg.adjoint(v))


def svdvals(x, /):
    """Return the singular values of matrices, descending."""
    return _real(_tf.linalg.svd(_matrices(x, "svdvals"), compute_uv=False))


def trace(x, /, *, offset=0, dtype=None):
    """Return the sums of a `diagonal` of matrices of any numeric data type, added up as `sum` does it."""
    return _statistics.sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Return ``sum(abs(x)**ord)**(1 / ord)`` over some or all axes, for inf the largest ``abs(x)``.

    For 0 it is the number of values that are not zero. The gradient at 0 is 0.
    """
    x = _floating(x, "vector_norm")
    if x.dtype.size == 2:  # squares may be too large where the norm is not
        return _tf.cast(vector_norm(_tf.cast(x, _tf.float32), axis=axis, keepdims=keepdims, ord=ord), x.dtype)
    if ord == 2:
        squares = _real(x * _tf.math.conj(x)) if x.dtype.is_complex else _tf.square(x)
        return _sqrt(_sums.total(squares, axis, keepdims))
    size = _tf.abs(x)
    if ord == _math.inf:
        return _maximum(_statistics.max(size, axis=axis, keepdims=keepdims), 0)  # 0 if there are no values
    if ord == -_math.inf:
        return _statistics.min(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return _tf.math.count_nonzero(x, axis, keepdims, size.dtype)
    if ord == 1:
        return _sums.total(size, axis, keepdims)
    return _to_the(1 / ord, _sums.total(_to_the(ord, size), axis, keepdims))


def _floating(x, function):
    if not (x.dtype.is_floating or x.dtype.is_complex):
        raise TypeError(
            f"{function} expected a floating-point tensor, got {x.dtype.name}; cast it with nn.astype"
        )
    return _tf.convert_to_tensor(x)


def _matrices(x, function, *, floating=True):
    if x.shape.rank < 2:
        raise ValueError(f"{function} expected matrices, got a tensor of {x.shape.rank} dimensions")
    return _floating(x, function) if floating else x


def _square(x, function):
    rows, columns = _matrices(x, function).shape[-2:]
    if None not in (rows, columns) and rows != columns:
        raise ValueError(f"{function} expected square matrices, got {rows} rows and {columns} columns")
    return _floating(x, function)


def _cutoff(x, singular_values, rtol):
    # Singular values that are not larger than this count as zero.
    if rtol is None:
        rtol = _tf.cast(_tf.reduce_max(_tf.shape(x)[-2:]), singular_values.dtype) * _finfo(x.dtype).eps
    rtol = _tf.cast(rtol, singular_values.dtype)
    return rtol[..., None] * _tf.reduce_max(singular_values, -1, keepdims=True)


def _power_of_two(x):
    # The one next to the largest number of each matrix. TensorFlow squares numbers without care for
    # overflow; to divide by a power of two rounds nothing.
    size = (
        _tf.maximum(_tf.abs(_tf.math.real(x)), _tf.abs(_tf.math.imag(x)))
        if x.dtype.is_complex
        else _tf.abs(x)
    )
    largest = _tf.stop_gradient(_tf.reduce_max(size, (-2, -1), keepdims=True))
    is_usual = (largest > 0) & _tf.math.is_finite(largest)
    exponent = _tf.floor(_tf.math.log(_tf.where(is_usual, largest, _tf.ones_like(largest))) / _math.log(2))
    return _tf.cast(_tf.pow(_tf.constant(2, exponent.dtype), exponent), x.dtype)


def _real(x):
    return _tf.math.real(x) if x.dtype.is_complex else x


def _sqrt(x):
    is_zero = x == 0
    return _tf.where(is_zero, x, _tf.sqrt(_tf.where(is_zero, _tf.ones_like(x), x)))


def _to_the(exponent, x):
    # A power of numbers that are not negative, whose gradient at 0 is 0.
    is_zero = x == 0
    at_zero = _tf.constant(0 if exponent > 0 else _math.inf, x.dtype)
    return _tf.where(is_zero, at_zero, _tf.where(is_zero, _tf.ones_like(x), x) ** exponent)


def _kept(norms, keepdims):
    return norms[..., None, None] if keepdims else norms
