"""The methods of callbacks: which are called, when, and with what, beside Keras's own."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest

import dualnn as dn

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 4)).astype("float32")
Y = X[:, :1].copy()

HOOKS = [
    *(f"on_{what}_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")),
    *(f"on_{what}_batch_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")),
    *("on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end"),
]


def recorder(base):
    """A callback that writes down every call: the method, the number, and the keys of the logs."""

    def method(name):
        def hook(self, *args, **named):
            *number, logs = (*args, *named.values())  # Keras gives some by name
            self.calls.append((name, *number, sorted(logs)))
            getattr(super(type(self), self), name)(*args, **named)

        return hook

    cls = type("Recorder", (base,), {name: method(name) for name in HOOKS})
    found = cls()
    found.calls = []
    return found


def compiled(library, name=None):
    model = library.Sequential([library.layers.Dense(1)])
    model = model if name is None else model.on(name)
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def run(model, callback):
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[callback], validation_data=(X, Y))
    model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[callback])
    model.predict(X, batch_size=4, verbose=0, callbacks=[callback])
    return callback


def test_methods_are_called_in_keras_order_with_keras_logs(backend):
    theirs = run(compiled(keras), recorder(keras.callbacks.Callback))
    ours = run(compiled(dn, backend), recorder(dn.callbacks.Callback))
    assert ours.calls == theirs.calls


def test_a_callback_written_for_keras_works(backend):
    theirs = run(compiled(dn, backend), recorder(keras.callbacks.Callback))
    assert theirs.calls == run(compiled(dn, backend), recorder(dn.callbacks.Callback)).calls
    assert isinstance(theirs.model, dn.Model)
    assert theirs.params["steps"] == 3


@pytest.mark.parametrize("base", [dn.callbacks.Callback, keras.callbacks.Callback])
def test_a_callback_without_methods_for_batches_leaves_the_engine_as_it_is(backend, base):
    class Epochs(base):
        ended = 0

        def on_epoch_end(self, epoch, logs=None):
            self.ended += 1

        def on_test_end(self, logs=None):
            self.ended += 1

    model = dn.Sequential([dn.layers.Dense(1)])
    model.compile("sgd", "mse", engine="epoch", jit=False)
    callback = Epochs()
    history = model.fit(X, Y, batch_size=4, epochs=2, callbacks=callback, validation_data=(X, Y))
    assert (history.engine, callback.ended) == ("epoch", 4)


@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_methods_for_batches_see_each_batch_of_validation_in_every_engine(backend, engine):
    class Batches(dn.callbacks.Callback):
        def __init__(self):
            self.losses = []

        def on_test_batch_end(self, batch, logs):
            self.losses.append((batch, logs["loss"]))

    model = dn.Sequential([dn.layers.Dense(1)])
    model.compile("sgd", "mse", engine=engine, jit=False)
    callback = Batches()
    history = model.fit(X, Y, batch_size=4, epochs=1, callbacks=callback, validation_data=(X, Y), seed=0)
    assert history.engine == engine  # the training's own
    assert [batch for batch, _ in callback.losses] == [0, 1, 2]
    assert callback.losses[-1][1] == pytest.approx(history.history["val_loss"][0], rel=1e-6)


def test_the_old_names_of_batch_methods_are_called(backend):
    class Old(dn.callbacks.Callback):
        begun = ended = 0

        def on_batch_begin(self, batch, logs=None):
            self.begun += 1

        def on_batch_end(self, batch, logs):
            self.ended += "loss" in logs

    old = Old()
    compiled(dn, backend).fit(X, Y, batch_size=4, callbacks=old)
    assert (old.begun, old.ended) == (3, 3)


def test_training_ends_after_the_batch_in_which_it_is_stopped(backend):
    class Stop(dn.callbacks.Callback):
        batches = epochs = 0

        def on_train_batch_end(self, batch, logs):
            self.batches += 1
            self.model.stop_training = batch == 1

        def on_epoch_end(self, epoch, logs):
            self.epochs += 1
            self.validated = "val_loss" in logs

    stop, model = Stop(), compiled(dn, backend)
    model.fit(X, Y, batch_size=2, epochs=9, callbacks=stop, validation_data=(X, Y))
    assert (stop.batches, stop.epochs, stop.validated, model.optimizer.iterations) == (2, 1, True, 2)


def test_evaluation_and_prediction_end_where_they_are_stopped(backend):
    class Stop(dn.callbacks.Callback):
        def on_test_batch_end(self, batch, logs):
            self.model.stop_evaluating = batch == 1

        def on_predict_batch_end(self, batch, logs):
            assert logs["outputs"].shape == (2, 1)
            self.model.stop_predicting = batch == 1

    model = compiled(dn, backend)
    whole = model.evaluate(X[:4], Y[:4], verbose=0)
    np.testing.assert_allclose(
        model.evaluate(X, Y, batch_size=2, callbacks=Stop(), verbose=0), whole, rtol=1e-6
    )
    assert len(model.predict(X, batch_size=2, callbacks=Stop())) == 4
    assert len(model.predict(X, batch_size=2)) == 10  # the next one is whole again


def test_methods_on_batch_agree_with_evaluate_and_predict(backend):
    model = compiled(dn, backend)
    weight = np.arange(10, dtype="float32")
    model.fit(X, Y, verbose=0)
    want = model.evaluate(X, Y, batch_size=10, sample_weight=weight, return_dict=True, verbose=0)
    assert model.test_on_batch(X, Y, weight, return_dict=True) == pytest.approx(want)
    assert model.train_on_batch(X, Y, sample_weight=weight, return_dict=True) == pytest.approx(want)
    np.testing.assert_allclose(model.predict_on_batch(X), model.predict(X, batch_size=10), rtol=1e-6)
    with pytest.raises(ValueError, match="samples"):
        model.train_on_batch(X, Y[:3])
    with pytest.raises(TypeError, match="the arrays of one batch"):
        model.test_on_batch(iter([(X, Y)]))


# ------------------------------------------------------------------ what is refused


def takes_no_logs(**methods):
    return type("Short", (dn.callbacks.Callback,), methods)()


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (dn.callbacks.EarlyStopping, r"the class EarlyStopping; make one of it: EarlyStopping\(\)"),
        ([dn.callbacks.History], r"the class History"),
        ("early", "expected callbacks, got 'early'"),
        ([None], "expected callbacks, got None"),
        (print, "expected callbacks, got the function print"),
        (
            keras.callbacks.EarlyStopping("val_loss", patience=3),
            r"got keras.callbacks.EarlyStopping: use dn.callbacks.EarlyStopping\(patience=3\)",
        ),
        (keras.callbacks.TerminateOnNaN(), r"use dn.callbacks.TerminateOnNaN\(\)"),
        (takes_no_logs(on_train_begin=lambda self: None), r"Short.on_train_begin is called with \(logs\)"),
        (
            dn.callbacks.LambdaCallback(on_epoch_end=lambda epoch: None),
            r"LambdaCallback.on_epoch_end is called with \(epoch, logs\), which it does not take",
        ),
    ],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_what_is_no_callback_is_refused_before_anything_is_done(backend, method, callbacks, message):
    model = compiled(dn, backend)
    given = (X,) if method == "predict" else (X, Y)
    with pytest.raises(TypeError, match=message):
        getattr(model, method)(*given, callbacks=callbacks)
    assert not model.built
