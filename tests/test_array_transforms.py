"""Every function of the array namespaces, compiled and differentiated: what the public suite does not reach.

Compiled code may order the terms of a sum differently and use other kernels for elementary functions,
so results of floating-point functions agree within a few roundings of the largest value: `ROUNDINGS`
times eps, 16 terms being the most that are added up here and 4 ULP what elementary functions promise.
"""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from dualnn.fast_paths import NAMES

ROUNDINGS = 32
SHAPE = (4, 3)
X = np.random.default_rng(0).permutation(np.linspace(0.2, 0.9, 12)).reshape(SHAPE)  # no ties
MATRIX = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 3.0]])
INDICES = np.array([2, 0, 3, 0])


def integers(nn, x):
    return nn.astype(nn.round(10 * x), nn.int64)


def square(nn, x):
    """A positive definite matrix made of x, whose number of rows is known while compiling."""
    return nn.matrix_transpose(x) @ x + nn.asarray(MATRIX)


UNARY = [
    "abs", "acos", "asin", "asinh", "atan", "atanh", "ceil", "conj", "cos", "cosh", "exp", "expm1",
    "floor", "log", "log10", "log1p", "log2", "negative", "positive", "reciprocal", "round", "sign",
    "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
]  # fmt: skip
BINARY = [
    "add", "atan2", "copysign", "divide", "floor_divide", "hypot", "logaddexp", "maximum", "minimum",
    "multiply", "nextafter", "pow", "remainder", "subtract",
]  # fmt: skip
COMPARISONS = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
OF_BITS = ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"]
OF_LOGIC = ["logical_and", "logical_or", "logical_xor"]
REDUCTIONS = ["max", "mean", "min", "prod", "std", "sum", "var"]

