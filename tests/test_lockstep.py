"""Training in lockstep: a run without a fault stays in its bounds, a planted fault is named."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from dualnn import lockstep as module
from dualnn.lockstep import lockstep
from tests.conftest import BACKENDS


def network():
    return dn.Sequential(
        [
            dn.layers.Conv2D(4, 3, padding="same", activation="relu"),
            dn.layers.BatchNormalization(),
            dn.layers.MaxPooling2D(2),
            dn.layers.Flatten(),
            dn.layers.Dropout(0.25),
            dn.layers.Dense(3, kernel_regularizer="l2"),
        ]
    )


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6, 6, 2))
    return x, (x[:, 0, 0, 0] > 0).astype(np.int64) + (x[:, 1, 1, 1] > 0.5)


def run(model=network, **arguments):
    loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    return lockstep(model, *data(), **{"loss": loss, "batch_size": 16, "steps": 3, **arguments})


@pytest.fixture
def on_the_right(monkeypatch):
    """Return a function that changes an attribute of a layer of the right side's model."""

    def plant(number, change):
        original = module._Side.__init__

        def init(self, root, place, *arguments):
            original(self, root, place, *arguments)
            if place == "tensorflow":
                change(self.model.layers[number])

        monkeypatch.setattr(module._Side, "__init__", init)

    return plant


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_30_steps_of_adam_stay_within_their_bounds(dtype):
    report = run(optimizer="adam", steps=30, dtype=dtype)
    assert report.fault is None, str(report)
    assert [step.number for step in report.steps] == list(range(1, 31))
    assert max(step.share for step in report.steps) < 1
    assert report.steps[0].weights <= report.steps[-1].weights
    assert report.steps[-1].losses[0] < report.steps[0].losses[0]
    # Rounding grows, but it stays rounding: Adam moves a weight by at most about its rate a step, so in 30
    # steps of 0.001 even one whose gradient is rounding errors alone is off by less than 2 * 30 * 0.001.
    assert report.steps[-1].weights * np.finfo(dtype).eps < 0.06
    assert "30 steps without a fault" in str(report)


def test_sides_may_be_of_one_backend_and_named_with_a_device():
    report = run(backends=("torch", ("torch", "cpu")))
    assert report.fault is None
    assert all(step.weights == 0 and step.share == 0 for step in report.steps)


def test_sides_are_two():
    with pytest.raises(ValueError, match="expected two backends"):
        run(backends=("torch",))


def test_the_batches_and_weights_are_those_of_fit():
    report = run(steps=4, optimizer="sgd", backends=("torch", "torch"))
    model = network().on("torch")
    model.compile("sgd", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(*data(), batch_size=16, seed=0, verbose=0)
    # 4 steps of float32, each with a relative rounding error of some 1e-7
    mean = np.mean([step.losses[0] for step in report.steps])
    assert mean == pytest.approx(history.history["loss"][0], rel=1e-5)


@pytest.mark.parametrize(
    ("number", "attribute", "value", "what"),
    [
        (1, "epsilon", 1.1e-3, "forward of layers.1 (BatchNormalization)"),
        (1, "momentum", 0.98, "update of layers.1.moving_mean"),
        (4, "rate", 0.3, "forward of layers.4 (Dropout)"),
        (0, "dilation_rate", (2, 2), "forward of layers.0 (Conv2D)"),
        (2, "pool_size", (1, 2), "forward of layers.2 (MaxPooling2D)"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_layers_wrong_setting_is_named(on_the_right, number, attribute, value, what, dtype):
    on_the_right(number, lambda layer: setattr(layer, attribute, value))
    fault = run(dtype=dtype).fault
    assert fault is not None
    assert (fault.step, fault.what) == (1, what)
    assert fault.ulp > fault.bound


def test_a_fault_that_begins_later_is_found_in_its_step(on_the_right):
    def wrong_from_the_third_call_on(layer):
        # of which the first builds the model
        calls, original = [], layer.call

        def call(x):
            calls.append(1)
            return original(x) * (1.0001 if len(calls) > 2 else 1.0)

        vars(layer)["call"] = call

    on_the_right(5, wrong_from_the_third_call_on)
    report = run()
    assert len(report.steps) == 2
    assert (report.fault.step, report.fault.what) == (3, "forward of layers.5 (Dense)")
    assert "step 3, forward of layers.5 (Dense): differs by" in str(report)


def test_a_loss_without_its_mean_is_named():
    def loss(y_true, y_pred):
        nn = dn.namespace(y_pred)
        squares = nn.square(y_pred - y_true)
        return nn.sum(squares) if nn.name == "tensorflow" else nn.mean(squares)

    x, _ = data()
    model = dn.Sequential([dn.layers.Flatten(), dn.layers.Dense(2)])
    fault = lockstep(model, x, np.ones((64, 2)), loss=loss).fault
    assert (fault.step, fault.what) == (1, "the loss")


def test_a_wrong_gradient_is_named(monkeypatch):
    def relu(x):  # the right value, and a gradient of 1 everywhere
        nn = dn.namespace(x)
        zero = nn.where(x > 0, 0.0, 1.0) * nn.stop_gradient(x)
        return x - zero

    monkeypatch.setattr(dn.backend("tensorflow"), "relu", relu)
    fault = run().fault
    assert (fault.step, fault.what) == (1, "gradient of layers.0.kernel")


def test_a_wrong_update_is_named(monkeypatch):
    original = dn.optimizers.Adam.update_one

    def update_one(self, nn, variable, gradient, slots, scalars):
        if nn.name == "tensorflow":
            scalars = {**scalars, "alpha": scalars["alpha"] * 1.01}
        return original(self, nn, variable, gradient, slots, scalars)

    monkeypatch.setattr(dn.optimizers.Adam, "update_one", update_one)
    fault = run(optimizer=dn.optimizers.Adam(0.01)).fault
    assert fault.step == 1
    assert fault.what == "update of layers.0.kernel"


def test_different_initial_values_are_step_0(on_the_right):
    on_the_right(5, lambda layer: layer.nn.assign_add(layer.bias, np.ones(3, "float32")))
    fault = run().fault
    assert (fault.step, fault.what) == (0, "initial value of layers.5.bias")


def test_a_bound_of_ones_own_takes_the_place_of_the_derived_one():
    assert run(bound=1e4).fault is None
    fault = run(bound=0.0).fault
    assert fault.step == 1
    assert fault.bound == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_model_itself_stays_as_it_is(backend):
    model = network().on(backend)
    x, _ = data()
    model(x[:1])
    before = [np.array(model.nn.to_numpy(variable)) for variable in model.variables]
    run(model)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(model.nn.to_numpy(variable), old)
