"""The neural primitives against NumPy and Python's `math`."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dualnn as dn

few = settings(
    max_examples=20,
    deadline=None,  # the first call of a framework's function may take a second
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # `nn` is the same for all examples
)

ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _elu(x, alpha=1.0):
    return x if x > 0 else alpha * math.expm1(x)


def _normal(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


ACTIVATIONS = {  # name: (function of a Python float, keyword arguments, ULP)
    "relu": (lambda x: max(x, 0.0), {}, 0),
    "leaky_relu": (lambda x: x if x > 0 else 0.2 * x, {}, 1),
    "elu": (_elu, {}, 4),
    "selu": (lambda x: SCALE * _elu(x, ALPHA), {}, 4),
    "silu": (lambda x: x * _sigmoid(x), {}, 6),
    "sigmoid": (_sigmoid, {}, 6),
    "softplus": (_softplus, {}, 6),
    "erf": (math.erf, {}, 4),
}


def ulps(actual, expected):
    """The largest distance, in units in the last place of the expected values."""
    expected = np.asarray(expected)
    unit = np.spacing(np.abs(expected).astype(actual.dtype)).astype(np.float64)
    return float(np.max(np.abs(actual.astype(np.float64) - expected) / unit, initial=0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(nn, name, dtype):
    reference, keywords, tolerance = ACTIVATIONS[name]

    @few
    @given(st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=40))
    def check(values):
        x = np.array(values, dtype)
        x[np.abs(x) < 1e-30] = 0  # both frameworks' kernels flush results that are too small to zero
        y = nn.to_numpy(getattr(nn, name)(nn.asarray(x), **keywords))
        assert y.dtype == dtype
        assert ulps(y, [reference(float(value)) for value in x]) <= tolerance

    check()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu(nn, dtype):
    x = np.linspace(-6, 6, 101).astype(dtype)
    exact = [value * _normal(value) for value in x.astype(float)]
    inner = [math.sqrt(2 / math.pi) * (value + 0.044715 * value**3) for value in x.astype(float)]
    near = [0.5 * value * (1 + math.tanh(one)) for value, one in zip(x.astype(float), inner, strict=True)]
    # 1 + erf(x) cancels where x is negative: the error is relative to x, not to the result.
    for approximate, expected in ((False, exact), (True, near)):
        y = nn.to_numpy(nn.gelu(nn.asarray(x), approximate))
        np.testing.assert_allclose(y, expected, rtol=0, atol=6 * 4 * np.finfo(dtype).eps)


def test_parameters_of_activations(nn):
    x = nn.asarray([-2.0, 0.0, 3.0])
    assert nn.to_numpy(nn.leaky_relu(x, 0.5)).tolist() == [-1.0, 0.0, 3.0]
    expected = [0.5 * math.expm1(-2.0), 0.0, 3.0]
    np.testing.assert_allclose(nn.to_numpy(nn.elu(x, 0.5)), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "silu", "sigmoid", "softplus", "gelu", "selu"])
def test_activations_far_out(nn, name):
    y = nn.to_numpy(getattr(nn, name)(nn.asarray([-1e4, 1e4])))
    assert np.isfinite(y).all()
    gradient = nn.grad(lambda x: nn.sum(getattr(nn, name)(x)))(nn.asarray([-1e4, 1e4]))
    assert np.isfinite(nn.to_numpy(gradient)).all()


def test_the_gradient_of_relu_at_zero_is_zero(nn):
    gradient = nn.grad(lambda x: nn.sum(nn.relu(x)))(nn.asarray([-1.0, 0.0, 1.0]))
    assert nn.to_numpy(gradient).tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_softmax(nn, axis, shift):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    powers = np.exp(x.astype(np.float64))
    expected = powers / powers.sum(axis=axis, keepdims=True)
    shifted = nn.asarray(x + np.float32(shift))
    # The shift rounds x by half an ULP of 1e4, which the exponential turns into a relative error.
    slack = 8 * np.finfo(np.float32).eps + 2 * np.spacing(np.float32(abs(shift)))
    np.testing.assert_allclose(nn.to_numpy(nn.softmax(shifted, axis)), expected, rtol=slack)
    np.testing.assert_allclose(
        nn.to_numpy(nn.log_softmax(shifted, axis)), np.log(expected), rtol=slack, atol=slack
    )


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(nn, axis, keepdims):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)) + 1000
    expected = np.log(np.sum(np.exp(x - 1000), axis=axis, keepdims=keepdims)) + 1000
    y = nn.to_numpy(nn.logsumexp(nn.asarray(x), axis=axis, keepdims=keepdims))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-15)


@pytest.mark.parametrize("kind", ["int32", "int64", "uint8"])
@pytest.mark.parametrize("dtype", [None, "float64", "int32", "bool"])
def test_one_hot(nn, kind, dtype):
    indices = np.array([[0, 2], [1, 9]], kind)
    y = nn.to_numpy(nn.one_hot(nn.asarray(indices), 3, dtype=dtype))
    assert y.dtype == (dtype or "float32")
    np.testing.assert_array_equal(y, indices[..., None] == np.arange(3))
    assert nn.to_numpy(nn.one_hot(nn.asarray(-1), 3)).tolist() == [0.0, 0.0, 0.0]


# ------------------------------------------------------------------------------- windows


def _padded(x, window, strides, padding, value):
    if padding == "valid":
        return x
    totals = [
        max((-(-size // stride) - 1) * stride + width - size, 0)
        for size, width, stride in zip(x.shape[1:3], window, strides, strict=True)
    ]
    pixels = [(total // 2, total - total // 2) for total in totals]  # the odd one at the bottom and right
    return np.pad(x, [(0, 0), *pixels, (0, 0)], constant_values=value)


def _windows(x, window, strides, dilation=(1, 1)):
    """The windows of (n, h, w, c), as (n, rows, columns, height, width, c)."""
    extent = [(width - 1) * step + 1 for width, step in zip(window, dilation, strict=True)]
    rows, columns = ((x.shape[1 + i] - extent[i]) // strides[i] + 1 for i in range(2))
    result = np.empty((x.shape[0], rows, columns, *window, x.shape[3]), x.dtype)
    for i, j in itertools.product(range(rows), range(columns)):
        top, left = i * strides[0], j * strides[1]
        patch = x[:, top : top + extent[0] : dilation[0], left : left + extent[1] : dilation[1]]
        result[:, i, j] = patch
    return result


def _convolved(x, kernel, strides, padding, dilation, groups):
    extent = [(width - 1) * step + 1 for width, step in zip(kernel.shape[:2], dilation, strict=True)]
    windows = _windows(_padded(x, extent, strides, padding, 0), kernel.shape[:2], strides, dilation)
    parts = zip(np.split(windows, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True)
    return np.concatenate([np.einsum("nijhwc,hwcf->nijf", window, part) for window, part in parts], axis=-1)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    window = draw(st.tuples(st.integers(1, 3), st.integers(1, 4)))
    arguments = {
        "strides": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "groups": groups,
    }
    size = [draw(st.integers((width - 1) * 2 + 1, 9)) for width in window]
    channels, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.integers(-4, 5, (draw(st.integers(1, 2)), *size, channels))
    kernel = generator.integers(-4, 5, (*window, channels // groups, filters))
    return x, kernel, arguments


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_conv2d(nn, dtype):
    """Small integers: every product and sum is exact, so the result is as well, gradients too."""

    @few
    @given(convolutions())
    def check(drawn):
        x, kernel, arguments = drawn
        expected = _convolved(x, kernel, **arguments)
        tensors = nn.asarray(x, dtype=dtype), nn.asarray(kernel, dtype=dtype)
        y = nn.to_numpy(nn.conv2d(*tensors, **arguments))
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, expected)

        # It is linear in each operand, so <gradient, v> = <weights, conv2d(v)> for every v.
        generator = np.random.default_rng(0)
        weights = generator.integers(-4, 5, expected.shape)
        fun = nn.grad(
            lambda x, kernel: nn.sum(nn.conv2d(x, kernel, **arguments) * nn.asarray(weights, dtype=dtype)),
            argnums=(0, 1),
        )
        for_x, for_kernel = (nn.to_numpy(gradient) for gradient in fun(*tensors))
        v = generator.integers(-4, 5, x.shape)
        assert np.sum(for_x * v) == np.sum(weights * _convolved(v, kernel, **arguments))
        v = generator.integers(-4, 5, kernel.shape)
        assert np.sum(for_kernel * v) == np.sum(weights * _convolved(x, v, **arguments))

    check()


@st.composite
def pools(draw):
    pool_size = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    arguments = {
        "pool_size": pool_size,
        "strides": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": draw(st.sampled_from(["valid", "same"])),
    }
    shape = (
        draw(st.integers(1, 2)),
        *(draw(st.integers(size, 7)) for size in pool_size),
        draw(st.integers(1, 3)),
    )
    x = np.random.default_rng(draw(st.integers(0, 2**32))).normal(size=shape) - 3  # zeros would win
    return x, arguments


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pooling(nn, dtype):
    @few
    @given(pools())
    def check(drawn):
        x, arguments = drawn
        x = x.astype(dtype)
        window, strides, padding = arguments.values()
        windows = _windows(_padded(x, window, strides, padding, np.nan), window, strides)
        largest = nn.to_numpy(nn.max_pool2d(nn.asarray(x), **arguments))
        np.testing.assert_array_equal(largest, np.nanmax(windows, axis=(3, 4)))
        mean = nn.to_numpy(nn.avg_pool2d(nn.asarray(x), **arguments))
        assert mean.dtype == dtype
        # A sum of up to 9 terms of one sign, and a division.
        np.testing.assert_allclose(mean, np.nanmean(windows, axis=(3, 4)), rtol=10 * np.finfo(dtype).eps)

    check()


@pytest.mark.parametrize(("window", "strides"), [((2, 2), (2, 2)), ((2, 1), (1, 2)), ((1, 2), (3, 2))])
def test_pooling_of_many_images(nn, window, strides):
    """With a gradient and without, and as a graph."""
    x = np.random.default_rng(0).normal(size=(9, 41, 40, 3)).astype("float32")
    x[1, 2, 2] = -np.inf
    arguments = {"pool_size": window, "strides": strides, "padding": "valid"}
    windows = _windows(_padded(x, window, strides, "valid", np.nan), window, strides)
    expected = windows.max(axis=(3, 4))
    x = nn.asarray(x)

    def pooled(x):
        return nn.max_pool2d(x, **arguments)

    with nn.GradientTape() as tape:
        tape.watch(x)
        watched = pooled(x)
    for y in (pooled(x), watched, nn.compile(pooled)(x)):
        np.testing.assert_array_equal(nn.to_numpy(y), expected)
    x = nn.where(x > 2.0, nn.asarray(np.nan, dtype=x.dtype), x)
    with nn.GradientTape() as tape:
        tape.watch(x)
        watched = pooled(x)
    np.testing.assert_array_equal(nn.to_numpy(pooled(x)), nn.to_numpy(watched))
    x = nn.zeros((9, 41, 40, 3))  # of equal values the first one has the gradient
    gradient = nn.to_numpy(nn.grad(lambda x: nn.sum(pooled(x)))(x))
    assert set(np.unique(gradient)) == {0.0, 1.0}
    assert gradient[:, 0, 0].min() == 1.0


def test_the_gradient_of_pooling(nn):
    x = nn.asarray(np.arange(9.0).reshape(1, 3, 3, 1))
    arguments = {"pool_size": (2, 2), "strides": (2, 2), "padding": "same"}
    largest = nn.grad(lambda x: nn.sum(nn.max_pool2d(x, **arguments)))(x)
    assert nn.to_numpy(largest)[0, :, :, 0].tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]
    mean = nn.grad(lambda x: nn.sum(nn.avg_pool2d(x, **arguments)))(x)
    assert nn.to_numpy(mean)[0, :, :, 0].tolist() == [[0.25, 0.25, 0.5], [0.25, 0.25, 0.5], [0.5, 0.5, 1]]


def test_convolution_in_compiled_code(nn):
    """Also those of which TensorFlow lacks the gradient's kernel on a CPU."""
    arguments = {"strides": (1, 1), "padding": "same", "dilation": (2, 2), "groups": 2}
    gradient = nn.grad(
        lambda kernel: nn.sum(nn.conv2d(nn.ones((1, 5, 5, 4), dtype="float64"), kernel, **arguments))
    )
    kernel = nn.ones((3, 3, 2, 2), dtype="float64")
    compiled = nn.compile(gradient)(kernel)
    assert nn.to_numpy(compiled)[:, :, 0, 0].tolist() == [[9, 15, 9], [15, 25, 15], [9, 15, 9]]
    np.testing.assert_array_equal(nn.to_numpy(compiled), nn.to_numpy(gradient(kernel)))


