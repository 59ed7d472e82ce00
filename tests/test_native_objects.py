"""Losses, metrics, optimizers and the like of PyTorch and Keras: called rightly, or refused in a sentence."""

from __future__ import annotations

import functools
import os
import re

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from torch.nn import functional

import dualnn as dn

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 4)).astype("float32")
REAL = X[:, :2].copy()
ZERO_ONE = (REAL > 0).astype("float32")
SIGNS = 2 * ZERO_ONE - 1
CLASSES = rng.integers(0, 3, size=24)
SHARES = rng.dirichlet(np.ones(3), size=24).astype("float32")
LISTS = np.array([[1, -1, 0], [2, 0, -1]] * 12)
IGNORED = np.where(np.arange(24) % 5 == 0, -100, CLASSES)
WEIGHT = np.arange(24, dtype="float32") / 10

nn_ = torch.nn
OF_TORCH = {
    "BCE": (nn_.BCELoss(), ZERO_ONE, "sigmoid"),
    "BCE weighed": (nn_.BCELoss(weight=torch.tensor([1.0, 3.0])), ZERO_ONE, "sigmoid"),
    "BCE from logits": (nn_.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 3.0])), ZERO_ONE, None),
    "L1": (nn_.L1Loss(), REAL, None),
    "MSE": (nn_.MSELoss(), REAL, None),
    "MSE summed": (nn_.MSELoss(reduction="sum"), REAL, None),
    "MSE not reduced": (nn_.MSELoss(reduction="none"), REAL, None),
    "Huber": (nn_.HuberLoss(delta=0.3), REAL, None),
    "smooth L1": (nn_.SmoothL1Loss(beta=0.3), REAL, None),
    "soft margin": (nn_.SoftMarginLoss(), SIGNS, None),
    "hinge embedding": (nn_.HingeEmbeddingLoss(), SIGNS, None),
    "Poisson": (nn_.PoissonNLLLoss(), np.abs(REAL), None),
    "KL": (nn_.KLDivLoss(reduction="batchmean"), SHARES, "log_softmax"),
    "cross-entropy": (nn_.CrossEntropyLoss(label_smoothing=0.1), CLASSES, None),
    "cross-entropy, a column": (nn_.CrossEntropyLoss(), CLASSES[:, None].astype("float32"), None),
    "cross-entropy of shares": (nn_.CrossEntropyLoss(), SHARES, None),
    "cross-entropy weighed": (nn_.CrossEntropyLoss(torch.tensor([1.0, 5.0, 0.2])), CLASSES, None),
    "cross-entropy, some ignored": (nn_.CrossEntropyLoss(), IGNORED, None),
    "NLL": (nn_.NLLLoss(), CLASSES, "log_softmax"),
    "margin": (nn_.MultiMarginLoss(), CLASSES, None),
    "margin of lists": (nn_.MultiLabelMarginLoss(), LISTS, None),
    "soft margin of labels": (nn_.MultiLabelSoftMarginLoss(), ZERO_ONE, None),
    "a function": (functional.huber_loss, REAL, None),
    "a function with settings": (functools.partial(functional.huber_loss, delta=0.3), REAL, None),
    "a function of classes": (functional.cross_entropy, CLASSES, None),
    "a class": (nn_.MSELoss, REAL, None),
}


def model_for(y, activation, name="torch"):
    classes = y.dtype.kind == "i" or y.shape[-1] in (1, 3)
    return dn.Sequential([dn.layers.Dense(3 if classes else 2, activation=activation)]).on(name)


def as_torch(y):
    y = y[:, 0] if y.shape[1:] == (1,) else y
    return torch.tensor(y).long() if y.ndim == 1 else torch.tensor(y)


def directly(loss, y, output):
    """What torch says of all samples at once."""
    loss = loss() if isinstance(loss, type) else loss
    return float(loss(torch.tensor(output), as_torch(y)).mean())


