"""Names of files: the folder that is missing is named, and no file gets a name that says another kind."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dualnn as dn


@pytest.fixture
def model(backend):
    model = dn.Sequential([dn.Input((4,)), dn.layers.Dense(3)])
    model.build()
    return model


@pytest.mark.parametrize("method", ["save", "save_weights"])
def test_a_missing_folder_is_named(model, tmp_path, method):
    with pytest.raises(FileNotFoundError, match=r"no/such/x: there is no folder .*no/such; make it first"):
        getattr(model, method)(tmp_path / "no/such/x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="folder is a folder; give the name of a file in it"):
        getattr(model, method)(tmp_path / "folder")


@pytest.mark.parametrize("method", ["save", "save_weights"])
def test_what_the_system_refuses_is_told_of_the_file_that_was_named(model, tmp_path, monkeypatch, method):
    def full(*arguments):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/m'$"):
        getattr(model, method)(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "name", "message"),
    [
        ("save", "x.keras", "of a file of Keras; save(...) writes one of its own: "),
        ("save", "model.h5", "model.dualnn"),
        ("save", "M.H5", "of a file of Keras"),
        ("save", "x.pt", "of a file of PyTorch"),
        ("save", "x.onnx", ".onnx files are written by export(...)"),
        ("save", "x.safetensors", "of a file with weights, which save_weights(...) writes"),
        ("save_weights", "w.h5", "w.safetensors"),
        ("save_weights", "w.weights.h5", "w.safetensors"),
        ("save_weights", "x.dualnn", "of a file with a whole model, which save(...) writes"),
        ("save_weights", "x.pth", "save_weights(...) writes one of its own"),
        ("save_weights", "x.ckpt", "of a file of PyTorch"),
    ],
)
def test_a_name_that_says_another_kind_is_refused(model, tmp_path, method, name, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(model, method)(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_says_what_it_is(model, tmp_path):
    (tmp_path / "w.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    for read in (model.load_weights, dn.load_model):
        with pytest.raises(FileNotFoundError, match=r"there is no file .*no/such/x"):
            read(tmp_path / "no/such/x")
        with pytest.raises(ValueError, match=r"a file of Keras is read by Keras, .* model.set_weights"):
            read(tmp_path / "w.h5")


def test_a_name_without_an_ending_is_anybodys(model, tmp_path):
    model.save(tmp_path / "model")
    model.save_weights(tmp_path / "weights.1")
    again = dn.load_model(tmp_path / "model")
    again.load_weights(tmp_path / "weights.1")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
