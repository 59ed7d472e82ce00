"""What of PyTorch and Keras, and of a user's own, was once taken for something else without a word."""

from __future__ import annotations

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from torch.nn import functional

import dualnn as dn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(21, 4)).astype(np.float32)
CLASSES = RNG.integers(0, 3, 21)
YES = (CLASSES == 1).astype(np.float32)[:, None]
KERAS_BACKEND = keras.config.backend()


def model_for(name, loss, units=3, activation=None, **settings):
    model = dn.Sequential([dn.layers.Dense(units, activation=activation)]).on(name)
    model.compile("sgd", loss, **settings)
    return model


@pytest.mark.parametrize(
    ("name", "loss", "threshold"),
    [
        ("torch", torch.nn.BCEWithLogitsLoss(), 0.0),
        ("torch", functional.binary_cross_entropy_with_logits, 0.0),
        ("torch", torch.nn.MultiLabelSoftMarginLoss(), 0.0),
        ("torch", torch.nn.BCELoss(), 0.5),
        (KERAS_BACKEND, keras.losses.BinaryCrossentropy(from_logits=True), 0.0),
        (KERAS_BACKEND, keras.losses.BinaryFocalCrossentropy(from_logits=True), 0.0),
        (KERAS_BACKEND, keras.losses.BinaryCrossentropy(), 0.5),
        (KERAS_BACKEND, keras.losses.binary_crossentropy, 0.5),
    ],
)
@pytest.mark.parametrize("units", [1, 3])
def test_accuracy_beside_a_native_loss_of_two_classes_asks_each_output(name, loss, threshold, units):
    y = np.repeat(YES, units, axis=1)
    y[:, units // 2] = CLASSES == 2
    activation = "sigmoid" if threshold else None
    model = model_for(name, loss, units, activation, metrics=["accuracy"])
    found = model.evaluate(X, y, return_dict=True)["accuracy"]
    assert found == pytest.approx(np.mean((model.predict(X) > threshold) == (y > 0.5)))


def told(name, loss, activation):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model_for(name, loss, 1 if "B" in type(loss).__name__ else 3, activation)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("name", "loss", "right", "wrong", "message"),
    [
        ("torch", torch.nn.CrossEntropyLoss(), None, "softmax", "expects logits, and the layer"),
        ("torch", torch.nn.BCEWithLogitsLoss(), None, "sigmoid", "has applied 'sigmoid' already"),
        ("torch", torch.nn.BCELoss(), "sigmoid", None, "give the layer activation='sigmoid'"),
        (KERAS_BACKEND, keras.losses.BinaryCrossentropy(), "sigmoid", None, "expects probabilities"),
        (
            KERAS_BACKEND,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            *(None, "softmax", "has from_logits=True"),
        ),
    ],
)
def test_native_losses_of_logits_and_of_probabilities_are_told_apart(name, loss, right, wrong, message):
    assert told(name, loss, right) == []
    (warning,) = told(name, loss, wrong)
    assert message in warning


def test_a_class_of_ones_own_from_a_native_loss_may_expect_anything():
    class Own(torch.nn.CrossEntropyLoss):
        def forward(self, input, target):
            return super().forward(torch.log(input), target)

    assert told("torch", Own(), "softmax") == []


@pytest.mark.parametrize("dtype", ["int64", "float32"])
@pytest.mark.parametrize("shape", [(21,), (21, 1)])
def test_classes_for_a_keras_loss_may_be_a_column_of_floats(dtype, shape):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = model_for(KERAS_BACKEND, loss)
    found = model.evaluate(X, CLASSES.astype(dtype).reshape(shape))
    assert found == pytest.approx(
        float(loss(CLASSES, keras.ops.convert_to_tensor(model.predict(X)))), rel=1e-5
    )


@pytest.mark.parametrize("batch_size", [1, 4, 21])
@pytest.mark.parametrize("ignored", [0, 1, 2])
def test_a_keras_loss_leaves_the_class_out_that_it_is_to_ignore(batch_size, ignored):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored)
    model = model_for(KERAS_BACKEND, loss, metrics=[loss])
    found = model.evaluate(X, CLASSES, batch_size=batch_size, return_dict=True)
    theirs = float(loss(CLASSES, keras.ops.convert_to_tensor(model.predict(X))))
    assert found["loss"] == pytest.approx(theirs, rel=1e-5)
    assert found[loss.name] == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics", "loss"])
