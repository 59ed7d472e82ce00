"""Bad data in the middle of a run: what is said, and that the model is as it was before."""

import os
import signal
import time

import numpy as np
import pytest

import dualnn as dn

ENGINES = [("eager", None), ("step", None), ("epoch", None), ("epoch", True)]


def data(size=60):
    rng = np.random.default_rng(1)
    return rng.normal(size=(size, 4)).astype(np.float32), rng.normal(size=(size, 1)).astype(np.float32)


def compiled(backend, layers, optimizer="sgd", engine="auto", **options):
    model = dn.Sequential(layers).on(backend)
    model.compile(optimizer, "mse", engine=engine, **options)
    return model


def dense(backend, *args, **options):
    return compiled(backend, [dn.layers.Dense(3, activation="tanh"), dn.layers.Dense(1)], *args, **options)


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
def test_nan_in_the_data_names_the_step_and_the_samples(backend, engine, jit):
    x, y = data()
    x[17, 2] = np.nan
    model = dense(backend, "adam", engine=engine, jit=jit)
    with pytest.raises(dn.NonFiniteError, match=r"in the data, x at \d") as caught:
        model.fit(x, y, batch_size=8, epochs=3, seed=1, on_nonfinite="raise")
    error = caught.value
    assert error.epoch == 0
    assert 17 in error.indices
    assert len(error.indices) == 8 or error.step == 7
    # what the steps before had made of the model is what a run over their samples makes of it
    good = dense(backend, "adam", engine=engine, jit=jit)
    order = dn.random.Generator(dn.random.key(model.seed, "shuffle", 0)).permutation(60)[: error.step * 8]
    good.fit(x[order], y[order], batch_size=8, shuffle=False, seed=1, on_nonfinite="raise")
    for one, other in zip(model.get_weights(), good.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
def test_such_steps_can_be_left_out(backend, engine, jit, caplog):
    x, y = data()
    x[20:24] = np.inf
    options = {"batch_size": 4, "epochs": 2, "shuffle": False, "seed": 1}
    model, without = dense(backend, engine=engine, jit=jit), dense(backend, engine=engine, jit=jit)
    history = model.fit(x, y, on_nonfinite="skip", **options)
    assert caplog.text.count("left out: 1, the first of them step 6") == 2
    keep = np.r_[0:20, 24:60]  # SGD does not count its steps, so that one left out is as if it were not there
    expected = without.fit(x[keep], y[keep], on_nonfinite="skip", **options)
    for one, other in zip(model.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert history.history == expected.history


def test_nothing_is_left_of_an_epoch(backend):
    x, y = data()
    history = dense(backend).fit(x * np.nan, y, on_nonfinite="skip", seed=1)
    assert np.isnan(history.history["loss"]).all()


def test_the_layer_is_named(backend):
    x, y = data()

    class Logarithm(dn.Layer):
        def call(self, x):
            return self.nn.log(x)

    layers = [dn.layers.Dense(3, name="first"), Logarithm(name="logarithm"), dn.layers.Dense(1)]
    with pytest.raises(dn.NonFiniteError, match=r"the output of layer 'logarithm' \(layers\.1\)"):
        compiled(backend, layers).fit(x, y, on_nonfinite="raise", seed=1)


def test_the_gradient_is_named(backend):
    x, y = data()

    class Root(dn.Layer):
        def call(self, x):
            return self.nn.sqrt(self.nn.abs(x) * 0.0)  # at 0 its slope is infinite

    layers = [dn.layers.Dense(3), Root(), dn.layers.Dense(1)]
    with pytest.raises(dn.NonFiniteError, match=r"gradient of layers\.0\.bias, though the loss is finite"):
        compiled(backend, layers).fit(x, y, on_nonfinite="raise", seed=1)


def test_the_loss_is_named(backend):
    x, y = data()
    with pytest.raises(dn.NonFiniteError, match="the loss, though the model's output is finite"):
        dense(backend).fit(x, y * 1e30, on_nonfinite="raise", seed=1)


def test_data_in_batches(backend):
    x, y = data()
    batches = [(x[:8], y[:8]), (x[8:16] * np.inf, y[8:16])]
    with pytest.raises(dn.NonFiniteError, match="epoch 1, step 2: the first number") as caught:
        dense(backend).fit(batches_of(batches), on_nonfinite="raise", seed=1)
    assert caught.value.indices is None


def batches_of(batches):
    return lambda: iter(batches)


def test_nothing_is_looked_for_unless_asked(backend):
    x, y = data()
    x[3] = np.nan
    model = dense(backend)
    model.fit(x, y, seed=1)
    assert np.isnan(model.get_weights()[0]).any()
    with pytest.raises(ValueError, match="on_nonfinite"):
        model.fit(x, y, on_nonfinite="rise")


def test_the_last_good_checkpoint_is_intact(backend, tmp_path):
    x, y = data()
    poisoned = x.copy()

    class Poison(dn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                poisoned[5] = np.nan

    def batches():
        return ((poisoned[i : i + 8], y[i : i + 8]) for i in range(0, 56, 8))

    saving = dn.Checkpoints(tmp_path)
    with pytest.raises(dn.NonFiniteError, match="epoch 3, step 1"):
        dense(backend).fit(batches, epochs=5, checkpoint=saving, callbacks=[Poison()], seed=1)
    assert len(saving.paths()) == 2
    poisoned[:] = x
    history = dense(backend).fit(
        batches, epochs=5, checkpoint=saving, resume=True, callbacks=[Poison()], seed=1
    )
    assert len(history.epoch) == 5
    assert np.isfinite(history.history["loss"]).all()


def test_float16_overflow_is_no_bad_step(backend):
    x, y = data()
    model = dense(backend, "adam", precision="mixed_float16")
    history = model.fit(x * 100, y * 100, epochs=3, on_nonfinite="raise", seed=1)
    assert np.isfinite(history.history["loss"]).all()


def test_a_generator_that_raises(backend):
    x, y = data()

    def batches():
        yield x[:8], y[:8]
        yield x[8:16], y[8:16]
        raise OSError("the camera is gone")

    model = dense(backend)
    with pytest.raises(OSError, match="the camera is gone") as caught:
        model.fit(batches, seed=1)
    assert "(raised by the data, while it was asked for batch 3 of an epoch)" in caught.value.__notes__
    assert np.isfinite(model.predict(x)).all()
    assert model.optimizer.iterations == 2


def test_a_generator_that_ends_early(backend):
    x, y = data()
    model = dense(backend)
    with pytest.warns(UserWarning, match="the data ended after 2 of 5 steps"):
        history = model.fit(iter([(x[:8], y[:8])] * 7), steps_per_epoch=5, epochs=2, seed=1)
    assert history.epoch == [0, 1]
    assert model.optimizer.iterations == 7
    with pytest.warns(UserWarning, match="training ends after epoch 2 of 4"):
        history = model.fit(iter([(x[:8], y[:8])] * 4), steps_per_epoch=2, epochs=4)
    assert history.epoch == [0, 1]


def test_a_generator_that_stalls(backend, monkeypatch, caplog):
    x, y = data()
    monkeypatch.setattr("dualnn.training.prefetch.PATIENCE", 0.1)

    def batches():
        yield x[:8], y[:8]
        time.sleep(1.0)
        yield x[8:16], y[8:16]

    dense(backend).fit(batches, seed=1)
    assert "waited 0 seconds for the next batch" in caplog.text


@pytest.fixture
def ctrl_c():
    """Ctrl-C as Python hears it: a shell lets programs in the background not hear it at all."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_ctrl_c_ends_after_the_step_and_the_run_goes_on_exactly(backend, engine, tmp_path):
    x, y = data(80)

    class Press(dn.callbacks.Callback):
        pressed = False

        def on_train_chunk_end(self, batch, logs=None):
            if self.pressed and self.model.optimizer.iterations == 30:
                os.kill(os.getpid(), signal.SIGINT)

    def fit(folder, pressed):
        model, press = dense(backend, "adam", engine=engine), Press()
        press.pressed = pressed
        saving = dn.Checkpoints(tmp_path / folder, every_steps=5)
        try:
            model.fit(x, y, batch_size=8, epochs=5, checkpoint=saving, resume=True, callbacks=[press], seed=1)
        except KeyboardInterrupt:
            assert pressed
            assert model.optimizer.iterations == 30
            assert np.isfinite(model.predict(x)).all()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        return model

    fit("parts", pressed=True)
    resumed, whole = fit("parts", pressed=False), fit("whole", pressed=False)
    assert resumed.optimizer.iterations == whole.optimizer.iterations == 50
    for one, other in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("ctrl_c")
def test_the_second_ctrl_c_ends_at_once(backend):
    x, y = data(80)

    class Press(dn.callbacks.Callback):
        reached = 0

        def on_train_chunk_end(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)
            self.reached += 1
            os.kill(os.getpid(), signal.SIGINT)
            self.reached += 1

    press = Press()
    with pytest.raises(KeyboardInterrupt):
        dense(backend).fit(x, y, callbacks=[press], seed=1)
    assert press.reached == 1