@pytest.mark.parametrize("name", OF_TORCH)
def test_a_loss_of_torch_is_given_output_and_target_in_its_order(name):
    loss, y, activation = OF_TORCH[name]
    model = model_for(y, activation)
    model.compile("sgd", loss, metrics=[loss])
    output = model.predict(X)
    want = directly(loss, y, output)
    history = model.fit(X, y, batch_size=24, seed=None, shuffle=False)
    assert history.history["loss"][0] == pytest.approx(want, rel=1e-5)
    metric = next(value for key, value in history.history.items() if key != "loss")[0]
    whole = want / REAL.size if "summed" in name else want
    assert metric == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("name", ["cross-entropy weighed", "cross-entropy, some ignored", "L1"])
def test_a_metric_made_of_a_loss_is_that_of_all_samples_however_they_are_cut(name):
    loss, y, activation = OF_TORCH[name]
    model = model_for(y, activation)
    model.compile("sgd", "mse" if y is REAL else loss, metrics=[loss])
    want = directly(loss, y, model.predict(X))
    found = model.evaluate(X, y, batch_size=5)
    assert found[1] == pytest.approx(want, rel=1e-5)
    assert y is REAL or found[0] == pytest.approx(want, rel=1e-5)  # nor does the loss depend on the cut


@pytest.mark.parametrize(
    ("theirs", "ours", "y"),
    [
        (nn_.CrossEntropyLoss(), dn.losses.SparseCategoricalCrossentropy(from_logits=True), CLASSES),
        (nn_.BCEWithLogitsLoss(), dn.losses.BinaryCrossentropy(from_logits=True), ZERO_ONE),
        (nn_.MSELoss(reduction="sum"), dn.losses.MeanSquaredError(reduction="sum"), REAL[:, :1]),
        (functional.huber_loss, dn.losses.Huber(), REAL),
    ],
)
@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_a_loss_of_torch_trains_as_dualnns_with_weights_in_every_engine(theirs, ours, y, engine):
    trained = []
    for loss in (theirs, ours):
        units = 3 if y is CLASSES else y.shape[1]
        model = dn.Sequential([dn.layers.Dense(units)]).on("torch")
        model.compile("sgd", loss, weighted_metrics=[loss], engine=engine, jit=False)
        history = model.fit(X, y, batch_size=8, epochs=2, seed=1, sample_weight=WEIGHT)
        assert history.engine == engine
        trained.append((*model.get_weights(), *map(np.array, history.history.values())))
    for a, b in zip(*trained, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_classes_are_along_the_last_axis_for_losses_of_torch_too():
    sequences, y = rng.normal(size=(6, 5, 4)).astype("float32"), rng.integers(0, 3, size=(6, 5))
    values = []
    for loss in (nn_.CrossEntropyLoss(), dn.losses.SparseCategoricalCrossentropy(from_logits=True)):
        model = dn.Sequential([dn.layers.Dense(3)]).on("torch")
        model.compile("sgd", loss)
        values.append(model.fit(sequences, y, seed=0).history["loss"][0])
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_targets_of_shape_n_do_not_broadcast_in_losses_of_torch():
    model = dn.Sequential([dn.layers.Dense(1)]).on("torch")
    model.compile("sgd", nn_.MSELoss())
    want = np.mean((model.predict(X)[:, 0] - X[:, 0]) ** 2)
    assert model.evaluate(X, X[:, 0]) == pytest.approx(want, rel=1e-5)
    with pytest.raises(ValueError, match=r"MSELoss: expected y_true of the shape \(None, 1\)"):
        model.fit(X, X)


def test_settings_of_a_loss_of_torch_may_change_between_epochs():
    loss = nn_.HuberLoss(delta=1.0)
    model = dn.Sequential([dn.layers.Dense(2)]).on("torch")
    model.compile("sgd", loss, engine="eager")
    before = model.evaluate(X, 10 * REAL)
    loss.delta = 0.1
    assert model.evaluate(X, 10 * REAL) < 0.2 * before


@pytest.mark.parametrize(
    ("theirs", "ours", "y"),
    [
        (keras.losses.MeanSquaredError(), "mse", REAL),
        (keras.losses.MeanSquaredError, "mse", REAL),
        (keras.losses.mean_squared_error, "mse", REAL),
        (keras.losses.Huber(delta=0.3, reduction="sum"), dn.losses.Huber(0.3, reduction="sum"), REAL),
        (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            dn.losses.SparseCategoricalCrossentropy(from_logits=True),
            CLASSES,
        ),
    ],
)
def test_a_loss_of_keras_runs_on_keras_backend(theirs, ours, y):
    found = []
    for loss in (theirs, ours):
        model = dn.Sequential([dn.layers.Dense(3 if y is CLASSES else 2)]).on("tensorflow")
        model.compile("sgd", loss, weighted_metrics=[loss])
        found.append(list(model.fit(X, y, seed=1, sample_weight=WEIGHT).history.values()))
    np.testing.assert_allclose(*found, rtol=1e-5)


class Doubled(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return 2 * keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


def test_a_loss_of_ones_own_that_inherits_from_keras_works():
    model = dn.Sequential([dn.layers.Dense(2)]).on("tensorflow")
    model.compile("sgd", Doubled(), metrics=["mae"])
    loss, mae = model.evaluate(X, REAL)
    assert loss == pytest.approx(2 * mae, rel=1e-6)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("loss", "name", "message"),
    [
        (nn_.L1Loss(), "tensorflow", "torch.nn.L1Loss runs on 'torch', and the model lives on 'tensorflow'"),
        (functional.mse_loss, "tensorflow", "torch.nn.functional.mse_loss runs on 'torch'"),
        (keras.losses.Huber(0.5), "torch", r"use dn.losses.Huber\(delta=0.5\), which runs on both"),
        (keras.losses.mean_squared_error, "torch", "keras.losses.mean_squared_error runs on 'tensorflow'"),
    ],
)
@pytest.mark.parametrize("what", ["loss", "metrics"])
def test_a_loss_of_another_backend_is_refused_before_the_first_step(loss, name, message, what):
    model = dn.Sequential([dn.layers.Dense(2)]).on(name)
    model.compile("sgd", **({"loss": loss} if what == "loss" else {"loss": "mse", "metrics": [loss]}))
    with pytest.raises(TypeError, match=message):
        model.fit(X, REAL)


class Pairwise(nn_.Module):
    def forward(self, a, b):
        return (a - b).mean()


class Learned(nn_.MSELoss):
    def __init__(self):
        super().__init__()
        self.scale = nn_.Parameter(torch.ones(1))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn_.TripletMarginLoss(), "takes anchor, positive, negative, and a loss here an output and a target"),
        (nn_.GaussianNLLLoss(), "takes input, target, var"),
        (Pairwise(), r"got Pairwise, of whose arguments it is not known which is the target"),
        (Learned(), "Learned has weights of its own, which would not be trained"),
        (nn_.Linear(2, 2), "got torch.nn.Linear"),
        (functional.cosine_similarity, "got torch.cosine_similarity"),
        (functional.linear, "got torch.linear"),
        (tf.nn.relu, "got tf.relu"),
        (
            keras.metrics.MeanSquaredError(),
            r"got keras.metrics.MeanSquaredError: use dn.losses.MeanSquaredError",
        ),
        (torch.optim.SGD, "got torch.optim.SGD"),
    ],
)
def test_what_is_no_loss_of_two_arguments_is_refused_before_anything_is_done(loss, message):
    model = dn.Sequential([dn.layers.Dense(2)])
    with pytest.raises(TypeError, match=message):
        model.compile("sgd", loss)
    assert model.loss is None