def test_errors(nn):
    x, kernel = nn.ones((1, 5, 5, 4)), nn.ones((3, 3, 4, 2))
    with pytest.raises(ValueError, match="unknown padding 'smae'; did you mean 'same'"):
        nn.conv2d(x, kernel, strides=(1, 1), padding="smae", dilation=(1, 1), groups=1)
    with pytest.raises(
        ValueError, match=r"expected 8 channels, 2 group\(s\) of the kernel's 4, got an image of 4"
    ):
        nn.conv2d(x, kernel, strides=(1, 1), padding="same", dilation=(1, 1), groups=2)
    for pool in (nn.max_pool2d, nn.avg_pool2d):
        with pytest.raises(ValueError, match="padding"):
            pool(x, pool_size=(2, 2), strides=(2, 2), padding="SAME")


def test_images_stay_channels_last_in_memory():
    torch = pytest.importorskip("torch")
    nn = dn.backend("torch")
    for channels in (1, 3):
        x = nn.ones((2, 6, 6, channels))
        arguments = {"strides": (1, 1), "padding": "same"}
        y = nn.conv2d(x, nn.ones((3, 3, channels, 4)), dilation=(1, 1), groups=1, **arguments)
        assert y.is_contiguous()
        assert nn.max_pool2d(y, pool_size=(2, 2), **arguments).is_contiguous()
        assert isinstance(y, torch.Tensor)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("strides", [(1, 2), (1, 3), (2, 1), (2, 2)])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_of_narrow_images(nn, groups, strides, dtype):
    # TensorFlow's oneDNN kernel takes numbers from elsewhere in memory for strides along the rows only.
    x = np.arange(1.0, 1 + 2 * 2 * 1 * groups).reshape(2, 2, 1, groups)
    kernel = np.ones((1, 2, 1, groups))
    y = nn.conv2d(
        nn.asarray(x, dtype=dtype),
        nn.asarray(kernel, dtype=dtype),
        strides=strides,
        padding="same",
        dilation=(1, 1),
        groups=groups,
    )
    np.testing.assert_array_equal(nn.to_numpy(y), x[:, :: strides[0]])
