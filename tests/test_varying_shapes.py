"""One model on data of other sizes than it was built on, from fit to fit and from batch to batch."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn

L = dn.layers


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def sequences(n, size):
    return numbers(n, size, 4)


def images(n, size):
    return numbers(n, size + 2, size + 3, 2)


class SelfAttention(dn.Layer):
    def __init__(self):
        super().__init__()
        self.attention = L.MultiHeadAttention(2, 3)

    def call(self, x):
        return self.attention(x, x, use_causal_mask=True)


CASES = {
    "Reshape": (lambda: [L.Reshape((-1, 8))], lambda n, size: numbers(n, 8 * size)),
    "Flatten": (lambda: [L.Flatten()], sequences),
    "Dense": (lambda: [L.LayerNormalization(), L.Dense(3), L.BatchNormalization()], sequences),
    "recurrent": (lambda: [L.GRU(3, return_sequences=True), L.SimpleRNN(2)], sequences),
    "TimeDistributed": (lambda: [L.TimeDistributed(L.Dense(3)), L.GlobalAveragePooling1D()], sequences),
    "attention": (lambda: [SelfAttention(), L.Masking()], sequences),
    "images": (lambda: [L.Conv2D(2, 2), L.MaxPooling2D(2, 1), L.AveragePooling2D(2, 1)], images),
}


@pytest.mark.parametrize("name", CASES)
def test_fits_on_other_sizes_give_the_same_in_every_engine(backend, name):
    make, data = CASES[name]
    losses = []
    for engine in ("eager", "epoch"):  # batches of a generator are steps in any case
        model = dn.Sequential(make())
        model.compile("sgd", "mse", engine=engine, jit=False)
        model.build_on(data(1, 2))
        model.set_weights([numbers(*w.shape) for w in model.get_weights()])
        found = []
        for n, size in ((3, 2), (1, 4), (5, 3)):
            x = data(n, size)
            y = np.zeros_like(model.predict(x, batch_size=2, verbose=0))
            found += model.fit(x, y, batch_size=2, shuffle=False, verbose=0).history["loss"]
            found.append(model.evaluate(x, y, verbose=0))
        batches = [data(n, size) for n, size in ((2, 2), (2, 5), (1, 6), (1, 2))]
        pairs = [(x, np.zeros_like(model.predict_on_batch(x))) for x in batches]
        found += model.fit(lambda pairs=pairs: iter(pairs), epochs=2, verbose=0).history["loss"]
        losses.append(found)
    # engines differ by roundings, which ten small steps carry on
    for one in losses[1:]:
        np.testing.assert_allclose(one, losses[0], rtol=1e-4, atol=1e-7)


def test_targets_are_checked_for_the_sizes_of_their_batch(backend):
    """Also where a batch that is made in the background is the first one of its sizes."""
    model = dn.Sequential([L.Reshape((-1, 8))])
    model.compile("sgd", "mse")
    model.fit(numbers(1, 24), np.zeros((1, 3, 8)), verbose=0)
    with pytest.raises(ValueError, match=r"expected y_true of the shape \(None, 5, 8\).* got \(1, 3, 8\)"):
        model.fit(numbers(1, 40), np.zeros((1, 3, 8)), verbose=0)
    batches = [(numbers(1, n), np.zeros((1, 3, 8))) for n in (24, 40)]
    with pytest.raises(ValueError, match=r"expected y_true of the shape \(None, 5, 8\).* got \(1, 3, 8\)"):
        model.fit(lambda: iter(batches), verbose=0)
    with pytest.raises(ValueError, match=r"cannot give samples of shape \(20,\) .* the shape \(-1, 8\)"):
        model.fit(numbers(1, 20), np.zeros((1, 3, 8)), verbose=0)


def test_labels_of_sequences_of_other_lengths_are_checked(backend):
    model = dn.Sequential([L.Dense(3)])
    model.compile("sgd", dn.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    good = [(numbers(2, n, 4), np.ones((2, n), int)) for n in (2, 3)]
    model.fit(lambda: iter(good), verbose=0)
    bad = [*good, (numbers(2, 5, 4), np.full((2, 5), 3))]
    with pytest.raises(ValueError, match="3"):
        model.fit(lambda: iter(bad), verbose=0)
