"""What a beginner types: one sentence with the argument's name, before anything is done."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import dualnn as dn
from dualnn.arguments import accepted
from dualnn.layers import LSTM, Conv2D, Dense, Embedding, Flatten
from dualnn.optimizers import Adam

X = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
Y = X[:, :1]


def compiled():
    model = dn.Sequential([Dense(1)])
    model.compile("sgd", "mse")
    return model


# ------------------------------------------------------------------ constructors

NEEDED = {
    "units": 3, "filters": 2, "kernel_size": 2, "rate": 0.1, "stddev": 0.1, "input_dim": 5, "output_dim": 2,
    "num_heads": 2, "key_dim": 2, "factor": 0.1, "height_factor": 0.1, "width_factor": 0.1,
    "target_shape": (2,), "learning_rate": 0.1, "initial_learning_rate": 0.1, "decay_steps": 5,
    "decay_rate": 0.5, "first_decay_steps": 5, "boundaries": [1], "values": [0.1, 0.2],
    "activation": "relu", "layer": LSTM(2),
}  # fmt: skip
WRONG = {
    "int": ["3", 1.5, True, [1]],
    "float": ["0.5", [0.5], float("nan")],
    "bool": ["no", 2, None],
    "str": [3],
}


def constructors():
    for room in (
        dn.layers,
        dn.losses,
        dn.metrics,
        dn.optimizers,
        dn.initializers,
        dn.regularizers,
        dn.schedules,
    ):
        for name, cls in vars(room).items():
            if inspect.isclass(cls) and cls.__module__.startswith(room.__name__) and name[0] != "_":
                parameters = accepted(cls)
                if parameters is not None and all(
                    p.name in NEEDED for p in parameters.values() if p.default is p.empty
                ):
                    yield cls


CONSTRUCTORS = list(dict.fromkeys(constructors()))


@pytest.mark.parametrize("cls", CONSTRUCTORS, ids=lambda cls: cls.__name__)
def test_each_argument_of_a_wrong_kind_is_named(cls):
    parameters = accepted(cls)
    needed = {p.name: NEEDED[p.name] for p in parameters.values() if p.default is p.empty}
    cls(**needed)
    for name, parameter in parameters.items():
        kinds = str(parameter.annotation).split(" | ")
        wrong = WRONG.get(kinds[0], []) if set(kinds) <= {*WRONG, "None"} else []
        if name == "activation" or name.endswith(("_initializer", "_regularizer")):
            wrong = ["no such name", 5]
        for value in wrong:
            if value is None and "None" in kinds:
                continue
            with pytest.raises((TypeError, ValueError)) as error:
                cls(**{**needed, name: value})
            assert name in str(error.value)
            assert "__init__" not in str(error.value)
    if parameters:
        with pytest.raises(TypeError, match=f"{cls.__name__}: unknown argument '{list(parameters)[-1]}x'"):
            cls(**needed, **{f"{list(parameters)[-1]}x": 1})


def test_most_constructors_are_looked_at():
    assert len(CONSTRUCTORS) > 80


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adam(lr=0.1), "Adam: lr is called learning_rate"),
        (lambda: Adam(decay=0.1), "Adam: decay is no argument any more: learning_rate=dn.schedules.Inverse"),
        (lambda: Adam("0.1"), "a number from 0 for learning_rate, or a function of the steps, got '0.1'"),
        (lambda: Adam(-1), "for learning_rate, got -1"),
        (lambda: Adam(float("nan")), "from 0 for learning_rate"),
        (lambda: Adam(beta1=0.9), "unknown argument 'beta1'; did you mean 'beta_1'"),
        (lambda: Dense(3, activaton="relu"), "unknown argument 'activaton'; did you mean 'activation'?"),
        (lambda: Dense(3, inputshape=(2,)), "unknown argument 'inputshape'; did you mean 'input_shape' or"),
        (lambda: Dense(3, dtype="float64"), "a layer computes in its model's dtype"),
        (lambda: Conv2D(3, 3, data_format="channels_first"), "images have their channels last"),
        (lambda: Dense(3, activation="rleu"), "activation: unknown activation 'rleu'; did you mean 'relu'"),
        (lambda: Dense(3, "relu", True, 1, 2, 3, 4, 5, 6, 7), "expected at most 8 arguments by position"),
        (lambda: Dense(-3), "units must be a positive whole number, got -3"),
        (lambda: Dense(3, input_shape="2"), "input_shape must be positive whole numbers, or None, got '2'"),
        (lambda: LSTM(3, dropout=1.5), "dropout must be a number of at least 0 and less than 1, got 1.5"),
        (lambda: dn.metrics.TopKCategoricalAccuracy(k=0), "k must be a number of at least 1, got 0"),
        (lambda: dn.schedules.ExponentialDecay(-0.1, 5, 0.5), "initial_learning_rate must be a number"),
        (lambda: dn.schedules.PiecewiseConstantDecay(3, [0.1, 0.2]), "boundaries must be a list of numbers"),
        (lambda: dn.Sequential(Dense(3), Dense(2)), "a list of layers: dn.Sequential([first, second])"),
        (lambda: dn.Sequential(Dense(3)), "expected a list of layers"),
        (lambda: dn.Sequential(3), "expected a list of layers, got 3"),
        (lambda: dn.Sequential([Flatten]), "expected a layer, got the class Flatten; make one of it"),
    ],
)  # fmt: skip
def test_a_constructor_says_what_is_wrong(make, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: Dense(3, input_shape=(2,)), (None, 2)),
        (lambda: Dense(3, input_dim=2), (None, 2)),
        (lambda: Dense(3, batch_input_shape=(None, 2)), (None, 2)),
        (lambda: Dense(3, input_shape=np.int64(2)), (None, 2)),
        (lambda: Conv2D(3, 3, input_shape=(8, 8, 1)), (None, 8, 8, 1)),
        (lambda: LSTM(3, return_sequences=True, input_shape=(None, 2)), (None, None, 2)),
        (lambda: Embedding(10, 4, input_length=5), (None, 5)),
    ],
)
def test_the_first_layer_may_declare_the_input_as_in_keras(backend, layer, shape):
    model = dn.Sequential([layer(), Flatten(), Dense(1)]) if len(shape) != 3 else dn.Sequential([layer()])
    model.build()
    assert model.declared_input.shape == shape
    again = dn.Sequential.from_config(model.get_config())
    again.build()
    assert again.declared_input.shape == shape
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]


def test_layers_of_ones_own_pass_such_arguments_on():
    class Own(dn.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.inner = Dense(units)

        def call(self, x):
            return self.inner(x)

    model = dn.Sequential([Own(3, input_shape=(2,), trainable=False, name="own")])
    model.build()
    assert (len(model.weights), model.trainable_variables, model.layers[0].name) == (2, [], "own")
    with pytest.raises(TypeError, match="inputshape"):
        Own(3, inputshape=(2,))


# ------------------------------------------------------------------ compile, fit, evaluate, predict


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((Adam(0.01), "mse", ["acc"]), "loss_weights, the third argument of compile, must be numbers"),
        ((Adam(0.01), "mse", "acc"), "given by their name: compile(optimizer, loss, metrics='acc')"),
        (("sgd", "mse", [dn.metrics.Accuracy()]), "metrics are given by their name"),
        (("sgd", "mse", {"dense": True}), "loss_weights must be numbers"),
        (("sgd", "mse", None, None, None, "no"), "run_eagerly must be True or False, got 'no'"),
    ],
)  # fmt: skip
def test_compile_says_what_is_wrong(settings, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        dn.Sequential([Dense(1)]).compile(*settings)


WHOLE = {
    "epochs": [-1, 1.5, "3", True, None],
    "initial_epoch": [-1, "0"],
    "batch_size": [0, -1, 1.5, "32", True],
    "steps_per_epoch": [0, 2.5],
    "validation_batch_size": [0],
    "validation_steps": [0, "1"],
    "validation_split": [1, -0.1, "0.2", 1.5, float("nan"), True],
    "verbose": [3, "1", None, -1, [1]],
    "shuffle": ["no"],
    "seed": ["a", 1.5],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WHOLE.items() for value in values]
)
def test_fit_names_the_argument(name, value):
    model = compiled()
    with pytest.raises(ValueError, match=f"{name} must be .*, got {re.escape(repr(value))}"):
        model.fit(X, Y, **{name: value})
    assert not model.built


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", 0), ("batch_size", "8"), ("steps", 0), ("verbose", "x")]
)
def test_evaluate_and_predict_name_the_argument(name, value):
    for given, method in (((X, Y), "evaluate"), ((X,), "predict")):
        with pytest.raises(ValueError, match=f"{name} must be .*, got {value!r}"):
            getattr(compiled(), method)(*given, **{name: value})


def test_numbers_of_numpy_are_taken(backend):
    model = compiled()
    history = model.fit(
        X, Y, epochs=np.int64(2), batch_size=np.int32(4), validation_split=np.float64(0.25),
        verbose=np.int8(0), shuffle=np.True_, seed=np.int64(3), steps_per_epoch=np.uint8(2),
    )  # fmt: skip
    assert len(history.epoch) == 2
    assert compiled().fit(X, Y, epochs=0).epoch == []
