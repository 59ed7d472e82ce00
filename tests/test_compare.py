"""Comparing two models: what they compute, and the gradients."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from dualnn.lockstep import lockstep
from tests.conftest import BACKENDS


def network():
    return dn.Sequential(
        [
            dn.layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            dn.layers.BatchNormalization(),
            dn.layers.Dropout(0.25),
            dn.layers.Dense(3),
        ]
    )


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, 5)).astype(np.float32), np.arange(20) % 3


LOSS = dn.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture
def models():
    model = network().on("torch")
    model(data()[0])
    return model, model.on("tensorflow")


def test_without_targets_there_are_no_gradients(models):
    report = dn.compare(*models, data()[0])
    assert report.gradients == ()
    assert "gradient" not in str(report)
    assert [d.path for d in report.layers] == ["layers.0", "layers.1", "layers.2", "layers.3", ""]


@pytest.mark.parametrize("training", [False, True])
def test_gradients_by_outputs_and_weights_from_the_last_layer_to_the_first(models, training):
    report = dn.compare(*models, *data(), loss=LOSS, training=training)
    assert [d.path for d in report.gradients] == [
        "",
        *("layers.3", "layers.3.kernel", "layers.3.bias"),
        "layers.2",
        *("layers.1", "layers.1.gamma", "layers.1.beta"),
        *("layers.0", "layers.0.kernel", "layers.0.bias"),
    ]
    # sums of at most 20 products through 4 layers; each is off by at most as many roundings of its terms
    assert max(d.ulp for d in report.gradients if d.path != "layers.0.bias") < 4 * 20
    assert "gradient by" in str(report)
    assert "layers.0.kernel" in str(report)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradients_are_those_of_a_tape(backend):
    model = network().on(backend)
    x, y = data()
    model(x)
    nn = model.nn
    with nn.GradientTape() as tape:
        loss = LOSS(y, model(x)) + sum(model.losses)
    kernel = nn.to_numpy(tape.gradient(loss, model.layers[0].kernel))
    other = model.on()
    nn.assign_add(other.layers[3].kernel, np.ones((8, 3), "float32"))
    report = dn.compare(model, other, x, y, LOSS)
    # its largest difference is that of two such gradients
    with nn.GradientTape() as tape:
        loss = LOSS(y, other(x)) + sum(other.losses)
    second = nn.to_numpy(tape.gradient(loss, other.layers[0].kernel))
    found = {d.path: d for d in report.gradients}["layers.0.kernel"]
    assert found.shape == kernel.shape
    # two runs of the same kernels, in float32
    assert found.largest == pytest.approx(np.max(np.abs(kernel - second)), rel=1e-5)


def test_a_compiled_model_has_its_own_loss(models):
    left, right = models
    left.compile("sgd", LOSS)
    assert dn.compare(left, right, *data()).gradients == dn.compare(left, right, *data(), LOSS).gradients


@pytest.mark.parametrize("training", [False, True])
def test_the_models_stay_as_they_are(models, training):
    before = [[np.array(m.nn.to_numpy(v)) for v in m.variables] for m in models]
    dn.compare(*models, *data(), loss="sparse_categorical_crossentropy", training=training)
    for model, old in zip(models, before, strict=True):
        for variable, value in zip(model.variables, old, strict=True):
            np.testing.assert_array_equal(model.nn.to_numpy(variable), value)


def test_several_inputs_and_outputs():
    a, b = dn.Input((3,)), dn.Input((4,), dtype="int64")
    embedded = dn.layers.Flatten()(dn.layers.Embedding(5, 2)(b))
    joined = dn.layers.Concatenate()([a, embedded])
    model = dn.Model([a, b], [dn.layers.Dense(2)(joined), dn.layers.Dense(1)(joined)]).on("torch")
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(6, 3)), rng.integers(0, 5, (6, 4))]
    report = dn.compare(model, model.on("tensorflow"), x, [np.ones((6, 2)), np.zeros((6, 1))], "mse")
    assert {"[0]", "[1]"} <= {d.path for d in report.layers}
    assert "layers.0.embeddings" in {d.path for d in report.gradients}
    assert max(d.ulp for d in report.gradients) < 4 * 11  # sums of at most 11 products


def test_a_model_that_is_not_built_is_built():
    model = network()
    assert dn.compare(model.on("torch"), model.on("tensorflow"), *data(), LOSS).weights == 0


def test_targets_and_loss_belong_together(models):
    with pytest.raises(ValueError, match="expected targets y"):
        dn.compare(*models, data()[0], loss=LOSS)
    with pytest.raises(ValueError, match="expected a loss for the targets"):
        dn.compare(*models, *data())


def test_models_of_other_layers_are_refused(models):
    other = dn.Sequential([dn.layers.Dense(3)]).on("torch")
    with pytest.raises(ValueError, match="of the same layers"):
        dn.compare(models[0], other, data()[0])


@pytest.mark.parametrize(
    ("precision", "dtype"), [("mixed_bfloat16", "bfloat16"), ("mixed_float16", "float16")]
)
def test_mixed_precision_is_obeyed(precision, dtype):
    model = dn.Sequential([dn.layers.Dense(8, activation="tanh"), dn.layers.Dense(3)]).on(BACKENDS[0])
    model.compile("sgd", LOSS, precision=precision)
    model.build((None, 5))
    x, y = data()
    plain = model.on(BACKENDS[-1])
    plain.compile("sgd", LOSS)
    report = dn.compare(model, model.on(BACKENDS[-1]), x, y)
    assert f"{dtype} layers" in report.left
    assert report.ulp <= 2  # in units of the 16 bits
    assert all(difference.ulp <= 8 for difference in report.gradients)
    rounded = dn.compare(model, plain, x)
    assert rounded.layers[0].largest > 1e-5  # that of 16 bits, not of 24
    step = lockstep(model, x, y, loss=LOSS, steps=2)
    assert step.fault is None, step
    assert f"{dtype} layers" in step.left
