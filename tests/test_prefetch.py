"""Batches made in the background, and data that stays in its file."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import dualnn as dn
from dualnn.training.prefetch import AHEAD, prefetched

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 5)).astype("float32")
Y = RNG.normal(size=(70, 1)).astype("float32")


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "dualnn-prefetch"]


def ended():
    for _ in range(50):
        if not threads():
            return True
        time.sleep(0.05)
    return False


def model(backend):
    model = dn.Sequential([dn.layers.Dense(4, activation="tanh"), dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    return model


def test_items_come_in_order_and_only_a_few_ahead():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    source = prefetched(items())
    assert [next(source) for _ in range(3)] == [0, 1, 2]
    time.sleep(0.3)
    assert len(made) <= 3 + AHEAD + 1
    source.close()
    assert ended()


def test_an_error_of_the_source_is_raised_where_its_item_was_due():
    def items():
        yield 1
        raise OSError("the disk is gone")

    source = prefetched(items())
    assert next(source) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(source)
    assert ended()


def test_a_file_is_trained_on_as_its_array_is(backend, tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    weights = []
    for x in (X, mapped):
        one = model(backend)
        history = one.fit(x, Y, batch_size=16, epochs=2, seed=1, verbose=0)
        weights.append(one.get_weights())
    assert history.engine in ("eager", "step")  # the rows come from the file, batch by batch
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert ended()


def test_no_thread_stays_after_an_interrupted_training(backend):
    def endless():
        while True:
            yield X[:8], Y[:8]

    class Stop(dn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model(backend).fit(endless(), steps_per_epoch=10, epochs=1, verbose=0, callbacks=[Stop()])
    assert ended()


def test_batches_of_a_generator_are_not_lost_between_epochs(backend):
    seen = []

    def numbered():
        for i in range(1000):
            seen.append(i)
            yield X[i % 60 : i % 60 + 8], Y[i % 60 : i % 60 + 8]

    fed, twin = model(backend), model(backend)
    fed.fit(numbered(), steps_per_epoch=5, epochs=3, seed=2, verbose=0)
    assert seen == list(range(15))  # no batch is made that the epochs do not take
    twin.build((None, 5))
    twin.set_weights(model_of_seed(backend).get_weights())
    for i in range(15):
        twin.train_on_batch(X[i % 60 : i % 60 + 8], Y[i % 60 : i % 60 + 8])
    for a, b in zip(fed.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def model_of_seed(backend):
    seeded = model(backend)
    seeded.fit(X[:1], Y[:1], epochs=0, seed=2, verbose=0)
    return seeded
