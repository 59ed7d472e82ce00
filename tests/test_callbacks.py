"""Callbacks that write weights and set the learning rate, and what they call better."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import dualnn as dn
from dualnn import callbacks
from dualnn.callbacks.monitor import Monitor
from tests.test_engines import ENGINES

X, Y = np.ones((4, 1), "float32"), np.full((4, 1), -1000.0, "float32")
SLOW = [*ENGINES[:3], pytest.param(*ENGINES[3], marks=pytest.mark.slow)]


def falling(rate=0.5, **settings):
    """A model whose one weight starts at 0 and falls by the learning rate in every step, exactly."""
    model = dn.Sequential([dn.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(dn.optimizers.SGD(rate), "mae", **settings)
    return model


class Diary(callbacks.Callback):
    """The weight and the logs after each epoch."""

    def on_train_begin(self, logs=None):
        self.weights, self.logs = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(float(self.model.get_weights()[0][0, 0]))
        self.logs.append(dict(logs))


class Says(callbacks.Callback):
    """Puts given numbers into the logs."""

    def __init__(self, **numbers):
        self.numbers = numbers

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.numbers.items()})


def run(model, epochs, *several):
    diary = Diary()
    model.fit(X, Y, epochs=epochs, batch_size=2, callbacks=[*several, diary], verbose=0)
    return diary


# ------------------------------------------------------------------ the learning rate


@pytest.mark.parametrize(("engine", "jit"), SLOW)
def test_a_scheduled_learning_rate_takes_effect_in_every_engine(backend, engine, jit):
    rates = [0.5, 0.0, 0.25, 2.0]
    scheduler = callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    model = falling(1.0, engine=engine, jit=jit)
    diary = run(model, 4, scheduler)
    assert (model.history.engine, model.history.jit) == (engine, bool(jit))
    assert diary.weights == [-1.0, -1.0, -1.5, -5.5]  # two steps an epoch
    assert [logs["learning_rate"] for logs in diary.logs] == rates


@pytest.mark.parametrize(("engine", "jit"), SLOW)
def test_a_reduced_learning_rate_takes_effect_in_every_engine(backend, engine, jit):
    reduce = callbacks.ReduceLROnPlateau("score", factor=0.5, patience=1)
    diary = run(falling(0.5, engine=engine, jit=jit), 4, Says(score=[1.0, 2.0, 0.5, 0.5]), reduce)
    assert diary.weights == [-1.0, -2.0, -2.5, -3.0]
    assert [logs["learning_rate"] for logs in diary.logs] == [0.5, 0.5, 0.25, 0.25]
    assert reduce.model.optimizer.learning_rate == 0.125


def test_a_schedule_is_given_the_learning_rate_until_then(backend, capsys):
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate, verbose=1)
    assert run(falling(), 3, scheduler).weights == [-1.0, -1.5, -1.75]
    line = "Epoch 3: LearningRateScheduler sets the learning rate to 0.125"
    assert capsys.readouterr().out.splitlines()[2] == line


def test_schedules_that_cannot_be_are_refused(backend):
    with pytest.raises(TypeError, match="expected a function"):
        callbacks.LearningRateScheduler(0.1)
    with pytest.raises(TypeError, match=r"take an epoch and a learning rate, got \(\)"):
        callbacks.LearningRateScheduler(lambda: 0.1)
    for bad in (None, -1.0, np.nan, "fast"):
        scheduler = callbacks.LearningRateScheduler({0: bad}.__getitem__)
        with pytest.raises(ValueError, match="schedule to return a number of at least 0 for epoch 0, got"):
            run(falling(), 1, scheduler)
    scheduled = dn.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    for callback in (callbacks.LearningRateScheduler(lambda epoch: 0.1), callbacks.ReduceLROnPlateau("loss")):
        model = falling(scheduled)
        with pytest.raises(ValueError, match="SGD has a schedule for it"):
            run(model, 1, callback)


SETTINGS = {
    "defaults": {},
    "patience 2": {"patience": 2},
    "at once": {"patience": 0, "factor": 0.5},
    "cooldown": {"patience": 1, "cooldown": 2, "factor": 0.25},
    "a least rate": {"patience": 1, "min_lr": 0.125, "factor": 0.5},
    "a least change": {"patience": 2, "min_delta": 0.3},
    "upwards": {"patience": 2, "mode": "max"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_the_learning_rate_is_reduced_when_keras_reduces_it(settings, seed):
    values = np.random.default_rng(seed).integers(0, 8, 40) / 4 + np.linspace(2, 0, 40).round(1)
    ours, theirs = falling(1.0), keras.Sequential([keras.layers.Dense(1)])
    theirs.compile(keras.optimizers.SGD(1.0), "mse")
    own = callbacks.ReduceLROnPlateau("loss", **settings)
    other = keras.callbacks.ReduceLROnPlateau("loss", **settings)
    own.set_model(ours)
    other.set_model(theirs)
    own.on_train_begin()
    other.on_train_begin()
    for epoch, value in enumerate(values):
        own.on_epoch_end(epoch, {"loss": float(value)})
        other.on_epoch_end(epoch, {"loss": float(value)})
        # Keras keeps the rate in float32, and multiplies it there
        assert ours.optimizer.learning_rate == pytest.approx(float(theirs.optimizer.learning_rate), rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"factor": 1.0}, "factor must be a number between 0 and 1, got 1.0"),
        ({"patience": -1}, "patience must be a number of at least 0, got -1"),
        ({"mode": "up"}, "mode must be 'auto', 'min' or 'max', got 'up'"),
        ({"min_delta": float("nan")}, "min_delta must be a number, got nan"),
    ],
)
def test_bad_settings_of_a_plateau_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        callbacks.ReduceLROnPlateau(**settings)


def test_a_number_that_is_not_there_is_named(backend):
    for callback in (
        callbacks.ReduceLROnPlateau(),
        callbacks.EarlyStopping(),
        callbacks.ModelCheckpoint("x.safetensors", save_best_only=True),
    ):
        message = f"{type(callback).__name__}: unknown number 'val_loss'.*Is validation_data given"
        with pytest.raises(ValueError, match=message):
            run(falling(), 1, callback)


# ------------------------------------------------------------------ what is better


@pytest.mark.parametrize(
    ("name", "mode", "rises"),
    [
        ("val_loss", "auto", False),
        ("val_accuracy", "auto", True),
        ("sparse_categorical_accuracy", "auto", True),
        ("auc", "auto", True),
        ("val_mae", "auto", False),
        ("val_accuracy", "min", False),
        ("loss", "max", True),
    ],
)
def test_which_way_is_better(name, mode, rises):
    monitor = Monitor(name, mode)
    assert monitor.improves(2.0, than=1.0) is rises
    assert monitor.improves(1.0, than=2.0) is not rises
    assert not monitor.improves(1.0, than=1.0)
    assert not monitor.improves(float("nan"), than=monitor.worst)
    assert monitor.improves(1.0, than=monitor.worst)


# ------------------------------------------------------------------ checkpoints


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_weights_are_written_after_each_epoch(backend, tmp_path, capsys):
    pattern = tmp_path / "runs" / "one" / "{epoch:02d}-{loss:.1f}.safetensors"
    diary = run(falling(), 3, callbacks.ModelCheckpoint(pattern, verbose=1))
    folder = tmp_path / "runs" / "one"
    losses = [logs["loss"] for logs in diary.logs]
    assert files(folder) == [f"{epoch:02d}-{loss:.1f}.safetensors" for epoch, loss in enumerate(losses, 1)]
    assert str(folder / files(folder)[0]) in capsys.readouterr().out
    other = falling().on("tensorflow" if backend == "torch" else "torch")
    other(X)
    for name, weight in zip(files(folder), diary.weights, strict=True):
        other.load_weights(folder / name)
        assert other.get_weights()[0].tolist() == [[weight]]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [1, 3, 6]),
        ({"mode": "max"}, [1, 2, 5]),
        ({"initial_value_threshold": 2.5}, [3, 6]),
        ({"initial_value_threshold": 0.5}, []),
    ],
)
def test_only_the_best_are_written(backend, tmp_path, settings, kept):
    says = Says(score=[3.0, 4.0, 2.0, 2.0, 5.0, 1.0])
    path = tmp_path / "{epoch}.safetensors"
    checkpoint = callbacks.ModelCheckpoint(path, "score", save_best_only=True, **settings)
    run(falling(), 6, says, checkpoint)
    assert files(tmp_path) == [f"{epoch}.safetensors" for epoch in kept]
    before = checkpoint.best
    run(falling(), 1, Says(score=[before]), checkpoint)  # no better than the file of the first run
    assert files(tmp_path) == [f"{epoch}.safetensors" for epoch in kept]


def test_one_file_is_overwritten_by_the_best(backend, tmp_path):
    path = tmp_path / "best.safetensors"
    says = Says(val_score=[3.0, 1.0, 2.0])
    diary = run(falling(), 3, says, callbacks.ModelCheckpoint(path, "val_score", save_best_only=True))
    model = falling()
    model(X)
    model.load_weights(str(path))
    assert model.get_weights()[0].tolist() == [[diary.weights[1]]]
    assert files(tmp_path) == ["best.safetensors"]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("weights.h5", ValueError, "ends in '.safetensors' for the weights, or in '.dualnn' for the whole"),
        ("{epoch.safetensors", ValueError, "expected a filepath such as"),
        ("{}.safetensors", ValueError, "expected a filepath such as"),
        ("{epoch:.2x}.safetensors", ValueError, "expected a filepath such as"),
        ("folder.safetensors", IsADirectoryError, "is a folder"),
        ("file/{epoch}.safetensors", NotADirectoryError, "'.*file' is a file, not a folder"),
        ("file/deep/er.safetensors", NotADirectoryError, "'.*file' is a file, not a folder"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path, name, error, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(error, match=message):
        callbacks.ModelCheckpoint(tmp_path / name)


def test_a_folder_without_permission_is_refused_at_once(tmp_path, monkeypatch):
    # not by chmod, as the system's administrator may write everywhere
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(PermissionError, match="no permission to write in"):
        callbacks.ModelCheckpoint(tmp_path / "runs" / "{epoch}.safetensors")


def test_an_unknown_name_in_the_filepath_is_named(backend, tmp_path):
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{val_los:.2f}.safetensors")
    with pytest.raises(ValueError, match=r"ModelCheckpoint: unknown number 'val_los'.*'epoch', 'loss'"):
        run(falling(), 1, checkpoint)
    assert files(tmp_path) == []


@pytest.mark.parametrize("weights_only", [None, False])
def test_whole_models_of_the_best_epoch(backend, weights_only, tmp_path):
    says, path = Says(val_score=[3.0, 1.0, 2.0]), tmp_path / "best.dualnn"
    keep = callbacks.ModelCheckpoint(path, "val_score", save_best_only=True, save_weights_only=weights_only)
    diary = run(falling(), 3, says, keep)
    model = dn.load_model(path)
    assert model.get_weights()[0].tolist() == [[diary.weights[1]]]
    model.fit(X, Y, verbose=0)  # it comes with what it was compiled with


@pytest.mark.parametrize(("name", "weights_only"), [("x.safetensors", False), ("x.dualnn", True)])
def test_the_ending_and_what_is_in_the_file_agree(tmp_path, name, weights_only):
    with pytest.raises(ValueError, match=f"{name}' with save_weights_only={weights_only}"):
        callbacks.ModelCheckpoint(tmp_path / name, save_weights_only=weights_only)
