"""Weights that are read and written, and predictions, share no memory with a model."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)


@pytest.fixture
def model(backend):
    model = dn.Sequential([dn.layers.Dense(4), dn.layers.BatchNormalization(), dn.layers.Dense(1)]).on(
        backend
    )
    model.compile("sgd", "mse", jit=False)
    model.fit(X, X[:, :1], epochs=1, verbose=0)
    return model


def test_weights_that_were_read_are_copies(model):
    before = model.predict(X)
    read, expected = model.get_weights(), model.get_weights()
    for weight in read:
        weight += 1.0  # writable, too
    np.testing.assert_array_equal(model.predict(X), before)
    kept = model.get_weights()
    model.fit(X, X[:, :1], epochs=2, verbose=0)
    for a, b in zip(kept, expected, strict=True):
        np.testing.assert_array_equal(a, b)  # training goes on elsewhere


def test_weights_that_were_written_are_copied(model):
    given = [np.full_like(weight, 0.5) for weight in model.get_weights()]
    model.set_weights(given)
    expected = model.predict(X)
    for weight in given:
        weight[...] = 7.0
    np.testing.assert_array_equal(model.predict(X), expected)
    model.fit(X, X[:, :1], epochs=1, verbose=0)
    assert all((weight == 7.0).all() for weight in given)


@pytest.mark.parametrize("batch_size", [3, 8])
def test_predictions_are_the_callers(model, batch_size):
    first = model.predict(X, batch_size=batch_size)
    expected = first.copy()
    second = model.predict(X, batch_size=batch_size)
    assert not np.shares_memory(first, second)
    second[...] = 0.0
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(model.predict(X, batch_size=batch_size), expected)


def test_a_model_that_returns_its_input_returns_a_copy(backend):
    model = dn.Sequential([dn.layers.Activation("linear")]).on(backend)
    given = X.copy()
    answer = model.predict(given)
    answer[...] = 0.0
    np.testing.assert_array_equal(given, X)
    on_batch = model.predict_on_batch(given)
    on_batch[...] = 0.0
    np.testing.assert_array_equal(given, X)
