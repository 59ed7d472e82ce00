"""What a callback sets in anything that a step uses counts from the next step on, in every engine."""

from __future__ import annotations

import enum
import functools
import importlib
import logging
import random
import types

import numpy as np
import pytest

import dualnn as dn
from dualnn.settings import Settings

X = np.linspace(-1.0, 1.0, 12, dtype="float32").reshape(6, 2)
Y = np.linspace(0.0, 3.0, 6, dtype="float32").reshape(6, 1)
FACTOR = 1.0
ENGINES = (("eager", False), ("epoch", False))
ALL_ENGINES = (*ENGINES, ("step", False))


class Set(dn.callbacks.Callback):
    """Calls a function before the second of three epochs."""

    def __init__(self, change):
        self.change = change

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.change()


class SetInBatches(dn.callbacks.Callback):
    """Calls a function at the begin or the end of one batch."""

    def __init__(self, change, when):
        self.change, self.when = change, when

    def on_train_batch_begin(self, batch, logs=None):
        if (batch, self.when) == (1, "begin"):
            self.change()

    def on_train_batch_end(self, batch, logs=None):
        if (batch, self.when) == (1, "end"):
            self.change()


class Times(dn.losses.Loss):
    """The squared error times what a function says."""

    def __init__(self, factor, **settings):
        super().__init__()
        self.factor = factor
        self.__dict__.update(settings)

    def call(self, y_true, y_pred):
        factor = self.factor(self) if callable(self.factor) else self.factor
        return (y_true - y_pred) ** 2 * factor


class Way(enum.Enum):
    HALF = 0.5
    DOUBLE = 2.0


def model_of(backend, layers=None):
    layers = layers or [dn.layers.Dense(3, activation="tanh"), dn.layers.Dense(1)]
    return dn.Sequential(layers).on(backend)


def numbers(model, callbacks, validation=False):
    given = {"validation_data": (X, Y)} if validation else {}
    history = model.fit(X, Y, batch_size=2, epochs=3, seed=0, verbose=0, callbacks=callbacks, **given)
    return history.history, model.get_weights()


def check(make, engines=ENGINES, callback=Set, validation=False):
    """`make` returns a compiled model, given the engine, and what is to change."""
    runs = {}
    for engine, jit in engines:
        model, change = make(engine=engine, jit=jit)
        runs[engine, jit] = numbers(model, [callback(change)], validation)
    history, weights = runs.pop(("eager", False))
    for one, (other, others) in runs.items():
        assert other.keys() == history.keys()
        for name in history:
            np.testing.assert_allclose(other[name], history[name], rtol=2e-5, err_msg=f"{name} of {one}")
        for a, b in zip(others, weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=f"{one}")


def looked_up(name):
    return lambda loss: getattr(loss, name)