def of_torchmetrics(name):
    """A class as torchmetrics has it, which need not be installed."""
    base = type("Metric", (nn_.Module,), {"__module__": "torchmetrics.metric"})
    return type(name, (base,), {"__module__": "torchmetrics.some.room", "forward": lambda self, a, b: a})


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (keras.metrics.MeanAbsoluteError(), r"got keras.metrics.MeanAbsoluteError: use dn.metrics.MeanAbs"),
        (keras.metrics.AUC, r"got keras.metrics.AUC"),
        (keras.metrics.TopKCategoricalAccuracy(k=3), r"use dn.metrics.TopKCategoricalAccuracy\(k=3\)"),
        (Pairwise(), "expected a metric, got Pairwise"),
        (of_torchmetrics("MeanAbsoluteError")(), r"got torchmetrics.MeanAbsoluteError: use dn.metrics.Mean"),
        (of_torchmetrics("Dice"), "got torchmetrics.Dice"),
    ],
)
def test_metrics_of_a_library_are_refused_before_anything_is_done(metric, message):
    for settings in ({"metrics": [metric]}, {"weighted_metrics": {"dense": metric}}):
        with pytest.raises(TypeError, match=message):
            dn.Sequential([dn.layers.Dense(2)]).compile("sgd", "mse", **settings)


