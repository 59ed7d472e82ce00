"""Linear algebra: the main namespace's functions and the extension.

Bounds are those of normwise backward stability: the exact result of a matrix that differs by `C` n roundings,
where for Householder's and Cholesky's methods C is a small constant, taken as 10 (Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., theorems 10.3, 19.4 and 19.13). How far that moves a result is
measured on the reference.

References are answers of NumPy in float64, corrected by one step of Newton's method or of perturbation
theory in long double, which squares the error of 1e-16. What a factorization leaves open (signs of vectors,
the order of eigenvalues) is taken out: signs by squaring or by the diagonal, the rest by returning the
product again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from dualnn.conformance.case import Array, Case, FunctionCase, Scale
from dualnn.conformance.cases.elementwise import (
    INF,
    NAN,
    NO_ROUNDING,
    ONE_ROUNDING,
    exact,
    kink,
    numbers,
    of_complex,
    reference_of_complex,
)
from dualnn.conformance.measure import widened

C = 10
N = 3
STABLE = f"{C} n roundings: a backward stable algorithm for n rows"
PRODUCTS = "a product and n - 1 sums of n products"

_GENERAL = np.array([[2.0, -0.7, 0.4], [0.6, 1.5, -1.1], [-0.3, 0.9, -1.8]])
_OTHER = np.array([[0.3, -0.2, 0.5], [-0.4, 0.1, 0.6], [0.2, 0.7, -0.3]])
_TALL = _GENERAL[:, :2]
_VECTORS = numbers(2, 3, seed=3), numbers(2, 3, seed=4)


def adjoint(x: Array) -> Array:
    """Return the conjugate transpose."""
    return np.conj(np.swapaxes(x, -1, -2))


def _double(x: Array) -> Array:
    return np.asarray(x, np.complex128 if x.dtype.kind == "c" else np.float64)


def inverse(x: Array) -> Array:
    """Return the inverse matrix."""
    y = widened(np.linalg.inv(_double(x)))
    newton: Array = y @ (2 * np.eye(len(x)) - x @ y)
    return newton


def determinant(x: Array) -> Any:
    """Return the determinant of a matrix of three rows."""
    return np.sum(x[0] * np.cross(x[1], x[2]))


def cholesky(x: Array) -> Array:
    """Return the lower triangular factor."""
    lower = np.linalg.cholesky(_double(x))
    left = inverse(lower)
    rest = left @ x @ adjoint(left) - np.eye(len(x))
    return lower @ (np.eye(len(x)) + np.tril(rest, -1) + np.diag(np.diagonal(rest)) / 2)


def qr(x: Array) -> tuple[Array, Array]:
    """Return the factors Q and R of which the diagonal of R is positive."""
    r = adjoint(cholesky(adjoint(x) @ x))
    return x @ inverse(r), r


def eigh(x: Array) -> tuple[Array, Array]:
    """Return the eigenvalues, ascending, and the eigenvectors of a Hermitian matrix."""
    _, vectors = np.linalg.eigh(_double(x))
    rest = inverse(vectors) @ x @ vectors
    values = np.real(np.diagonal(rest))
    gaps = values - values[:, None] + np.eye(len(x))
    vectors = vectors @ (np.eye(len(x)) + (rest - np.diag(np.diagonal(rest))) / gaps)
    return values, vectors / np.sqrt(np.sum(np.abs(vectors) ** 2, axis=0))


def svd(x: Array) -> tuple[Array, Array, Array]:
    """Return the left singular vectors, the values, descending, and the right vectors of a tall matrix."""
    squares, v = eigh(adjoint(x) @ x)
    values, v = np.sqrt(squares[::-1]), v[:, ::-1]
    return x @ v / values, values, adjoint(v)


def _hermitian(x: Array) -> Array:
    return x + adjoint(x)


def _definite(x: Array) -> Array:
    return x @ adjoint(x)


def _norm(order: Any) -> Callable[[Array], Any]:
    def norm(x: Array) -> Any:
        if order == "fro":
            return np.sqrt(np.sum(np.abs(x) ** 2))
        if order in ("nuc", 2, -2):
            values = svd(x)[1]
            return np.sum(values) if order == "nuc" else values[0] if order == 2 else values[-1]
        sums = np.sum(np.abs(x), axis=0 if abs(order) == 1 else 1)
        return np.max(sums) if order > 0 else np.min(sums)

    return norm


def _vector_norm(order: float) -> Callable[[Array], Any]:
    def norm(x: Array) -> Any:
        size = np.abs(x)
        if order in (INF, -INF):
            return np.max(size) if order > 0 else np.min(size)
        return np.sum(size**order) ** (np.longdouble(1) / order)

    return norm


def _power_sums(values: Any) -> Any:
    return sum(values), sum(v * v for v in values), sum(v * v * v for v in values)


def _traces(x: Array) -> Any:
    z = x + 0j
    return np.trace(z), np.trace(z @ z), np.trace(z @ z @ z)


def _eig(nn: Any, x: Any) -> Any:
    values, vectors = nn.linalg.eig(x)
    return vectors * values[None, :] @ nn.linalg.inv(vectors)


def _eigvals(nn: Any, x: Any) -> Any:
    values = nn.linalg.eigvals(x)
    return _power_sums([values[i] for i in range(N)])


def _eigh(nn: Any, x: Any) -> Any:
    values, vectors = nn.linalg.eigh(x + nn.conj(nn.matrix_transpose(x)))
    return values, nn.square(nn.abs(vectors))


def _eigh_reference(x: Array) -> Any:
    values, vectors = eigh(_hermitian(x))
    return values, np.abs(vectors) ** 2


def _qr(nn: Any, x: Any) -> Any:
    q, r = nn.linalg.qr(x)
    signs = nn.sign(nn.linalg.diagonal(r))
    return q * signs[None, :], nn.conj(signs)[:, None] * r


def _svd(nn: Any, x: Any) -> Any:
    u, s, vh = nn.linalg.svd(x, full_matrices=False)
    return nn.square(nn.abs(u)), s, nn.square(nn.abs(vh)), u * nn.astype(s, u.dtype)[None, :] @ vh


def _svd_reference(x: Array) -> Any:
    u, s, vh = svd(x)
    return np.abs(u) ** 2, s, np.abs(vh) ** 2, x


def _slogdet_reference(x: Array) -> Any:
    det = determinant(x)
    return det / np.abs(det), np.log(np.abs(det))


# name: (function of one square matrix and perhaps a second tensor, the same in NumPy, inputs, how many
# operations follow one another)
_OF_MATRICES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[Array, ...], int]] = {
    "linalg.cholesky": (
        lambda nn, x: nn.linalg.cholesky(x @ nn.conj(nn.matrix_transpose(x))),
        lambda x: cholesky(_definite(x)),
        (_GENERAL,),
        2,
    ),
    "linalg.det": (lambda nn, x: nn.linalg.det(x), determinant, (_GENERAL,), 1),
    "linalg.eigh": (_eigh, _eigh_reference, (_GENERAL,), 2),
    "linalg.eigvalsh": (
        lambda nn, x: nn.linalg.eigvalsh(x + nn.conj(nn.matrix_transpose(x))),
        lambda x: eigh(_hermitian(x))[0],
        (_GENERAL,),
        1,
    ),
    "linalg.inv": (lambda nn, x: nn.linalg.inv(x), inverse, (_GENERAL,), 1),
    "linalg.qr": (_qr, qr, (_GENERAL,), 2),
    "linalg.slogdet": (lambda nn, x: tuple(nn.linalg.slogdet(x)), _slogdet_reference, (_GENERAL,), 1),
    "linalg.solve": (
        lambda nn, x, y: nn.linalg.solve(x, y),
        lambda x, y: inverse(x) @ y,
        (_GENERAL, _OTHER[:, :2]),
        1,
    ),
    "linalg.svd": (_svd, _svd_reference, (_GENERAL,), 2),
    "linalg.svdvals": (lambda nn, x: nn.linalg.svdvals(x), lambda x: svd(x)[1], (_GENERAL,), 1),
}
# (name, variant, ...): further ones, of real matrices
_OF_REAL: list[tuple[str, str, Callable[..., Any], Callable[..., Any], tuple[Array, ...], int]] = [
    (
        "linalg.cholesky",
        "upper",
        lambda nn, x: nn.linalg.cholesky(x @ nn.matrix_transpose(x), upper=True),
        lambda x: cholesky(_definite(x)).T,
        (_GENERAL,),
        2,
    ),
    ("linalg.eigvals", "", _eigvals, _traces, (_GENERAL,), 3),
    (
        "linalg.matrix_power",
        "3",
        lambda nn, x: nn.linalg.matrix_power(x, 3),
        lambda x: x @ x @ x,
        (_GENERAL,),
        2,
    ),
    (
        "linalg.matrix_power",
        "-2",
        lambda nn, x: nn.linalg.matrix_power(x, -2),
        lambda x: inverse(x) @ inverse(x),
        (_GENERAL,),
        2,
    ),
    (
        "linalg.pinv",
        "",
        lambda nn, x: nn.linalg.pinv(x),
        lambda x: inverse(x.T @ x) @ x.T,
        (_TALL,),
        3,
    ),
    (
        "linalg.pinv",
        "wide",
        lambda nn, x: nn.linalg.pinv(x),
        lambda x: x.T @ inverse(x @ x.T),
        (_TALL.T,),
        3,
    ),
    ("linalg.qr", "tall", _qr, qr, (_TALL,), 2),
    (
        "linalg.solve",
        "vector",
        lambda nn, x, y: nn.linalg.solve(x, y),
        lambda x, y: inverse(x) @ y,
        (_GENERAL, _OTHER[0]),
        1,
    ),
    ("linalg.svd", "tall", _svd, _svd_reference, (_TALL,), 2),
    *(
        (
            "linalg.matrix_norm",
            str(order),
            lambda nn, x, order=order: nn.linalg.matrix_norm(x, ord=order),
            _norm(order),
            (_GENERAL,),
            1,
        )
        for order in ("fro", "nuc", 1, -1, 2, -2, INF, -INF)
    ),
]


def _of_matrices(
    name: str,
    variant: str,
    run: Callable[..., Any],
    reference: Callable[..., Any],
    inputs: tuple[Any, ...],
    operations: int,
    derivatives: Literal[0, 1, 2] = 2,
) -> FunctionCase:
    return FunctionCase(
        name=name,
        variant=variant,
        run=run,
        reference=reference,
        inputs=inputs,
        roundings=operations * C * N,
        scale="norm",
        derivatives=derivatives,
        reason=STABLE if operations == 1 else f"{STABLE}, for each of {operations} after one another",
    )


def _complex(name: str) -> FunctionCase:
    run, reference, inputs, operations = _OF_MATRICES[name]
    imaginary = tuple(_OTHER if x.shape == (N, N) else _OTHER[:, : x.shape[1]].T.copy().T for x in inputs)
    return _of_matrices(
        name,
        "complex",
        of_complex(run),
        reference_of_complex(reference),
        (*inputs, *imaginary),
        operations,
        1,
    )


# (name, variant, run, reference, inputs, roundings, scale, derivatives, reason)
_SUMS: list[
    tuple[
        str, str, Callable[..., Any], Callable[..., Any], tuple[Any, ...], float, Scale, Literal[0, 1, 2], str
    ]
] = [
    (
        "matmul",
        "",
        lambda nn, x, y: nn.matmul(x, y),
        np.matmul,
        (numbers(2, 3), numbers(3, 2, seed=1)),
        3,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "matmul",
        "vectors",
        lambda nn, x, y: nn.matmul(x, y),
        np.matmul,
        (numbers(4), numbers(4, seed=1)),
        4,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "matmul",
        "matrix and vector",
        lambda nn, x, y: nn.matmul(x, y),
        np.matmul,
        (numbers(2, 3), numbers(3, seed=1)),
        3,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "matmul",
        "stacks",
        lambda nn, x, y: nn.matmul(x, y),
        np.matmul,
        (numbers(2, 1, 1, 2), numbers(2, 2, 2, seed=1)),
        4,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "matrix_transpose",
        "",
        lambda nn, x: nn.matrix_transpose(x),
        np.matrix_transpose,
        (numbers(2, 3, 2),),
        0,
        "ulp",
        1,
        NO_ROUNDING,
    ),
    (
        "tensordot",
        "",
        lambda nn, x, y: nn.tensordot(x, y),
        lambda x, y: np.tensordot(x, y),
        (numbers(2, 2, 2), numbers(2, 2, seed=1)),
        4,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "tensordot",
        "one axis",
        lambda nn, x, y: nn.tensordot(x, y, axes=1),
        lambda x, y: np.tensordot(x, y, 1),
        (numbers(2, 3), numbers(3, 2, seed=1)),
        3,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "tensordot",
        "outer",
        lambda nn, x, y: nn.tensordot(x, y, axes=0),
        lambda x, y: np.tensordot(x, y, 0),
        (numbers(2, 2), numbers(3, seed=1)),
        4,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "tensordot",
        "named axes",
        lambda nn, x, y: nn.tensordot(x, y, axes=((0, 2), (1, 0))),
        lambda x, y: np.tensordot(x, y, ((0, 2), (1, 0))),
        (numbers(2, 2, 2), numbers(2, 2, seed=1)),
        4,
        "stable",
        2,
        PRODUCTS,
    ),
    ("vecdot", "", lambda nn, x, y: nn.vecdot(x, y), np.vecdot, _VECTORS, 3, "stable", 2, PRODUCTS),
    (
        "vecdot",
        "axis",
        lambda nn, x, y: nn.vecdot(x, y, axis=-2),
        lambda x, y: np.sum(x * y, axis=-2),
        _VECTORS,
        2,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "linalg.cross",
        "",
        lambda nn, x, y: nn.linalg.cross(x, y),
        lambda x, y: np.cross(x, y),
        (numbers(2, 1, 3), _VECTORS[1]),
        2,
        "stable",
        2,
        "products and a difference",
    ),
    (
        "linalg.cross",
        "axis",
        lambda nn, x, y: nn.linalg.cross(x, y, axis=-2),
        lambda x, y: np.cross(x, y, axis=-2),
        (numbers(2, 3, 1), numbers(3, 2, seed=1)),
        2,
        "stable",
        2,
        "products and a difference",
    ),
    (
        "linalg.diagonal",
        "",
        lambda nn, x: nn.linalg.diagonal(x),
        lambda x: np.diagonal(x, 0, -2, -1),
        (numbers(2, 2, 3),),
        0,
        "ulp",
        1,
        NO_ROUNDING,
    ),
    (
        "linalg.diagonal",
        "offset",
        lambda nn, x: nn.linalg.diagonal(x, offset=-1),
        lambda x: np.diagonal(x, -1),
        (numbers(3, 3),),
        0,
        "ulp",
        1,
        NO_ROUNDING,
    ),
    (
        "linalg.matmul",
        "",
        lambda nn, x, y: nn.linalg.matmul(x, y),
        np.matmul,
        (numbers(2, 3), numbers(3, 2, seed=1)),
        3,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "linalg.matrix_transpose",
        "",
        lambda nn, x: nn.linalg.matrix_transpose(x),
        np.matrix_transpose,
        (numbers(2, 3),),
        0,
        "ulp",
        1,
        NO_ROUNDING,
    ),
    (
        "linalg.outer",
        "",
        lambda nn, x, y: nn.linalg.outer(x, y),
        np.outer,
        (numbers(3), numbers(4)),
        4,
        "stable",
        2,
        f"{ONE_ROUNDING}; the gradient sums up to 4",
    ),
    (
        "linalg.tensordot",
        "",
        lambda nn, x, y: nn.linalg.tensordot(x, y, axes=1),
        lambda x, y: np.tensordot(x, y, 1),
        (numbers(2, 3), numbers(3, 2, seed=1)),
        3,
        "stable",
        2,
        PRODUCTS,
    ),
    (
        "linalg.trace",
        "",
        lambda nn, x: nn.linalg.trace(x),
        lambda x: np.trace(x, 0, -2, -1),
        (numbers(2, 3, 3),),
        2,
        "stable",
        1,
        "n - 1 sums of n numbers",
    ),
    (
        "linalg.trace",
        "offset",
        lambda nn, x: nn.linalg.trace(x, offset=1),
        lambda x: np.trace(x, 1),
        (numbers(3, 3),),
        1,
        "stable",
        1,
        "n - 1 sums of n numbers",
    ),
    (
        "linalg.vecdot",
        "",
        lambda nn, x, y: nn.linalg.vecdot(x, y),
        np.vecdot,
        _VECTORS,
        3,
        "stable",
        2,
        PRODUCTS,
    ),
]
_NORMS: dict[float, Literal[1, 2]] = {2: 2, 1: 1, 3: 2, 0.5: 2, -1: 2, INF: 1, -INF: 1}
_COMPLEX_SUMS = {
    "matmul": (np.matmul, (numbers(2, 2), numbers(2, 2, seed=1))),
    "vecdot": (np.vecdot, _VECTORS),
    "linalg.vecdot": (np.vecdot, _VECTORS),
}


def _vector_norm_case(order: float) -> FunctionCase:
    return FunctionCase(
        name="linalg.vector_norm",
        variant=f"order {order}",
        run=lambda nn, x: nn.linalg.vector_norm(x, ord=order),
        reference=_vector_norm(order),
        inputs=(_VECTORS[0],),
        roundings=max(1.0, 1 / abs(order)) * (4 + 5) + 4,
        derivatives=_NORMS[order],
        reason="powers of 4 ULP, n - 1 sums, and a power, by which roundings before it count 1 / order times",
    )


def _named(nn: Any, name: str) -> Any:
    return getattr(nn.linalg, name.removeprefix("linalg.")) if "." in name else getattr(nn, name)


def _long(name: str, n: int) -> FunctionCase:
    shapes: Any = {"matmul": ((2, n), (n, 2)), "vecdot": ((n,), (n,))}[name]
    return FunctionCase(
        name=name,
        variant=f"{n} numbers",
        run=lambda nn, x, y: getattr(nn, name)(x, y),
        reference=getattr(np, name),
        inputs=tuple(numbers(*shape, low=-1, high=2, seed=seed) for seed, shape in enumerate(shapes)),
        roundings=n,
        derivatives=0,
        size=n,
        level="quick" if n <= 1000 else "full",
        reason=PRODUCTS,
    )


_SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
_I = np.arange(6).reshape(2, 3)

CASES: list[Case] = [
    *(_of_matrices(name, "", *row) for name, row in _OF_MATRICES.items()),
    *(_complex(name) for name in _OF_MATRICES),
    *(_of_matrices(*row) for row in _OF_REAL),
    # The product is the matrix again, whose second derivative is 0.
    _of_matrices("linalg.eig", "", _eig, lambda x: x + 0j, (_GENERAL,), 3, 1),
    _of_matrices(
        "linalg.eig", "complex", of_complex(_eig), lambda x, y: x + 1j * y, (_GENERAL, _OTHER), 3, 1
    ),
    *(
        FunctionCase(
            name=name,
            variant=variant,
            run=run,
            reference=reference,
            inputs=inputs,
            roundings=roundings,
            scale=scale,
            derivatives=derivatives,
            reason=reason,
        )
        for name, variant, run, reference, inputs, roundings, scale, derivatives, reason in _SUMS
    ),
    *(
        FunctionCase(
            name=name,
            variant="complex",
            run=of_complex(lambda nn, x, y, name=name: _named(nn, name)(x, y)),
            reference=reference_of_complex(reference),
            inputs=tuple(numbers(*x.shape, seed=seed) for seed, x in enumerate(inputs * 2)),
            roundings=2 * 3,
            reason="each part is a sum of twice as many products; those of x1 are conjugated by vecdot",
        )
        for name, (reference, inputs) in _COMPLEX_SUMS.items()
    ),
    *(_vector_norm_case(order) for order in _NORMS),
    *(_long(name, n) for name in ("matmul", "vecdot") for n in (10, 100, 1_000, 10_000)),
    # Edges.
    exact(
        "linalg.matrix_rank",
        "",
        lambda nn, dtype: {
            "ranks": nn.linalg.matrix_rank(
                nn.asarray(
                    np.stack([np.diag(d) for d in ([3.0, 2, 1], [1, 1e-20, 0], [0, 0, 0])]), dtype=dtype
                )
            ),
            "rtol": nn.linalg.matrix_rank(nn.asarray(np.diag([1.0, 0.1, 0.01]), dtype=dtype), rtol=0.05),
        },
        {"ranks": [3, 1, 0], "rtol": 2},
        "singular values of diagonal matrices are the absolute values of the diagonal",
    ),
    exact(
        "linalg.det",
        "special matrices",
        lambda nn, dtype: {
            "singular": nn.abs(nn.linalg.det(nn.asarray(_SINGULAR, dtype=dtype))),
            "identity": nn.linalg.det(nn.eye(3, dtype=dtype)),
            "of no rows": nn.linalg.det(nn.zeros((2, 0, 0), dtype=dtype)),
            "a swap": nn.linalg.det(nn.asarray([[0.0, 1.0], [1.0, 0.0]], dtype=dtype)),
        },
        {"singular": 0.0, "identity": 1.0, "of no rows": [1.0, 1.0], "a swap": -1.0},
        "every step is exact",
    ),
    exact(
        "linalg.slogdet",
        "singular",
        lambda nn, dtype: dict(
            zip(("sign", "logarithm"), nn.linalg.slogdet(nn.zeros((2, 2), dtype=dtype)), strict=True)
        ),
        {"sign": 0.0, "logarithm": -INF},
        "of the determinant 0",
    ),
    exact(
        "linalg.vector_norm",
        "special values",
        lambda nn, dtype: {
            "0": nn.linalg.vector_norm(nn.asarray([0.0, -0.0], dtype=dtype)),
            "order 0": nn.linalg.vector_norm(nn.asarray([0.0, 3.0, NAN], dtype=dtype), ord=0),
            "infinity": nn.linalg.vector_norm(nn.asarray([1.0, -INF], dtype=dtype)),
            "NaN": nn.linalg.vector_norm(nn.asarray([1.0, NAN], dtype=dtype), ord=INF),
            "nothing": nn.linalg.vector_norm(nn.zeros((0,), dtype=dtype)),
            "0-d": nn.linalg.vector_norm(nn.asarray(-3.0, dtype=dtype)),
        },
        {"0": 0.0, "order 0": 2.0, "infinity": INF, "NaN": NAN, "nothing": 0.0, "0-d": 3.0},
        "the formula on infinities and NaN",
    ),
    exact(
        "matmul",
        "integers",
        lambda nn, _: nn.matmul(nn.asarray(_I), nn.asarray(_I.T.copy())),
        _I @ _I.T,
        "exact arithmetic",
    ),
    exact(
        "matmul",
        "nothing",
        lambda nn, dtype: nn.matmul(nn.zeros((2, 0), dtype=dtype), nn.zeros((0, 3), dtype=dtype)),
        np.zeros((2, 3)),
        "the sum of nothing is 0",
    ),
    exact(
        "vecdot",
        "integers",
        lambda nn, _: nn.vecdot(nn.asarray(_I), nn.asarray([1, -1, 2])),
        [3, 9],
        "exact arithmetic",
    ),
    exact(
        "linalg.outer",
        "integers",
        lambda nn, _: nn.linalg.outer(nn.asarray([1, 2]), nn.asarray([3, -4])),
        [[3, -4], [6, -8]],
        "exact arithmetic",
    ),
    exact(
        "linalg.trace",
        "integers",
        lambda nn, _: nn.linalg.trace(nn.asarray(np.eye(300, dtype="uint8")), dtype="int32"),
        300,
        "exact arithmetic",
    ),
    exact(
        "linalg.inv",
        "nothing",
        lambda nn, dtype: nn.linalg.inv(nn.zeros((2, 0, 0), dtype=dtype)),
        np.zeros((2, 0, 0)),
        "a matrix of no rows is its own inverse",
    ),
    exact(
        "linalg.matrix_power",
        "0",
        lambda nn, dtype: nn.linalg.matrix_power(nn.asarray(_SINGULAR, dtype=dtype), 0),
        np.eye(2),
        "the identity",
    ),
    kink(
        "linalg.vector_norm",
        "gradient at 0",
        lambda nn, x: nn.linalg.vector_norm(x),
        [np.zeros(3)],
        [np.zeros(3)],
        "a subgradient, in both frameworks",
    ),
    kink(
        "linalg.matrix_norm",
        "gradient at 0",
        lambda nn, x: nn.linalg.matrix_norm(x),
        [np.zeros((2, 2))],
        [np.zeros((2, 2))],
        "a subgradient, in both frameworks",
    ),
    kink(
        "linalg.vector_norm",
        "gradient at ties",
        lambda nn, x: nn.linalg.vector_norm(x, ord=INF),
        [[2.0, -2.0, 1.0]],
        [[0.5, -0.5, 0.0]],
        "shared by the equal ones, as in max",
    ),
    kink(
        "linalg.det",
        "gradient at a singular matrix",
        lambda nn, x: nn.linalg.det(x),
        [_SINGULAR],
        [[[4.0, -2.0], [-2.0, 1.0]]],
        "the matrix of cofactors",
    ),
    kink(
        "linalg.eigvalsh",
        "gradient at equal eigenvalues",
        lambda nn, x: nn.linalg.eigvalsh(x),
        [2 * np.eye(2)],
        [np.eye(2)],
        "that of the trace",
    ),
    kink(
        "linalg.svdvals",
        "gradient at equal singular values",
        lambda nn, x: nn.linalg.svdvals(x),
        [2 * np.eye(2)],
        [np.eye(2)],
        "that of the trace",
    ),
]