def losses():
    """Pairs of a loss that gives its value once and twice, and what makes it do so."""
    array, items, by_name = np.ones(1, "float32"), [1.0], {"factor": 1.0}
    space, inner = types.SimpleNamespace(factor=1.0), Times(1.0)
    nested = dn.losses.LossFunctionWrapper(lambda y_true, y_pred: inner.call(y_true, y_pred))

    yield "attribute", (loss := Times(1.0)), functools.partial(setattr, loss, "factor", 2.0)
    private = Times(looked_up("_factor"), _factor=1.0)
    yield "private", private, functools.partial(setattr, private, "_factor", 2.0)
    held = Times(lambda loss: loss.items[0], items=items)
    yield "list", held, functools.partial(items.__setitem__, 0, 2.0)
    held = Times(lambda loss: loss.values["factor"], values=by_name)
    yield "dictionary", held, functools.partial(by_name.update, factor=2.0)
    held = Times(lambda loss: float(loss.array[0]), array=array)
    yield "array", held, functools.partial(array.__setitem__, 0, 2.0)
    scalar = Times(np.float32(1.0))
    yield "scalar of NumPy", scalar, functools.partial(setattr, scalar, "factor", np.float32(2.0))
    flag = Times(lambda loss: 2.0 if loss.doubles else 1.0, doubles=False)
    yield "flag", flag, functools.partial(setattr, flag, "doubles", True)
    way = Times(lambda loss: loss.way.value, way=Way.HALF)
    yield "enumeration", way, functools.partial(setattr, way, "way", Way.DOUBLE)
    yield "loss in a function", nested, functools.partial(setattr, inner, "factor", 2.0)
    replaced = Times(lambda loss: 1.0)
    yield "function", replaced, functools.partial(setattr, replaced, "factor", lambda loss: 2.0)
    yield (
        "object of others",
        Times(lambda loss: space.factor),
        functools.partial(setattr, space, "factor", 2.0),
    )

    class WithClass(Times):
        scale = 1.0

    of_class = WithClass(looked_up("scale"))
    yield "class attribute", of_class, functools.partial(setattr, WithClass, "scale", 2.0)

    factor = 1.0

    def around(y_true, y_pred):
        return (y_true - y_pred) ** 2 * factor

    def set_around():
        nonlocal factor
        factor = 2.0

    yield "variable around a function", around, set_around

    def set_global():
        global FACTOR
        FACTOR = 2.0

    def of_global(y_true, y_pred):
        return (y_true - y_pred) ** 2 * FACTOR

    yield "global variable", of_global, set_global

    def with_attribute(y_true, y_pred):
        return (y_true - y_pred) ** 2 * with_attribute.factor

    with_attribute.factor = 1.0
    yield "attribute of a function", with_attribute, functools.partial(setattr, with_attribute, "factor", 2.0)


def losses_by_name():
    global FACTOR
    FACTOR = 1.0
    return {name: (loss, change) for name, loss, change in losses()}


@pytest.mark.parametrize("name", losses_by_name())
def test_a_setting_of_a_loss(backend, name):
    def make(engine, jit):
        loss, change = losses_by_name()[name]
        model = model_of(backend)
        model.compile(dn.optimizers.SGD(0.05), loss, metrics=[loss], engine=engine, jit=jit)
        return model, change

    check(make, ALL_ENGINES if name in ("attribute", "variable around a function") else ENGINES)


@pytest.mark.parametrize("held", ["loss", "closure", "loss_weights"])
def test_a_variable_is_read_at_each_step(backend, held):
    nn = dn.backend(backend)

    def make(engine, jit):
        variable, model = nn.Variable(nn.asarray(1.0), trainable=False), model_of(backend)
        if held == "loss":
            loss = Times(lambda loss: loss.weight, weight=variable)
        elif held == "closure":
            loss = dn.losses.LossFunctionWrapper(lambda t, p: nn.mean((t - p) ** 2, axis=-1) * variable)
        else:
            loss = "mse"
        weights = [variable] if held == "loss_weights" else None
        model.compile(dn.optimizers.SGD(0.05), loss, loss_weights=weights, engine=engine, jit=jit)
        return model, functools.partial(nn.assign, variable, 3.0)

    check(make)