@pytest.mark.parametrize("wrong", [3, np, keras.metrics.AUC(), [keras.metrics.AUC], torch.nn.Linear(2, 2)])
def test_compile_refuses_what_is_no_metric_and_no_loss(argument, wrong):
    settings = {"loss": "mse", argument: wrong if argument == "loss" else [wrong]}
    with pytest.raises(TypeError, match=r"expected a (metric|loss)"):
        dn.Sequential([dn.layers.Dense(2)]).compile("sgd", **settings)


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("tensorflow", torch.relu, "torch.relu runs on 'torch', and the layer lives on 'tensorflow': use dn"),
        ("tensorflow", functional.gelu, "use dn.activations.gelu, which runs on both"),
        (
            "torch",
            tf.nn.relu,
            "runs on 'tensorflow', and the layer lives on 'torch': use dn",
        ),
    ],
)
def test_a_function_of_another_framework_is_no_activation(name, function, message):
    for layer in (dn.layers.Dense(3, activation=function), dn.layers.Activation(function)):
        with pytest.raises(TypeError, match=re.escape(message)):
            dn.Sequential([layer]).on(name).predict(X)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dn.layers.Dense(3, activation=torch.nn.ReLU), "got torch.nn.ReLU: use dn.activations.relu"),
        (lambda: dn.layers.Dense(3, activation=dn.layers.Dropout), "got the class Dropout; make one of it"),
        (lambda: dn.Sequential([keras.Input((4, 2))]), "use dn.Input((4, 2))"),
        (lambda: dn.Sequential([lambda x: x]), "expected a layer, got a lambda; make a layer of a function"),
        (lambda: dn.layers.TimeDistributed(torch.nn.Linear(2, 2)), "dn.layers.TorchModuleWrapper(module)"),
        (lambda: dn.callbacks.LambdaCallback(on_epoch_end=3), "expected a function as on_epoch_end, got 3"),
        (lambda: dn.callbacks.EarlyStopping(patince=3), "did you mean 'patience'?"),
    ],
)
def test_what_is_given_in_a_wrong_place_is_answered_in_a_sentence(make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dn.callbacks.EarlyStopping(patience="3"), "patience must be a whole number, got '3'"),
        (lambda: dn.callbacks.EarlyStopping(patience=-1), "patience must be a number of at least 0, got -1"),
        (lambda: dn.callbacks.EarlyStopping(monitor=["loss"]), "monitor must be a text, got ['loss']"),
        (lambda: dn.callbacks.EarlyStopping(min_delta="0.1"), "min_delta must be a number, got '0.1'"),
        (lambda: dn.callbacks.ReduceLROnPlateau(patience=2.5), "patience must be a whole number, got 2.5"),
        (lambda: dn.callbacks.ModelCheckpoint("x", save_best_only="no"), "save_best_only must be True or"),
        (
            lambda: model_for("torch", "mse", precision=keras.DTypePolicy("mixed_bfloat16")),
            "Known: 'mixed_bfloat16'",
        ),
    ],
)
def test_callbacks_and_compile_check_their_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("value", [None, 0.5, [1.0]])
@pytest.mark.parametrize("role", ["loss", "metrics"])
def test_a_function_that_returns_no_tensor_is_told_so(backend, value, role):
    def own(y_true, y_pred):
        return value

    settings = {"loss": own} if role == "loss" else {"loss": "mse", "metrics": [own]}
    model = model_for(backend, **settings)
    with pytest.raises(TypeError, match=r"^own returned .*: return a tensor"):
        model.fit(X, np.zeros((21, 3), np.float32))


def test_a_function_says_which_way_is_better(backend):
    nn = dn.backend(backend)

    def psnr(y_true, y_pred):
        return -nn.mean(nn.square(y_true - y_pred), axis=-1)

    psnr.direction = "up"
    stop = dn.callbacks.EarlyStopping("psnr", patience=9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model_for(backend, "mse", metrics=[psnr]).fit(
            X, np.ones((21, 3), np.float32), epochs=3, callbacks=[stop]
        )
    assert stop.best == max(history.history["psnr"])


class Holder(dn.layers.Layer):
    """A layer with an attribute that a user has made."""

    def __init__(self, attribute):
        super().__init__()
        self.attribute = attribute

    def call(self, x):
        return x


def test_a_variable_that_would_not_be_trained_is_refused(backend):
    foreign = {"torch": tf.Variable(1.0), "tensorflow": torch.nn.Parameter(torch.ones(()))}
    for variable in (keras.Variable(1.0), [keras.Variable(1.0)], foreign[backend]):
        with pytest.raises(TypeError, match=r"neither trained nor saved on .*self\.add_weight\(shape\)"):
            Holder(variable)(X)
    for variable in foreign.values():  # `on` makes a variable of the other backend
        layer = Holder(variable).on(backend)
        layer(X)
        assert len(layer.trainable_variables) == 1


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, number):
        return X, YES


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (Batches, {}, r"got the class Batches itself: make one, Batches\(\.\.\.\)"),
        (zip(X, YES, strict=True), {}, "what yields samples one by one must be made to yield batches"),
        (Batches(), {"validation_steps": 2}, "validation_steps=2 .* nothing to validate on"),
        (Batches(), {"validation_batch_size": 2}, "validation_batch_size=2 .* nothing to validate on"),
    ],
)
def test_data_that_is_none_is_answered_in_a_sentence(backend, x, options, message):
    model = model_for(backend, "mse", 1)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(x, verbose=0, **options)


def test_a_symbolic_tensor_of_keras_is_none_of_ours(backend):
    with pytest.raises(TypeError, match=r"layer 'dense.*write dn\.Input\(shape\)"):
        dn.layers.Dense(3).on(backend)(keras.Input((4,)))


def test_an_unsigned_id_is_named_as_it_is(backend):
    with pytest.raises(ValueError, match="got 9223372036854775808"):
        dn.layers.Embedding(5, 2).on(backend)(np.array([[2**63]], np.uint64))
