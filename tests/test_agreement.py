"""The two backends, trained side by side from one seed, agree."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from tests.conftest import BACKENDS

SEED = 3


class Gated(dn.Layer):
    def __init__(self, units):
        super().__init__()
        self.value = dn.layers.Dense(units)
        self.gate = dn.layers.Dense(units, activation="sigmoid")

    def call(self, x):
        return self.value(x) * self.gate(x)


def network():
    return dn.Sequential(
        [
            dn.layers.Dense(32, activation="relu"),
            dn.layers.BatchNormalization(),
            dn.layers.Dropout(0.2),
            Gated(16),
            dn.layers.Dense(3),
        ]
    )


def data(dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(640, 8)).astype(dtype)
    return x, (x[:, 0] > 0).astype(np.int64) + (x[:, 1] * x[:, 2] > 0.3)


def trained(backend, dtype, epochs):
    model = network().on(backend, dtype=dtype)
    model.compile(
        dn.optimizers.Adam(1e-3),
        dn.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(*data(dtype), epochs=epochs, batch_size=64, seed=SEED, verbose=0)
    return model, history


def test_initial_weights_are_equal_bit_for_bit():
    models = [network().on(backend) for backend in BACKENDS]
    for model in models:
        model.compile("sgd", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(*data("float32"), epochs=0, seed=SEED, verbose=0)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def test_float64_training_agrees_to_1e_10_after_200_steps():
    # 640 samples in batches of 64 are 10 steps an epoch, so 20 epochs are 200 steps. Rounding is
    # 1.1e-16 an operation; Adam divides by sqrt(v) + 1e-7, so it magnifies the rounding of a gradient
    # by at most 1e7 where the gradient vanishes, times its rate of 1e-3, a step: 200 * 1e-3 * 1e7 *
    # 1e-16 = 2e-10 at the very worst, and far less where gradients do not vanish.
    (a, history_a), (b, history_b) = (trained(backend, "float64", 20) for backend in BACKENDS)
    np.testing.assert_allclose(history_a.history["loss"], history_b.history["loss"], rtol=1e-10)
    flat_a, flat_b = (np.concatenate([w.ravel() for w in m.get_weights()]) for m in (a, b))
    assert np.max(np.abs(flat_a - flat_b)) <= 1e-10 * np.max(np.abs(flat_a))
    assert history_a.history["loss"][-1] < 0.8 * history_a.history["loss"][0]


def test_dropout_masks_are_equal_bit_for_bit():
    masks = []
    for backend in BACKENDS:
        layer = dn.layers.Dropout(0.3, seed=7).on(backend)
        nn = dn.backend(backend)
        ones = nn.ones((50, 40))
        masks.append(np.stack([nn.to_numpy(layer(ones, training=True)) for _ in range(3)]))
    assert masks[0].tobytes() == masks[1].tobytes()
    assert not np.array_equal(masks[0][0], masks[0][1])
    # 6,000 draws: the share of zeros has a standard deviation of sqrt(0.3 * 0.7 / 6000) = 0.006
    assert abs(np.mean(masks[0] == 0) - 0.3) < 5 * 0.006


@pytest.mark.parametrize("first", BACKENDS)
def test_a_model_moves_in_the_middle_of_training(first):
    # two epochs here, then two epochs there, are as four epochs in one place
    second = BACKENDS[1 - BACKENDS.index(first)]
    whole, history = trained(first, "float64", 4)
    half, history_half = trained(first, "float64", 2)
    twin = half.on(second)
    more = twin.fit(*data("float64"), epochs=2, batch_size=64, verbose=0)
    losses = history_half.history["loss"] + more.history["loss"]
    np.testing.assert_allclose(losses, history.history["loss"], rtol=1e-10)
    for a, b in zip(whole.get_weights(), twin.get_weights(), strict=True):
        # 40 steps; the bound is that of the test above, and these weights are of order one
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


def test_compare_lists_every_layer_in_ulps():
    model, _ = trained("torch", "float32", 1)
    report = dn.compare(model, model.on("tensorflow"), data("float32")[0][:50])
    assert report.weights == 0
    assert [d.path for d in report.layers if d.path.startswith("layers.3")] == [
        "layers.3.value",
        "layers.3.gate",
        "layers.3",
    ]
    # sums of at most 32 products: each sum is off by at most 32 roundings of its largest term
    assert report.ulp < 4 * 32
    assert "layers.4 dense" in str(report)