OPTIMIZERS = [
    (functools.partial(dn.optimizers.SGD, momentum=0.5), {"momentum": 0.9}),
    (dn.optimizers.SGD, {"momentum": 0.9}),
    (functools.partial(dn.optimizers.SGD, momentum=0.9), {"momentum": 0.0}),
    (functools.partial(dn.optimizers.SGD, momentum=0.9), {"nesterov": True}),
    (dn.optimizers.SGD, {"clipnorm": 0.1}),
    (functools.partial(dn.optimizers.SGD, clipvalue=0.1), {"clipvalue": None, "global_clipnorm": 0.2}),
    (dn.optimizers.SGD, {"weight_decay": 0.5}),
    (functools.partial(dn.optimizers.AdamW, weight_decay=0.5), {"weight_decay": None}),
    (functools.partial(dn.optimizers.AdamW, weight_decay=0.5), {"weight_decay": 0.1}),
    (dn.optimizers.SGD, {"gradient_accumulation_steps": 2}),
    (
        functools.partial(dn.optimizers.Adam, gradient_accumulation_steps=3),
        {"gradient_accumulation_steps": None},
    ),
    (dn.optimizers.Adam, {"beta_1": 0.0, "beta_2": 0.5}),
    (dn.optimizers.Adam, {"epsilon": 1.0}),
    (dn.optimizers.Adam, {"amsgrad": True, "beta_2": 0.1}),
    (dn.optimizers.RMSprop, {"momentum": 0.5, "centered": True}),
    (
        functools.partial(dn.optimizers.RMSprop, momentum=0.5, centered=True),
        {"momentum": 0.0, "centered": False},
    ),
    (dn.optimizers.RMSprop, {"rho": 0.1}),
    (dn.optimizers.Adagrad, {"epsilon": 1.0}),
    (dn.optimizers.Adamax, {"beta_1": 0.1}),
]


@pytest.mark.parametrize(
    ("kind", "change"), OPTIMIZERS, ids=lambda x: ",".join(x) if isinstance(x, dict) else ""
)
def test_a_setting_of_an_optimizer(backend, kind, change):
    def make(engine, jit):
        optimizer, model = kind(learning_rate=0.05), model_of(backend)
        model.compile(optimizer, "mse", engine=engine, jit=jit)

        def set_all():
            for name, value in change.items():
                setattr(optimizer, name, value)

        return model, set_all

    check(make)


def test_an_optimizer_in_an_own_loop_has_the_slots_that_its_settings_ask_for(nn):
    optimizer, w = dn.optimizers.SGD(0.25), nn.Variable(nn.asarray([1.0]))
    one = nn.asarray([1.0])
    optimizer.apply([one], [w])
    optimizer.momentum = 0.5
    optimizer.apply([one], [w])
    optimizer.apply([one], [w])
    assert nn.to_numpy(w).tolist() == [1.0 - 0.25 - 0.25 - 0.375]
    optimizer.momentum = 0.0
    optimizer.apply([one], [w])
    assert nn.to_numpy(w).tolist() == [-0.125]
    assert optimizer.slots == [{}]


def test_two_ways_of_clipping_are_refused_whenever_they_are_set(nn):
    optimizer, w = dn.optimizers.SGD(0.25, clipnorm=1.0), nn.Variable(nn.asarray([1.0]))
    optimizer.clipvalue = 0.5
    with pytest.raises(ValueError, match="at most one way of clipping, got clipnorm and clipvalue"):
        optimizer.apply([nn.asarray([1.0])], [w])


class Ridge:
    """A regularizer with a setting."""

    def __init__(self):
        self.factor = 0.0

    def __call__(self, w):
        nn = dn.namespace(w)
        return self.factor * nn.sum(w**2)


class Scaled(dn.Layer):
    """A layer that keeps its settings out of sight."""

    def __init__(self):
        super().__init__()
        self._scale, self.options = 1.0, {"shift": [0.0]}

    def call(self, x):
        return x * self._scale + self.options["shift"][0]


@pytest.mark.parametrize("what", ["regularizer", "private", "nested", "trainable", "dropout"])
def test_a_setting_of_a_layer(backend, what):
    def make(engine, jit):
        ridge, scaled, dropout = Ridge(), Scaled(), dn.layers.Dropout(0.0)
        first = dn.layers.Dense(3, activation="tanh", kernel_regularizer=ridge)
        model = model_of(backend, [first, scaled, dropout, dn.layers.Dense(1)])
        model.compile(dn.optimizers.Adam(0.05), "mse", engine=engine, jit=jit)
        inside = model.layers  # a model that was placed is a copy
        ridge = inside[0].kernel_regularizer
        change = {
            "regularizer": lambda: setattr(ridge, "factor", 0.5),
            "private": lambda: setattr(inside[1], "_scale", 2.0),
            "nested": lambda: inside[1].options["shift"].__setitem__(0, 1.0),
            "trainable": lambda: setattr(inside[0], "trainable", False),
            "dropout": lambda: setattr(inside[2], "rate", 0.5),
        }[what]
        return model, change

    check(make)