# By name, functions of the namespace and a tensor of shape (n, 3), n not known while compiling.
SMOOTH = {
    **{name: lambda nn, x, name=name: getattr(nn, name)(x) for name in UNARY},
    **{name: lambda nn, x, name=name: getattr(nn, name)(x, 1.1 - x[:1]) for name in BINARY},
    **{name: lambda nn, x, name=name: getattr(nn, name)(x, axis=0, keepdims=True) for name in REDUCTIONS},
    "acosh": lambda nn, x: nn.acosh(x + 1),
    "astype": lambda nn, x: nn.astype(x, "complex128"),
    "asarray": lambda nn, x: nn.asarray(x),
    "broadcast_arrays": lambda nn, x: nn.broadcast_arrays(x, x[:1])[1],
    "broadcast_to": lambda nn, x: nn.broadcast_to(x, (2, *nn.shape(x))),
    "clip": lambda nn, x: nn.clip(x, 0.31, 0.77),
    "concat": lambda nn, x: nn.concat([x, 2 * x], axis=1),
    "cumulative_prod": lambda nn, x: nn.cumulative_prod(x, axis=1, include_initial=True),
    "cumulative_sum": lambda nn, x: nn.cumulative_sum(x, axis=0, include_initial=True),
    "diff": lambda nn, x: nn.diff(x, axis=0),
    "expand_dims": lambda nn, x: nn.expand_dims(x, axis=1),
    "flip": lambda nn, x: nn.flip(x, axis=0),
    "imag": lambda nn, x: nn.imag(nn.astype(x, "complex128") * 1j),
    "matmul": lambda nn, x: nn.matmul(x, nn.matrix_transpose(x)),
    "matrix_transpose": lambda nn, x: nn.matrix_transpose(x),
    "meshgrid": lambda nn, x: nn.meshgrid(x[:, 0], x[:, 1])[0],
    "moveaxis": lambda nn, x: nn.moveaxis(x, 0, 1),
    "permute_dims": lambda nn, x: nn.permute_dims(x, (1, 0)),
    "real": lambda nn, x: nn.real(nn.astype(x, "complex128") * (1 + 1j)),
    "repeat": lambda nn, x: nn.repeat(x, 2, axis=1),
    "reshape": lambda nn, x: nn.reshape(x, (-1,)),
    "roll": lambda nn, x: nn.roll(x, 1, axis=0),
    "sort": lambda nn, x: nn.sort(x, axis=0),
    "squeeze": lambda nn, x: nn.squeeze(x[:, :1], axis=1),
    "stack": lambda nn, x: nn.stack([x, x], axis=1),
    "take": lambda nn, x: nn.take(x, nn.asarray(INDICES), axis=0),
    "take_along_axis": lambda nn, x: nn.take_along_axis(x, nn.argsort(x, axis=1), axis=1),
    "tensordot": lambda nn, x: nn.tensordot(x, x, axes=((0,), (0,))),
    "tile": lambda nn, x: nn.tile(x, (2, 1)),
    "tril": lambda nn, x: nn.tril(x, k=-1),
    "triu": lambda nn, x: nn.triu(x),
    "unstack": lambda nn, x: nn.unstack(x, axis=1)[1],
    "vecdot": lambda nn, x: nn.vecdot(x, 2 * x),
    "where": lambda nn, x: nn.where(x > 0.5, x, -x),
    "linalg.cholesky": lambda nn, x: nn.linalg.cholesky(square(nn, x)),
    "linalg.cross": lambda nn, x: nn.linalg.cross(x, nn.flip(x, axis=-1)),
    "linalg.det": lambda nn, x: nn.linalg.det(square(nn, x)),
    "linalg.diagonal": lambda nn, x: nn.linalg.diagonal(x, offset=1),
    "linalg.eigh": lambda nn, x: nn.linalg.eigh(square(nn, x)).eigenvalues,
    "linalg.eigvalsh": lambda nn, x: nn.linalg.eigvalsh(square(nn, x)),
    "linalg.inv": lambda nn, x: nn.linalg.inv(square(nn, x)),
    "linalg.matmul": lambda nn, x: nn.linalg.matmul(x, square(nn, x)),
    "linalg.matrix_norm": lambda nn, x: nn.linalg.matrix_norm(x),
    "linalg.matrix_power": lambda nn, x: nn.linalg.matrix_power(square(nn, x), -2),
    "linalg.matrix_transpose": lambda nn, x: nn.linalg.matrix_transpose(x),
    "linalg.outer": lambda nn, x: nn.linalg.outer(x[:, 0], x[:, 1]),
    "linalg.pinv": lambda nn, x: nn.linalg.pinv(square(nn, x)),
    "linalg.qr": lambda nn, x: nn.linalg.qr(square(nn, x)).R ** 2,
    "linalg.slogdet": lambda nn, x: nn.linalg.slogdet(square(nn, x)).logabsdet,
    "linalg.solve": lambda nn, x: nn.linalg.solve(square(nn, x), x[0]),
    "linalg.svd": lambda nn, x: nn.linalg.svd(square(nn, x)).S,
    "linalg.svdvals": lambda nn, x: nn.linalg.svdvals(square(nn, x)),
    "linalg.tensordot": lambda nn, x: nn.linalg.tensordot(x, x, axes=((0,), (0,))),
    "linalg.trace": lambda nn, x: nn.linalg.trace(square(nn, x)),
    "linalg.vecdot": lambda nn, x: nn.linalg.vecdot(x, x),
    "linalg.vector_norm": lambda nn, x: nn.linalg.vector_norm(x, axis=1),
    "fft.fft": lambda nn, x: nn.fft.fft(x),
    "fft.fftn": lambda nn, x: nn.fft.fftn(x),
    "fft.fftshift": lambda nn, x: nn.fft.fftshift(x),
    "fft.hfft": lambda nn, x: nn.fft.hfft(nn.astype(x, "complex128")),
    "fft.ifft": lambda nn, x: nn.fft.ifft(x, axis=0),
    "fft.ifftn": lambda nn, x: nn.fft.ifftn(x),
    "fft.ifftshift": lambda nn, x: nn.fft.ifftshift(x),
    "fft.ihfft": lambda nn, x: nn.fft.ihfft(x),
    "fft.irfft": lambda nn, x: nn.fft.irfft(nn.astype(x, "complex128")),
    "fft.irfftn": lambda nn, x: nn.fft.irfftn(nn.astype(x, "complex128")),
    "fft.rfft": lambda nn, x: nn.fft.rfft(x, n=5),
    "fft.rfftn": lambda nn, x: nn.fft.rfftn(x),
}

