"""The linear algebra extension of the array namespaces.

Decompositions are judged by what they promise, not by another one's output: a backward stable
algorithm returns the exact factors of a matrix within ``c n eps norm(x)`` of `x`, where for
Householder and Cholesky based ones c is a small constant (Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., theorems 10.3, 19.4 and 19.13). `C` is taken as 10. What amplifies such a
backward error (an inverse, a solution, eigenvectors) is multiplied by the condition number.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

C = 10
DTYPES = ("float32", "float64", "complex64", "complex128")
NORMS = (1, -1, 2, -2, math.inf, -math.inf, "fro", "nuc")


def matrices(dtype, *shape, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * generator.normal(size=shape)
    return x.astype(dtype)


def wide(x):
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def positive_definite(dtype, *shape):
    x = wide(matrices(dtype, *shape))
    return (x @ adjoint(x) + np.eye(shape[-1])).astype(dtype)


def bound(x, factor=1.0):
    """C n eps of the tensor's dtype, times a factor."""
    return C * max(x.shape[-2:]) * np.finfo(x.dtype).eps * factor


def assert_close(actual, expected, bound):
    """Within the bound, relative to the largest number of each matrix."""
    assert actual.shape == expected.shape
    scale = np.max(np.abs(expected), initial=0)
    assert np.max(np.abs(actual - expected), initial=0) <= bound * scale


def assert_orthonormal(vectors, bound):
    products = adjoint(wide(vectors)) @ vectors
    assert_close(products, np.broadcast_to(np.eye(vectors.shape[-1]), products.shape), bound)


@pytest.fixture(params=DTYPES)
def dtype(request):
    return request.param


def real_dtype(dtype):
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def test_it_holds_the_standards_names_and_no_others(nn):
    names = [
        "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matmul",
        "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr",
        "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
    ]  # fmt: skip
    assert sorted(nn.linalg.__all__) == names
    assert sorted(name for name in dir(nn.linalg) if name[0] != "_" and name != "annotations") == names


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky(nn, dtype, upper):
    x = positive_definite(dtype, 3, 5, 5)
    factor = wide(nn.to_numpy(nn.linalg.cholesky(nn.asarray(x), upper=upper)))
    np.testing.assert_array_equal(factor, np.triu(factor) if upper else np.tril(factor))
    product = adjoint(factor) @ factor if upper else factor @ adjoint(factor)
    assert_close(product, wide(x), bound(x))


def test_cross(nn, dtype):
    x, y = matrices(dtype, 2, 1, 3), matrices(dtype, 4, 3, seed=1)
    actual = nn.to_numpy(nn.linalg.cross(nn.asarray(x), nn.asarray(y)))
    assert_close(actual, np.cross(wide(x), wide(y)), bound(x))
    other = nn.to_numpy(nn.linalg.cross(nn.asarray(x.mT), nn.asarray(y.mT), axis=-2))
    np.testing.assert_array_equal(other, np.swapaxes(actual, -1, -2))


def test_cross_of_other_lengths_is_an_error(nn):
    with pytest.raises(ValueError, match="3"):
        nn.linalg.cross(nn.zeros((2,)), nn.zeros((2,)))


def test_det_and_slogdet(nn, dtype):
    x = matrices(dtype, 3, 4, 4)
    condition = np.linalg.cond(wide(x)).max()
    det = nn.to_numpy(nn.linalg.det(nn.asarray(x)))
    assert det.dtype == dtype
    assert_close(det, np.linalg.det(wide(x)), bound(x, condition))
    sign, logabsdet = map(nn.to_numpy, nn.linalg.slogdet(nn.asarray(x)))
    assert (sign.dtype, logabsdet.dtype) == (dtype, real_dtype(dtype))
    assert_close(sign * np.exp(logabsdet), np.linalg.det(wide(x)), bound(x, condition))


def test_slogdet_of_a_singular_matrix(nn, dtype):
    sign, logabsdet = map(nn.to_numpy, nn.linalg.slogdet(nn.zeros((2, 2), dtype=dtype)))
    assert sign == 0
    assert logabsdet == -math.inf


@pytest.mark.parametrize("kind", ["float64", "int64", "bool", "uint8", "complex64"])
@pytest.mark.parametrize("offset", [-9, -3, -1, 0, 2, 4, 9])
def test_diagonal_and_trace(nn, kind, offset):
    x = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(kind)
    inside = max(min(offset, 4), -3)  # NumPy raises beyond
    expected = np.diagonal(x, inside, -2, -1)
    np.testing.assert_array_equal(
        nn.to_numpy(nn.linalg.diagonal(nn.asarray(x), offset=offset)), expected, strict=True
    )
    if kind != "bool":
        trace = nn.to_numpy(nn.linalg.trace(nn.asarray(x), offset=offset))
        np.testing.assert_array_equal(trace, expected.sum(-1), strict=True)