def test_weights_of_losses_that_are_set_in_place(backend):
    def run(engine):
        x = dn.Input((2,))
        model = dn.Model(x, {"a": dn.layers.Dense(1)(x), "b": dn.layers.Dense(1)(x)}).on(backend)
        weights = {"a": 1.0, "b": 0.0}
        loss = {"a": "mse", "b": "mae"}
        model.compile(dn.optimizers.SGD(0.1), loss, loss_weights=weights, engine=engine)
        change = Set(lambda: weights.update(a=0.25, b=1.0))
        history = model.fit(
            X, {"a": Y, "b": Y}, epochs=3, seed=0, shuffle=False, verbose=0, callbacks=[change]
        )
        return history.history

    eager = run("eager")
    for before, after in ((0, "a_loss"), (1, None)):
        parts = eager["a_loss"][before], eager["b_loss"][before]
        expected = parts[0] if after else 0.25 * parts[0] + parts[1]
        np.testing.assert_allclose(eager["loss"][before], expected, rtol=1e-6)
    for engine in ("step", "epoch"):
        for name, values in run(engine).items():
            np.testing.assert_allclose(values, eager[name], rtol=1e-5)


def test_a_setting_of_a_metric(backend):
    def make(engine, jit):
        metric, model = dn.metrics.BinaryAccuracy(threshold=0.0), model_of(backend)
        precision = dn.metrics.Precision(thresholds=0.5)
        model.compile("sgd", "mse", metrics=[metric, precision], engine=engine, jit=jit)

        def change():
            metric.threshold = 0.9
            precision.thresholds = 0.9

        return model, change

    check(make, ALL_ENGINES, validation=True)


@pytest.mark.parametrize("when", ["begin", "end"])
def test_what_is_set_for_a_batch_counts_from_that_batch_on(backend, when):
    def make(engine, jit):
        loss, optimizer, model = Times(1.0), dn.optimizers.SGD(0.05), model_of(backend)
        model.compile(optimizer, loss, engine=engine, jit=jit)

        def change():
            loss.factor += 1.0
            optimizer.momentum = 0.9 - optimizer.momentum

        return model, change

    check(make, [("eager", False), ("step", False)], functools.partial(SetInBatches, when=when))


def test_what_is_set_after_a_chunk_counts_from_the_next_one_on(backend):
    class After(dn.callbacks.Callback):
        def on_train_chunk_end(self, batch, logs=None):
            self.model.optimizer.momentum = 0.5

    def run(engine):
        model = model_of(backend)
        model.compile(dn.optimizers.SGD(0.1), "mse", engine=engine)
        return numbers(model, [After()])

    eager = run("eager")[0]["loss"]
    np.testing.assert_allclose(run("step")[0]["loss"], eager, rtol=1e-5)
    assert run("epoch")[0]["loss"][1] != eager[1]  # its first chunk is the whole first epoch


@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_what_is_set_between_calls(backend, engine):
    loss, scaled = Times(1.0), Scaled()
    model = dn.Sequential([scaled, dn.layers.Dense(1, kernel_initializer="ones", use_bias=False)])
    model.compile(dn.optimizers.SGD(0.0), loss, engine=engine)
    dn.use(backend)
    first = model.evaluate(X, Y), model.train_on_batch(X, Y)
    loss.factor = 2.0
    second = model.evaluate(X, Y), model.train_on_batch(X, Y)
    np.testing.assert_allclose(second, 2 * np.asarray(first), rtol=1e-6)
    before = model.predict(X), model.predict_on_batch(X)
    scaled.options["shift"][0] = 1.0
    for old, new in zip(before, (model.predict(X), model.predict_on_batch(X)), strict=True):
        np.testing.assert_allclose(new, old + 2.0, rtol=1e-6)