OTHER = {
    **{name: lambda nn, x, name=name: getattr(nn, name)(x, x[:1]) for name in COMPARISONS},
    **{name: lambda nn, x, name=name: getattr(nn, name)(integers(nn, x), 3) for name in OF_BITS},
    **{name: lambda nn, x, name=name: getattr(nn, name)(x > 0.3, x < 0.6) for name in OF_LOGIC},
    "all": lambda nn, x: nn.all(x > 0.3, axis=0),
    "any": lambda nn, x: nn.any(x > 0.8, axis=0),
    "arange": lambda nn, x: nn.arange(nn.shape(x)[0]),
    "argmax": lambda nn, x: nn.argmax(x, axis=0),
    "argmin": lambda nn, x: nn.argmin(x, axis=1, keepdims=True),
    "argsort": lambda nn, x: nn.argsort(x, axis=0, descending=True),
    "bitwise_invert": lambda nn, x: nn.bitwise_invert(integers(nn, x)),
    "broadcast_shapes": lambda nn, x: nn.zeros(nn.broadcast_shapes(nn.shape(x), (1, 3))),
    "can_cast": lambda nn, x: nn.asarray(nn.can_cast(x.dtype, "float64")),
    "count_nonzero": lambda nn, x: nn.count_nonzero(x > 0.5, axis=0),
    "empty": lambda nn, x: nn.zeros_like(nn.empty(nn.shape(x))),
    "empty_like": lambda nn, x: nn.zeros_like(nn.empty_like(x)),
    "eye": lambda nn, x: nn.eye(3, 4, k=1),
    "finfo": lambda nn, x: nn.asarray(nn.finfo(x.dtype).eps),
    "full": lambda nn, x: nn.full(nn.shape(x), 2.5),
    "full_like": lambda nn, x: nn.full_like(x, 2.5),
    "iinfo": lambda nn, x: nn.asarray(nn.iinfo("int8").max),
    "isdtype": lambda nn, x: nn.asarray(nn.isdtype(x.dtype, "real floating")),
    "isfinite": lambda nn, x: nn.isfinite(x),
    "isin": lambda nn, x: nn.isin(integers(nn, x), nn.asarray([3, 5])),
    "isinf": lambda nn, x: nn.isinf(x),
    "isnan": lambda nn, x: nn.isnan(x),
    "linspace": lambda nn, x: nn.linspace(0, 1, 5),
    "logical_not": lambda nn, x: nn.logical_not(x > 0.5),
    "ones": lambda nn, x: nn.ones(nn.shape(x)),
    "ones_like": lambda nn, x: nn.ones_like(x),
    "result_type": lambda nn, x: nn.zeros(2, dtype=nn.result_type(x, "float32")),
    "searchsorted": lambda nn, x: nn.searchsorted(nn.asarray([0.3, 0.6]), x),
    "signbit": lambda nn, x: nn.signbit(x - 0.5),
    "zeros": lambda nn, x: nn.zeros(nn.shape(x)),
    "zeros_like": lambda nn, x: nn.zeros_like(x),
    "linalg.eig": lambda nn, x: nn.linalg.eig(square(nn, x)).eigenvalues,
    "linalg.eigvals": lambda nn, x: nn.linalg.eigvals(square(nn, x)),
    "linalg.matrix_rank": lambda nn, x: nn.linalg.matrix_rank(x),
    "fft.fftfreq": lambda nn, x: nn.fft.fftfreq(5),
    "fft.rfftfreq": lambda nn, x: nn.fft.rfftfreq(5),
}

OF_VALUES = {  # the shape of the result depends on the values
    "nonzero": lambda nn, x: nn.nonzero(x > 0.5)[1],
    "unique_all": lambda nn, x: nn.unique_all(integers(nn, x)).counts,
    "unique_counts": lambda nn, x: nn.unique_counts(integers(nn, x)).counts,
    "unique_inverse": lambda nn, x: nn.unique_inverse(integers(nn, x)).inverse_indices,
    "unique_values": lambda nn, x: nn.unique_values(integers(nn, x)),
}

CATALOGUE = SMOOTH | OTHER | OF_VALUES

NOT_OF_TENSORS = {
    "from_dlpack",  # takes another library's object, while compiling there is none
    "to_device", "device", "devices", "canonical_device", "is_tensor", "is_variable", "to_numpy", "shape",
    "has_values",
    "dtype", "dtype_name", "compile", "native_module", "functional_call", "Variable", "assign", "assign_add",
    "assign_sub", "GradientTape", "grad", "value_and_grad", "stop_gradient", "checkpoint", "inference_mode",
    "value", "compile_loop", "choose_engine", "is_deterministic", "scan", "split", *NAMES,
}  # fmt: skip
NEURAL = {  # tested in test_neural.py
    "avg_pool2d", "conv2d", "elu", "erf", "gelu", "leaky_relu", "linear", "log_softmax", "logsumexp",
    "max_pool2d", "one_hot", "relu", "selu", "sigmoid", "silu", "softmax", "softplus",
}  # fmt: skip

# TensorFlow has no XLA kernel on a CPU for these.
WITHOUT_XLA = {"linalg.det", "linalg.eig", "linalg.eigvals", "linalg.slogdet"}
# XLA rotates until what is left beside the diagonal is 1e-6 of it: vectors are that precise, and values
# to its square.
ITERATED_IN_XLA = {"linalg.pinv": 1e-6, "linalg.svd": 1e-11, "linalg.svdvals": 1e-11}


