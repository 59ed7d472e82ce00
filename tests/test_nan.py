"""NaN stays NaN in fused kernels and single ones, in every engine; before what hides it the guard looks."""

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


@pytest.mark.parametrize("layers", ["conv", "conv, norm", "conv without bias"])
def test_images_of_nan(backend, layers):
    relu = {} if "norm" in layers else {"activation": "relu"}
    parts = [dn.layers.Conv2D(8, 3, use_bias="without" not in layers, **relu)]
    if "norm" in layers:
        parts += [dn.layers.BatchNormalization(), dn.layers.Activation("relu")]
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


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
def test_the_guard_sees_what_max_pooling_hides(backend, engine, jit):
    # TensorFlow's kernel leaves NaN out: `dualnn.conformance.known`
    model = dn.Sequential([dn.layers.MaxPooling2D(), dn.layers.Flatten(), dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse", engine=engine, jit=jit)
    x = np.ones((4, 4, 4, 1), "float32")
    x[2, 0, 0] = np.nan
    with pytest.raises(dn.NonFiniteError, match=r"in the data, x at \d of the batch"):
        model.fit(x, np.ones((4, 1)), batch_size=2, verbose=0, on_nonfinite="raise")


@pytest.mark.parametrize("how", ["eager", "graph", "jit"])
def test_argmax_finds_the_first_nan_as_numpy_does(nn, how):
    x = np.asarray([[1, np.nan, 3, np.nan], [0, 5, np.inf, 1]])

    def indices(x):
        return nn.argmax(x, axis=1), nn.argmin(x, axis=1), nn.argmax(x)

    run = indices if how == "eager" else nn.compile(indices, jit=how == "jit")
    for found, expected in zip(run(nn.asarray(x)), (x.argmax(1), x.argmin(1), x.argmax()), strict=True):
        np.testing.assert_array_equal(nn.to_numpy(found), expected)


@pytest.mark.parametrize("how", ["eager", "graph", "jit"])
def test_the_largest_and_the_smallest_of_nan_are_nan(nn, how):
    x = np.asarray([[1, np.nan, 3], [0, 5, np.inf], [np.nan, np.nan, np.nan]], "float32")

    def extremes(x):
        return nn.max(x, axis=1), nn.min(x, axis=1), nn.max(x, axis=0), nn.min(x), nn.max(x[1:2])

    run = extremes if how == "eager" else nn.compile(extremes, jit=how == "jit")
    expected = x.max(1), x.min(1), x.max(0), x.min(), x[1:2].max()
    for found, one in zip(run(nn.asarray(x)), expected, strict=True):
        np.testing.assert_array_equal(nn.to_numpy(found), one)


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