def test_machine_code_follows_settings(backend):
    def make(engine, jit):
        variable = dn.backend(backend).Variable([1.0], trainable=False)
        loss, model = Times(lambda loss: variable * loss.other, other=1.0), model_of(backend)
        model.compile(dn.optimizers.SGD(0.05, momentum=0.5), loss, engine=engine, jit=jit)

        def change():
            loss.other = 2.0
            dn.backend(backend).assign(variable, [1.5])
            model.optimizer.momentum = 0.9

        return model, change

    check(make, [("eager", False), ("epoch", True)])


@pytest.mark.parametrize("engine", ["step", "epoch"])
def test_settings_that_change_in_each_epoch_are_no_longer_compiled_and_it_is_said_once(
    backend, engine, caplog
):
    def run(engine):
        loss, model = Times(1.0), model_of(backend)
        model.compile(dn.optimizers.SGD(0.05), loss, engine=engine)
        anneal = dn.callbacks.LambdaCallback(
            on_epoch_begin=lambda e, logs=None: setattr(loss, "factor", 1.0 / (e + 1))
        )
        with caplog.at_level(logging.WARNING, "dualnn"):
            model.fit(X, Y, batch_size=2, epochs=8, seed=0, verbose=0, callbacks=[anneal])
        return model

    eager, model = run("eager"), run(engine)
    np.testing.assert_allclose(model.history.history["loss"], eager.history.history["loss"], rtol=1e-5)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "Times 'Times'.factor is set again and again" in message
    assert "nn.Variable" in message
    assert model.history.engine == "eager"
    model.fit(X, Y, batch_size=2, epochs=1, verbose=0)
    assert model.history.engine == engine


def test_many_steps_after_each_change_stay_compiled_without_machine_code(caplog):
    dn.use("tensorflow")
    loss, model = Times(1.0), model_of("tensorflow")
    model.compile(dn.optimizers.SGD(0.001), loss, engine="epoch", jit=True)
    x, y = np.tile(X, (20, 1)), np.tile(Y, (20, 1))
    anneal = dn.callbacks.LambdaCallback(
        on_epoch_begin=lambda e, logs=None: setattr(loss, "factor", 1.0 / (e + 1))
    )
    model.fit(x, y, batch_size=2, epochs=5, seed=0, verbose=0, callbacks=[anneal])
    assert (model.history.engine, model.history.jit) == ("epoch", False)
    assert "no longer made machine code" in caplog.text


def test_a_setting_that_is_put_back_finds_what_was_compiled(backend):
    traced = []

    def factor(loss):
        traced.append(loss.value)
        return loss.value

    loss, model = Times(factor, value=1.0), model_of(backend)
    model.compile("sgd", loss, engine="epoch")
    turn = dn.callbacks.LambdaCallback(
        on_epoch_begin=lambda e, logs=None: setattr(loss, "value", 1.0 + e % 2)
    )
    model.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[turn])
    before = list(traced)
    model.fit(X, Y, batch_size=2, epochs=6, verbose=0, callbacks=[turn])
    assert traced == before


