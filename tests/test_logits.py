"""The warning where a cross-entropy and the last layer do not fit: where it is due, and nowhere else."""

from __future__ import annotations

import re
import warnings

import pytest

import dualnn as dn

L, losses = dn.layers, dn.losses


def sequential(*layers):
    return dn.Sequential(list(layers))


def functional(*layers):
    x = inputs = dn.Input((4,))
    for layer in layers:
        x = layer(x)
    return dn.Model(inputs, x)


def nested(*layers):
    return dn.Sequential([dn.Sequential(list(layers))])


def warned(model, loss):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.compile("sgd", loss)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


SPARSE, ONE_HOT, BINARY = (
    *(losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy),
    losses.BinaryCrossentropy,
)
NO_SOFTMAX = [
    ((L.Dense(3),), "sparse_categorical_crossentropy"),
    ((L.Dense(3, activation="relu"),), "categorical_crossentropy"),
    ((L.Dense(3), L.Dropout(0.5), L.Flatten(), L.Reshape((3,))), ONE_HOT()),
    ((L.Dense(3), L.Activation("tanh")), SPARSE),
    ((L.Dense(3),), losses.categorical_crossentropy),
    ((L.Dense(3),), "kld"),
    ((L.Dense(3, activation="log_softmax"),), SPARSE()),
]
NO_SIGMOID = [
    ((L.Dense(1),), "bce"),
    ((L.Dense(1, activation="softplus"),), BINARY()),
    ((L.Dense(3, activation="tanh"),), "binary_crossentropy"),
]
TWICE = [
    ((L.Dense(3, activation="softmax"),), SPARSE(from_logits=True)),
    ((L.Dense(3), L.Activation("softmax")), ONE_HOT(from_logits=True)),
    ((L.Dense(1, activation="sigmoid"),), BINARY(from_logits=True)),
    ((L.Dense(3), L.Activation(dn.activations.softmax), L.Dropout(0.1)), BINARY(from_logits=True)),
]
CASES = [
    *((*case, r"expects probabilities, and the layer '\w+'.*'softmax'") for case in NO_SOFTMAX),
    *((*case, r"expects probabilities, and the layer '\w+'.*activation='sigmoid'") for case in NO_SIGMOID),
    *((*case, r"from_logits=True, and the layer '\w+'.*leave one of the two out") for case in TWICE),
]


@pytest.mark.parametrize("form", [sequential, functional, nested])
@pytest.mark.parametrize(("layers", "loss", "said"), CASES)
def test_what_does_not_fit_is_said_once(form, layers, loss, said):
    (message,) = warned(form(*layers), loss)
    assert re.search(said, message)


class Own(dn.Layer):
    def call(self, x):
        return self.nn.softmax(x)


class OwnDense(L.Dense):
    def call(self, x):
        return self.nn.softmax(super().call(x))


class OwnModel(dn.Model):
    def __init__(self):
        super().__init__()
        self.last = L.Dense(3)

    def call(self, x):
        return self.nn.softmax(self.last(x))


class OwnSequential(dn.Sequential):
    def call(self, x):
        return self.nn.softmax(super().call(x))


class OwnLoss(losses.CategoricalCrossentropy):
    def call(self, y_true, y_pred):
        return super().call(y_true, dn.activations.softmax(y_pred))


@pytest.mark.parametrize("form", [sequential, functional, nested])
@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        ((L.Dense(3),), SPARSE(from_logits=True)),
        ((L.Dense(3, activation="relu"),), BINARY(from_logits=True)),
        ((L.Dense(3, activation="log_softmax"),), ONE_HOT(from_logits=True)),
        ((L.Dense(3, activation="softmax"),), "sparse_categorical_crossentropy"),
        ((L.Dense(3), L.Activation("softmax"), L.Reshape((3, 1)), L.Flatten()), "categorical_crossentropy"),
        ((L.Dense(3, activation="sigmoid"),), "categorical_crossentropy"),
        ((L.Dense(3, activation="softmax"),), "bce"),
        ((L.Dense(3, activation=lambda x: dn.namespace(x).softmax(x)),), "sparse_categorical_crossentropy"),
        ((L.Dense(3), Own()), "sparse_categorical_crossentropy"),
        ((OwnDense(3),), "sparse_categorical_crossentropy"),
        ((OwnModel(),), "sparse_categorical_crossentropy"),
        ((OwnSequential([L.Dense(3)]),), "sparse_categorical_crossentropy"),
        ((L.Dense(3),), OwnLoss()),
        ((L.Dense(3),), "mse"),
        ((L.Dense(3),), "hinge"),
        ((L.Dense(3),), lambda y_true, y_pred: y_pred),
        ((L.Dense(3),), None),
    ],
)
def test_nothing_is_said_of_what_fits_or_is_not_known(form, layers, loss):
    assert warned(form(*layers), loss) == []


def test_models_of_ones_own_and_operators_are_left_alone():
    assert warned(OwnModel(), "sparse_categorical_crossentropy") == []
    assert warned(OwnSequential([L.Dense(3)]), "sparse_categorical_crossentropy") == []
    inputs = dn.Input((4,))
    assert warned(dn.Model(inputs, L.Dense(1)(inputs) * 0.0 + 0.5), "bce") == []
    assert warned(dn.Model(inputs, L.Add()([L.Dense(1)(inputs)] * 2)), "bce") == []
    assert warned(dn.Sequential([]), "bce") == []


@pytest.mark.parametrize("kind", [dict, list])
def test_each_of_several_outputs_has_its_own(kind):
    inputs = dn.Input((4,))
    a, b = L.Dense(3, name="a")(inputs), L.Dense(1, activation="sigmoid", name="b")(inputs)
    model = dn.Model(inputs, {"a": a, "b": b} if kind is dict else [a, b])
    (message,) = warned(model, {"a": "sparse_categorical_crossentropy", "b": "bce"})
    assert "layer 'a'" in message
    assert warned(model, {"b": "bce"}) == []
    (message,) = warned(model, ["mse", BINARY(from_logits=True)])
    assert "layer 'b'" in message
