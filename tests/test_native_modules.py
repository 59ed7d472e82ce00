"""Modules of PyTorch in models: wrapped and trained, or refused; never there without being trained."""

from __future__ import annotations

import copy
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

import dualnn as dn
from dualnn.layers import TorchModuleWrapper

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 4)).astype("float32")
Y = X[:, :1] * 2


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    )


def trained_by_torch(module, epochs=2, batch=8):
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    for _ in range(epochs):
        for i in range(0, len(X), batch):
            optimizer.zero_grad()
            x, y = torch.tensor(X[i : i + batch]), torch.tensor(Y[i : i + batch])
            torch.nn.functional.mse_loss(module(x), y).backward()
            optimizer.step()
    return module.eval()


@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_a_wrapped_module_trains_as_in_torch_in_every_engine(engine):
    dn.use("torch")
    module = network()
    theirs = trained_by_torch(copy.deepcopy(module))
    model = dn.Sequential([TorchModuleWrapper(module)])
    model.compile(dn.optimizers.SGD(0.1), "mse", engine=engine, jit=False)
    history = model.fit(X, Y, batch_size=8, epochs=2, shuffle=False)
    assert history.engine == engine
    for (name, ours), want in zip(module.state_dict().items(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(ours.detach(), want, rtol=1e-4, atol=1e-6, err_msg=name)
    with torch.no_grad():
        want = theirs(torch.tensor(X)).numpy()
    np.testing.assert_allclose(model.predict(X), want, rtol=1e-4, atol=1e-6)  # in its mode eval()
    assert len(model.trainable_variables) == 6
    assert len(model.non_trainable_variables) == 3


def test_an_own_loop_trains_a_wrapped_module_too():
    nn = dn.backend("torch")
    module = network()
    theirs = trained_by_torch(copy.deepcopy(module), epochs=1, batch=24)
    model = dn.Sequential([TorchModuleWrapper(module)]).on("torch")
    module = model.layers[0].module  # on() has copied it
    model.build((None, 4))
    with nn.GradientTape() as tape:
        loss = nn.mean((model(X, training=True) - nn.asarray(Y)) ** 2)
    dn.optimizers.SGD(0.1).apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    for ours, want in zip(module.state_dict().values(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(ours.detach(), want, rtol=1e-4, atol=1e-6)


def test_frozen_and_shared_parameters_stay_so():
    dn.use("torch")

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(4, 4, bias=False)
            self.second = torch.nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.second.bias.requires_grad_(False)

        def forward(self, x, scale=1.0):
            return scale * self.second(self.first(x))

    module = Tied()
    bias = module.second.bias.detach().clone()
    model = dn.Sequential([TorchModuleWrapper(module), dn.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y)
    assert len(model.layers[0].trainable_variables) == 1
    assert module.first.weight is module.second.weight
    np.testing.assert_array_equal(module.second.bias.detach(), bias)
    np.testing.assert_allclose(
        model.layers[0](X, scale=2.0).detach(), 2 * model.layers[0](X).detach(), rtol=1e-6
    )


def test_weights_are_saved_moved_and_penalized_as_any_layers(tmp_path):
    model = dn.Sequential([TorchModuleWrapper(network())]).on("torch", dtype="float64")
    model.compile("sgd", "mse")
    model.fit(X, Y, seed=0)
    assert {str(w.dtype) for w in model.weights} == {"torch.float64"}
    model.save_weights(tmp_path / "w.safetensors")
    again = dn.Sequential([TorchModuleWrapper(network())]).on("torch", dtype="float64")
    again.build((None, 4))
    again.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    twin = model.on(dtype="float32")
    np.testing.assert_allclose(twin.predict(X), model.predict(X), rtol=1e-4, atol=1e-6)
    twin.fit(X, Y)
    assert twin.layers[0].module is not model.layers[0].module
    with pytest.raises(TypeError, match=r"cannot describe torch.nn.Sequential"):
        model.save(tmp_path / "m.dualnn")
    with pytest.raises(TypeError, match="which runs on 'torch' and not on 'tensorflow'"):
        model.on("tensorflow")


def test_a_wrapped_module_in_a_graph_and_in_an_own_layer():
    dn.use("torch")

    class Own(dn.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [TorchModuleWrapper(torch.nn.Linear(4, 3))]

        def call(self, x):
            return self.parts[0](x)

    inputs = dn.Input((4,))
    model = dn.Model(inputs, dn.layers.Dense(1)(Own()(TorchModuleWrapper(torch.nn.Linear(4, 4))(inputs))))
    model.compile("sgd", "mse")
    before = model.fit(X, Y, epochs=5, seed=0).history["loss"]
    assert before[-1] < before[0]
    assert len(model.trainable_variables) == 6


# ------------------------------------------------------------------ what is refused


class Scale(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(1.0)


MODULES = {
    "got a torch.nn.Linear: wrap it, dn.layers.TorchModuleWrapper(module)": torch.nn.Linear(4, 4),
    "got a keras.layers.Dense: use dn.layers.Dense(units=4, activation='relu')": keras.layers.Dense(
        4, activation="relu"
    ),
    "got a keras.models.Sequential: write it as a dn.Layer": keras.Sequential([keras.layers.Dense(4)]),
    "got a Scale: write it as a dn.Layer": Scale(),
}


@pytest.mark.parametrize("message", MODULES)
def test_a_raw_module_is_never_silently_part_of_a_model(backend, message):
    module, way_out = MODULES[message], message.partition(": ")[2]
    with pytest.raises(TypeError) as error:
        dn.Sequential([module, dn.layers.Dense(1)])
    assert message in str(error.value)

    class ByAttribute(dn.Layer):
        def __init__(self):
            super().__init__()
            self.inner = module

    with pytest.raises(TypeError) as error:
        ByAttribute()
    assert "the attribute inner is a" in str(error.value)
    assert way_out in str(error.value)

    class InList(dn.Model):
        def __init__(self):
            super().__init__()
            self.parts = {"a": [dn.layers.Dense(1)], "b": []}
            self.parts["b"].append(module)

        def call(self, x):
            return self.parts["a"][0](x)

    with pytest.raises(TypeError) as error:
        InList()(X)
    assert "the attribute parts.b.0 is a" in str(error.value)


@pytest.mark.parametrize(
    "function", [torch.relu, torch.nn.Linear(4, 2), tf.nn.relu, tf.math.square, torch.nn.functional.gelu]
)
def test_native_functions_on_symbolic_tensors_are_an_error_of_one_sentence(function):
    with pytest.raises(TypeError, match=r"was called on dn.Input or on what layers make of it"):
        function(dn.Input((4,)))


def test_a_loss_of_torch_may_be_an_attribute_if_it_has_no_weights(backend):
    class Own(dn.Layer):
        def __init__(self, loss):
            super().__init__()
            self.loss = loss

    Own(torch.nn.MSELoss())


@pytest.mark.parametrize("wrong", [torch.nn.Linear, keras.layers.Dense(2), print, None])
def test_what_is_no_module_is_not_wrapped(wrong):
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module, got"):
        TorchModuleWrapper(wrong)
    with pytest.raises(ValueError, match="the parameter 'weight' has no shape yet"):
        TorchModuleWrapper(torch.nn.LazyLinear(3))


def test_a_frozen_native_parameter_of_ones_own_is_not_trained():
    class Own(dn.Layer):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(4), requires_grad=False)
            self.v = torch.nn.Parameter(torch.ones(4))

        def call(self, x):
            return x * self.w * self.v

    model = dn.Sequential([Own(), dn.layers.Dense(1)])
    model = model.on("torch")
    model.compile("sgd", "mse")
    model.fit(X, Y)
    assert np.all(model.get_weights()[0] == 1) != np.all(model.get_weights()[1] == 1)