def test_trace_in_another_dtype(nn):
    trace = nn.linalg.trace(nn.asarray(np.eye(300, dtype="uint8")), dtype="int32")
    assert nn.dtype_name(trace.dtype) == "int32"
    assert int(trace) == 300


def test_eig(nn, dtype):
    x = matrices(dtype, 3, 5, 5)
    values, vectors = map(nn.to_numpy, nn.linalg.eig(nn.asarray(x)))
    complex_dtype = np.result_type(dtype, np.complex64)
    assert (values.dtype, vectors.dtype) == (complex_dtype, complex_dtype)
    assert_close(wide(x) @ vectors, vectors * values[..., None, :], bound(x, np.linalg.norm(x)))
    others = nn.to_numpy(nn.linalg.eigvals(nn.asarray(x)))
    condition = np.linalg.cond(vectors).max()  # of a simple eigenvalue (Bauer and Fike)
    assert_close(np.sort_complex(others).sum(-1), np.trace(wide(x), axis1=-2, axis2=-1), bound(x, condition))


def test_eigh(nn, dtype):
    x = positive_definite(dtype, 3, 5, 5)
    values, vectors = map(nn.to_numpy, nn.linalg.eigh(nn.asarray(x)))
    assert (values.dtype, vectors.dtype) == (real_dtype(dtype), dtype)
    assert (np.diff(values) >= 0).all()
    assert_orthonormal(vectors, bound(x))
    assert_close(vectors * values[..., None, :] @ adjoint(wide(vectors)), wide(x), bound(x))
    eigvalsh = nn.to_numpy(nn.linalg.eigvalsh(nn.asarray(x)))
    assert eigvalsh.dtype == real_dtype(dtype)
    assert_close(eigvalsh, np.linalg.eigvalsh(wide(x)), bound(x))


def test_inv_and_solve(nn, dtype):
    x, y = matrices(dtype, 3, 4, 4), matrices(dtype, 2, 1, 4, 2, seed=1)
    condition = np.linalg.cond(wide(x)).max()
    inverse = nn.to_numpy(nn.linalg.inv(nn.asarray(x)))
    assert_close(inverse, np.linalg.inv(wide(x)), bound(x, condition))
    solution = nn.to_numpy(nn.linalg.solve(nn.asarray(x), nn.asarray(y)))
    assert_close(solution, np.linalg.solve(wide(x), wide(y)), bound(x, condition))
    of_vector = nn.to_numpy(nn.linalg.solve(nn.asarray(x), nn.asarray(y[0, 0, :, 0])))
    assert_close(of_vector, solution[0, ..., 0], bound(x, condition))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("ord", NORMS)
def test_matrix_norm(nn, dtype, ord, keepdims):
    x = matrices(dtype, 2, 3, 5)
    norm = nn.to_numpy(nn.linalg.matrix_norm(nn.asarray(x), ord=ord, keepdims=keepdims))
    assert norm.dtype == real_dtype(dtype)
    assert_close(norm, np.linalg.matrix_norm(wide(x), ord=ord, keepdims=keepdims), bound(x))


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5])
def test_matrix_power(nn, dtype, n):
    x = matrices(dtype, 2, 3, 3)
    power = nn.to_numpy(nn.linalg.matrix_power(nn.asarray(x), n))
    condition = np.linalg.cond(wide(x)).max() ** max(abs(n), 1)
    assert_close(power, np.linalg.matrix_power(wide(x), n), bound(x, condition))


def test_matrix_rank(nn, dtype):
    x = np.stack([np.diag(diagonal) for diagonal in ([3, 2, 1], [1, 1e-20, 0], [1, 0.1, 0.01], [0, 0, 0])])
    x = x.astype(dtype)
    np.testing.assert_array_equal(
        nn.to_numpy(nn.linalg.matrix_rank(nn.asarray(x))), np.array([3, 1, 3, 0]), strict=True
    )
    rtol = nn.asarray(np.array([0.5, 0.5, 0.05, 0.5], real_dtype(dtype)))
    np.testing.assert_array_equal(nn.to_numpy(nn.linalg.matrix_rank(nn.asarray(x), rtol=rtol)), [2, 1, 2, 0])
    assert int(nn.linalg.matrix_rank(nn.asarray(x[0]), rtol=0.9)) == 1


