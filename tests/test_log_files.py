"""Callbacks that write the numbers of a run: CSV, JSON lines, TensorBoard."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pandas
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dualnn as dn
from dualnn.callbacks import CSVLogger, JSONLinesLogger, TensorBoard

X, Y = np.linspace(-1, 1, 12, dtype="float32")[:, None], np.ones((12, 1), "float32")


def model_on(backend, **settings):
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile(dn.optimizers.SGD(0.1), "mse", metrics=["mae"], **settings)
    return model


def fit(model, *callbacks, epochs=3, **options):
    return model.fit(X, Y, batch_size=4, epochs=epochs, seed=0, verbose=0, callbacks=[*callbacks], **options)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def scalars(folder):
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_csv_has_every_digit_of_the_history(backend, engine, tmp_path):
    path = tmp_path / "new folder" / "log.csv"
    history = fit(model_on(backend, engine=engine), CSVLogger(path), validation_split=0.25)
    assert history.engine == engine  # nothing here needs single steps
    rows = table(path)
    assert list(rows[0]) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for name, values in history.history.items():
        assert [float(row[name]) for row in rows] == values


def test_csv_says_where_there_is_no_number(backend, tmp_path):
    path = tmp_path / "log.csv"
    fit(model_on(backend), CSVLogger(path), validation_split=0.25, validation_freq=2)
    assert [row["val_mae"] == "NA" for row in table(path)] == [True, False, True]
    assert pandas.read_csv(path)["val_loss"].isna().tolist() == [True, False, True]


def test_csv_with_another_separator_is_added_to(backend, tmp_path):
    path = tmp_path / "log.csv"
    model = model_on(backend)
    fit(model, CSVLogger(path, separator=";"), epochs=2)
    fit(model, CSVLogger(path, separator=";", append=True), epochs=1)
    assert pandas.read_csv(path, sep=";")["epoch"].tolist() == [0, 1, 0]
    fit(model, CSVLogger(path, separator=";"), epochs=1)
    assert pandas.read_csv(path, sep=";")["epoch"].tolist() == [0]


def test_csv_refuses_a_file_with_other_columns(backend, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n0,1.0\n")
    with pytest.raises(ValueError, match="has the columns epoch, loss, and epoch 0 has mae; write to"):
        fit(model_on(backend), CSVLogger(path, append=True))
    assert path.read_text() == "epoch,loss\n0,1.0\n"


def test_json_lines(backend, tmp_path):
    path = tmp_path / "log.jsonl"
    history = fit(model_on(backend), JSONLinesLogger(path), validation_split=0.25, validation_freq=2)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert [line["loss"] for line in lines] == history.history["loss"]
    assert [line.get("val_loss") for line in lines] == [None, *history.history["val_loss"], None]
    assert len(pandas.read_json(path, lines=True)) == 3


def test_json_lines_are_json_when_the_loss_is_not_a_number(backend, tmp_path):
    path = tmp_path / "log.jsonl"
    model = model_on(backend)
    model.fit(X, np.full_like(Y, np.inf), epochs=1, verbose=0, callbacks=[JSONLinesLogger(path)])
    line = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert line == {"epoch": 0, "loss": None, "mae": None}


@pytest.mark.parametrize("logger", [CSVLogger, JSONLinesLogger])
def test_a_file_that_cannot_be_written_is_said_before_the_training(backend, logger, tmp_path):
    (tmp_path / "log").mkdir()
    model = model_on(backend)
    with pytest.raises(IsADirectoryError):
        fit(model, logger(tmp_path / "log"))
    assert model.optimizer.iterations == 0


class Stop(dn.callbacks.Callback):
    """Ends the process's part in the run after some calls of the engine, as a crash does."""

    def __init__(self, calls):
        self.calls = calls

    def on_train_chunk_end(self, batch, logs=None):
        self.calls -= 1
        if self.calls == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("logger", [CSVLogger, JSONLinesLogger])
