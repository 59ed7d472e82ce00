"""Epochs that are not validated, and the callbacks that wait for those that are."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import dualnn as dn

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :1].copy()


def fit(backend, callbacks=(), **options):
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    options = {"epochs": 6, "validation_split": 0.25, "validation_freq": 2, "verbose": 0, **options}
    return model.fit(X, Y, callbacks=list(callbacks), **options)


@pytest.mark.parametrize(
    ("freq", "epochs"),
    [(1, 6), (4, 1), ([1, 3], 2), ((6,), 1), (range(2, 5), 3), (np.int64(3), 2), ({2, 9}, 1)],
)
def test_which_epochs_are_validated(backend, freq, epochs):
    assert len(fit(backend, validation_freq=freq).history["val_loss"]) == epochs


@pytest.mark.parametrize("freq", [0, -1, 1.5, True, "2", None, [0], [1, 2.5]])
def test_bad_frequencies(freq):
    with pytest.raises((TypeError, ValueError), match="validation_freq: expected"):
        fit("torch", validation_freq=freq)


def test_callbacks_pass_over_the_other_epochs(backend, tmp_path):
    C = dn.callbacks
    stop, plateau = C.EarlyStopping(patience=1, min_delta=1e6), C.ReduceLROnPlateau(patience=1, min_delta=1e6)
    best = C.ModelCheckpoint(tmp_path / "best.safetensors", save_best_only=True)
    named = C.ModelCheckpoint(str(tmp_path / "{epoch}-{val_loss:.3f}.safetensors"))
    log = C.CSVLogger(tmp_path / "log.csv")
    history = fit(backend, [stop, plateau, best, named, log], epochs=8)
    # validated after epochs 2, 4 and so on: the first is the best of all, the next one ends patience
    assert history.epoch == [0, 1, 2, 3]
    assert plateau.wait == 0
    assert history.history["learning_rate"][-1] == pytest.approx(0.01)
    assert (tmp_path / "best.safetensors").exists()
    assert sorted(path.name[:2] for path in tmp_path.glob("*-*.safetensors")) == ["2-", "4-"]
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["val_loss"] == "NA" for row in rows] == [True, False, True, False]


def test_a_name_that_never_comes_is_still_an_error(backend):
    with pytest.raises(ValueError, match="unknown number 'val_los'; did you mean 'val_loss'"):
        fit(backend, [dn.callbacks.EarlyStopping("val_los")])
    with pytest.raises(ValueError, match="Is validation_data given"):
        fit(backend, [dn.callbacks.EarlyStopping()], validation_split=0.0)


def test_the_curves_are_drawn_where_they_belong(backend):
    pytest.importorskip("matplotlib")
    history = fit(backend, validation_freq=[1, 4])
    figure = dn.plots.history(history)
    lines = [line.get_xdata().tolist() for ax in figure.axes for line in ax.get_lines()]
    assert [1, 4] in lines
