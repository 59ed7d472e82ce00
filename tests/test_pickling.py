"""Models, optimizers and histories go through pickle and copies, whatever they have done before."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dualnn as dn

X = np.linspace(-1.0, 1.0, 32, dtype="float32").reshape(8, 4)
Y = X[:, :1]
WAYS = {"pickle": lambda x: pickle.loads(pickle.dumps(x)), "deepcopy": copy.deepcopy}


class Scaled(dn.losses.Loss):
    """A loss of one's own."""

    def call(self, y_true, y_pred):
        return 2.0 * (y_true - y_pred) ** 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_a_trained_model_goes_on_as_it_would_have(backend, engine, way):
    model = dn.Sequential([dn.layers.Dense(3, activation="relu"), dn.layers.Dropout(0.5), dn.layers.Dense(1)])
    model.compile(dn.optimizers.Adam(0.1), Scaled(), metrics=["mae"], engine=engine)
    model.fit(X, Y, epochs=2, seed=0, verbose=0)
    model.predict(X)
    twin = WAYS[way](model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    histories = [one.fit(X, Y, epochs=2, verbose=0).history for one in (model, twin)]
    assert histories[0] == histories[1]
    assert WAYS[way](model.history).history == model.history.history
    assert WAYS[way](model.optimizer).iterations == model.optimizer.iterations


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_a_model_that_is_not_built_keeps_the_weights_that_it_would_have_had(backend, kind, way):
    x = dn.Input((4,))
    layers = [dn.layers.Dense(3), dn.layers.Dense(1)]
    model = dn.Model(x, layers[1](layers[0](x))) if kind == "functional" else dn.Sequential(layers)
    twin = WAYS[way](model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