def test_outer(nn, dtype):
    x, y = matrices(dtype, 3), matrices(dtype, 4, seed=1)
    product = nn.to_numpy(nn.linalg.outer(nn.asarray(x), nn.asarray(y)))
    assert_close(product, np.outer(wide(x), wide(y)), bound(product))


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 5, 3), (4, 4)])
def test_pinv(nn, dtype, shape):
    x = matrices(dtype, *shape)
    inverse = nn.to_numpy(nn.linalg.pinv(nn.asarray(x)))
    condition = np.linalg.cond(wide(x)).max()
    assert_close(inverse, np.linalg.pinv(wide(x)), bound(x, condition))


def test_pinv_leaves_small_singular_values_out(nn):
    x = nn.asarray(np.diag([1.0, 0.1, 0.01]))
    expected = np.diag([1.0, 10.0, 0.0])
    assert_close(nn.to_numpy(nn.linalg.pinv(x, rtol=0.05)), expected, bound(expected))


@pytest.mark.parametrize("scale", [1, 1e-30, 1e37])
@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("shape", [(2, 5, 3), (3, 5)])
def test_qr(nn, dtype, shape, mode, scale):
    x = (matrices(dtype, *shape) * real_scale(scale, dtype)).astype(dtype)
    q, r = map(nn.to_numpy, nn.linalg.qr(nn.asarray(x), mode=mode))
    rows, columns = shape[-2:]
    inner = rows if mode == "complete" else min(rows, columns)
    assert (q.shape[-2:], r.shape[-2:]) == ((rows, inner), (inner, columns))
    np.testing.assert_array_equal(r, np.triu(r))
    assert_close(wide(q) @ wide(r), wide(x), bound(x))
    assert_orthonormal(q, bound(x))


def real_scale(scale, dtype):
    return np.dtype(real_dtype(dtype)).type(scale)


@pytest.mark.parametrize("full_matrices", [False, True])
@pytest.mark.parametrize("shape", [(2, 5, 3), (3, 5)])
def test_svd(nn, dtype, shape, full_matrices):
    x = matrices(dtype, *shape)
    u, s, vh = map(nn.to_numpy, nn.linalg.svd(nn.asarray(x), full_matrices=full_matrices))
    inner = min(shape[-2:])
    assert (u.dtype, s.dtype, vh.dtype) == (dtype, real_dtype(dtype), dtype)
    assert (u.shape[-1], vh.shape[-2]) == (shape[-2:] if full_matrices else (inner, inner))
    assert (np.diff(s) <= 0).all()
    product = (wide(u)[..., :inner] * s[..., None, :]) @ wide(vh)[..., :inner, :]
    assert_close(product, wide(x), bound(x))
    assert_orthonormal(u, bound(x))
    assert_orthonormal(adjoint(vh), bound(x))
    svdvals = nn.to_numpy(nn.linalg.svdvals(nn.asarray(x)))
    assert_close(svdvals, np.linalg.svdvals(wide(x)), bound(x))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("ord", [0, 0.5, 1, 2, 3, -1, -2, math.inf, -math.inf])
def test_vector_norm(nn, dtype, ord, axis, keepdims):
    x = matrices(dtype, 2, 3, 4)
    norm = nn.to_numpy(nn.linalg.vector_norm(nn.asarray(x), ord=ord, axis=axis, keepdims=keepdims))
    assert norm.dtype == real_dtype(dtype)
    # A power of a sum of n powers: n + 3 roundings, those before the last power amplified by 1 / ord.
    amplified = 1 / abs(ord) if ord not in (0, math.inf, -math.inf) else 1
    bound = (x.size + 3) * np.finfo(dtype).eps * max(amplified, 1)
    assert_close(norm, np.linalg.vector_norm(wide(x), ord=ord, axis=axis, keepdims=keepdims), bound)


@pytest.mark.parametrize("function", ["cholesky", "det", "eigh", "inv", "matrix_power", "slogdet"])
def test_matrices_that_are_not_square_are_refused(nn, function):
    arguments = (2,) if function == "matrix_power" else ()
    with pytest.raises((ValueError, RuntimeError), match="square"):
        getattr(nn.linalg, function)(nn.zeros((2, 3)), *arguments)


@pytest.mark.parametrize("function", ["det", "inv", "cholesky", "svdvals", "matrix_norm", "vector_norm"])
def test_integers_are_refused(nn, function):
    with pytest.raises((TypeError, RuntimeError), match="float"):
        getattr(nn.linalg, function)(nn.asarray([[1, 2], [3, 4]]))


