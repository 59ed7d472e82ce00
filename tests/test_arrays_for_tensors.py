"""Arrays, lists and numbers where tensors are expected: layers, activations, regularizers, models."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import dualnn as dn

L = dn.layers
X = np.array([[-1.0, 2.0], [3.0, -0.5]])
SEQUENCES = np.random.default_rng(0).normal(size=(2, 4, 3))

ACTIVATIONS = [
    function
    for name, function in vars(dn.activations).items()
    if inspect.isfunction(function)
    and name != "get"
    and name[0] != "_"
    and function.__module__ == "dualnn.activations"
]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda function: function.__name__)
def test_activations_of_arrays_and_lists(nn, activation):
    expected = nn.to_numpy(activation(nn.asarray(X, dtype="float32")))
    for x in (X.astype("float32"), X.tolist(), tuple(X.tolist())):
        y = activation(x)
        assert nn.is_tensor(y)
        assert nn.dtype_name(y.dtype) == "float32"
        np.testing.assert_array_equal(nn.to_numpy(y), expected)
    assert nn.dtype_name(activation(X).dtype) == "float64"
    whole = activation(np.array([[1, -2]]))
    np.testing.assert_array_equal(nn.to_numpy(whole), nn.to_numpy(activation([[1.0, -2.0]])))
    assert tuple(activation(np.zeros((0, 3))).shape) == (0, 3)


def test_activations_and_regularizers_stay_on_the_tensors_backend():
    for name, other in (("torch", "tensorflow"), ("tensorflow", "torch")):
        dn.use(other)
        nn = dn.backend(name)
        assert nn.is_tensor(dn.activations.relu(nn.asarray(X)))
        assert nn.is_tensor(dn.regularizers.L2(0.1)(nn.asarray(X)))


def test_regularizers_of_arrays(nn):
    for regularizer, expected in ((dn.regularizers.L1(0.5), 3.25), (dn.regularizers.L2(0.5), 7.125)):
        for w in (X, X.tolist(), nn.asarray(X)):
            assert float(regularizer(w)) == expected


def results(nn, y):
    return [nn.to_numpy(one) for one in (y if isinstance(y, list | tuple) else [y])]


@pytest.mark.parametrize(
    ("make", "call"),
    [
        (lambda: L.Dense(3), lambda layer, x: layer(x(X))),
        (lambda: L.Dense(3), lambda layer, x: layer(x=x(X))),
        (lambda: L.Add(), lambda layer, x: layer([x(X), x(X)])),
        (lambda: L.Concatenate(), lambda layer, x: layer((x(X), x(X)))),
        (lambda: L.Attention(), lambda layer, x: layer([x(SEQUENCES), x(SEQUENCES)])),
        (
            lambda: L.MultiHeadAttention(2, 3),
            lambda layer, x: layer(query=x(SEQUENCES), value=np.asarray(x(SEQUENCES), "float32")),
        ),
        (
            lambda: L.LSTM(2, return_state=True),
            lambda layer, x: layer(x(SEQUENCES), initial_state=[x(np.ones((2, 2)))] * 2),
        ),
        (
            lambda: L.GRU(2, return_sequences=True),
            lambda layer, x: layer(x(SEQUENCES), mask=[[1, 1, 0, 0], [1, 1, 1, 1]]),
        ),
        (lambda: L.BatchNormalization(), lambda layer, x: layer(x(X), training=True)),
        (lambda: L.Embedding(4, 2), lambda layer, x: layer(x(np.array([[1, 3]])))),
        (lambda: dn.Sequential([L.Dense(2)]), lambda layer, x: layer(x(X))),
    ],
)
def test_layers_take_arrays_and_lists_as_they_take_tensors(nn, make, call):
    layer = make()
    whole = {"i": "int64", "f": "float32"}
    expected = results(nn, call(layer, lambda a: nn.asarray(a, dtype=whole[a.dtype.kind])))
    for kind in (lambda a: a, lambda a: a.tolist()):
        for y, right in zip(results(nn, call(layer, kind)), expected, strict=True):
            assert y.dtype == right.dtype
            if not layer.weights or "normalization" not in layer.name:
                np.testing.assert_array_equal(y, right)


def test_functional_models_of_several_inputs_take_lists(nn):
    a, b = dn.Input((2,)), dn.Input((2,))
    model = dn.Model([a, b], L.Add()([a, b]))
    for x in ([X, X], (X, X.tolist()), [X.tolist(), X.tolist()], [X, nn.asarray(X)]):
        np.testing.assert_array_equal(nn.to_numpy(model(x)), (X + X).astype("float32"))


def test_integers_and_other_dtypes_are_cast_as_the_layer_computes(nn):
    for x in (np.array([[1, 2]]), np.array([[1, 2]], "uint8"), [[1, 2]], np.array([[True, False]])):
        assert nn.dtype_name(L.Dense(2)(x).dtype) == "float32"
    assert nn.dtype_name(L.Dense(2).on(dtype="float64")(X.astype("float32")).dtype) == "float64"


def test_a_python_number_behind_the_first_argument_stays_one(nn):
    class Scaled(dn.Layer):
        def call(self, x, factor):
            assert isinstance(factor, int | float)
            return x * factor

    np.testing.assert_array_equal(nn.to_numpy(Scaled()(X, 2)), (2 * X).astype("float32"))


def test_batches_without_samples(nn):
    for layer, shape in (
        (L.Dense(3), (0, 2)),
        (L.LSTM(2), (0, 4, 3)),
        (L.MaxPooling2D(), (0, 4, 4, 1)),
        (L.Dropout(0.5), (0, 3)),
        (L.Reshape((-1, 2)), (0, 4)),
        (L.Flatten(), (0, 4, 3)),
    ):
        assert layer(np.zeros(shape), training=True).shape[0] == 0


def test_sequences_without_steps_are_refused(nn):
    with pytest.raises(ValueError, match=r"at least one step, got none .*\(2, 0, 3\)"):
        L.GRU(2)(np.zeros((2, 0, 3)))


def test_numpy_reads_what_a_layer_makes_of_arrays(nn):
    """Also on PyTorch, where a tensor that weights went into has a gradient; a tape has it all the same."""
    layer = L.LayerNormalization(axis=[-2, -1])
    np.testing.assert_allclose(np.asarray(layer(SEQUENCES)).mean(axis=(1, 2)), 0, atol=1e-6)
    dense = L.Dense(2)
    dense(X)
    with nn.GradientTape() as tape:
        loss = nn.sum(dense(X))
    np.testing.assert_allclose(nn.to_numpy(tape.gradient(loss, dense.bias)), 2)
    states = L.LSTM(2, return_state=True)(SEQUENCES)
    assert [np.asarray(one).shape for one in states] == [(2, 2)] * 3
