"""`compile`, `fit`, `evaluate`, `predict`, `train_on_batch` and the record of a run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest

import dualnn as dn


def regression(n=64):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 3)).astype("float32")
    return x, (x @ np.asarray([[1.0], [-2.0], [0.5]]) + 0.3).astype("float32")


def linear(rate=0.1):
    model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(dn.optimizers.SGD(rate), "mse")
    return model


def test_full_batch_descent_is_the_formula(backend):
    x, y = regression()
    model = linear()
    history = model.fit(x, y, batch_size=64, epochs=5, shuffle=False, verbose=0)
    w, b, losses = np.zeros((3, 1)), 0.0, []
    for _ in range(5):
        error = x.astype("float64") @ w + b - y
        losses.append(np.mean(error**2))
        w, b = w - 0.1 * 2 * x.T @ error / 64, b - 0.1 * 2 * error.mean()
    # each epoch adds sums of 64 products in float32: at most 5 * 64 roundings
    bound = 5 * 64 * 2**-24
    np.testing.assert_allclose(history.history["loss"], losses, rtol=bound)
    np.testing.assert_allclose(model.get_weights()[0], w, atol=bound * np.abs(w).max())


def test_learns_with_every_optimizer(backend):
    x, y = regression(256)
    for optimizer in (
        dn.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        dn.optimizers.Adam(0.05),
        dn.optimizers.AdamW(0.05),
        dn.optimizers.RMSprop(0.01),
        dn.optimizers.Adam(dn.optimizers.schedules.ExponentialDecay(0.1, 50, 0.5), clipnorm=1.0),
    ):
        model = dn.Sequential([dn.layers.Dense(1)])
        model.compile(optimizer, "mse")
        history = model.fit(x, y, epochs=30, batch_size=32, seed=0, verbose=0)
        assert history.history["loss"][-1] < 0.05 * history.history["loss"][0], optimizer


def test_the_epochs_loss_is_the_mean_over_samples_also_with_a_short_last_batch(backend):
    x, y = regression(50)
    model = linear(rate=1e-12)
    history = model.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0)
    expected = np.mean(y.astype("float64") ** 2)
    np.testing.assert_allclose(history.history["loss"][0], expected, rtol=60 * 2**-24)
    np.testing.assert_allclose(model.evaluate(x, y, batch_size=7), expected, rtol=60 * 2**-24)


def test_history_is_keras_dictionary(backend):
    x, y = regression()
    model = dn.Sequential([dn.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae", dn.metrics.RootMeanSquaredError(name="rmse")])
    history = model.fit(x, y, epochs=3, validation_split=0.25, verbose=0)
    assert list(history.history) == ["loss", "mae", "rmse", "val_loss", "val_mae", "val_rmse"]
    assert all(len(values) == 3 for values in history.history.values())
    assert all(isinstance(v, float) for values in history.history.values() for v in values)
    assert history.epoch == [0, 1, 2]
    assert history.params["steps"] == 2
    assert model.history is history
    loss, mae, rmse = model.evaluate(x[48:], y[48:])
    # means of 16 squares in float32, each in another order of summation
    assert loss == pytest.approx(history.history["val_loss"][-1], rel=2 * 16 * 2**-24)
    assert rmse == pytest.approx(loss**0.5, rel=2 * 16 * 2**-24)
    assert model.evaluate(x[48:], y[48:], return_dict=True)["mae"] == pytest.approx(mae)


def test_seed_fixes_everything(backend):
    x, y = regression()

    def run(seed):
        model = dn.Sequential([dn.layers.Dense(8), dn.layers.Dropout(0.5), dn.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(x, y, epochs=2, seed=seed, verbose=0)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    assert run(5).tobytes() == run(5).tobytes()
    assert not np.array_equal(run(5), run(6))


def test_dn_seed_fixes_models_built_after_it(backend):
    def weights():
        model = dn.Sequential([dn.layers.Dense(4)])
        model(np.ones((1, 3), "float32"))
        return model.get_weights()[0]

    dn.seed(11)
    first, second = weights(), weights()
    dn.seed(11)
    assert np.array_equal(first, weights())
    assert not np.array_equal(first, second)


def test_sample_weights_and_class_weights(backend):
    x = np.asarray([[1.0], [2.0], [3.0]], "float32")
    y = np.asarray([0, 1, 1])
    model = dn.Sequential([dn.layers.Dense(2, kernel_initializer="ones")])
    model.compile(dn.optimizers.SGD(0.1), dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    # equal logits, so each sample's loss is log 2; Keras divides by the number of samples
    weighted = model.evaluate(x, y, sample_weight=np.asarray([1.0, 2.0, 0.0]))
    assert weighted == pytest.approx(np.log(2), rel=4 * 2**-24)
    a = model.train_on_batch(x, y, class_weight={0: 3.0, 1: 0.5})
    assert a == pytest.approx(np.log(2) * 4 / 3, rel=4 * 2**-24)
    one, other = (dn.Sequential([dn.layers.Dense(2, kernel_initializer="ones")]) for _ in range(2))
    for m in (one, other):
        m.compile(dn.optimizers.SGD(0.1), dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    one.fit(x, y, class_weight={0: 2.0}, verbose=0, shuffle=False)
    other.fit(x, y, sample_weight=np.asarray([2.0, 1.0, 1.0]), verbose=0, shuffle=False)
    assert np.array_equal(one.get_weights()[0], other.get_weights()[0])


def test_early_stopping_restores_the_best_weights(backend):
    x, y = regression()
    seen = []

    class Diary(dn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((logs["val_loss"], self.model.get_weights()[0]))
            self.model.optimizer.learning_rate = 0.05 if epoch < 4 else 3.0  # diverges from then on

    model = linear(0.05)
    stop = dn.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    history = model.fit(
        x, y, epochs=50, batch_size=64, validation_data=(x, y), callbacks=[Diary(), stop], verbose=0
    )
    best = int(np.argmin([loss for loss, _ in seen]))
    assert stop.best_epoch == best == 4
    assert len(history.epoch) == best + 3
    assert stop.stopped_epoch == best + 2
    assert np.array_equal(model.get_weights()[0], seen[best][1])


def test_a_callback_of_functions(backend):
    x, y = regression(4)
    losses = []
    record = dn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
    history = linear().fit(x, y, epochs=3, callbacks=[record], verbose=0)
    assert losses == history.history["loss"]
    with pytest.raises(TypeError, match="no method of a callback"):
        dn.callbacks.LambdaCallback(on_epoch=print)


def test_callbacks_are_called_in_order(backend):
    calls = []

    class Log(dn.callbacks.Callback):
        pass

    for name in [m for m in vars(dn.callbacks.Callback) if m.startswith("on_")]:
        setattr(Log, name, lambda self, *a, _name=name: calls.append(_name))
    x, y = regression(4)
    linear().fit(x, y, batch_size=2, epochs=1, validation_data=(x, y), callbacks=[Log()], verbose=0)
    batch = ["on_train_batch_begin", "on_train_batch_end", "on_train_chunk_end"]
    test = ["on_test_batch_begin", "on_test_batch_end"]
    assert calls == [
        "on_train_begin", "on_epoch_begin", *batch, *batch, "on_test_begin", *test, *test, "on_test_end",
        "on_epoch_end", "on_train_end",
    ]  # fmt: skip


def test_a_batch_callback_sees_and_may_change_the_weights(backend):
    x, y = regression(4)

    class Reset(dn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert np.abs(self.model.get_weights()[0]).sum() > 0
            self.model.set_weights([np.zeros((3, 1)), np.zeros(1)])

    model = linear()
    model.fit(x, y, batch_size=2, epochs=2, callbacks=Reset(), verbose=0)
    assert not model.get_weights()[0].any()


def test_an_interrupted_training_keeps_its_whole_steps(backend):
    x, y = regression(8)

    def batches():
        yield x[:4], y[:4]
        raise KeyboardInterrupt

    model = linear()
    with pytest.raises(KeyboardInterrupt):
        model.fit(batches(), epochs=1, verbose=0)
    one = linear()
    one.train_on_batch(x[:4], y[:4])
    assert np.array_equal(model.get_weights()[0], one.get_weights()[0])
    assert model.optimizer.iterations == 1


def test_predict_returns_numpy_for_any_batch_size(backend):
    x, _ = regression(10)
    model = dn.Sequential([dn.layers.Dense(4, activation="tanh")])
    whole = model.predict(x, batch_size=10)
    assert isinstance(whole, np.ndarray)
    assert whole.shape == (10, 4)
    assert whole.dtype == np.float32
    # rows do not depend on each other, but a product may be summed in another order
    np.testing.assert_allclose(model.predict(x, batch_size=3), whole, atol=4 * 2**-24)
    np.testing.assert_allclose(model.predict_on_batch(x), whole, atol=4 * 2**-24)


def test_run_eagerly_gives_the_same_numbers(backend):
    x, y = regression()
    results = []
    for eager in (False, True):
        model = dn.Sequential([dn.layers.Dense(8, activation="tanh"), dn.layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=eager)
        results.append(model.fit(x, y, epochs=3, seed=1, verbose=0).history["loss"])
    # 6 steps of sums of 32 in float32
    np.testing.assert_allclose(*results, rtol=6 * 32 * 2**-24)


def test_python_control_flow_on_values_works_in_fit(backend):
    class Branching(dn.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = dn.layers.Dense(1), dn.layers.Dense(1)

        def call(self, x):
            if float(self.nn.to_numpy(self.nn.stop_gradient(self.nn.mean(x)))) > 0:
                return self.a(x)
            return self.b(x) + self.a(x)

    x, y = regression()
    model = dn.Sequential([Branching()])
    model.compile(dn.optimizers.SGD(0.05), "mse")
    history = model.fit(np.abs(x), y, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_regularizers_and_add_loss_count_in_the_loss(backend):
    class Penalty(dn.Layer):
        def call(self, x):
            self.add_loss(self.nn.asarray(2.0))
            return x

    x = np.ones((2, 1), "float32")
    model = dn.Sequential(
        [dn.layers.Dense(1, kernel_initializer="ones", kernel_regularizer=dn.regularizers.L2(0.5)), Penalty()]
    )
    model.compile(dn.optimizers.SGD(0.1), "mse")
    # prediction 1, target 1: loss 0 + 0.5 * 1^2 + 2
    assert model.evaluate(x, x) == 2.5
    model.train_on_batch(x, x)
    assert model.get_weights()[0][0, 0] == np.float32(1) - np.float32(0.1) * np.float32(1.0)
    assert len(model.losses) == 2


def test_frozen_layers_stay(backend):
    x, y = regression()
    model = dn.Sequential([dn.layers.Dense(4), dn.layers.BatchNormalization(), dn.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    model.layers[0].trainable = model.layers[1].trainable = False
    model.fit(x, y, epochs=2, verbose=0)
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert same == [True] * 6 + [False] * 2
    assert len(model.trainable_weights) == 2
    assert len(model.trainable_variables) == 2


def test_several_inputs_and_outputs(backend):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 3)).astype("float32"), rng.normal(size=(40, 2)).astype("float32")
    left, right = dn.Input((3,), name="left"), dn.Input((2,), name="right")
    joined = dn.layers.Concatenate()([left, right])
    total = dn.layers.Dense(1, name="total")(joined)
    sign = dn.layers.Dense(1, activation="sigmoid")(joined)
    model = dn.Model({"left": left, "right": right}, {"total": total, "sign": sign})
    model.compile(
        dn.optimizers.Adam(0.05),
        {"total": "mse", "sign": "binary_crossentropy"},
        loss_weights={"total": 0.5},
        metrics={"sign": ["accuracy"]},
    )
    y_total = a.sum(1, keepdims=True) + b.sum(1, keepdims=True)
    y = {"sign": (y_total > 0).astype("float32"), "total": y_total}
    history = model.fit({"left": a, "right": b}, y, epochs=40, verbose=0, seed=0).history
    assert set(history) == {"loss", "total_loss", "sign_loss", "sign_accuracy"}
    assert history["sign_accuracy"][-1] > 0.9
    np.testing.assert_allclose(
        history["loss"][-1], 0.5 * history["total_loss"][-1] + history["sign_loss"][-1], rtol=4 * 2**-24
    )
    outputs = model.predict({"left": a, "right": b})
    assert set(outputs) == {"total", "sign"}
    assert outputs["sign"].shape == (40, 1)


def test_verbose_two_prints_a_line_an_epoch(backend, capsys):
    x, y = regression(4)
    linear().fit(x, y, epochs=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("Epoch 2/2")
    assert "loss" in lines[1]
    linear().fit(x, y, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_copy_has_its_own_regularized_weights(backend):
    model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="ones", kernel_regularizer="l2")])
    model(np.ones((1, 4), "float32"))
    twin = model.on()
    twin.set_weights([np.zeros((4, 1)), np.zeros(1)])
    penalties = [float(m.nn.to_numpy(m.losses[0])) for m in (model, twin)]
    assert penalties == [pytest.approx(0.04), 0.0]


TRAINING = """
import dualnn as dn
model = dn.Sequential([dn.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit([[0.0], [1.0]], [[0.0], [2.0]], epochs=2)
"""


def test_a_progress_bar_on_a_terminal_and_silence_elsewhere(backend):
    environment = {**os.environ, "DUALNN_BACKEND": backend, "TERM": "xterm", "COLUMNS": "100"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", TRAINING], env=environment, capture_output=True, text=True, check=True
    )
    assert elsewhere.stdout == ""
    master, terminal = os.openpty()
    with subprocess.Popen([sys.executable, "-c", TRAINING], env=environment, stdout=terminal) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how the end of a terminal's output is told on Linux
            while part := os.read(master, 4096):
                shown += part
    os.close(master)
    assert process.returncode == 0
    assert "Epoch 2/2" in shown.decode()
    assert "━" in shown.decode()