def test_matrices_of_no_rows(nn, dtype):
    x = nn.zeros((2, 0, 0), dtype=dtype)
    np.testing.assert_array_equal(nn.to_numpy(nn.linalg.det(x)), np.ones(2, dtype))
    assert nn.shape(nn.linalg.inv(x)) == (2, 0, 0)
    assert nn.shape(nn.linalg.solve(x, nn.zeros((2, 0, 3), dtype=dtype))) == (2, 0, 3)


def test_norms_of_nothing(nn):
    for ord in (1, 2, math.inf, "fro", "nuc"):
        assert float(nn.linalg.matrix_norm(nn.zeros((0, 0)), ord=ord)) == 0
    assert nn.to_numpy(nn.linalg.vector_norm(nn.zeros((0, 2)), axis=0, ord=math.inf)).tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(), (2,)])
def test_norm_over_no_axes(nn, shape):
    assert nn.to_numpy(nn.linalg.vector_norm(-nn.ones(shape), axis=())).tolist() == np.ones(shape).tolist()


def test_outer_of_matrices_is_refused(nn):
    with pytest.raises(ValueError, match="vectors"):
        nn.linalg.outer(nn.ones((2, 3)), nn.ones(3))


def test_gradients_of_the_pseudo_inverse_at_equal_singular_values(nn):
    def total(x):
        return nn.sum(nn.linalg.pinv(x))

    x = nn.eye(2, dtype="float64")
    # Of an inverse Y the gradient is -Y.T @ ones @ Y.T, and the gradient of the sum of that, by the same rule
    # for each of its two factors, 2 Y.T @ ones @ Y.T @ ones @ Y.T.
    np.testing.assert_allclose(nn.to_numpy(nn.grad(total)(x)), -np.ones((2, 2)), rtol=1e-12)
    twice = nn.grad(lambda x: nn.sum(nn.grad(total)(x)))(x)
    np.testing.assert_allclose(nn.to_numpy(twice), np.full((2, 2), 4.0), rtol=1e-12)


@pytest.mark.parametrize("ord", [0.5, 1, 2, 3, -1])
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_gradient_of_the_norm_at_zero_is_zero(nn, shape, ord):
    gradient = nn.grad(lambda x: nn.linalg.vector_norm(x, ord=ord))(nn.zeros(shape))
    np.testing.assert_array_equal(nn.to_numpy(gradient), np.zeros(shape))


FUNCTIONS = {  # of one square matrix; each value does not depend on the signs of vectors
    "cholesky": lambda nn, x: nn.sum(nn.linalg.cholesky(x @ nn.matrix_transpose(x)) ** 3),
    "det": lambda nn, x: nn.linalg.det(x),
    "slogdet": lambda nn, x: nn.linalg.slogdet(x).logabsdet,
    "inv": lambda nn, x: nn.sum(nn.linalg.inv(x) ** 2),
    "solve": lambda nn, x: nn.sum(nn.linalg.solve(x, x[0]) ** 2),
    "pinv": lambda nn, x: nn.sum(nn.linalg.pinv(x[:, :2]) ** 2),
    "qr": lambda nn, x: nn.sum(nn.linalg.qr(x).R ** 4),
    "svd": lambda nn, x: nn.sum(nn.linalg.svd(x).S ** 3),
    "svdvals": lambda nn, x: nn.sum(nn.linalg.svdvals(x) ** 3),
    "eigvalsh": lambda nn, x: nn.sum(nn.linalg.eigvalsh(x + nn.matrix_transpose(x)) ** 3),
    "nuclear norm": lambda nn, x: nn.linalg.matrix_norm(x, ord="nuc"),
    "matrix_power": lambda nn, x: nn.sum(nn.linalg.matrix_power(x, -3)),
    "vector_norm": lambda nn, x: nn.linalg.vector_norm(x, ord=3),
    "cross": lambda nn, x: nn.sum(nn.linalg.cross(x, x**2) ** 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_against_finite_differences(nn, name):
    x = matrices("float64", 3, 3, seed=3)

    def value(x):
        return float(FUNCTIONS[name](nn, nn.asarray(x)))

    # Central differences of step h: an error of h**2 from the third derivative and eps / h from rounding,
    # both about 1e-10 of the value for h = 1e-5; gradients here are of its size or larger.
    h = 1e-5
    steps = h * np.eye(9).reshape(9, 3, 3)
    expected = np.array([(value(x + step) - value(x - step)) / (2 * h) for step in steps]).reshape(3, 3)
    gradient = nn.to_numpy(nn.grad(lambda x: FUNCTIONS[name](nn, x))(nn.asarray(x)))
    assert_close(gradient, expected, 1e-7)
