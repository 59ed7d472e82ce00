"""Arrays and buffers belong to the caller: what becomes of them later changes no result, on any backend."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import dualnn as dn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype("float32")
Y = X[:, :1].copy()


def model(backend, *layers, engine="auto", dtype=None):
    model = dn.Sequential([*layers, dn.layers.Dense(8, activation="tanh"), dn.layers.Dense(1)])
    model = model.on(backend, dtype=dtype)
    model.compile("sgd", "mse", engine=engine)
    return model


def refilled(x=X, y=Y, size=16):
    """Return a function whose generators fill the same two buffers anew for each batch."""
    buffers = np.empty((size, 4), x.dtype), np.empty((size, 1), y.dtype)

    def batches():
        for start in range(0, len(x), size):
            buffers[0][:], buffers[1][:] = x[start : start + size], y[start : start + size]
            yield buffers

    return batches


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_generator_may_fill_one_buffer_anew(backend, dtype):
    x, y = X.astype(dtype), Y.astype(dtype)
    fed, given = model(backend, dtype=dtype), model(backend, dtype=dtype)
    batches = refilled(x, y)
    # the validation's first batch is looked at before the training has taken its own: both lie in one buffer
    history = fed.fit(batches, validation_data=batches, epochs=2, seed=1, verbose=0).history
    options = {"batch_size": 16, "shuffle": False, "validation_data": (x, y), "seed": 1, "verbose": 0}
    expected = given.fit(x, y, epochs=2, **options).history
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert history["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-5)
    np.testing.assert_allclose(fed.predict(batches), fed.predict(x, batch_size=16), rtol=1e-6)
    assert fed.evaluate(batches) == pytest.approx(fed.evaluate(x, y, batch_size=16), rel=1e-6)


@pytest.mark.parametrize("of", ["Dataset", "IterableDataset"])
def test_samples_may_come_in_one_buffer(backend, of):
    torch = pytest.importorskip("torch")
    sample = np.empty(4, "float32"), np.empty(1, "float32")

    def filled(i):
        sample[0][:], sample[1][:] = X[i], Y[i]
        return sample

    members = {
        "__len__": lambda self: len(X),
        "__getitem__": lambda self, i: filled(i),
        "__iter__": lambda self: map(filled, range(len(X))),
    }
    chosen = ["__iter__"] if of == "IterableDataset" else ["__len__", "__getitem__"]
    samples = type(of, (getattr(torch.utils.data, of),), {name: members[name] for name in chosen})()
    how = {"batch_size": 16, "shuffle": False, "seed": 1}
    assert model(backend).fit(samples, **how).history == model(backend).fit(X, Y, **how).history


def test_each_worker_may_have_one_buffer(backend):
    keras = pytest.importorskip("keras")
    of_thread = threading.local()

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            if not hasattr(of_thread, "buffers"):
                of_thread.buffers = np.empty((8, 4), "float32"), np.empty((8, 1), "float32")
            of_thread.buffers[0][:], of_thread.buffers[1][:] = X[8 * i : 8 * i + 8], Y[8 * i : 8 * i + 8]
            return of_thread.buffers

    found = model(backend).fit(Batches(workers=2), seed=1).history
    assert found == model(backend).fit(X, Y, batch_size=8, shuffle=False, seed=1).history


def test_several_inputs_may_be_refilled(backend):
    one, other = dn.Input((4,)), dn.Input((4,))
    joined = dn.Model([one, other], dn.layers.Dense(1)(dn.layers.Concatenate()([one, other]))).on(backend)
    joined.compile("sgd", "mse")
    batches = refilled()
    value = joined.evaluate(lambda: (((x, x), y) for x, y in batches()))
    assert value == pytest.approx(joined.evaluate([X, X], Y), rel=1e-6)


class Spoil(dn.callbacks.Callback):
    """Sets arrays to 100 when one of its methods is called for the first time."""

    def __init__(self, when, arrays):
        self.arrays = arrays
        setattr(self, when, self.spoil)

    def spoil(self, *args, **kwargs):
        for array in self.arrays:
            array[...] = 100


@pytest.mark.parametrize(
    ("engine", "when"),
    [
        ("eager", "on_train_begin"),
        ("eager", "on_epoch_begin"),
        ("eager", "on_epoch_end"),
        ("eager", "on_train_batch_begin"),
        ("step", "on_epoch_end"),
        ("epoch", "on_epoch_begin"),
    ],
)
def test_arrays_are_read_at_the_start_of_fit(backend, engine, when):
    for dtype, shuffle in (("float32", True), ("float32", False), ("float64", True)):
        arrays = [X.astype(dtype), Y.astype(dtype), np.linspace(0.5, 2, 64, dtype="float32")]
        held_out = [X[:32].astype(dtype), Y[:32].astype(dtype)]
        options = {"epochs": 2, "seed": 1, "shuffle": shuffle, "verbose": 0}

        def fit(x, y, weight, held_out, callbacks, options=options):
            data = {"sample_weight": weight, "validation_data": tuple(held_out)}
            return model(backend, engine=engine).fit(x, y, callbacks=callbacks, **data, **options).history

        expected = fit(*arrays, held_out, [])
        copies = [array.copy() for array in (*arrays, *held_out)]
        found = fit(*copies[:3], copies[3:], [Spoil(when, copies)])
        assert (copies[0] == 100).all()
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-5)


def test_arrays_are_read_at_the_start_of_evaluate_and_predict(backend):
    one = model(backend)
    one.build((None, 4))
    x, y = X.copy(), Y.copy()
    value = one.evaluate(x, y, batch_size=8)
    assert one.evaluate(x, y, batch_size=8, callbacks=[Spoil("on_test_begin", [x, y])]) == pytest.approx(
        value
    )
    expected, x = one.predict(X, batch_size=8), X.copy()
    found = one.predict(x, batch_size=8, callbacks=[Spoil("on_predict_begin", [x])])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_another_thread_may_change_an_array(backend):
    one = model(backend)
    x = np.tile(X, (64, 1))
    expected = one.predict(x, batch_size=4)

    def spoil():
        time.sleep(0.05)
        x[...] = 100

    thread = threading.Thread(target=spoil)
    thread.start()
    found = one.predict(x, batch_size=4)
    thread.join()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


class AddInPlace(dn.Layer):
    """Changes its input, where the framework can."""

    def call(self, x):
        return x.add_(1.0) if hasattr(x, "add_") else x + 1.0


def test_a_layer_that_changes_its_input_changes_no_array_of_the_caller(backend):
    one = model(backend, AddInPlace(), engine="eager")
    x = X.copy()
    for use in (
        lambda: one(x),
        lambda: one.predict(x),
        lambda: one.predict_on_batch(x),
        lambda: one.evaluate(x, Y),
        lambda: one.train_on_batch(x, Y),
        lambda: one.fit(x, Y, epochs=2, shuffle=False, verbose=0),
    ):
        use()
        np.testing.assert_array_equal(x, X)


def test_results_are_the_callers(backend):
    same = dn.Sequential([dn.layers.Flatten()]).on(backend)
    x = X.copy()
    results = [dn.backend(backend).to_numpy(same(x)), same.predict(x), same.predict_on_batch(x)]
    called = same(x)
    x[...] = 100
    for result in (*results, dn.backend(backend).to_numpy(called)):
        np.testing.assert_array_equal(result, X)
        assert result.flags.writeable


def test_nothing_is_copied_where_nobody_could_change_it(monkeypatch):
    pytest.importorskip("torch")
    one, x = model("torch"), X.copy()
    one.build((None, 4))
    seen = []
    monkeypatch.setattr("threading.enumerate", lambda: [threading.current_thread()])
    place = type(one.place)
    tensor = place.tensor

    def watched(self, array, owner, copy=None):
        made = tensor(self, array, owner, copy)
        seen.append(np.shares_memory(made.numpy(), x))
        return made

    monkeypatch.setattr(place, "tensor", watched)
    one.predict(x)
    assert seen
    assert all(seen)