def weights():
    return [torch.nn.Parameter(torch.zeros(2))]


OPTIMIZERS = {
    "torch.optim.SGD: use dn.optimizers.SGD(learning_rate=0.1, momentum=0.9)": torch.optim.SGD(
        weights(), lr=0.1, momentum=0.9
    ),
    "torch.optim.Adam: use dn.optimizers.Adam(learning_rate=0.1, epsilon=1e-08) and, for "
    "weight_decay=0.02, kernel_regularizer=dn.regularizers.L2(0.01)": torch.optim.Adam(
        weights(), 0.1, weight_decay=0.02
    ),
    "dn.optimizers.AdamW(weight_decay=0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-08)": torch.optim.AdamW(
        weights(), betas=(0.8, 0.99)
    ),
    "dn.optimizers.RMSprop(learning_rate=0.01, rho=0.8, epsilon=1e-08)": torch.optim.RMSprop(
        weights(), alpha=0.8
    ),
    "got torch.optim.Adam: use dn.optimizers.Adam()": torch.optim.Adam,
    "got torch.optim.LBFGS: see dn.optimizers": torch.optim.LBFGS(weights()),
    "got keras.optimizers.Adam: use dn.optimizers.Adam(learning_rate=0.01, clipnorm=1.0)": (
        keras.optimizers.Adam(0.01, clipnorm=1.0)
    ),
    "got keras.optimizers.Nadam": keras.optimizers.Nadam(),
}


@pytest.mark.parametrize("message", OPTIMIZERS)
def test_optimizers_of_a_library_are_refused_with_their_own_numbers(message):
    with pytest.raises(TypeError, match=re.escape(message)):
        dn.Sequential([dn.layers.Dense(2)]).compile(OPTIMIZERS[message], "mse")


def dense(**settings):
    return lambda: dn.layers.Dense(2, **settings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: dn.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)),
            "dn.schedules.ExponentialDecay(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5)",
        ),
        (dense(kernel_initializer=keras.initializers.HeNormal()), "use dn.initializers.HeNormal()"),
        (dense(bias_initializer=nn_.init.xavier_uniform_), "got torch.nn.init.xavier_uniform_: see dn"),
        (dense(kernel_regularizer=keras.regularizers.L2(0.1)), "use dn.regularizers.L2(l2=0.1)"),
        (dense(activation=nn_.ReLU()), "got torch.nn.ReLU: use dn.activations.relu"),
        (lambda: dn.layers.Activation(nn_.PReLU()), "got torch.nn.PReLU"),
        (dense(activation=keras.layers.ReLU()), "got keras.layers.ReLU: use dn.activations.relu"),
    ],
)
def test_other_objects_of_a_library_are_refused_where_they_are_given(make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        make()


def test_functions_of_a_framework_may_be_activations_on_its_backend():
    for name, function in (("torch", torch.relu), ("torch", functional.gelu), ("tensorflow", tf.nn.relu)):
        dn.Sequential([dn.layers.Dense(2, activation=function)]).on(name).predict(X)