def test_nothing_is_compiled_anew_for_what_is_no_setting(backend):
    traced = []

    def factor(loss):
        traced.append(1)
        return 1.0

    class Look(dn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.predict(X)
            self.model.optimizer.learning_rate *= 0.5
            self.model.evaluate(X, Y)
            loss.value = float("1.0")  # an equal one

    loss, model = Times(factor, value=1.0), model_of(backend)
    metrics = ["mae", dn.metrics.RootMeanSquaredError()]
    model.compile("adam", loss, metrics=metrics, engine="epoch")
    model.fit(X, Y, batch_size=2, epochs=1, verbose=0, validation_data=(X, Y), callbacks=[Look()])
    before = len(traced)
    model.fit(X, Y, batch_size=2, epochs=4, verbose=0, validation_data=(X, Y), callbacks=[Look()])
    assert len(traced) == before


def test_settings_are_named():
    inner = Times(1.0)
    outer = Times(2.0, parts={"inner": [inner]})
    before = Settings({"loss": outer})
    assert before.hold()
    assert Settings({"loss": outer}) == before
    inner.factor = 3.0
    assert not before.hold()
    assert Settings({"loss": outer}).difference(before) == "Times 'Times'.factor"
    inner.factor = 1.0
    assert Settings({"loss": outer}) == before
    outer.new = 1
    assert not before.hold()
    assert Settings({"loss": outer}) != before
    del outer.new
    outer.me = outer  # a cycle
    assert Settings({"loss": outer}) != before
    nan = Settings({"x": [float("nan"), -0.0]})
    assert nan == Settings({"x": [float("nan"), -0.0]})
    assert nan != Settings({"x": [float("nan"), 0.0]})
    assert Settings({"x": [1]}) != Settings({"x": [True]}) != Settings({"x": [1.0]})


def test_looking_at_settings_takes_microseconds(backend):
    import timeit

    model = model_of(backend)
    model.compile("adam", "mse", metrics=["accuracy"])
    model.fit(X, Y, verbose=0)
    trainer = model._trainer
    settings = Settings({"model": model, **trainer.objective.uses(), "optimizer": trainer.optimizer})
    assert settings.hold()
    assert min(timeit.repeat(settings.hold, number=100, repeat=5)) / 100 < 100e-6


class Noisy(dn.Layer):
    """A layer that draws as one must not."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def call(self, x, training=False):
        return x + self.draw() if training else x


def of_numpy():
    return np.random.normal()


def of_python():
    return random.random()


@pytest.mark.parametrize("engine", ["step", "epoch"])
@pytest.mark.parametrize("source", ["numpy", "python", "held", "loss"])
def test_random_numbers_of_numpy_and_python_are_noticed(backend, source, engine, caplog):
    def run(engine):
        np.random.seed(0)
        random.seed(0)
        generator = np.random.default_rng(0)
        draw = {"numpy": of_numpy, "python": of_python, "held": generator.normal}.get(source, lambda: 0.0)
        loss = Times(lambda loss: 1.0 + random.random()) if source == "loss" else "mse"
        model = model_of(backend, [Noisy(draw), dn.layers.Dense(1)])
        model.compile(dn.optimizers.SGD(0.05), loss, engine=engine)
        numbers = model.fit(X, Y, batch_size=2, epochs=2, seed=0, verbose=0).history["loss"]
        return model, numbers

    model, eager = run("eager")
    with caplog.at_level(logging.WARNING, "dualnn"):
        model, losses = run(engine)
    np.testing.assert_allclose(losses, eager, rtol=1e-5)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "draws from" in message
    assert {"numpy": "of_numpy", "python": "of_python", "held": "'noisy'.draw", "loss": "Python's"}[
        source
    ] in message
    assert model.history.engine == "eager"


def test_a_number_that_a_step_sets_itself_is_noticed(backend, caplog):
    class Counts(Times):
        calls = 0

        def call(self, y_true, y_pred):
            self.calls += 1
            return super().call(y_true, y_pred) / self.calls

    model = model_of(backend)
    model.compile(dn.optimizers.SGD(0.05), Counts(1.0), engine="epoch")
    with caplog.at_level(logging.WARNING, "dualnn"):
        model.fit(X, Y, batch_size=2, epochs=6, verbose=0)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "Counts 'Counts'.calls is set by the step itself" in message


def test_a_module_of_the_user_may_be_named_alike(tmp_path, monkeypatch):
    text = "FACTOR = 1.0\n\ndef loss(y_true, y_pred):\n    return (y_true - y_pred) ** 2 * FACTOR\n"
    (tmp_path / "dualnn_of_a_user.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("dualnn_of_a_user")
    before = Settings({"the loss": module.loss})
    monkeypatch.setattr(module, "FACTOR", 2.0)
    assert not before.hold()
    assert Settings({"the loss": module.loss}) != before
