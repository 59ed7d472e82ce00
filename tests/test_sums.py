"""Sums of many terms: in 16 bits, and in float32 with the errors that log(n) roundings have."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn

ROWS = 8192  # more than the 256 ones up to which bfloat16 counts, and the 2,048 of float16
NARROW = ["bfloat16", "float16"]
ROUNDING = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


def value(nn, x):
    return nn.to_numpy(nn.astype(x, nn.float64))


def loss(nn, y):
    return nn.sum(nn.astype(y, nn.float32))


def of_ones(nn, dtype):
    """Computations of ones in 16 bits, each with its result."""

    def ones(*shape):
        return nn.ones(shape, dtype=dtype)

    ids = nn.zeros((ROWS,), dtype="int64")
    rows, bias, one = ones(ROWS, 2), ones(2), ones()
    image = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
    window = {"pool_size": (90, 90), "strides": (90, 90), "padding": "valid"}
    yield "sum", nn.sum(rows, axis=0), ROWS
    yield "sum over two axes", nn.sum(ones(ROWS, 2, 3), axis=(0, 2)), 3 * ROWS
    yield "mean", nn.mean(rows, axis=0), 1
    yield "cumulative_sum", nn.cumulative_sum(rows, axis=0)[-1], ROWS
    yield "cumulative_prod", nn.cumulative_prod(ones(64) * 1.0625)[-1], 1.0625**64
    yield "prod", nn.prod(ones(64) * 1.0625), 1.0625**64
    yield "vecdot", nn.vecdot(rows, rows, axis=0), ROWS
    yield "matmul of vectors", nn.matmul(ones(ROWS), ones(ROWS)), ROWS
    yield "matmul", nn.matmul(nn.matrix_transpose(rows), rows), ROWS
    yield "logsumexp", nn.logsumexp(0 * rows, axis=0), np.log(ROWS)
    yield "vector_norm", nn.linalg.vector_norm(rows, axis=0), np.sqrt(ROWS)
    yield "vector_norm of large numbers", nn.linalg.vector_norm(ones(4) * 300), 600
    yield "avg_pool2d", nn.avg_pool2d(3 * ones(1, 90, 90, 1), **window), 3
    gradients = {
        "linear": lambda b: nn.linear(ones(ROWS, 3), ones(3, 2), b),
        "linear of sequences": lambda b: nn.linear(ones(4, ROWS // 4, 3), ones(3, 2), b),
        "conv2d": lambda b: nn.conv2d(ones(2, 64, 64, 3), ones(1, 1, 3, 2), bias=b, **image),
        "kernel": lambda b: nn.linear(rows, nn.expand_dims(b, axis=-1)),
        "+": lambda b: b + rows,
        "*": lambda b: rows * b,
        "-": lambda b: -(rows - b),
        "/": lambda b: -(rows / b),
        "maximum": lambda b: nn.maximum(0 * rows, b),
        "where": lambda b: nn.where(rows > 0, b, rows),
        "broadcast_to": lambda b: nn.broadcast_to(b, (ROWS, 2)),
        "tile": lambda b: nn.tile(nn.expand_dims(b, axis=0), (ROWS, 1)),
        "take": lambda b: nn.take(nn.expand_dims(b, axis=0), ids, axis=0),
    }
    for name, function in gradients.items():
        yield f"gradient of {name}", nn.grad(lambda b, function=function: loss(nn, function(b)))(bias), ROWS
    yield "gradient of a scalar", nn.grad(lambda b: loss(nn, b + rows))(one), 2 * ROWS
    pooled = nn.grad(
        lambda x: loss(nn, nn.avg_pool2d(x, pool_size=(1, 600), strides=(1, 1), padding="valid"))
    )(ones(1, 1, 1800, 1))
    yield "gradient of windows that overlap", pooled[0, 0, 900], 1


@pytest.mark.parametrize("dtype", NARROW)
def test_sums_in_16_bits(nn, dtype):
    for name, got, expected in of_ones(nn, dtype):
        # a rounding of the result, and one of each of 600 shares of what windows share, alike
        np.testing.assert_allclose(value(nn, got), expected, rtol=2 * ROUNDING[dtype], err_msg=name)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("dtype", NARROW)
def test_gradients_in_16_bits_compiled(dtype, jit):
    nn = dn.backend("tensorflow")  # of torch the kernels are the same, called in the same order
    x, kernel = nn.ones((ROWS, 3), dtype=dtype), nn.ones((3, 2), dtype=dtype)

    def gradients(b):
        functions = (lambda b: nn.linear(x, kernel, b), lambda b: x[:, :2] * b + b, lambda b: nn.take(b, ids))
        return [nn.grad(lambda b, f=f: loss(nn, f(b)))(b) for f in functions]

    ids = nn.zeros((ROWS,), dtype="int64")
    linear, affine, taken = nn.compile(gradients, jit=jit)(nn.ones((2,), dtype=dtype))
    np.testing.assert_allclose(value(nn, linear), ROWS)
    np.testing.assert_allclose(value(nn, affine), 2 * ROWS)
    np.testing.assert_allclose(value(nn, taken), [ROWS, 0])


def long_sums(nn, n):
    """Sums of many times 0.1 in float32, each over what it should be."""
    tenth = float(np.float32(0.1))

    def tenths(*shape):
        return nn.full(shape, tenth, dtype="float32")

    x, b = tenths(n, 2), nn.ones((2,))
    square = {"pool_size": (1000, n // 1000), "strides": (1000, n // 1000), "padding": "valid"}
    yield "sum", nn.sum(x, axis=0), n * tenth
    yield "sum of the middle", nn.sum(tenths(2, n // 2, 3), axis=1), n // 2 * tenth
    yield "sum of two axes", nn.sum(tenths(n // 2, 2, 2), axis=(0, 2), keepdims=True), n // 2 * 2 * tenth
    yield "sum of all", nn.sum(x), 2 * n * tenth
    yield "mean", nn.mean(x, axis=0), tenth
    yield "var", nn.var(nn.concat([x, 3 * x], axis=0), axis=0), tenth**2
    yield "cumulative_sum", nn.cumulative_sum(x, axis=0)[-1], n * tenth
    yield "vecdot", nn.vecdot(x, x, axis=0), n * tenth**2
    yield "vector_norm", nn.linalg.vector_norm(x, axis=0), np.sqrt(n) * tenth
    yield "vector_norm of order 1", nn.linalg.vector_norm(x, ord=1), 2 * n * tenth
    yield "avg_pool2d", nn.avg_pool2d(tenths(1, 1000, n // 1000, 1), **square), tenth
    yield "gradient of +", nn.grad(lambda b: nn.sum(tenth * (nn.zeros((n, 2)) + b)))(b), n * tenth
    yield "gradient of *", nn.grad(lambda b: nn.sum(x * b))(b), n * tenth
    of_bias = nn.grad(lambda b: nn.sum(tenth * nn.linear(x, nn.ones((2, 2)), b)))(b)
    yield "gradient of a bias", of_bias, n * tenth


def test_long_sums_in_float32(nn):
    n = 1_000_003
    for name, got, expected in long_sums(nn, n):
        # two stages, of 64 and the thousand terms left, with half a rounding each; 1,000 in a row of a window
        np.testing.assert_allclose(nn.to_numpy(got), expected, rtol=6e-5, err_msg=name)


@pytest.mark.parametrize("size", [1023, 1024, 1025, 2048, 70_001])
def test_sums_on_both_sides_of_the_threshold(nn, size):
    x = np.random.default_rng(0).normal(size=(3, size, 2))
    tensor = nn.asarray(x)
    for axis in (1, (0, 1), (1, 2), (0, 2), None):
        for keepdims in (False, True):
            got, expected = nn.sum(tensor, axis=axis, keepdims=keepdims), x.sum(axis=axis, keepdims=keepdims)
            assert nn.shape(got) == expected.shape
            np.testing.assert_allclose(nn.to_numpy(got), expected, rtol=1e-11, atol=1e-11)
    running = nn.to_numpy(nn.cumulative_sum(tensor, axis=1))
    np.testing.assert_allclose(running, x.cumsum(axis=1), rtol=1e-11, atol=1e-11)
    _, gradient = nn.value_and_grad(lambda t: nn.sum(nn.sum(t, axis=1) ** 2))(tensor)
    wanted = np.broadcast_to(2 * x.sum(axis=1, keepdims=True), x.shape)
    np.testing.assert_allclose(nn.to_numpy(gradient), wanted, rtol=1e-10, atol=1e-10)


def test_batch_statistics_of_many_rows(backend):
    x = 100 + np.random.default_rng(0).normal(size=(400_000, 2))
    x = x.astype("float32")
    layer = dn.layers.BatchNormalization(momentum=0.0, epsilon=0.0, center=False, scale=False)
    model = dn.Sequential([layer]).on(backend)
    y = model(x, training=True)
    nn, layer = model.nn, model.layers[0]
    exact = x.astype("float64")
    # of two stages of sums, whose terms are 100 times the standard deviation
    np.testing.assert_allclose(nn.to_numpy(layer.moving_mean), exact.mean(axis=0), rtol=2e-6)
    np.testing.assert_allclose(nn.to_numpy(layer.moving_variance), exact.var(axis=0), rtol=2e-6)
    y = nn.to_numpy(y).astype("float64")
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=2e-4)
    np.testing.assert_allclose(y.var(axis=0), 1, rtol=2e-6)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_changes_biases_as_float32_does(backend, precision):
    # the gradient is a mean over 64 * 64 steps, of which 16 bits would count 256 or 2,048
    x = np.random.default_rng(0).normal(size=(64, 64, 4)).astype("float32")
    y = np.full((64, 64, 1), 0.3, "float32")  # whose gradient times the loss scale float16 holds
    biases = {}
    for one in (None, precision):
        model = dn.Sequential([dn.layers.Dense(8, activation="tanh"), dn.layers.Dense(1)]).on(backend)
        model.compile(dn.optimizers.SGD(0.1), "mse", precision=one)
        model.fit(x, y, epochs=1, batch_size=64, seed=0, verbose=0)
        biases[one] = model.get_weights()[-1]
    # what is added up has a few roundings of its own
    np.testing.assert_allclose(biases[precision], biases[None], rtol=4 * ROUNDING[precision[6:]])


def test_other_tapes_are_left_alone():
    import tensorflow as tf

    x = tf.ones((ROWS, 2), tf.float16)
    with tf.GradientTape() as tape:
        b = tf.ones((2,), tf.float16)
        tape.watch(b)
        y = tf.cast(x + b, tf.float32)
    # TensorFlow's own sum in 16 bits, which stops growing at 2,048 on a CPU
    native = tf.reduce_sum(tf.ones((ROWS, 2), tf.float16), 0)
    np.testing.assert_array_equal(tape.gradient(y, b), native)


def test_a_tape_that_cannot_begin_is_not_at_work():
    import tensorflow as tf

    tape = dn.backend("tensorflow").GradientTape()
    with pytest.raises(ValueError, match="still recording"), tape, tape:
        pass
    x = tf.ones((ROWS, 2), tf.float16)
    with tf.GradientTape() as other:
        b = tf.ones((2,), tf.float16)
        other.watch(b)
        y = tf.cast(x + b, tf.float32)
    np.testing.assert_array_equal(other.gradient(y, b), tf.reduce_sum(x, 0))


def test_moving_variance_far_below_epsilon(backend):
    x = (1e-6 * np.random.default_rng(0).normal(size=(64, 3))).astype("float32")
    model = dn.Sequential([dn.layers.BatchNormalization(momentum=0.0)]).on(backend)
    model(x, training=True)
    got = model.nn.to_numpy(model.layers[0].moving_variance)
    np.testing.assert_allclose(got, x.astype("float64").var(axis=0), rtol=1e-5)  # sums of 64 terms


@pytest.mark.slow
@pytest.mark.parametrize("jit", [None, False, True])
def test_where_sums_of_float32_end(nn, backend, jit):
    """The figures of docs/conformance.md."""
    if jit and backend == "torch":
        pytest.skip("the page has no figure of it")
    count = 40_000_000
    x = nn.ones((count,))

    def share(function):
        run = function if jit is None else nn.compile(function, jit=jit)
        return float(nn.to_numpy(run(x)).ravel()[0]) / count

    for whole in (
        lambda x: nn.sum(x),
        lambda x: nn.mean(x) * count,
        lambda x: nn.vecdot(x, nn.ones((count,))),
        lambda x: nn.linalg.vector_norm(x, ord=1),
    ):
        assert share(whole) == 1.0
    product = share(lambda x: nn.matmul(nn.reshape(x, (1, count)), nn.ones((count, 1))))
    assert product == pytest.approx(0.42 if jit else 0.84, abs=0.005)
