"""NaN is never turned into a number: by no kernel, fused or not, in no engine."""

import numpy as np
import pytest

import dualnn as dn

ENGINES = [("eager", None), ("step", False), ("epoch", False)]
rng = np.random.default_rng(0)


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
def test_a_sample_of_nan_shows_in_the_loss(backend, engine, jit):
    x = rng.normal(size=(16, 4)).astype("float32")
    x[0, 0] = np.nan
    model = dn.Sequential([dn.layers.Dense(8, activation="relu"), dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse", engine=engine, jit=jit)
    assert np.isnan(model.fit(x, x[:, 1:2], epochs=2, batch_size=8, seed=0, verbose=0).history["loss"]).all()
    assert np.isnan(model.evaluate(x, x[:, 1:2], verbose=0))


@pytest.mark.parametrize("rows", [1, 5, 64])
@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "softmax"])
def test_predict_of_nan(backend, rows, activation):
    model = dn.Sequential([dn.layers.Dense(7, activation=activation)]).on(backend)
    model.compile("sgd", "mse", engine="step", jit=False)
    x = np.ones((rows, 4), "float32")
    x[-1, 2] = np.nan
    outputs = model.predict(x, batch_size=rows, verbose=0)
    assert np.isnan(outputs[-1]).all()
    assert not np.isnan(outputs[:-1]).any()


@pytest.mark.parametrize("layers", ["conv", "conv, norm", "conv, pool", "conv without bias"])
def test_images_of_nan(backend, layers):
    relu = {} if "norm" in layers else {"activation": "relu"}
    parts = [dn.layers.Conv2D(8, 3, use_bias="without" not in layers, **relu)]
    if "norm" in layers:
        parts += [dn.layers.BatchNormalization(), dn.layers.Activation("relu")]
    if "pool" in layers:
        parts.append(dn.layers.MaxPooling2D())
    model = dn.Sequential(parts).on(backend)
    model.compile("sgd", "mse", engine="step", jit=False)
    x = np.ones((2, 6, 6, 3), "float32")
    x[1] = np.nan
    outputs = model.predict(x, verbose=0)
    assert np.isnan(outputs[1]).all()
    assert not np.isnan(outputs[0]).any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_activations_of_a_product(nn, dtype, compiled):
    def outputs(x, kernel, bias):
        y = nn.linear(x, kernel, bias)
        functions = [nn.relu, nn.sigmoid, nn.tanh, nn.gelu, nn.silu, nn.elu, nn.leaky_relu, nn.softmax]
        return [function(y) for function in functions]

    arrays = np.ones((3, 5)), np.ones((5, 9)), np.full(9, np.nan)
    tensors = [nn.asarray(array, dtype=nn.dtype(dtype)) for array in arrays]
    for y in (nn.compile(outputs) if compiled else outputs)(*tensors):
        assert np.isnan(nn.to_numpy(nn.astype(y, nn.float64))).all()


@pytest.mark.parametrize("how", ["eager", "graph", "jit"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_pooling_of_what_is_not_finite(nn, how, padding):
    if how == "jit" and padding == "same":
        pytest.skip("one machine program is enough")

    def pooled(x):
        return nn.max_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding=padding)

    x = np.full((1, 4, 4, 3), -np.inf)
    x[0, 0, 0], x[0, 0, 2], x[0, 3, 3, 1] = np.nan, np.inf, 5
    run = pooled if how == "eager" else nn.compile(pooled, jit=how == "jit")
    y = nn.to_numpy(run(nn.asarray(x, dtype=nn.float32)))
    windows = x.reshape(1, 2, 2, 2, 2, 3).max(axis=(2, 4))
    np.testing.assert_array_equal(y, windows)


def test_the_gradient_of_max_pooling_goes_to_the_largest(nn):
    x = nn.asarray(np.arange(16.0).reshape(1, 4, 4, 1))
    gradient = nn.grad(
        lambda x: nn.sum(nn.max_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid") ** 2)
    )(x)
    expected = np.zeros(16)
    expected[[5, 7, 13, 15]] = [10, 14, 26, 30]
    np.testing.assert_array_equal(nn.to_numpy(gradient).ravel(), expected)


@pytest.mark.parametrize("how", ["eager", "graph", "jit"])
def test_argmax_finds_the_first_nan_as_numpy_does(nn, how):
    x = np.asarray([[1, np.nan, 3, np.nan], [0, 5, np.inf, 1]])

    def indices(x):
        return nn.argmax(x, axis=1), nn.argmin(x, axis=1), nn.argmax(x)

    run = indices if how == "eager" else nn.compile(indices, jit=how == "jit")
    for found, expected in zip(run(nn.asarray(x)), (x.argmax(1), x.argmin(1), x.argmax()), strict=True):
        np.testing.assert_array_equal(nn.to_numpy(found), expected)


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_guard_sees_weights_behind_which_relu_stands(backend, engine, jit, bad):
    model = dn.Sequential([dn.layers.Dense(4, activation="relu"), dn.layers.Dense(1)]).on(backend)
    model.build((None, 3))
    model.set_weights([np.ones((3, 4)), np.full(4, bad), np.ones((4, 1)), np.full(1, bad)])
    model.compile("sgd", "mse", engine=engine, jit=jit)
    before = model.get_weights()
    with pytest.raises(dn.NonFiniteError, match=r"the weight layers\.0\.bias, before the step"):
        model.fit(np.ones((8, 3)), np.ones((8, 1)), seed=0, verbose=0, on_nonfinite="raise")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