def assert_agree(actual, expected, bound=0.0):
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    if actual.dtype.kind in "fc":
        bound = max(bound, ROUNDINGS * np.finfo(actual.dtype).eps)
        scale = np.max(np.abs(expected), initial=0)
        assert np.max(np.abs(actual - expected), initial=0) <= bound * scale
    else:
        np.testing.assert_array_equal(actual, expected)


def eager(nn, name):
    return nn.to_numpy(CATALOGUE[name](nn, nn.asarray(X)))


def test_every_function_is_tried(nn):
    names = {name for name, value in vars(nn).items() if callable(value) and name[0] != "_"}
    names -= {name for name, value in vars(nn).items() if name in vars(dn.random) or not callable(value)}
    names = {name for name in names if not _is_dtype(nn, getattr(nn, name))}
    extensions = {f"linalg.{name}" for name in nn.linalg.__all__} | {f"fft.{name}" for name in nn.fft.__all__}
    assert (names | extensions) - NOT_OF_TENSORS - NEURAL == set(CATALOGUE)


def _is_dtype(nn, value):
    return type(value) is type(nn.float32)


@pytest.mark.parametrize("name", CATALOGUE)
def test_in_a_tf_function_with_unknown_batch_size(name):
    tf = pytest.importorskip("tensorflow")
    nn = dn.backend("tensorflow")
    signature = [tf.TensorSpec((None, 3), tf.float64)]
    compiled = tf.function(lambda x: CATALOGUE[name](nn, x), autograph=False, input_signature=signature)
    assert_agree(nn.to_numpy(compiled(nn.asarray(X))), eager(nn, name))


@pytest.mark.parametrize("name", {**SMOOTH, **OTHER})
def test_in_xla(name):
    tf = pytest.importorskip("tensorflow")
    nn = dn.backend("tensorflow")
    compiled = tf.function(lambda x: CATALOGUE[name](nn, x), autograph=False, jit_compile=True)
    if name in WITHOUT_XLA:
        with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)):
            compiled(nn.asarray(X))
    else:
        assert_agree(nn.to_numpy(compiled(nn.asarray(X))), eager(nn, name), ITERATED_IN_XLA.get(name, 0.0))


@pytest.mark.parametrize("name", CATALOGUE)
def test_in_torch_compile_without_a_graph_break(name):
    # Traced by the compiler, run by eager kernels: what is tested is that it can be traced as one graph.
    import torch

    nn = dn.backend("torch")
    torch.compiler.reset()
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True, capture_scalar_outputs=True):
        compiled = torch.compile(
            lambda x: CATALOGUE[name](nn, x), fullgraph=True, dynamic=True, backend="aot_eager"
        )
        assert_agree(nn.to_numpy(compiled(nn.asarray(X))), eager(nn, name))


@pytest.mark.slow
def test_in_torch_compile_by_inductor():
    import torch

    nn = dn.backend("torch")
    names = [*SMOOTH, *OTHER]
    compiled = torch.compile(lambda x: [CATALOGUE[name](nn, x) for name in names], fullgraph=True)
    for name, result in zip(names, compiled(nn.asarray(X)), strict=True):
        assert_agree(nn.to_numpy(result), eager(nn, name))


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_against_finite_differences(nn, name):
    complex_weights = np.exp(1j * np.arange(64))

    def loss(x):
        y = SMOOTH[name](nn, x)
        weights = complex_weights[: int(np.prod(y.shape))].reshape(tuple(y.shape))
        if nn.isdtype(y.dtype, "complex floating"):
            return nn.sum(nn.real(y * nn.asarray(weights)))
        return nn.sum(y * nn.asarray(weights.real.copy()))

    def value(x):
        return float(loss(nn.asarray(x)))

    # Central differences: h**2 / 6 of the third derivative, and eps / h of the value, both below 1e-8 of the
    # largest value or derivative here for h = 1e-5 (functions of numbers from 0.2 to 0.9).
    h = 1e-5
    steps = h * np.eye(X.size).reshape(-1, *SHAPE)
    expected = np.array([(value(X + step) - value(X - step)) / (2 * h) for step in steps]).reshape(SHAPE)
    gradient = nn.to_numpy(nn.grad(loss)(nn.asarray(X)))
    assert gradient.dtype == np.float64
    scale = max(np.max(np.abs(expected)), abs(value(X)))
    assert np.max(np.abs(gradient - expected)) <= 1e-7 * scale
