"""Every layer against NumPy in float64, its shapes, its errors, and layers of one's own."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from dualnn.fast_paths import generic

L = dn.layers
RNG = np.random.default_rng(5)
IMAGES = RNG.normal(size=(2, 7, 6, 4))


def run(layer, *args, dtype="float64", **kwargs):
    layer = layer.on(dtype=dtype)
    out = layer(*args, **kwargs)
    return layer, layer.nn.to_numpy(out)


def close(actual, expected, terms):
    """Sums of so many products of order one in float64, each rounded: an error of terms * eps."""
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=4 * terms * 2**-53 * scale)


def windows(x, size, strides, padding, dilation=(1, 1), fill=0.0):
    """All windows of images: (n, rows, columns, size, size, channels), in plain Python."""
    extent = [(s - 1) * d + 1 for s, d in zip(size, dilation, strict=True)]
    if padding == "same":
        pads = []
        for length, e, s in zip(x.shape[1:3], extent, strides, strict=True):
            total = max((-(-length // s) - 1) * s + e - length, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    rows = (x.shape[1] - extent[0]) // strides[0] + 1
    columns = (x.shape[2] - extent[1]) // strides[1] + 1
    out = np.empty((x.shape[0], rows, columns, *size, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            top, left = i * strides[0], j * strides[1]
            out[:, i, j] = x[:, top : top + extent[0] : dilation[0], left : left + extent[1] : dilation[1]]
    return out


def test_dense(backend):
    x = RNG.normal(size=(5, 2, 3))
    layer, y = run(L.Dense(4, activation="tanh", bias_initializer="ones"), x)
    kernel, bias = layer.get_weights()
    close(y, np.tanh(x @ kernel + bias), 8)
    assert run(L.Dense(4, use_bias=False), x)[0].count_params() == 12


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("strides", "dilation", "groups"), [((1, 1), (1, 1), 1), ((2, 3), (1, 1), 2), ((1, 1), (2, 1), 4)]
)
def test_conv2d(backend, padding, strides, dilation, groups):
    layer, y = run(
        L.Conv2D(8, (3, 2), strides, padding, dilation_rate=dilation, groups=groups, bias_initializer="ones"),
        IMAGES,
    )
    kernel, bias = layer.get_weights()
    w = windows(IMAGES, (3, 2), strides, padding, dilation)
    parts = [
        np.einsum("nijabc,abcf->nijf", part, k)
        for part, k in zip(np.split(w, groups, -1), np.split(kernel, groups, -1), strict=True)
    ]
    close(y, np.concatenate(parts, -1) + bias, 26)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "strides"), [(2, None), ((3, 2), (1, 2)), (3, 2)])
def test_pooling(backend, padding, size, strides):
    pair = (size, size) if isinstance(size, int) else size
    steps = pair if strides is None else ((strides, strides) if isinstance(strides, int) else strides)
    _, y = run(L.MaxPooling2D(size, strides, padding), IMAGES)
    expected = windows(IMAGES, pair, steps, padding, fill=-np.inf).max(axis=(3, 4))
    np.testing.assert_array_equal(y, expected)
    _, y = run(L.AveragePooling2D(size, strides, padding), IMAGES)
    close(y, np.nanmean(windows(IMAGES, pair, steps, padding, fill=np.nan), axis=(3, 4)), 10)


def test_global_average_pooling(backend):
    close(run(L.GlobalAveragePooling2D(), IMAGES)[1], IMAGES.mean(axis=(1, 2)), 42)
    assert run(L.GlobalAveragePooling2D(keepdims=True), IMAGES)[1].shape == (2, 1, 1, 4)


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalization(backend, axis):
    x = 3 * IMAGES + 1
    layer, y = run(L.BatchNormalization(axis=axis, momentum=0.9, beta_initializer="ones"), x, training=True)
    axes = tuple(i for i in range(4) if i != axis % 4)
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    close(y, (x - mean) / np.sqrt(variance + 1e-3) + 1, 200)
    moving_mean, moving_variance = layer.get_weights()[2:]
    close(moving_mean, 0.1 * mean.ravel(), 200)
    close(moving_variance, 0.9 + 0.1 * variance.ravel(), 200)
    inference = layer.nn.to_numpy(layer(x))
    shape = [-1 if i == axis % 4 else 1 for i in range(4)]
    close(
        inference,
        (x - moving_mean.reshape(shape)) / np.sqrt(moving_variance.reshape(shape) + 1e-3) + 1,
        200,
    )
    assert [w.shape for w in layer.trainable_variables] == [tuple(w.shape) for w in layer.weights[:2]]


def test_one_feature_normalized_is_exactly_beta(nn):
    layer = L.LayerNormalization(beta_initializer="ones").on(nn.name)
    x = nn.asarray([[0.12573022], [3.7], [-1e4]])
    layer(x)
    with nn.GradientTape() as tape:
        y = nn.sum(nn.square(layer(x, training=True)))
    assert float(nn.to_numpy(y)) == 3.0
    assert nn.to_numpy(tape.gradient(y, layer.gamma)).tolist() == [0.0]


def test_layer_normalization(backend):
    x = 3 * IMAGES + 1
    _, y = run(L.LayerNormalization(gamma_initializer="ones"), x)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    close(y, (x - mean) / np.sqrt(variance + 1e-3), 60)


def test_a_convolution_rectified_in_its_own_memory(backend):
    layer = L.Conv2D(3, 2, activation="relu", bias_initializer="glorot_uniform").on(dtype="float64")
    layer(IMAGES)
    nn, before = layer.nn, IMAGES.copy()
    x = nn.asarray(IMAGES)
    with nn.GradientTape() as tape:
        recorded = layer(x)
    slope = tape.gradient(recorded, layer.kernel)
    with nn.inference_mode():
        inferred = layer(x)
    with generic():
        by_formula = layer(x)
    np.testing.assert_array_equal(nn.to_numpy(inferred), nn.to_numpy(by_formula))
    np.testing.assert_array_equal(nn.to_numpy(recorded), nn.to_numpy(by_formula))
    np.testing.assert_array_equal(nn.to_numpy(x), before)
    assert slope is not None


def test_layer_normalization_by_kernel_and_by_formula(backend):
    layer = L.LayerNormalization(gamma_initializer="glorot_uniform").on(dtype="float64")
    layer(IMAGES)
    nn, x = layer.nn, layer.nn.asarray(IMAGES)

    def steepness(x):
        return nn.sum(nn.square(nn.grad(lambda x: nn.sum(nn.square(layer(x))))(x)))

    def derivatives():
        samples = layer(x), layer(x[:0]), nn.grad(steepness)(x), nn.grad(nn.grad(curve))(nn.asarray(0.7))
        return [nn.to_numpy(one) for one in samples]

    def curve(t):
        return nn.sum(layer(x * nn.astype(t, x.dtype)))

    fast = derivatives()
    with generic():
        by_formula = derivatives()
    for a, b in zip(fast, by_formula, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * max(1.0, np.abs(b).max(initial=0)))


def test_dropout_scales_and_only_in_training(backend):
    ones = np.ones((100, 50), "float32")
    layer, y = run(L.Dropout(0.25), ones, dtype="float32", training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) * np.float32(1 / 0.75)}
    assert np.array_equal(layer.nn.to_numpy(layer(ones)), ones)
    assert layer.weights == []
    assert len(layer.variables) == 2


def test_shapes_and_lookups(backend):
    assert run(L.Flatten(), IMAGES)[1].shape == (2, 168)
    assert run(L.Reshape((3, -1)), IMAGES)[1].shape == (2, 3, 56)
    layer, y = run(L.Embedding(10, 3), np.asarray([[1, 9], [0, 1]]))
    np.testing.assert_array_equal(y, layer.get_weights()[0][[[1, 9], [0, 1]]])
    np.testing.assert_array_equal(run(L.Add(), [IMAGES, IMAGES])[1], IMAGES + IMAGES)
    rows, sequences = np.ones((2, 3)), np.ones((2, 4, 3))
    for xs, expected in (
        ([rows, rows[:, :1]], rows + 1),
        ([rows, sequences], sequences + 1),
        ([sequences, rows], sequences + 1),
    ):
        np.testing.assert_array_equal(run(L.Add(), xs)[1], expected)
        assert L.Add().compute_output_shape([x.shape for x in xs]) == expected.shape
    joined = run(L.Concatenate(axis=1), [IMAGES, IMAGES[:, :2]])[1]
    np.testing.assert_array_equal(joined, np.concatenate([IMAGES, IMAGES[:, :2]], 1))
    np.testing.assert_array_equal(run(L.Activation("relu"), IMAGES)[1], np.maximum(IMAGES, 0))


def test_the_gradient_of_a_repeated_row_of_an_embedding_adds_up(nn, backend):
    layer = L.Embedding(4, 2)
    with nn.GradientTape() as tape:
        loss = nn.sum(layer([[1, 1, 3]]))
    gradient = nn.to_numpy(tape.gradient(loss, layer.embeddings))
    np.testing.assert_array_equal(gradient, [[0, 0], [2, 2], [0, 0], [1, 1]])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (L.Dense(4), (5, 3)),
        (L.Conv2D(4, 3, strides=2, padding="same"), (2, 7, 6, 3)),
        (L.Conv2D(4, (2, 3), dilation_rate=2), (2, 7, 6, 3)),
        (L.MaxPooling2D(3, 2), (2, 7, 6, 3)),
        (L.AveragePooling2D(2, padding="same"), (2, 7, 5, 3)),
        (L.GlobalAveragePooling2D(), (2, 7, 6, 3)),
        (L.BatchNormalization(), (5, 3)),
        (L.LayerNormalization(), (5, 3)),
        (L.Dropout(0.5), (5, 3)),
        (L.Flatten(), (2, 3, 4)),
        (L.Reshape((4, -1)), (2, 8)),
        (L.Activation("relu"), (5, 3)),
        (L.Embedding(9, 4), (5, 3)),
    ],
    ids=lambda p: type(p).__name__ if isinstance(p, L.Layer) else "",
)
def test_the_shape_foretold_is_the_shape_computed(backend, layer, shape):
    layer = layer.on(backend)
    y = layer(np.ones(shape, "int64" if isinstance(layer, L.Embedding) else "float32"))
    assert layer.compute_output_shape((None, *shape[1:])) == (None, *y.shape[1:])


BAD_ARGUMENTS = [
    (lambda: L.Dense(0), "units must be a positive whole number, got 0"),
    (lambda: L.Dense(3, activation="rleu"), "did you mean .*'relu'"),
    (lambda: L.Conv2D(8, (1, 2, 3)), "kernel_size must be one whole number or two"),
    (lambda: L.Conv2D(8, 3, padding="full"), "padding must be 'valid' or 'same', got 'full'"),
    (lambda: L.Conv2D(8, 3, groups=3), "must be a multiple of groups"),
    (lambda: L.Dropout(1.0), "rate must be a number of at least 0 and less than 1, got 1.0"),
    (lambda: L.Reshape((-1, -1)), "one -1"),
    (lambda: L.BatchNormalization(momentum=2), "momentum must be a number"),
    (lambda: L.BatchNormalization(axis=[1, 2]), "axis must be a whole number"),
    (lambda: L.BatchNormalization(epsilon=-1), "epsilon must be a finite number of at least 0, got -1"),
    (lambda: L.LayerNormalization(axis={}), "axis must be a whole number, the number of one axis, got {}"),
    (lambda: L.LayerNormalization(axis=[]), "a list of different ones"),
    (lambda: L.LayerNormalization(axis=[1, 1]), "a list of different ones"),
    (lambda: L.LayerNormalization(epsilon=-1e-3), "epsilon must be .* of at least 0, got -0.001"),
    (lambda: L.Reshape((-2, 5)), "target_shape must be .* got .-2, 5."),
    (lambda: L.Reshape((2.0, 5)), "target_shape must be"),
    (lambda: dn.Input((-1,)), "shape must be the sizes of one sample .* got .-1,."),
    (lambda: dn.Input((3,), dtype="x"), "dtype must be the name of a dtype .* got 'x'"),
    (lambda: dn.Input((3,), dtype=str), "dtype must be the name of a dtype"),
    (lambda: dn.initializers.Constant("a"), "Constant: value must be a number or an array, got 'a'"),
    (lambda: dn.initializers.Constant(None), "Constant: value must be a number or an array, got None"),
    (lambda: dn.initializers.RandomUniform(1, -1), "minval must be at most maxval, got 1 and -1"),
    (lambda: L.Conv2D(2, 3, strides=2, dilation_rate=2), "strides above 1 cannot be combined"),
    (lambda: dn.Input("a"), "shape must be the sizes"),
    (lambda: dn.Input(None), "shape must be the sizes"),
    (lambda: L.Reshape("ab"), "target_shape must be"),
]


@pytest.mark.parametrize(("make", "message"), BAD_ARGUMENTS, ids=[m for _, m in BAD_ARGUMENTS])
def test_bad_arguments_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


BAD_SHAPES = [
    (L.Dense(3), np.ones(4), "expected an input of at least 2 axes, got 1"),
    (L.Conv2D(3, 3), np.ones((2, 8, 8)), "expected an input of 4 axes, got 3"),
    (L.Conv2D(4, 3, groups=2), np.ones((2, 8, 8, 3)), "3 channels cannot be split into 2 groups"),
    (L.Conv2D(4, 5), np.ones((2, 4, 8, 3)), "image of 4x8 is smaller than the window of 5x5"),
    (L.MaxPooling2D(3), np.ones((2, 2, 2, 3)), "use padding='same'"),
    (L.Reshape((5,)), np.ones((2, 6)), r"cannot give samples of shape \(6,\) .* the shape \(5,\)"),
    (L.Add(), [np.ones((2, 3)), np.ones((2, 4))], "expected tensors of the same shape"),
    (L.Add(), [np.ones((2, 3)), np.ones((1, 3))], "expected tensors of the same shape"),
    (L.Add(), [np.ones((2, 4, 5)), np.ones((2, 4))], "expected tensors of the same shape"),
    (L.Concatenate(), [np.ones((2, 3)), np.ones((3, 3))], "same sizes on all axes but -1"),
    (L.Add(), np.ones((2, 3)), "expected a list of tensors"),
    (L.Dense(3), [np.ones((2, 3)), np.ones((2, 3))], "expected one tensor, got a structure of 2"),
    (L.BatchNormalization(axis=0), np.ones((2, 3)), "axis=0 names no axes"),
]


@pytest.mark.parametrize(("layer", "x", "message"), BAD_SHAPES, ids=[m for _, _, m in BAD_SHAPES])
def test_bad_shapes_are_refused_before_a_kernel_runs(backend, layer, x, message):
    with pytest.raises(ValueError, match=message):
        layer.on(backend)(x)


def test_a_tensor_of_the_other_framework_is_refused(backend):
    other = dn.backend("tensorflow" if backend == "torch" else "torch")
    layer = L.Dense(2).on(backend)
    with pytest.raises(TypeError, match=f"lives on {backend}, got a tensor of {other.name}; convert it with"):
        layer(other.ones((1, 3)))


def test_a_failed_first_call_leaves_the_model_as_it_was(backend):
    model = dn.Sequential([L.Dense(4), L.Conv2D(2, 3)])
    with pytest.raises(ValueError, match="expected an input of 4 axes") as caught:
        model(np.ones((2, 5)))
    assert any("while building layer 'conv2d'" in note for note in caught.value.__notes__)
    assert not model.layers[0].built
    assert not hasattr(model.layers[0], "kernel")
    model.pop()
    assert model(np.ones((2, 3))).shape == (2, 4)


def test_a_layer_of_ones_own_with_weights_and_state(nn, backend):
    class Running(dn.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
            self.total = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="total")
            self.others = [self.add_weight((), "zeros"), self.add_weight((), "ones")]

        def call(self, x, training=False):
            if training:
                self.total = self.total + self.nn.sum(x, axis=0)
            return x * self.scale + self.others[1] + self.nn.stop_gradient(self.total)

    model = dn.Sequential([Running(), L.Dense(1)])
    x = np.ones((4, 2), "float32")
    model(x, training=True)
    assert nn.to_numpy(model.layers[0].total).tolist() == [4, 4]
    assert list(model.state_paths)[:4] == [
        "layers.0.scale", "layers.0.total", "layers.0.others.0", "layers.0.others.1",
    ]  # fmt: skip
    model.compile("sgd", "mse")
    model.fit(x, np.ones((4, 1)), epochs=3, batch_size=2, verbose=0)
    # every step adds a sum over its batch of 2: 3 epochs of 2 steps
    assert nn.to_numpy(model.layers[0].total).tolist() == [4 + 12, 4 + 12]


def test_weights_before_the_backend_is_known_are_refused():
    class Early(dn.Layer):
        def __init__(self):
            super().__init__()
            self.w = self.add_weight((2,))

    with pytest.raises(RuntimeError, match=r"call it in build\(self, input_shape\)"):
        Early()


def test_a_layer_that_is_no_attribute_is_refused(backend):
    class Leaky(dn.Layer):
        def call(self, x):
            return L.Dense(2)(x)

    with pytest.raises(RuntimeError, match="is no attribute of it, so its weights would be lost"):
        Leaky()(np.ones((1, 2)))


def test_shared_layers_count_once(backend):
    shared = L.Dense(3)
    model = dn.Sequential([shared, L.Activation("relu"), shared])
    assert model(np.ones((2, 3))).shape == (2, 3)
    assert len(model.weights) == 2
    assert list(model.state_paths) == ["layers.0.kernel", "layers.0.bias"]
    twin = model.on()
    assert twin.layers[0] is twin.layers[2]
    assert twin.layers[0] is not shared


@pytest.mark.parametrize("axis", [[-2, -1], [1, 3], (3, 2, 1), 1, [2]])
def test_layer_normalization_over_several_axes_like_keras(backend, axis):
    keras = pytest.importorskip("keras")
    x = np.random.default_rng(0).normal(1, 2, size=(2, 3, 4, 5)).astype("float32")
    theirs, ours = keras.layers.LayerNormalization(axis=axis), dn.layers.LayerNormalization(axis=axis)
    theirs(x)
    ours(x)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    weights = [np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(ours.get_weights())]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    # means over at most 60 numbers of size 10, then three more roundings
    np.testing.assert_allclose(
        ours.nn.to_numpy(ours(x)), np.asarray(theirs(x)), rtol=0, atol=64 * 2.0**-23 * 10
    )


@pytest.mark.parametrize("make", [dn.layers.LayerNormalization, dn.layers.BatchNormalization])
@pytest.mark.parametrize("axis", [0, 3, -4, -3])
def test_an_axis_that_the_input_has_not_is_named(backend, make, axis):
    with pytest.raises(ValueError, match=rf"axis={axis} names no axes of features .*\(2, 3, 4\)"):
        make(axis=axis)(np.zeros((2, 3, 4)))
