"""Checkpoints: a run that was killed goes on exactly where it was."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import dualnn as dn
from dualnn.saving import archive
from dualnn.training.checkpoints import KIND
from tests.killed_training import train

ENGINES = ["eager", "step", "epoch"]


class Killed(BaseException):
    """Stands for the end of a process, where a real one would take too long."""


class KillAfter(dn.callbacks.Callback):
    """Ends the run after so many calls of the engine."""

    def __init__(self, calls):
        self.calls = calls

    def on_train_chunk_end(self, batch, logs=None):
        self.calls -= 1
        if self.calls == 0:
            raise Killed


def data():
    rng = np.random.default_rng(1)
    return rng.normal(size=(50, 4)).astype(np.float32), rng.normal(size=(50, 1)).astype(np.float32)


def small(backend, engine="auto", **options):
    model = dn.Sequential([dn.layers.Dense(8, activation="relu"), dn.layers.Dropout(0.2), dn.layers.Dense(1)])
    model = model.on(backend)
    model.compile(dn.optimizers.Adam(0.01), "mse", engine=engine, **options)
    return model


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_ends_anywhere_goes_on_exactly(backend, engine, tmp_path):
    x, y = data()

    def run(folder, calls):
        model = small(backend, engine)
        history = model.fit(
            x,
            y,
            epochs=5,
            batch_size=8,
            checkpoint=dn.Checkpoints(tmp_path / folder, every_steps=3),
            resume=True,
            callbacks=[dn.callbacks.ReduceLROnPlateau("loss", patience=1), KillAfter(calls)],
            seed=1,
        )
        return model, history

    whole, history = run("whole", 10**9)
    for calls in (1, 4, 2):
        with pytest.raises(Killed):
            run("parts", calls)
    resumed, history_of_parts = run("parts", 10**9)
    assert same_weights(whole, resumed)
    assert history_of_parts.history == history.history
    assert history_of_parts.epoch == [0, 1, 2, 3, 4]


def test_killed_at_random_moments(backend, tmp_path):
    assert killed_at_random_moments(backend, "auto", tmp_path, kills=3) == 3


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["eager", "epoch"])
def test_killed_at_a_hundred_random_moments(backend, engine, tmp_path):
    assert killed_at_random_moments(backend, engine, tmp_path, kills=100) == 100


def killed_at_random_moments(backend, engine, tmp_path, kills):
    """Kill a run again and again by SIGKILL, each time at a random moment, and go on; return how often."""
    rng = random.Random(0)
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "tests.killed_training", backend, engine]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as server:

        def start(folder):
            print(tmp_path / folder, tmp_path / f"{folder}.out", file=server.stdin, flush=True)
            return int(server.stdout.readline())

        def result(folder):
            output = str(tmp_path / f"{folder}.out")
            history = json.loads(Path(output + ".json").read_text())
            weights = safetensors.numpy.load_file(output + ".safetensors")
            log = Path(output + ".csv").read_text()
            return {name: array.tobytes() for name, array in weights.items()}, history, log

        start("whole")
        began = time.perf_counter()
        assert server.stdout.readline().strip() == "0"
        seconds = time.perf_counter() - began
        expected = result("whole")
        killed = 0
        while killed < kills:
            process = start("parts")
            time.sleep(rng.uniform(0, 1.1 * seconds))
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            status = int(server.stdout.readline())
            if status == 0:  # it had come to the end before
                assert result("parts") == expected
                shutil.rmtree(tmp_path / "parts")
                seconds *= 0.9  # the first run may have been slow, on a machine with other work
            else:
                assert status == -signal.SIGKILL
                killed += 1
        start("parts")
        assert server.stdout.readline().strip() == "0"
        server.stdin.close()
    assert result("parts") == expected
    assert not list((tmp_path / "parts").glob(".*"))
    return killed


def test_it_goes_on_on_the_other_backend(tmp_path):
    # A step of Adam is at most about a learning rate long, and differs by the roundings of a gradient: of the
    # 8 + 16 terms of its sums, relative to it. 102 steps by 24 * 2**-24 * 1e-2 are 1.5e-6. Where terms
    # cancel, the roundings are larger beside their sum: tenfold is allowed for.
    whole, history = train("torch", tmp_path / "whole", "auto", tmp_path / "whole.csv", epochs=6)
    parts = tmp_path / "parts", "auto", tmp_path / "parts.csv"
    train("torch", *parts, epochs=3)
    resumed, history_of_parts = train("tensorflow", *parts, epochs=6)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1.5e-5)
    np.testing.assert_allclose(history.history["loss"], history_of_parts.history["loss"], rtol=1e-4)


@pytest.mark.parametrize("kind", ["list", "endless", "mapped"])
def test_data_in_batches_goes_on_at_the_same_batch(backend, kind, tmp_path):
    x, y = data()
    np.save(tmp_path / "x.npy", x)
    pairs = [(x[start : start + 8], y[start : start + 8]) for start in range(0, 48, 8)]

    def endless():
        while True:
            yield from pairs

    def run(folder, calls):
        arguments = {
            "list": {"x": lambda: iter(pairs)},
            "endless": {"x": endless(), "steps_per_epoch": 5},
            "mapped": {"x": np.load(tmp_path / "x.npy", mmap_mode="r"), "y": y, "batch_size": 8},
        }[kind]
        model = small(backend)
        saving = dn.Checkpoints(tmp_path / folder, every_steps=2)
        callbacks = [KillAfter(calls)]
        history = model.fit(
            **arguments, epochs=4, checkpoint=saving, resume=True, callbacks=callbacks, seed=1
        )
        return model, history

    whole, history = run("whole", 10**9)
    for calls in (3, 8):
        with pytest.raises(Killed):
            run("parts", calls)
    resumed, history_of_parts = run("parts", 10**9)
    assert same_weights(whole, resumed)
    assert history_of_parts.history == history.history


def test_a_run_that_was_stopped_early_stays_stopped(backend, tmp_path):
    x, y = data()

    def run():
        stop = dn.callbacks.EarlyStopping("loss", min_delta=10.0, patience=2, restore_best_weights=True)
        model = small(backend)
        return model, model.fit(x, y, epochs=20, callbacks=[stop], checkpoint=tmp_path, resume=True, seed=1)

    first, history = run()
    second, again = run()
    assert len(again.epoch) == len(history.epoch) == 3
    assert same_weights(first, second)


def test_more_epochs_than_before(backend, tmp_path):
    x, y = data()
    small(backend).fit(x, y, epochs=2, checkpoint=tmp_path / "a", seed=1)
    longer, whole = small(backend), small(backend)
    history = longer.fit(x, y, epochs=4, checkpoint=tmp_path / "a", resume=True, seed=1)
    whole.fit(x, y, epochs=4, seed=1, on_nonfinite="raise")
    assert len(history.epoch) == 4
    assert same_weights(longer, whole)


def test_the_newest_are_kept(backend, tmp_path):
    x, y = data()
    small(backend).fit(x, y, epochs=6, batch_size=25, checkpoint=dn.Checkpoints(tmp_path, keep=2), seed=1)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-000000000010.safetensors", "checkpoint-000000000012.safetensors"]
    every_third = dn.Checkpoints(tmp_path / "third", every_epochs=3, keep=9)
    small(backend).fit(x, y, epochs=7, batch_size=25, checkpoint=every_third, seed=1)
    assert [int(path.stem.split("-")[1]) for path in every_third.paths()] == [6, 12, 14]


def test_a_damaged_checkpoint_is_passed_over(backend, tmp_path, caplog):
    x, y = data()
    saving = dn.Checkpoints(tmp_path)
    small(backend).fit(x, y, epochs=3, checkpoint=saving, seed=1)
    newest = saving.paths()[-1]
    content = bytearray(newest.read_bytes())
    content[-20] ^= 4
    newest.write_bytes(content)
    (tmp_path / ".checkpoint-000000000099.safetensors.12345.part").write_bytes(b"half")
    model, whole = small(backend), small(backend)
    history = model.fit(x, y, epochs=4, checkpoint=saving, resume=True, seed=1)
    whole.fit(x, y, epochs=4, seed=1, on_nonfinite="raise")
    assert same_weights(model, whole)
    assert len(history.epoch) == 4
    assert "checksum is wrong" in caplog.text
    assert not list(tmp_path.glob(".*"))
    for path in saving.paths():
        path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="none of the 3 checkpoints"):
        small(backend).fit(x, y, epochs=5, checkpoint=saving, resume=True, seed=1)


def test_a_full_disk_fails_the_write_and_not_the_checkpoint_before(backend, tmp_path, monkeypatch):
    x, y = data()
    saving = dn.Checkpoints(tmp_path)
    small(backend).fit(x, y, epochs=2, checkpoint=saving, seed=1)
    before = {path: path.read_bytes() for path in saving.paths()}

    def full(descriptor):
        raise OSError(28, "No space left on device")

    model = small(backend)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            model.fit(x, y, epochs=4, checkpoint=saving, resume=True, seed=1)
    assert any("those before it are intact" in note for note in caught.value.__notes__)
    assert {path: path.read_bytes() for path in saving.paths()} == before
    assert not list(tmp_path.glob(".*"))
    assert np.isfinite(model.predict(x)).all()
    resumed, whole = small(backend), small(backend)
    resumed.fit(x, y, epochs=4, checkpoint=saving, resume=True, seed=1)
    whole.fit(x, y, epochs=4, seed=1, on_nonfinite="raise")
    assert same_weights(resumed, whole)


def test_other_runs_are_refused_and_change_nothing(backend, tmp_path):
    x, y = data()
    small(backend).fit(x, y, epochs=1, checkpoint=tmp_path, seed=1)
    with pytest.raises(ValueError, match="resume=True goes on with it"):
        small(backend).fit(x, y, epochs=1, checkpoint=tmp_path, seed=1)
    with pytest.raises(ValueError, match="needs to know where from"):
        small(backend).fit(x, y, resume=True)
    wider = dn.Sequential([dn.layers.Dense(9), dn.layers.Dropout(0.2), dn.layers.Dense(1)]).on(backend)
    wider.compile(dn.optimizers.Adam(0.01), "mse")
    wider.build((None, 4))
    before = wider.get_weights()
    with pytest.raises(ValueError, match=r"of another model: .*kernel has shape"):
        wider.fit(x, y, checkpoint=tmp_path, resume=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, wider.get_weights(), strict=True))
    other = small(backend)
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match="its optimizer is 'Adam', here 'SGD'"):
        other.fit(x, y, checkpoint=tmp_path, resume=True)
    with pytest.raises(ValueError, match="its callbacks is"):
        small(backend).fit(
            x, y, checkpoint=tmp_path, resume=True, callbacks=[dn.callbacks.EarlyStopping("loss")]
        )
    for options in ({"every_epochs": 0}, {"every_steps": 0}, {"keep": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            dn.Checkpoints(tmp_path, **options)


def test_frozen_layers_and_accumulated_gradients_go_on(backend, tmp_path):
    x, y = data()

    def run(folder, epochs):
        model = dn.Sequential([dn.layers.Dense(4), dn.layers.Dense(1)]).on(backend)
        model.layers[0].trainable = False
        model.compile(dn.optimizers.Adam(0.01, gradient_accumulation_steps=3), "mse")
        model.fit(x, y, epochs=epochs, batch_size=8, checkpoint=tmp_path / folder, resume=True, seed=1)
        return model

    whole = run("whole", 5)
    run("parts", 2)
    assert same_weights(whole, run("parts", 5))


def test_the_loss_scale_goes_on(backend, tmp_path):
    x, y = data()

    def run(folder, epochs):
        model = small(backend, precision="mixed_float16")
        model.fit(x, y, epochs=epochs, batch_size=8, checkpoint=tmp_path / folder, resume=True, seed=1)
        return model

    whole = run("whole", 4)
    run("parts", 2)
    assert same_weights(whole, run("parts", 4))


def test_a_callback_of_ones_own_has_a_state(backend, tmp_path):
    class Count(dn.callbacks.Callback):
        state_names = ("epochs",)
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    x, y = data()
    for epochs in (2, 5):
        count = Count()
        small(backend).fit(x, y, epochs=epochs, callbacks=[count], checkpoint=tmp_path, resume=True, seed=1)
        assert count.epochs == epochs


def test_archives_hold_trees(tmp_path):
    tree = {
        "numbers": [1, 2.5, float("nan"), -float("inf"), True, None, 2**60],
        "arrays": {"a.b": np.arange(6).reshape(2, 3), "empty": np.zeros((0, 2), np.float32)},
        "text": "ü\n{}",
        "of numpy": [np.float32(0.1), np.int64(3), np.bool_(False)],
    }
    archive.write(tmp_path / "tree", KIND, tree)
    read = archive.read(tmp_path / "tree", KIND)
    assert repr(read["numbers"]) == repr(tree["numbers"])
    assert read["text"] == tree["text"]
    assert read["of numpy"] == [float(np.float32(0.1)), 3, False]
    for name, array in tree["arrays"].items():
        assert read["arrays"][name].dtype == array.dtype
        assert np.array_equal(read["arrays"][name], array)
    with pytest.raises(ValueError, match=r"it is dualnn.checkpoint, expected dualnn.model"):
        archive.read(tmp_path / "tree", "model")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        archive.read(tmp_path / "none", KIND)
    with pytest.raises(TypeError, match="got object"):
        archive.write(tmp_path / "other", KIND, {"x": object()})
    assert not (tmp_path / "other").exists()


def test_names_of_arrays_in_an_archive_may_look_alike(tmp_path):
    tree = {"a.b": np.zeros(1), "a": {"b": np.ones(1), "b'": np.full(1, 2.0)}}
    archive.write(tmp_path / "tree", KIND, tree)
    read = archive.read(tmp_path / "tree", KIND)
    assert (read["a.b"], read["a"]["b"], read["a"]["b'"]) == (0, 1, 2)
    for key in ("__array__", "__float__"):
        with pytest.raises(TypeError, match=rf"state: the key '{key}' has a meaning of its own"):
            archive.write(tmp_path / "tree", KIND, {"state": {key: "a"}})