@pytest.mark.parametrize("append", [False, True])
def test_a_resumed_run_has_each_epoch_once(backend, logger, append, tmp_path):
    def run(name, calls, resume):
        checkpoints = dn.Checkpoints(tmp_path / name, every_epochs=2, every_steps=5)
        callbacks = logger(tmp_path / f"{name}.log", append=append), Stop(calls)
        model = model_on(backend, engine="step")
        fit(model, *callbacks, epochs=6, checkpoint=checkpoints, resume=resume)

    run("whole", -1, False)
    for calls in (1, 7, 5, 3):
        with pytest.raises(KeyboardInterrupt):
            run("parts", calls, True)
    run("parts", -1, True)
    assert (tmp_path / "parts.log").read_bytes() == (tmp_path / "whole.log").read_bytes()


def test_a_line_that_a_crash_has_cut_off_is_left_out(tmp_path):
    log = CSVLogger(tmp_path / "log.csv")
    log.set_params({})
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 0.5})
    log.on_epoch_end(1, {"loss": 0.25})
    state = log.state_dict()
    log.on_train_end()
    whole = (tmp_path / "log.csv").read_bytes()
    (tmp_path / "log.csv").write_bytes(whole[:-3])
    log = CSVLogger(tmp_path / "log.csv")
    log.set_params({})
    log.on_train_begin()
    log.load_state_dict(state)
    log.on_epoch_end(2, {"loss": 0.125})
    log.on_train_end()
    assert (tmp_path / "log.csv").read_text() == "epoch,loss\n0,0.5\n2,0.125\n"


# ------------------------------------------------------------------ TensorBoard


def test_tensorboard_reads_the_history_back(backend, tmp_path):
    model = model_on(backend)
    history = fit(model, TensorBoard(tmp_path), validation_split=0.25)
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert set(train) == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}
    assert set(validation) == {"epoch_loss", "epoch_mae"}
    for name in ("loss", "mae"):
        # its numbers are of 32 bits
        assert train[f"epoch_{name}"] == list(enumerate(np.float32(history.history[name]).tolist()))
        assert validation[f"epoch_{name}"] == list(
            enumerate(np.float32(history.history[f"val_{name}"]).tolist())
        )
    assert [rate for _, rate in train["epoch_learning_rate"]] == [np.float32(0.1)] * 3


@pytest.mark.parametrize("engine", ["eager", "epoch"])
def test_tensorboard_shows_single_steps(backend, engine, tmp_path):
    history = fit(model_on(backend, engine=engine), TensorBoard(tmp_path, update_freq="batch"), epochs=2)
    losses = scalars(tmp_path / "train")["batch_loss"]
    assert [step for step, _ in losses] == [1, 2, 3, 4, 5, 6]
    assert losses[2][1] == np.float32(history.history["loss"][0])  # the mean of the epoch
    assert "TensorBoard asked for each batch" in history.engine_reason or engine == "eager"


def test_tensorboard_every_some_steps(backend, tmp_path):
    fit(model_on(backend, engine="step"), TensorBoard(tmp_path / "step", update_freq=2), epochs=3)
    assert [step for step, _ in scalars(tmp_path / "step" / "train")["batch_loss"]] == [2, 4, 6, 8]
    history = fit(model_on(backend, engine="epoch"), TensorBoard(tmp_path / "epoch", update_freq=2), epochs=3)
    assert history.engine == "epoch"
    assert [step for step, _ in scalars(tmp_path / "epoch" / "train")["batch_loss"]] == [3, 6, 9]


@pytest.mark.parametrize("wrong", ["steps", 0, -1, True, None])
def test_tensorboard_refuses_other_frequencies(wrong, tmp_path):
    with pytest.raises(ValueError, match="update_freq must be "):
        TensorBoard(tmp_path, update_freq=wrong)


def test_tensorboard_imports_no_other_framework(tmp_path):
    program = f"""
import sys
import numpy as np
import dualnn as dn
model = dn.Sequential([dn.layers.Dense(1)]).on("torch")
model.compile("sgd", "mse")
board = dn.callbacks.TensorBoard({str(tmp_path)!r})
model.fit(np.ones((4, 1)), np.ones((4, 1)), callbacks=[board], verbose=0)
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert scalars(tmp_path / "train")["epoch_loss"]
